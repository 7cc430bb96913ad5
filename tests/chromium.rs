//! A WebSocket over HTTP/2 (RFC 8441) as a browser opens it: Chromium, over TLS, beside the page that came the same way.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::Full;
use parlor::{
    Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    hyper::{RequestBody, Server, Tls, WebSocketService},
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

/// A folder for the browser, gone with the test.
struct Profile(PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn page(html: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(html));
    response.headers_mut().insert(header::CONTENT_TYPE, "text/html".parse().unwrap());
    response
}

#[tokio::test]
async fn chromium_opens_a_websocket_over_the_http_2_connection_of_its_page() {
    let Some(chromium) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| has(name)) else {
        available("Chromium", false, "PARLOR_REQUIRE_BROWSER");
        return;
    };
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
    let certificates = root().join("realtime-hyper-adapter/tests/certificates");
    let tls = Tls::from_pem_files(certificates.join("first.crt"), certificates.join("first.key")).unwrap();
    tokio::spawn(Server::new(listener, service, realtime).tls(tls).run());
    let profile = Profile(std::env::temp_dir().join(format!("parlor-chromium-{}", std::process::id())));
    let mut browser = Command::new(chromium)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--ignore-certificate-errors"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.0.display()))
        .arg(format!("{url}/"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
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
    browser.kill().unwrap();
    browser.wait().unwrap();
    let (result, versions) = done.expect("the page says in time what became of it");
    assert_eq!(result, "v12.stomp%20hello");
    assert_eq!(versions, [("/".to_owned(), Version::HTTP_2), ("/ws".to_owned(), Version::HTTP_2)]);
}
