//! A server's session and a scripted client in one place: octets in, requests out, no sockets and no time.

#![allow(dead_code, reason = "each chapter uses its part")]

use bytes::Bytes;
use parlor_stomp::{
    Decoder, Encoded, Fault, Frame, Limits, Request, Send, ServerConfig, ServerSession, Subscribe, Version,
};

/// Every version.
pub(crate) const VERSIONS: [Version; 3] = [Version::V1_0, Version::V1_1, Version::V1_2];

/// The versions with escapes and ids.
pub(crate) const FROM_1_1: [Version; 2] = [Version::V1_1, Version::V1_2];

/// An open session with the default limits.
pub(crate) fn connected(version: Version) -> ServerSession {
    connected_with(version, Limits::default())
}

/// An open session.
pub(crate) fn connected_with(version: Version, limits: Limits) -> ServerSession {
    let mut session = ServerSession::new(ServerConfig::default().limits(limits));
    let requests = feed(&mut session, format!("CONNECT\naccept-version:{version}\nhost:/\n\n\0"));
    assert!(matches!(&requests[..], [Request::Connect(_)]), "{requests:?}");
    assert_eq!(session.version(), Some(version));
    session
}

/// A session before CONNECT.
pub(crate) fn fresh() -> ServerSession {
    ServerSession::new(ServerConfig::default())
}

/// Hands octets over in one piece; gives back every request they make.
pub(crate) fn feed(session: &mut ServerSession, octets: impl AsRef<[u8]>) -> Vec<Request> {
    session.handle_input(Bytes::copy_from_slice(octets.as_ref()));
    std::iter::from_fn(|| session.poll_request()).collect()
}

/// The only request that the octets make.
pub(crate) fn one(session: &mut ServerSession, octets: impl AsRef<[u8]>) -> Request {
    let mut requests = feed(session, octets);
    match (requests.pop(), requests.len()) {
        (Some(request), 0) => request,
        (last, _) => panic!("one request was expected, not {requests:?} and {last:?}"),
    }
}

/// The fault that the octets are answered with; they make no other request.
pub(crate) fn fault(session: &mut ServerSession, octets: impl AsRef<[u8]>) -> Fault {
    match one(session, octets) {
        Request::Fault(fault) => fault,
        other => panic!("a fault was expected, not {other:?}"),
    }
}

/// The code of the fault that the octets draw in a new open session.
pub(crate) fn code(version: Version, octets: impl AsRef<[u8]>) -> String {
    fault(&mut connected(version), octets).code.into_owned()
}

/// The SEND that the octets make in a new open session.
pub(crate) fn send(version: Version, octets: impl AsRef<[u8]>) -> Send {
    match one(&mut connected(version), octets) {
        Request::Send(send) => send,
        other => panic!("a SEND was expected, not {other:?}"),
    }
}

/// The SUBSCRIBE that the octets make in a new open session.
pub(crate) fn subscribe(version: Version, octets: impl AsRef<[u8]>) -> Subscribe {
    match one(&mut connected(version), octets) {
        Request::Subscribe(subscribe) => subscribe,
        other => panic!("a SUBSCRIBE was expected, not {other:?}"),
    }
}

/// Decodes octets that come in the given pieces: the frames, and the fault after them.
pub(crate) fn decode<'a>(
    version: Option<Version>,
    limits: &Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<Fault>) {
    let mut decoder = Decoder::new(limits.clone());
    if let Some(version) = version {
        decoder.set_version(version);
    }
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.decode() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault)),
            }
        }
    }
    (frames, None)
}

/// The frame that a client of this version sees. CONNECTED comes before the client knows a version: `None`.
pub(crate) fn seen(version: Option<Version>, encoded: &Encoded) -> Frame {
    let (mut frames, fault) = decode(version, &Limits::unlimited(), [&encoded.bytes[..]]);
    match (frames.pop(), frames.len(), fault) {
        (Some(frame), 0, None) => frame,
        other => panic!("one frame was expected, not {other:?}"),
    }
}
