//! The application put together: store, services, realtime endpoint, web.

use std::{future::Future, io, net::SocketAddr, sync::Arc};

use parlor::{
    Realtime,
    auth::{JwtKeyError, OriginError, OriginPolicy},
    broker::Broker,
};
use tokio::net::TcpListener;

use crate::{
    accounts::{Accounts, Tokens},
    chat::{self, ChatService},
    settings::Settings,
    store::{SqliteStore, Store},
    web::{self, Web},
};

/// A study room that listens and has not begun to serve.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    addr: SocketAddr,
    public_url: String,
    data_place: String,
    router: axum::Router,
    realtime: Realtime,
}

/// Why the study room cannot start, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The password hasher does not work.
    #[error("Passwords cannot be hashed here: {0}")]
    Accounts(String),
    /// The address cannot be listened on.
    #[error("It cannot listen on {addr}: {error}. Stop what runs there, or set STUDY_ROOM_ADDR.")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The database cannot be opened.
    #[error("The database cannot be opened: {0}. Look at DATABASE_URL.")]
    Database(#[from] sqlx::Error),
    /// The secret cannot be used.
    #[error("JWT_SECRET cannot be used: {0}.")]
    Key(#[from] JwtKeyError),
    /// The public URL is no origin.
    #[error("STUDY_ROOM_PUBLIC_URL cannot be used: {0}.")]
    Origin(#[from] OriginError),
    /// The realtime endpoint is put together wrongly: a fault of the program.
    #[error("The realtime endpoint is wrong: {0}.")]
    Realtime(#[from] parlor::BuildError),
}

impl App {
    /// Opens the database, listens, and puts everything together.
    ///
    /// # Errors
    /// What is wrong with the settings or the machine.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&settings.database_url).await?);
        let bind_error = |error| StartError::Bind { addr: settings.addr, error };
        let listener = TcpListener::bind(settings.addr).await.map_err(bind_error)?;
        let addr = listener.local_addr().map_err(bind_error)?;
        let public_url = settings.public_url.unwrap_or_else(|| format!("http://{addr}"));
        let public_url = public_url.trim_end_matches('/').to_owned();
        let tokens = Tokens::new(&settings.jwt_secret, public_url.starts_with("https://"))?;
        let accounts = Accounts::new(Arc::clone(&store)).map_err(|error| StartError::Accounts(error.to_string()))?;
        let broker = Broker::default();
        let chat = ChatService::new(Arc::clone(&store), broker.clone());
        let realtime = Realtime::builder(chat::routes().with_state(chat))
            .broker(broker)
            .authenticate(tokens.verifier())
            .origin_policy(origins(&public_url, addr)?)
            .build()?;
        let router = web::router(Web { realtime: realtime.clone(), store, accounts, tokens }, &public_url);
        let data_place = settings.database_url.trim_start_matches("sqlite://").to_owned();
        Ok(Self { listener, addr, public_url, data_place, router, realtime })
    }

    /// Serves until `stop` is ready, and then drains.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        parlor::hyper::serve(self.listener, self.router, self.realtime, stop).await
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address to open.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Where the data lies.
    #[must_use]
    pub fn data_place(&self) -> &str {
        &self.data_place
    }

    /// What whoever runs it should know.
    pub fn warnings(&self) -> impl Iterator<Item = &'static str> {
        let open = self.public_url.starts_with("http://") && !self.addr.ip().is_loopback();
        let plain = "the public URL is http, so passwords and cookies can be read on the way. Put TLS in front and set \
                     STUDY_ROOM_PUBLIC_URL=https://…";
        let local = "plain http is fine on this machine; for others set STUDY_ROOM_PUBLIC_URL=https://…";
        let warning = if open { Some(plain) } else { self.public_url.starts_with("http://").then_some(local) };
        warning.into_iter()
    }
}

/// The public URL, and on a loopback address its other names too.
fn origins(public_url: &str, addr: SocketAddr) -> Result<OriginPolicy, OriginError> {
    let policy = OriginPolicy::new([public_url])?;
    Ok(if addr.ip().is_loopback() { policy.allow_own_loopback(addr) } else { policy })
}
