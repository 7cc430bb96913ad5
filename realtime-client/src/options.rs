//! What the task needs of the builder's settings, made once.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Uri};
use parlor_stomp::ClientConfig;

use crate::{Connector, ReconnectPolicy};

/// The settings of a client.
pub(crate) struct Options {
    pub(crate) address: Uri,
    /// Headers of the WebSocket handshake.
    pub(crate) headers: HeaderMap,
    pub(crate) session: ClientConfig,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) connect_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) reconnect: ReconnectPolicy,
    pub(crate) error_queue: Option<String>,
}
