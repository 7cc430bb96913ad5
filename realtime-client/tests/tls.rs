//! `wss://` to Parlor itself over a real TLS server: who is trusted is talked to, and nobody else is.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

use std::{
    future::{Future, IntoFuture},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parlor_client::{
    Client, ConnectionError, ConnectionState, ReconnectPolicy, SubscriptionEvent,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, pem::PemObject},
    },
};
use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    broker::DeliveryRules,
    connection::Closing,
    history::Retain,
};
use parlor_hyper::{Server, Tls, WebSocketService};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const NEWS: &str = "/topic/news";

/// A certificate or key of the accept loop's tests, for `localhost` and good until 2126.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../realtime-hyper-adapter/tests/certificates").join(name)
}

/// A client that trusts this certificate alone.
fn trusting(name: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file(&format!("{name}.crt"))).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Arc::new(config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth())
}

struct Secure {
    address: SocketAddr,
    realtime: Realtime,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Secure {
    /// Serves over TLS with the first certificate.
    async fn start() -> Self {
        let realtime = Realtime::builder(Router::new().with_state(()))
            .authenticate(Anonymous)
            .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**"))
            .config(Config::development())
            .delivery(DeliveryRules::default().history("/topic/**", Retain::last(100)))
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Tls::from_pem_files(file("first.crt"), file("first.key")).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::new(listener, WebSocketService::new(&realtime), realtime.clone()).tls(tls);
        #[expect(clippy::disallowed_methods, reason = "the test's runtime ends it")]
        let served = tokio::spawn(server.run_until(async { drop(stopped.await) }));
        Self { address, realtime, stop, served }
    }

    /// Its address by the name that its certificate has, or by another one.
    fn url(&self, host: &str) -> String {
        format!("wss://{host}:{}/ws", self.address.port())
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it does not take that long")
}

#[tokio::test]
async fn a_client_that_trusts_the_server_converses_over_tls_until_an_orderly_end() {
    let server = Secure::start().await;
    let client = within(Client::builder(server.url("localhost")).tls(trusting("first")).connect()).await.unwrap();
    let mut news = within(client.subscribe(NEWS).into_future()).await.unwrap();
    // More than a record of TLS, and than the client sends at once.
    let long = "x".repeat(60_000);
    for text in ["short", &long] {
        within(client.send(NEWS).text(text).receipt()).await.unwrap();
        assert_eq!(within(news.recv()).await.unwrap().text(), Some(text));
    }
    within(client.close()).await.unwrap();
    server.stop.send(()).unwrap();
    within(server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn it_comes_back_over_tls_and_goes_on_where_it_was() {
    let server = Secure::start().await;
    let policy = ReconnectPolicy::default().base(Duration::from_millis(50)).max(Duration::from_millis(200));
    let connecting = Client::builder(server.url("localhost")).tls(trusting("first")).reconnect(policy).connect();
    let client = within(connecting).await.unwrap();
    let mut events = within(client.subscribe(NEWS).into_future()).await.unwrap().events();
    let mut state = client.state();
    let session = |state: &ConnectionState| match state {
        ConnectionState::Connected { session, .. } => session.clone(),
        _ => None,
    };
    let first = session(&state.borrow());
    server.realtime.registry().disconnect_where(|_| true, &Closing::slow_consumer());
    within(state.wait_for(|now| now.is_connected() && session(now) != first)).await.unwrap();
    server.realtime.broker().publish(NEWS, "missed or not").await.unwrap();
    let Some(SubscriptionEvent::Resumed { recovered: true }) = within(events.recv()).await else { panic!("no news") };
    let Some(SubscriptionEvent::Message(message)) = within(events.recv()).await else { panic!("no message") };
    assert_eq!(message.json::<String>().unwrap(), "missed or not");
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn who_is_not_trusted_is_told_nothing() {
    let server = Secure::start().await;
    for connecting in [
        Client::builder(server.url("localhost")).tls(trusting("second")).bearer("secret"),
        // Without the authorities that a feature brings nobody is trusted, nor with them this one.
        Client::builder(server.url("localhost")).bearer("secret"),
    ] {
        let failed = within(connecting.connect()).await;
        let Err(error @ ConnectionError::Io(_)) = failed else { panic!("{failed:?}") };
        assert!(!format!("{error:?} {error}").contains("secret"));
    }
    // Its certificate has an address too.
    let client = within(Client::builder(server.url("127.0.0.1")).tls(trusting("first")).connect()).await.unwrap();
    within(client.close()).await.unwrap();
}
