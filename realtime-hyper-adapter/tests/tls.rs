//! TLS: a WSS client over HTTP/1.1, a WebSocket over HTTP/2, the end of the stream, the deadline, and other certificates.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parlor_core::{Config, auth::Anonymous};
use parlor_hyper::{
    Listener, ServeOptions, Server, Tls, TlsError, WebSocketService,
    rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use socket2::SockRef;
use support::{client::Client, endpoint, open_endpoint};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Runtime,
    sync::oneshot,
    time::Instant,
};
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

/// A certificate or key of the tests, for `localhost` and good until 2126.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

fn tls(name: &str) -> Tls {
    Tls::from_pem_files(file(&format!("{name}.crt")), file(&format!("{name}.key"))).unwrap()
}

/// What a client that trusts this certificate alone is configured with.
fn trusting(name: &str, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file(&format!("{name}.crt"))).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// Serves WebSockets over TLS in the current runtime until `stop`.
async fn serve(tls: Tls, stop: impl Future<Output = ()> + Send + 'static) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let realtime = open_endpoint();
    tokio::spawn(Server::new(listener, WebSocketService::new(&realtime), realtime).tls(tls).run_until(stop));
    address
}

/// A server in a runtime of its own.
fn blocking(tls: Tls) -> (Runtime, SocketAddr, oneshot::Sender<()>) {
    let runtime = Runtime::new().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let address = runtime.block_on(serve(tls, async { drop(stopped.await) }));
    (runtime, address, stop)
}

type Wss = WebSocket<StreamOwned<ClientConnection, TcpStream>>;

/// A WSS client that trusts this certificate alone.
fn wss(address: SocketAddr, trusted: &str) -> Result<Wss, String> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(trusting(trusted, &[b"http/1.1"]), name).unwrap();
    let mut request = format!("wss://localhost:{}/ws", address.port()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "v12.stomp".parse().unwrap());
    let client = tungstenite::client(request, StreamOwned::new(connection, stream));
    client.map(|(client, _)| client).map_err(|error| error.to_string())
}

fn send(client: &mut Wss, frame: &str) {
    client.send(Message::text(format!("{frame}\0"))).unwrap();
}

fn receive(client: &mut Wss) -> String {
    match client.read().unwrap() {
        Message::Text(text) => text.as_str().to_owned(),
        other => panic!("a text was expected, not {other:?}"),
    }
}

#[test]
fn a_wss_client_converses_and_the_stream_ends_with_close_notify() {
    let (_runtime, address, _stop) = blocking(tls("first"));
    let mut client = wss(address, "first").unwrap();
    send(&mut client, "CONNECT\naccept-version:1.2\nhost:a\n\n");
    assert!(receive(&mut client).starts_with("CONNECTED\n"));
    send(&mut client, "SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:r\n\n");
    assert!(receive(&mut client).starts_with("RECEIPT\n"));
    let long = "x".repeat(60_000);
    send(&mut client, &format!("SEND\ndestination:/topic/a\n\n{long}"));
    assert!(receive(&mut client).ends_with(&format!("{long}\0")));
    send(&mut client, "DISCONNECT\nreceipt:bye\n\n");
    assert!(receive(&mut client).starts_with("RECEIPT\n"));
    assert!(client.read().unwrap().is_close());
    client.flush().unwrap();
    // rustls tells a stream that was cut (UnexpectedEof) from one that was ended.
    assert_eq!(client.get_mut().read(&mut [0]).unwrap(), 0);
}

#[test]
fn rule_27_a_stop_ends_wss_with_1012_and_close_notify() {
    let (_runtime, address, stop) = blocking(tls("first"));
    let mut client = wss(address, "first").unwrap();
    send(&mut client, "CONNECT\naccept-version:1.2\nhost:a\n\n");
    assert!(receive(&mut client).starts_with("CONNECTED\n"));
    drop(stop);
    match client.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1012),
        other => panic!("a close frame was expected, not {other:?}"),
    }
    client.flush().unwrap();
    assert_eq!(client.get_mut().read(&mut [0]).unwrap(), 0);
}

#[tokio::test]
async fn rfc_8441_over_tls_with_alpn() {
    let address = serve(tls("first"), std::future::pending()).await;
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(trusting("first", &[b"h2", b"http/1.1"]));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let http2 = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut http2, connection) = http2.await.unwrap();
    tokio::spawn(connection);
    http2.ready().await.unwrap();
    let request = Request::connect("https://localhost/ws")
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = http2.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    Client::connect(TokioIo::new(upgraded)).await.converse("/topic/a").await;
}

#[tokio::test(start_paused = true)]
async fn s_09_a_tls_handshake_that_is_not_done_is_closed_after_10_s() {
    let address = serve(tls("first"), std::future::pending()).await;
    // Nothing, and the first half of a record's header.
    for octets in [&b""[..], &[0x16, 0x03, 0x01]] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(octets).await.unwrap();
        let begin = Instant::now();
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut Vec::new())).await;
        assert!(read.is_ok(), "the connection is still open");
        assert_eq!(begin.elapsed().as_secs(), 10);
    }
}

#[tokio::test]
async fn over_the_cap_a_connection_is_closed_before_the_tls_handshake() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let realtime = open_endpoint();
    let options = ServeOptions::default().max_http_connections(1);
    let server = Server::new(listener, WebSocketService::new(&realtime), realtime).tls(tls("first"));
    tokio::spawn(server.options(options).run());
    // The first is in its handshake for as long as it says nothing.
    let _first = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut second = tokio::net::TcpStream::connect(address).await.unwrap();
    // Long before a handshake would be overdue.
    let read = tokio::time::timeout(Duration::from_secs(5), second.read(&mut [0])).await;
    assert_eq!(read.expect("it is closed at once").unwrap(), 0);
}

#[test]
fn a_reload_gives_new_connections_the_new_certificate_and_leaves_open_ones() {
    let folder = std::env::temp_dir().join(format!("parlor-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let install = |name: &str| {
        std::fs::copy(file(&format!("{name}.crt")), &chain).unwrap();
        std::fs::copy(file(&format!("{name}.key")), &key).unwrap();
    };
    install("first");
    let tls = Tls::from_pem_files(&chain, &key).unwrap();
    let (_runtime, address, _stop) = blocking(tls.clone());
    let mut open = wss(address, "first").unwrap();
    install("second");
    tls.reload().unwrap();
    assert!(wss(address, "first").is_err());
    assert!(wss(address, "second").is_ok());
    send(&mut open, "CONNECT\naccept-version:1.2\nhost:a\n\n");
    assert!(receive(&mut open).starts_with("CONNECTED\n"));
    // What cannot be used changes nothing.
    std::fs::copy(file("first.key"), &key).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Rustls(_))), "the key is the other certificate's");
    std::fs::write(&chain, "no PEM").unwrap();
    let error = tls.reload().unwrap_err();
    assert!(matches!(&error, TlsError::File { path, .. } if path.ends_with("chain.pem")), "{error}");
    assert!(wss(address, "second").is_ok());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_configuration_of_ones_own_can_be_replaced_and_has_no_files() {
    let config = |name: &str| {
        let chain = vec![CertificateDer::from_pem_file(file(&format!("{name}.crt"))).unwrap()];
        let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap()
    };
    let tls = Tls::from_config(config("first"));
    assert!(matches!(tls.reload(), Err(TlsError::NoFiles)));
    let (_runtime, address, _stop) = blocking(tls.clone());
    assert!(wss(address, "first").is_ok());
    tls.replace(config("second"));
    assert!(wss(address, "second").is_ok());
}

#[test]
fn files_that_are_missing_or_not_of_the_kind_are_named() {
    for (chain, key, named) in [
        ("missing.crt", "first.key", "missing.crt"),
        ("first.crt", "missing.key", "missing.key"),
        ("first.key", "first.key", "first.key"),
        ("first.crt", "first.crt", "first.crt"),
    ] {
        let error = Tls::from_pem_files(file(chain), file(key)).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

/// A listener that keeps a second handle to each socket that it accepts.
struct Spied(tokio::net::TcpListener, Arc<Mutex<Vec<TcpStream>>>);

impl Listener for Spied {
    type Io = tokio::net::TcpStream;

    async fn accept(&mut self) -> std::io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, peer) = self.0.accept().await?;
        let stream = stream.into_std()?;
        self.1.lock().unwrap().push(stream.try_clone()?);
        Ok((tokio::net::TcpStream::from_std(stream)?, Some(peer)))
    }

    fn address(&self) -> std::io::Result<String> {
        Ok(self.0.local_addr()?.to_string())
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_system_holds_back_over_tls_is_bounded_for_websockets_and_for_http_2() {
    const OCTETS: usize = 16 * 1024;
    let runtime = Runtime::new().unwrap();
    let sockets: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let config = Config::development().send_buffer_bytes(OCTETS);
    let realtime = endpoint().config(config).authenticate(Anonymous).build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = Spied(listener, Arc::clone(&sockets));
    runtime.spawn(Server::new(listener, WebSocketService::new(&realtime), realtime).tls(tls("first")).run());
    // The last octet of an answer comes after the bound was set.
    let held_back = || SockRef::from(sockets.lock().unwrap().last().unwrap()).send_buffer_size().unwrap();

    let mut client = wss(address, "first").unwrap();
    send(&mut client, "CONNECT\naccept-version:1.2\nhost:a\n\n");
    assert!(receive(&mut client).starts_with("CONNECTED\n"));
    assert_eq!(held_back(), 2 * OCTETS, "Linux doubles it for its own accounts");

    for (alpn, bounded) in [(&b"h2"[..], true), (b"http/1.1", false)] {
        let stream = TcpStream::connect(address).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(trusting("first", &[alpn]), name).unwrap();
        let mut client = StreamOwned::new(connection, stream);
        // HTTP/2's preface and empty SETTINGS, or a request: the server answers both.
        let begin: &[u8] = if bounded {
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
        } else {
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        };
        client.write_all(begin).unwrap();
        client.read_exact(&mut [0; 9]).unwrap();
        assert_eq!(held_back() == 2 * OCTETS, bounded, "{} has {}", String::from_utf8_lossy(alpn), held_back());
    }
}
