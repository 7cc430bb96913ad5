//! How much a connection may keep for a later COMMIT.

use std::time::Duration;

/// Bounds of the open transactions of one connection (rule 13). Whoever exceeds one gets ERROR and is closed.
///
/// ```
/// use parlor_core::limits::TransactionLimits;
///
/// let limits = TransactionLimits::default().max_frames(16);
/// assert_eq!(limits.max_open, 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionLimits {
    /// Octets of the frames in all open transactions of a connection: their headers and bodies, and 256 for each. Default
    /// 256 KiB. Protects memory.
    pub max_bytes: usize,
    /// Frames in one transaction, default 64. Protects everyone else's turn from what one COMMIT sets off.
    pub max_frames: usize,
    /// Transactions open at a time, default 4. 0 switches transactions off: each BEGIN is refused.
    pub max_open: usize,
    /// From BEGIN to COMMIT, default 30 s; then the transaction is aborted, and its COMMIT is refused. Protects memory from
    /// transactions that nobody ends.
    pub timeout: Duration,
}

impl Default for TransactionLimits {
    fn default() -> Self {
        Self { max_bytes: 256 * 1024, max_frames: 64, max_open: 4, timeout: Duration::from_secs(30) }
    }
}

impl TransactionLimits {
    /// Sets [`max_bytes`](Self#structfield.max_bytes).
    #[must_use]
    pub const fn max_bytes(mut self, octets: usize) -> Self {
        self.max_bytes = octets;
        self
    }

    /// Sets [`max_frames`](Self#structfield.max_frames).
    #[must_use]
    pub const fn max_frames(mut self, frames: usize) -> Self {
        self.max_frames = frames;
        self
    }

    /// Sets [`max_open`](Self#structfield.max_open).
    #[must_use]
    pub const fn max_open(mut self, transactions: usize) -> Self {
        self.max_open = transactions;
        self
    }

    /// Sets [`timeout`](Self#structfield.timeout).
    #[must_use]
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }
}
