//! What a server under test is spoken to in, inside of WebSocket text messages.
//!
//! The load generator knows sockets, WebSocket frames and stamps; everything else that differs between servers is a
//! [`Dialect`]. A delivery is recognised by the stamp in its body, wherever in a payload that stands, so that all dialects
//! are counted, and judged, alike.

mod centrifuge;
mod language;
mod raw;
mod socketio;
mod stomp;
mod witness;

use std::error::Error;

pub(crate) use language::{Language, Variation};
pub(crate) use stomp::FRAME;
pub(crate) use witness::Witness;

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

    /// Whether [`answer`](Self::answer) is to see deliveries too, because each is acknowledged.
    fn answers_deliveries(&self) -> bool {
        false
    }

    /// Somebody who reads everything that a subscriber receives as a real client would.
    fn witness(&self, _subscriber: usize, _destinations: &[usize]) -> Option<Witness> {
        None
    }
}

/// The dialect of a language.
///
/// # Errors
/// Where no dialect has the language's name, or it cannot be varied like that.
pub(crate) fn of(language: &Language, variation: &Variation) -> Result<Box<dyn Dialect>, Box<dyn Error>> {
    match language.dialect.as_str() {
        "raw" => Ok(Box::new(raw::Raw::broadcast())),
        "raw-echo" => Ok(Box::new(raw::Raw::echo(&language.path, variation.frame))),
        "socketio" => Ok(Box::new(socketio::SocketIo::new(&language.path))),
        "centrifuge" => Ok(Box::new(centrifuge::Centrifuge::new(&language.path))),
        "stomp" => Ok(Box::new(stomp::Stomp::new(language.clone(), variation.clone()))),
        other => Err(format!("there is no dialect {other}").into()),
    }
}
