//! The application put together: store, services, realtime endpoint, web.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::Uri;
use parlor::{
    Config, Realtime,
    auth::{JwtKeyError, OriginError, OriginPolicy},
};
use tokio::net::TcpListener;

use crate::{
    accounts::{Accounts, AdministratorError, Bans, EndedLogins, Logins, Tokens},
    direct::DirectService,
    notifications::NotificationService,
    presence::PresenceService,
    realtime,
    settings::Settings,
    store::{self, Location, Store, StoreError, UrlError},
    web::{self, Web},
};

/// A study room that listens and has not begun to serve.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    addr: SocketAddr,
    public_url: String,
    data_place: String,
    store: Arc<dyn Store>,
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
    /// `STUDY_ROOM_ADMINS` names no account.
    #[error(
        "STUDY_ROOM_ADMINS names `{0}`, and there is no such account. Make it first: start without the setting and sign up."
    )]
    Administrator(String),
    /// An administrator is banned.
    #[error("STUDY_ROOM_ADMINS names `{0}`, who is banned. Start without the name, and let them in again first.")]
    BannedAdministrator(String),
    /// The address cannot be listened on.
    #[error("It cannot listen on {addr}: {error}. Stop what runs there, or set STUDY_ROOM_ADDR.")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The database cannot be opened.
    #[error("{0}")]
    Database(String),
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
        // First, so that a second start by mistake leaves the database of the running one alone.
        let bind_error = |error| StartError::Bind { addr: settings.addr, error };
        let listener = TcpListener::bind(settings.addr).await.map_err(bind_error)?;
        let addr = listener.local_addr().map_err(bind_error)?;
        let location: Location = settings.database_url.parse().map_err(wrong_url)?;
        let public_url = settings.public_url.unwrap_or_else(|| own_url(addr));
        let store = store::open(&location).await.map_err(|error| StartError::Database(error.to_string()))?;
        let ended = EndedLogins::load(Arc::clone(&store)).await.map_err(unread)?;
        let tokens = Tokens::new(&settings.jwt_secret, public_url.starts_with("https://"), &ended)?;
        let logins = Logins::new(Arc::clone(&store), ended);
        let bans = Bans::new(Arc::clone(&store), logins.clone(), settings.administrators).await.map_err(unknown)?;
        let accounts = Accounts::new(Arc::clone(&store)).map_err(|error| StartError::Accounts(error.to_string()))?;
        let origins = OriginPolicy::new(origins(&public_url))?;
        let config = Config::default().trusted_proxies(settings.trusted_proxies);
        let presence = PresenceService::new(settings.grace, settings.settling);
        let realtime = realtime::endpoint(Arc::clone(&store), presence.clone(), tokens.verifier(), origins, config)?;
        let direct = DirectService::new(Arc::clone(&store));
        // The same mailboxes as the endpoint's: they lie in the store, and are heard of through its broker.
        let notifications = NotificationService::new(Arc::clone(&store), realtime.broker().clone());
        let web = Web {
            realtime: realtime.clone(),
            store: Arc::clone(&store),
            accounts,
            bans,
            logins,
            tokens,
            direct,
            notifications,
            presence,
        };
        let router = web::router(web, &public_url);
        Ok(Self { listener, addr, public_url, data_place: location.to_string(), store, router, realtime })
    }

    /// Serves until Ctrl-C or SIGTERM, then drains, and closes the database at last; a second signal ends it at once.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self) -> io::Result<()> {
        let served = parlor::axum::serve(self.listener, self.router, self.realtime).await;
        self.store.close().await;
        served
    }

    /// Serves until `stop` is ready, then drains, and closes the database at last.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let served = parlor::hyper::serve(self.listener, self.router, self.realtime, stop).await;
        self.store.close().await;
        served
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

    /// Where the data lies, in words.
    #[must_use]
    pub fn data_place(&self) -> &str {
        &self.data_place
    }

    /// What whoever runs it should know.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        if self.public_url.starts_with("https://") {
            None
        } else if origins(&self.public_url).len() == 1 {
            Some(
                "the public URL is http, so passwords and cookies can be read on the way. Put TLS in front and set \
                 STUDY_ROOM_PUBLIC_URL=https://…",
            )
        } else if self.addr.ip().is_loopback() {
            Some("plain http is fine on this machine; for others set STUDY_ROOM_PUBLIC_URL=https://…")
        } else {
            Some(
                "it listens for other machines too, but pages are let in only at the address above; for others set \
                 STUDY_ROOM_PUBLIC_URL=https://…",
            )
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn wrong_url(error: UrlError) -> StartError {
    StartError::Database(format!("DATABASE_URL {error}."))
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn unread(error: StoreError) -> StartError {
    StartError::Database(format!(
        "Which logins have ended cannot be read: {error}. Try again, or look at the database."
    ))
}

fn unknown(error: AdministratorError) -> StartError {
    match error {
        AdministratorError::Banned(name) => StartError::BannedAdministrator(name),
        AdministratorError::NoSuchAccount(name) => StartError::Administrator(name),
        AdministratorError::Store(error) => StartError::Database(format!(
            "Administrators cannot be looked up: {error}. Try again, or look at the database."
        )),
    }
}

/// What browsers call this address. All addresses at once are no address: of those, this machine's own.
fn own_url(addr: SocketAddr) -> String {
    let unspecified = addr.ip().is_unspecified();
    let addr = if unspecified { SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port())) } else { addr };
    format!("http://{addr}")
}

/// The public URL, and where it is a loopback one its other names too.
fn origins(public_url: &str) -> Vec<String> {
    let mut origins = vec![public_url.to_owned()];
    let uri: Option<Uri> = public_url.parse().ok();
    if let Some((scheme, authority)) = uri.as_ref().and_then(|uri| uri.scheme_str().zip(uri.authority()))
        && is_loopback(authority.host())
    {
        let port = authority.port().map(|port| format!(":{port}")).unwrap_or_default();
        origins.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{scheme}://{host}{port}")));
    }
    origins
}

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_url_has_three_names_and_any_other_one() {
        for (url, names) in [
            ("http://127.0.0.1:8080", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"]),
            ("https://localhost", ["https://127.0.0.1", "https://localhost", "https://[::1]"]),
            ("http://[::1]:80", ["http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80"]),
        ] {
            assert_eq!(origins(url)[1..], names);
            assert!(OriginPolicy::new(origins(url)).is_ok());
        }
        for url in ["https://study.example", "http://192.168.0.7:8080", "https://localhost.example"] {
            assert_eq!(origins(url), [url]);
        }
    }

    #[test]
    fn an_address_is_opened_by_a_name_that_browsers_know() {
        for (addr, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://127.0.0.1:8080"),
            ("192.168.0.7:80", "http://192.168.0.7:80"),
        ] {
            assert_eq!(own_url(addr.parse().unwrap()), url);
        }
    }
}
