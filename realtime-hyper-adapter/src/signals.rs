//! The signals by which a server is told to stop.

use std::{future::pending, io};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, and SIGTERM where there are signals. From the moment when it is made they do not end the process any more.
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
pub async fn stop_signal() {
    match Signals::listen() {
        Ok(mut signals) => signals.next().await,
        Err(error) => {
            tracing::error!(%error, "stop signals cannot be heard");
            pending::<()>().await;
        }
    }
}
