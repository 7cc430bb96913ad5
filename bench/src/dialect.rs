//! What a server under test is spoken to in, inside of WebSocket text messages.
//!
//! The load generator knows sockets, WebSocket frames and stamps; everything else that differs between servers is a
//! [`Dialect`]. A delivery is recognised by the stamp in its body, wherever in a payload that stands, so that all dialects
//! are counted, and judged, alike.

pub(crate) mod centrifuge;
pub(crate) mod socketio;

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// Subscribes, and may publish as well where the dialect knows no difference.
    Subscriber,
    /// Only publishes.
    Publisher,
}

/// One step from the upgrade to a usable connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Sends the payload of one text message.
    Send(Vec<u8>),
    /// Reads payloads until one contains the needle. What stands in the same payload behind it is not looked at again.
    Await(&'static [u8]),
}

/// How to connect, subscribe and publish. Destinations and subscribers are numbered from 0.
pub(crate) trait Dialect: Send + Sync {
    /// The request target of the upgrade.
    fn request_target(&self, role: Role) -> String;

    /// Further headers of the upgrade: a sub-protocol, a cookie.
    fn headers(&self) -> Vec<(String, String)>;

    /// What to say and what to wait for until the connection is subscribed to `destinations`.
    fn opening(&self, role: Role, subscriber: usize, destinations: &[usize]) -> Vec<Step>;

    /// Appends the payload of one message for a destination to `out`. The body is printable ASCII without quotes and
    /// backslashes.
    fn publish(&self, destination: usize, body: &[u8], out: &mut Vec<u8>);

    /// The answer to a payload that carries no stamp: to a ping of the dialect's own, say.
    fn answer(&self, payload: &[u8]) -> Option<Vec<u8>>;
}
