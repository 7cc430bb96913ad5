//! Event streams over real sockets, over HTTP/1.1 and HTTP/2: who gets one, what comes on it, and how it ends.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test may fail, and its runtime ends its tasks"
)]

mod support;

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parlor_core::{
    Config, Realtime,
    app::Rules,
    auth::{Anonymous, AuthError, Handshake, Principal},
    broker::Publication,
    history::Retain,
    limits::ConnectionLimits,
};
use parlor_hyper::{EventsService, Server};
use support::{ORIGIN, endpoint};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// A test that waits longer for one thing has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Lets in whoever says a name, and strangers by their cookie.
fn by_name(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
    let name = handshake.headers().get("x-name").and_then(|name| name.to_str().ok()).ok_or(AuthError::Missing)?;
    Ok(Principal::user(name.parse().map_err(|_| AuthError::Invalid)?))
}

fn realtime() -> Realtime {
    endpoint().authenticate(Anonymous).history("/topic/kept/**", Retain::last(100_000).up_to(64 << 20)).build().unwrap()
}

/// A running server and what stops it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

async fn serve(realtime: &Realtime) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new(listener, EventsService::new(realtime), realtime.clone());
    let served = tokio::spawn(server.run_until(async {
        let _ = stopped.await;
    }));
    Running { address, stop, served }
}

/// Header lines of a request.
type Headers = &'static [(&'static str, &'static str)];

/// A response, and the connection that it comes on: dropping it cuts the connection.
struct Exchange {
    response: Response<Incoming>,
    connection: JoinHandle<()>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn get(address: SocketAddr, version: Version, query: &str, headers: &[(&str, &str)]) -> Exchange {
    request(address, version, "GET", query, headers).await
}

async fn request(
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
type Event = (String, String, String);

/// Reads the events of a response.
struct Reader {
    exchange: Exchange,
    text: String,
    events: VecDeque<Event>,
    last_event_id: String,
}

impl Reader {
    async fn open(address: SocketAddr, version: Version, query: &str, headers: &[(&str, &str)]) -> Self {
        let exchange = get(address, version, query, headers).await;
        assert_eq!(exchange.response.status(), StatusCode::OK);
        Self { exchange, text: String::new(), events: VecDeque::new(), last_event_id: String::new() }
    }

    async fn next(&mut self) -> Option<Event> {
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

    async fn data(&mut self) -> String {
        self.next().await.expect("the stream goes on").2
    }
}

async fn publish(realtime: &Realtime, destination: &str, text: &str) {
    realtime.broker().publish_message(destination.parse().unwrap(), Publication::text(text)).await.unwrap();
}

/// Waits until no stream is open.
async fn all_gone(realtime: &Realtime) {
    let gone = async {
        while realtime.registry().event_stream_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the streams are gone");
}

#[tokio::test]
async fn a_stream_has_its_headers_and_resumes_by_either_way_and_the_header_wins() {
    let realtime = realtime();
    let server = serve(&realtime).await;
    for version in VERSIONS {
        let topic = format!("/topic/kept/{version:?}");
        let mut reader = Reader::open(server.address, version, &format!("?destination={topic}"), &[]).await;
        let headers = reader.exchange.response.headers();
        let expected =
            [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")];
        for (name, value) in expected {
            assert_eq!(headers.get(name).unwrap(), value, "{version:?}");
        }
        assert_eq!(reader.exchange.response.version(), version);
        let mut ids = Vec::new();
        for number in ["0", "1", "2"] {
            publish(&realtime, &topic, number).await;
            let (_, id, data) = reader.next().await.unwrap();
            assert_eq!(data, number);
            ids.push(id);
        }
        drop(reader);
        let encoded = topic.replace('/', "%2F");
        let query = format!("?resume-from={}&destination={encoded}", ids[0]);
        let mut reader = Reader::open(server.address, version, &query, &[]).await;
        let first = reader.next().await.unwrap();
        assert_eq!((first.0.as_str(), first.2.as_str()), ("parlor.recovered", r#"{"recovered":true}"#));
        assert_eq!((reader.data().await, reader.data().await), ("1".to_owned(), "2".to_owned()));
        let mut reader = Reader::open(server.address, version, &query, &[("last-event-id", &ids[1])]).await;
        assert_eq!((reader.data().await, reader.data().await), (r#"{"recovered":true}"#.to_owned(), "2".to_owned()));
        let mut reader = Reader::open(server.address, version, &query, &[("last-event-id", "bogus")]).await;
        assert_eq!(reader.data().await, r#"{"recovered":false}"#);
        let mut reader = Reader::open(server.address, version, &query, &[("last-event-id", "")]).await;
        publish(&realtime, &topic, "3").await;
        assert_eq!(reader.data().await, "3", "an empty id is none");
    }
}

#[tokio::test]
async fn every_refusal_has_its_status_and_code_before_a_stream_begins() {
    const ADA: Headers = &[("x-name", "ada")];
    let limits = ConnectionLimits::default().max_event_streams_per_user(1);
    let realtime = endpoint()
        .authenticate(by_name)
        .authorize(Rules::deny_all().allow_subscribe("/topic/open/**"))
        .config(Config::development().connections(limits))
        .build()
        .unwrap();
    let server = serve(&realtime).await;
    let cases: [(&str, Headers, u16, &str); 12] = [
        ("", ADA, 400, "bad-query"),
        ("?destination=/topic/open/a&destination=/topic/open/b", ADA, 400, "bad-query"),
        ("?destination=/topic/open/a&resume-from=a&resume-from=b", ADA, 400, "bad-query"),
        ("?destination=topic", ADA, 400, "invalid-destination"),
        ("?destination=/topic/open/%2e%2e", ADA, 400, "invalid-destination"),
        ("?destination=/queue/a", ADA, 400, "not-supported"),
        ("?destination=/topic/open/a", &[], 401, "missing-credentials"),
        ("?destination=/topic/closed", ADA, 403, "forbidden"),
        ("?destination=/user/bob/queue/a", ADA, 403, "forbidden"),
        (
            "?destination=/topic/open/a",
            &[("x-name", "ada"), ("origin", "https://evil.example")],
            403,
            "origin-not-allowed",
        ),
        (
            "?destination=/topic/open/a",
            &[("x-name", "ada"), ("sec-fetch-site", "cross-site")],
            403,
            "origin-not-allowed",
        ),
        ("?destination=/nowhere", ADA, 404, "no-such-destination"),
    ];
    for version in VERSIONS {
        for (query, headers, status, code) in cases {
            let mut exchange = get(server.address, version, query, headers).await;
            let body = exchange.response.body_mut().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((exchange.response.status().as_u16(), body["code"].as_str()), (status, Some(code)), "{query}");
            assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
            assert_eq!(exchange.response.headers().get("cache-control").unwrap(), "no-store");
        }
        let posted = request(server.address, version, "POST", "?destination=/topic/open/a", ADA).await;
        assert_eq!(posted.response.status(), StatusCode::METHOD_NOT_ALLOWED);
        // A page of the same origin sends no Origin with a GET, one of an allowed origin does.
        for allowed in [("sec-fetch-site", "same-origin"), ("origin", ORIGIN)] {
            let headers = [("x-name", "ada"), allowed, ("cookie", "token=x")];
            let reader = Reader::open(server.address, version, "?destination=/topic/open/a", &headers).await;
            let one_more = get(server.address, version, "?destination=/topic/open/a", ADA).await;
            assert_eq!(one_more.response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert!(one_more.response.headers().contains_key("retry-after"));
            drop(reader);
            all_gone(&realtime).await;
        }
    }
}

#[tokio::test]
async fn a_hundred_cuts_while_others_publish_lose_nothing_and_repeat_nothing() {
    const MESSAGES: usize = 3000;
    let realtime = realtime();
    let server = serve(&realtime).await;
    let publishing = {
        let realtime = realtime.clone();
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                publish(&realtime, "/topic/kept/a", &number.to_string()).await;
                if number % 10 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        })
    };
    let (mut expected, mut cuts, mut position) = (None::<usize>, 0, String::new());
    while expected != Some(MESSAGES) {
        let version = VERSIONS[cuts % 2];
        let id = [("last-event-id", position.as_str())];
        let headers = if position.is_empty() { &id[..0] } else { &id[..] };
        let mut reader = Reader::open(server.address, version, "?destination=/topic/kept/a", headers).await;
        if !position.is_empty() {
            assert_eq!(reader.data().await, r#"{"recovered":true}"#);
        }
        // What has arrived behind the last event that was taken is lost with the connection.
        for _ in 0..=(cuts % 37) {
            let (_, id, data) = reader.next().await.unwrap();
            let number: usize = data.parse().unwrap();
            assert_eq!(number, expected.unwrap_or(number), "after {cuts} cuts");
            expected = Some(number + 1);
            position = id;
            if number + 1 == MESSAGES {
                break;
            }
        }
        cuts += 1;
    }
    publishing.await.unwrap();
    assert!(cuts >= 100, "{cuts}");
    all_gone(&realtime).await;
}

#[tokio::test]
async fn a_stop_ends_streams_with_an_event_and_the_server_with_them() {
    let realtime = realtime();
    let server = serve(&realtime).await;
    let mut readers = Vec::new();
    for version in VERSIONS {
        readers.push(Reader::open(server.address, version, "?destination=/topic/a", &[]).await);
    }
    publish(&realtime, "/topic/a", "before").await;
    server.stop.send(()).unwrap();
    for mut reader in readers {
        assert_eq!(reader.data().await, "before");
        let (name, _, data) = reader.next().await.unwrap();
        assert_eq!(name, "parlor.closed");
        assert!(data.starts_with(r#"{"code":"going-away","retry":"#), "{data}");
        assert_eq!(reader.next().await, None);
    }
    timeout(PATIENCE, server.served).await.expect("it stops in time").unwrap().unwrap();
}

#[tokio::test]
async fn who_does_not_read_is_let_go_and_nobody_else_waits() {
    let realtime = realtime();
    let server = serve(&realtime).await;
    for version in VERSIONS {
        let mut slow = Reader::open(server.address, version, "?destination=/topic/a", &[]).await;
        let mut other = Reader::open(server.address, version, "?destination=/topic/a", &[]).await;
        let body = "x".repeat(60_000);
        let mut published = 0;
        while realtime.registry().event_stream_count() == 2 {
            assert!(published < 2000, "120 MB wait for a client that reads nothing");
            publish(&realtime, "/topic/a", &body).await;
            assert_eq!(other.data().await.len(), body.len());
            published += 1;
        }
        // What it was sent is whole, and the end says why, where it reads soon enough.
        let mut last = slow.next().await.unwrap();
        while let Some(event) = slow.next().await {
            last = event;
        }
        assert_eq!((last.0.as_str(), last.2.as_str()), ("parlor.closed", r#"{"code":"slow-consumer","retry":3000}"#));
        drop(other);
        all_gone(&realtime).await;
    }
}
