//! The application layer: plain functions as handlers, routes to them, what they answer, and who may do what.
//!
//! ```text
//! SEND, SUBSCRIBE -> Routes (by pattern) -> extractors -> handler -> Outcome -> broker
//!                                                            \-----> Rejection -> client (rule 11)
//! ```
//!
//! ```
//! use parlor_core::{
//!     app::{Route, Router},
//!     extract::{Path, Payload},
//! };
//!
//! async fn shout(Path(room): Path<u32>, Payload(text): Payload<String>) -> Payload<String> {
//!     Payload(format!("{room}: {}", text.to_uppercase()))
//! }
//!
//! let routes = Router::new()
//!     .mount(Route::message("/app/rooms/{room}/shout", shout).send_to("/topic/rooms/{room}"))
//!     .with_state(());
//! # let _ = routes;
//! ```

mod authorize;
mod context;
mod handler;
mod outcome;
mod rejection;
mod route;
mod router;

pub use authorize::{Authorize, Rules, SendTarget};
pub use context::{Context, Routed, Subscribe};
pub use handler::Handler;
pub(crate) use outcome::{Delivery, Recipient};
pub use outcome::{IntoOutcome, IntoPublication, Outcome};
pub use rejection::Rejection;
pub use route::Route;
pub use router::{Mount, RouteError, Router, Routes};
