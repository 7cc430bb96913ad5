//! Notifications: what somebody should hear of, whether they are here or not. Routes first, the service in its own file.
//!
//! Parlor keeps them in the [store](crate::store), delivers them at `/user/queue/notifications` over STOMP and as an event stream,
//! and tells all tabs what was acknowledged. Here stands what there is to hear of, and for whom.

mod mentions;
mod routes;
mod service;

use parlor::app::Router;
pub(crate) use routes::routes as api;
pub(crate) use service::NotificationService;

/// What pages with a WebSocket acknowledge with, and ask for more.
const PREFIX: &str = "/app/notifications";

/// The routes over STOMP: Parlor's own.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(service: &NotificationService) -> Router<S> {
    service.mailboxes().routes(PREFIX)
}
