//! Runs that try to lose, double and reorder messages, and log what came of it.
//!
//! ```text
//! publishers  ─┐
//!              ├─> proxy (breaks connections) ─> broker (a process of its own, may be killed)
//! subscribers ─┘
//!      └─> log ─> checker
//! ```

mod broker;
mod event_stream;
mod fault;
mod feed;
mod proxy;
mod publisher;
mod run;
mod scene;
mod subscriber;

pub use broker::{BrokerOptions, serve};
pub use run::{Mode, Outcome, RunOptions, Transports, run};
