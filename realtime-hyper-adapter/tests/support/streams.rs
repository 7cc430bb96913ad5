//! Event streams on a real socket, over HTTP/1.1 and HTTP/2: a server, requests, and a reader of events.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test may fail, and its runtime ends its tasks")]

use std::{collections::VecDeque, convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parlor_core::{
    Realtime,
    auth::{AuthError, Handshake, Principal},
};
use parlor_hyper::{EventsBody, EventsService, RequestBody, Server};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tower_service::Service;

/// A test that waits longer for one thing has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Lets in whoever says a name, and strangers by their cookie.
pub fn by_name(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
    let name = handshake.headers().get("x-name").and_then(|name| name.to_str().ok()).ok_or(AuthError::Missing)?;
    Ok(Principal::user(name.parse().map_err(|_| AuthError::Invalid)?))
}

/// A running server and what stops it.
pub struct Running {
    pub address: SocketAddr,
    pub stop: oneshot::Sender<()>,
    pub served: JoinHandle<std::io::Result<()>>,
}

/// Serves the event streams of an endpoint.
pub async fn serve(realtime: &Realtime) -> Running {
    serve_with(realtime, EventsService::new(realtime)).await
}

/// Serves whatever answers with event streams.
pub async fn serve_with<S>(realtime: &Realtime, service: S) -> Running
where
    S: Service<Request<RequestBody>, Response = Response<EventsBody>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new(listener, service, realtime.clone());
    let served = tokio::spawn(server.run_until(async {
        let _ = stopped.await;
    }));
    Running { address, stop, served }
}

/// Header lines of a request.
pub type Headers = &'static [(&'static str, &'static str)];

/// A response, and the connection that it comes on: dropping it cuts the connection.
pub struct Exchange {
    pub response: Response<Incoming>,
    connection: JoinHandle<()>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Asks for events.
pub async fn get(address: SocketAddr, version: Version, query: &str, headers: &[(&str, &str)]) -> Exchange {
    request(address, version, "GET", query, headers).await
}

/// Sends a request to the address of the events.
pub async fn request(
    address: SocketAddr,
    version: Version,
    method: &str,
    query: &str,
    headers: &[(&str, &str)],
) -> Exchange {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let mut request = Request::builder().method(method).version(version);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (response, connection) = if version == Version::HTTP_2 {
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        let connection = tokio::spawn(async { drop(connection.await) });
        let request = request.uri(format!("http://{address}/events{query}")).body(Empty::<Bytes>::new()).unwrap();
        (client.send_request(request).await.unwrap(), connection)
    } else {
        let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        let connection = tokio::spawn(async { drop(connection.await) });
        let request = request.header("host", "app.example").uri(format!("/events{query}"));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        (client.send_request(request).await.unwrap(), connection)
    };
    Exchange { response, connection }
}

/// Name, id and data of an event with data.
pub type Event = (String, String, String);

/// Reads the events of a response.
pub struct Reader {
    pub exchange: Exchange,
    text: String,
    events: VecDeque<Event>,
    pub last_event_id: String,
}

impl Reader {
    /// Opens a stream, which must be granted.
    pub async fn open(address: SocketAddr, version: Version, query: &str, headers: &[(&str, &str)]) -> Self {
        let exchange = get(address, version, query, headers).await;
        assert_eq!(exchange.response.status(), StatusCode::OK);
        Self::of(exchange)
    }

    /// Reads the events of a response.
    pub fn of(exchange: Exchange) -> Self {
        Self { exchange, text: String::new(), events: VecDeque::new(), last_event_id: String::new() }
    }

    /// The next event with data; none at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let frame =
                timeout(PATIENCE, self.exchange.response.body_mut().frame()).await.expect("an event in time")?;
            self.take(&frame.ok()?.into_data().unwrap());
        }
    }

    fn take(&mut self, octets: &Bytes) {
        self.text.push_str(std::str::from_utf8(octets).unwrap());
        while let Some((block, rest)) = self.text.split_once("\n\n") {
            let (mut name, mut data) = (String::new(), None);
            for (field, value) in block.lines().filter_map(|line| line.split_once(": ")) {
                match field {
                    "event" => value.clone_into(&mut name),
                    "id" => value.clone_into(&mut self.last_event_id),
                    "data" => data = Some(value.to_owned()),
                    _ => {}
                }
            }
            self.events.extend(data.map(|data| (name, self.last_event_id.clone(), data)));
            self.text = rest.to_owned();
        }
    }

    /// The data of the next event.
    pub async fn data(&mut self) -> String {
        self.next().await.expect("the stream goes on").2
    }
}

/// Waits until no stream is open.
pub async fn all_gone(realtime: &Realtime) {
    let gone = async {
        while realtime.registry().event_stream_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the streams are gone");
}
