//! A WebSocket (RFC 8441) and an event stream over HTTP/2 as a browser opens them: Chromium, over TLS, beside the page that
//! came the same way.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::Full;
use parlor::{
    Config, Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    broker::Publication,
    connection::Closing,
    history::Retain,
    hyper::{EventsBody, EventsService, RequestBody, Server, Tls, WebSocketService},
};
use support::{available, has, root};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tower::Service;

/// How long the browser may take to start and do its work.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says something over STOMP, and what comes back to the server over HTTP.
const PAGE: &str = r#"<!doctype html><title>STOMP</title><script>
const socket = new WebSocket(`wss://${location.host}/ws`, "v12.stomp");
const done = (what) => fetch(`/done?${encodeURIComponent(what)}`);
socket.onopen = () => socket.send("CONNECT\naccept-version:1.2\nhost:a\n\n\0");
socket.onclose = (event) => done(`closed ${event.code}`);
socket.onmessage = ({ data }) => {
  if (data.startsWith("CONNECTED\n")) {
    socket.send("SUBSCRIBE\nid:0\ndestination:/topic/a\n\n\0");
    socket.send("SEND\ndestination:/topic/a\n\nhello\0");
  } else if (data.startsWith("MESSAGE\n")) {
    socket.onclose = () => done(`${socket.protocol} ${data.slice(data.indexOf("\n\n") + 2, -1)}`);
    socket.close(1000);
  }
};
</script>"#;

/// Says what an `EventSource` says, through one end of the stream and the browser's own reconnect.
const EVENTS_PAGE: &str = r#"<!doctype html><title>Events</title><script>
const done = (what) => fetch(`/done?${encodeURIComponent(what)}`);
const said = [];
const events = new EventSource("/events?destination=/topic/a");
const say = ({ type, data }) => {
  said.push(`${type}:${data}`);
  if (type === "parlor.closed") fetch("/gone");
  if (data === "third") done(said.join(" "));
};
for (const name of ["message", "note", "parlor.closed", "parlor.recovered"]) events.addEventListener(name, say);
events.onopen = () => fetch("/opened");
events.onerror = () => events.readyState === EventSource.CLOSED && done("closed for good");
</script>"#;

/// A browser and the folder that it works in, both gone with the test.
struct Browser {
    child: Child,
    profile: PathBuf,
}

impl Browser {
    /// Opens a page in Chromium; none where there is no Chromium.
    fn open(url: &str, test: &str) -> Option<Self> {
        let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| has(name));
        if !available("Chromium", chromium.is_some(), "PARLOR_REQUIRE_BROWSER") {
            return None;
        }
        let profile = std::env::temp_dir().join(format!("parlor-chromium-{test}-{}", std::process::id()));
        let child = Command::new(chromium?)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--ignore-certificate-errors"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("{url}/"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, profile })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn tls() -> Tls {
    let certificates = root().join("realtime-hyper-adapter/tests/certificates");
    Tls::from_pem_files(certificates.join("first.crt"), certificates.join("first.key")).unwrap()
}

fn page(html: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(html));
    response.headers_mut().insert(header::CONTENT_TYPE, "text/html".parse().unwrap());
    response
}

#[tokio::test]
async fn chromium_opens_a_websocket_over_the_http_2_connection_of_its_page() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_send("/topic/**").allow_subscribe("/topic/**"))
        .allowed_origins([url.as_str()])
        .build()
        .unwrap();
    let (seen, mut requests) = mpsc::channel(16);
    let websocket = WebSocketService::new(&realtime);
    let service = tower::service_fn(move |request: Request<RequestBody>| {
        let (seen, mut websocket) = (seen.clone(), websocket.clone());
        async move {
            let path = request.uri().path_and_query().unwrap().to_string();
            seen.send((path.clone(), request.version())).await.unwrap();
            match path.as_str() {
                "/ws" => websocket.call(request).await,
                "/" => Ok(page(PAGE)),
                _ => Ok(page("")),
            }
        }
    });
    tokio::spawn(Server::new(listener, service, realtime).tls(tls()).run());
    let Some(browser) = Browser::open(&url, "websocket") else { return };
    let done = timeout(PATIENCE, async {
        let mut versions = Vec::new();
        loop {
            let (path, version) = requests.recv().await.unwrap();
            if let Some(result) = path.strip_prefix("/done?") {
                return (result.to_owned(), versions);
            }
            if matches!(path.as_str(), "/" | "/ws") {
                versions.push((path, version));
            }
        }
    })
    .await;
    drop(browser);
    let (result, versions) = done.expect("the page says in time what became of it");
    assert_eq!(result, "v12.stomp%20hello");
    assert_eq!(versions, [("/".to_owned(), Version::HTTP_2), ("/ws".to_owned(), Version::HTTP_2)]);
}

#[tokio::test]
async fn an_event_source_reconnects_by_itself_and_goes_on_where_it_was() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .config(Config::default().sse_retry(Duration::from_millis(100)))
        .history("/topic/**", Retain::last(10))
        .build()
        .unwrap();
    let (seen, mut requests) = mpsc::channel(16);
    let events = EventsService::new(&realtime);
    let service = tower::service_fn(move |request: Request<RequestBody>| {
        let (seen, mut events) = (seen.clone(), events.clone());
        async move {
            let path = request.uri().path_and_query().unwrap().to_string();
            seen.send(path.clone()).await.unwrap();
            if request.uri().path() == "/events" {
                return events.call(request).await;
            }
            let mut response = Response::new(Bytes::from(if path == "/" { EVENTS_PAGE } else { "" }).into());
            response.headers_mut().insert(header::CONTENT_TYPE, "text/html".parse().unwrap());
            Ok::<Response<EventsBody>, _>(response)
        }
    });
    tokio::spawn(Server::new(listener, service, realtime.clone()).tls(tls()).run());
    let Some(_browser) = Browser::open(&url, "events") else { return };
    let publish = async |publication: Publication| {
        realtime.broker().publish_message("/topic/a".parse().unwrap(), publication).await.unwrap();
    };
    let said = timeout(PATIENCE, async {
        let mut opened = 0;
        loop {
            let path = requests.recv().await.unwrap();
            match path.as_str() {
                "/opened" if opened == 0 => {
                    opened += 1;
                    publish(Publication::text("first").with_header("event", "note")).await;
                    let moved = Closing::application("moved", 4001, "Somewhere else");
                    assert_eq!(realtime.registry().disconnect_where(|_| true, &moved), 1);
                }
                "/gone" => publish(Publication::text("second")).await,
                "/opened" => publish(Publication::text("third")).await,
                _ => {
                    if let Some(said) = path.strip_prefix("/done?") {
                        return said.replace("%20", " ").replace("%3A", ":").replace("%22", "\"");
                    }
                }
            }
        }
    });
    let said = said.await.expect("the page says in time what became of it");
    let expected = "note:first parlor.closed:%7B\"code\":\"moved\"%2C\"retry\":100%7D \
                    parlor.recovered:%7B\"recovered\":true%7D message:second message:third";
    assert_eq!(said, expected);
}
