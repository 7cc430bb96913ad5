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

mod arity;
mod authorize;
mod capture_error;
mod context;
mod error_handler;
mod from_context;
mod guard;
mod handler;
mod handler_error;
mod hook;
mod interceptor;
mod layer;
mod listener;
mod mount;
mod outcome;
mod part;
mod permissions;
mod rejection;
mod route;
mod route_error;
mod route_table;
mod router;
mod routes;
mod rule;
mod snapshot;

pub use authorize::{Authorize, Rules, SendTarget};
pub use capture_error::CaptureError;
pub use context::{Context, Routed, Subscribe};
pub(crate) use error_handler::Failure;
pub use error_handler::{ErrorHandler, Failed, HandlesError, IntoFailure};
pub use from_context::{FromContext, OptionalFromContext};
pub use guard::{ByRole, IntoVerdict, RequireRole, require_role};
pub use handler::Handler;
pub use handler_error::HandlerError;
pub(crate) use hook::{BoundHook, Hook};
pub use interceptor::Interceptor;
pub use layer::RouteService;
pub use listener::Listener;
pub(crate) use listener::RouteListener;
pub use mount::Mount;
pub use outcome::{IntoOutcome, IntoPublications, Outcome, Publications};
pub(crate) use outcome::{Recipient, Target};
pub(crate) use part::Part;
pub use permissions::{Action, Permission, Permissions};
pub use rejection::Rejection;
pub(crate) use rejection::millis;
pub use route::Route;
pub use route_error::RouteError;
pub use router::Router;
pub(crate) use routes::Matched;
pub use routes::{RouteEntry, RouteKind, Routes};
pub use rule::Rule;
pub use snapshot::Snapshot;

pub use crate::{
    limits::Rate,
    session::{Connected, Disconnected, Subscribed, Unsubscribed},
};
