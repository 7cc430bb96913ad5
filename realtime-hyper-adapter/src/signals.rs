//! The signals by which a server is told to stop.

use std::{future::pending, io};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, and SIGTERM where there are signals. From the moment when it is made they do not end the process any more.
///
/// ```
/// use std::time::Duration;
/// use parlor_hyper::Signals;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let mut signals = Signals::listen()?;
/// # let process = std::process::id().to_string();
/// # #[cfg(unix)]
/// std::process::Command::new("kill").args(["-TERM", &process]).status()?;
/// # #[cfg(unix)]
/// tokio::time::timeout(Duration::from_secs(10), signals.next()).await.expect("SIGTERM was heard, and ended nothing");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Signals {
    /// Listens from now on; signals before are not heard.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? });
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one. Two that come before the first was waited for may count as one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C cannot be heard");
            pending::<()>().await;
        }
    }
}

/// Ready on Ctrl-C, and on SIGTERM where there are signals.
///
/// ```no_run
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::{WebSocketService, serve, stop_signal};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// serve(listener, WebSocketService::new(&realtime), realtime, stop_signal()).await?;
/// # Ok(()) }
/// ```
pub async fn stop_signal() {
    match Signals::listen() {
        Ok(mut signals) => signals.next().await,
        Err(error) => {
            tracing::error!(%error, "stop signals cannot be heard");
            pending::<()>().await;
        }
    }
}
