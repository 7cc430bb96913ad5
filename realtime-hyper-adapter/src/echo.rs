//! A plain WebSocket echo through the same transport and framing, for protocol test suites.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use parlor_core::{
    Admission, Realtime,
    auth::Principal,
    connection::{Socket, Transport},
    websocket::{Opcode, WebSocketEvent, encode_close},
};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tower_service::Service;

use crate::{
    Refusal,
    handshake::{Accepted, refuse},
    peer::client_addr,
    transport::transport,
};

/// How often an echo looks whether the server stops: it is no session, so nobody tells it.
const STOP_CHECK: Duration = Duration::from_millis(250);

/// How long a client may send nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends every message back as it came: an aid for protocol test suites and measurements, not for a public server.
///
/// It asks nobody who the client is: anyone may connect whose Origin is allowed, and takes one of the endpoint's
/// connections. Frames, messages and what waits for the client are bounded as the [`Realtime`]'s settings say; a client that
/// sends nothing for 60 s is closed with 1001.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::EchoService;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let handshake = http::Request::get("/echo")
///     .header("connection", "upgrade")
///     .header("upgrade", "websocket")
///     .header("sec-websocket-version", "13")
///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .body(())?;
/// let response = EchoService::new(&realtime).oneshot(handshake).await?;
/// assert_eq!(response.status(), 101);
/// assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EchoService {
    realtime: Realtime,
}

impl EchoService {
    /// An echo with the limits of `realtime`.
    #[must_use]
    pub fn new(realtime: &Realtime) -> Self {
        Self { realtime: realtime.clone() }
    }

    fn answer<B>(&self, mut request: Request<B>) -> Result<Response<Full<Bytes>>, Refusal> {
        let accepted = Accepted::check(&request, false)?;
        self.realtime.origins().judge_upgrade(request.headers())?;
        let applicant = self
            .realtime
            .admit(client_addr(&self.realtime, request.extensions(), request.headers()).map(|client| client.ip()))?;
        let admission = applicant.for_principal(&Principal::anonymous())?;
        let upgrade = hyper::upgrade::on(&mut request);
        let response =
            accepted.into_response().map_err(|_| Refusal::BadHandshake("The handshake could not be answered."))?;
        let realtime = self.realtime.clone();
        #[expect(clippy::disallowed_methods, reason = "the connection owns itself and ends with its client")]
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    let (transport, slot) = transport(upgraded, realtime.config());
                    echo(&realtime, transport, admission).await;
                    drop(slot);
                }
                Err(error) => tracing::debug!(%error, "the connection broke before the upgrade"),
            }
        });
        Ok(response)
    }
}

/// Echoes until the client closes or breaks the protocol, or the server stops.
async fn echo(realtime: &Realtime, transport: Transport, _admission: Admission) {
    let config = realtime.config();
    let mut socket = Socket::new(transport, config);
    let mut message = Vec::new();
    let mut stop_check = interval(STOP_CHECK);
    stop_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut idle = pin!(sleep(IDLE_TIMEOUT));
    let farewell = loop {
        let event = tokio::select! {
            event = socket.next() => {
                idle.set(sleep(IDLE_TIMEOUT));
                event
            }
            () = idle.as_mut() => break encode_close(1001, "nothing was sent for 60 s"),
            _ = stop_check.tick() => {
                if realtime.is_stopping() {
                    break encode_close(1012, "");
                }
                continue;
            }
        };
        match event {
            Ok(Some(WebSocketEvent::Data { payload, is_text, end_of_message })) => {
                message.extend_from_slice(&payload);
                if end_of_message {
                    socket.send(if is_text { Opcode::Text } else { Opcode::Binary }, &message);
                    message.clear();
                }
            }
            Ok(Some(WebSocketEvent::Close(frame))) => {
                break encode_close(frame.map_or(1005, |frame| frame.code), "");
            }
            Ok(Some(_)) => {}
            Ok(None) => break encode_close(1001, ""),
            Err(error) => break encode_close(error.close_code(), &error.to_string()),
        }
    };
    socket.finish(farewell, config.close_linger).await;
}

impl<B> Service<Request<B>> for EchoService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let version = request.version();
        ready(Ok(self.answer(request).unwrap_or_else(|refusal| refuse(refusal, version))))
    }
}

impl fmt::Debug for EchoService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EchoService").finish_non_exhaustive()
    }
}
