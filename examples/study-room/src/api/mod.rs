//! What the routes of the JSON API share: how they refuse, what they take in, and where a request came from.
//!
//! The modules with routes stand above it and name only the parts of the state that they use; `web` puts them together.

mod client_addr;
mod error;
mod extract;

pub(crate) use client_addr::ClientAddr;
pub(crate) use error::ApiError;
pub(crate) use extract::{ApiJson, ApiQuery};
