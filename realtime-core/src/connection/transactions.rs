//! The open transactions of one connection (rule 13): SEND, ACK and NACK wait here until COMMIT.
//!
//! Nothing that waits here was looked at: at COMMIT the requests come out in their order, without their transaction, and are
//! processed as if they had been read now. So the RECEIPT of each is sent with the COMMIT, once (TX-17). Dropping this is
//! the ABORT of all (TX-04, TX-05).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use parlor_stomp::{Headers, Request};
use tokio::time::Instant;

use crate::{clock, limits::TransactionLimits};

/// Transactions that timed out and that the client has not asked for yet; of more, the oldest are forgotten and are then
/// unknown.
const MAX_TIMED_OUT: usize = 16;

/// What a frame costs beside its headers and body, so that empty ones are not free.
const FRAME_COST: usize = 256;

/// The open transactions of one connection. Their number is small, so each call looks at all of them.
#[derive(Debug)]
pub(super) struct Transactions {
    limits: TransactionLimits,
    /// Oldest first.
    open: Vec<Open>,
    /// Oldest first.
    timed_out: VecDeque<String>,
    /// Octets in all of `open`.
    bytes: usize,
}

#[derive(Debug)]
struct Open {
    id: String,
    deadline: Instant,
    requests: Vec<Request>,
    bytes: usize,
}

/// What is wrong with a frame that names a transaction. The client gets ERROR and is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TransactionError {
    /// BEGIN of a transaction that is open (TX-07).
    #[error("a transaction of that name is open: COMMIT or ABORT it first")]
    AlreadyOpen,
    /// The transaction was open for too long, and was aborted.
    #[error("the transaction was aborted because it was open for longer than {0:?}: begin it again")]
    TimedOut(std::time::Duration),
    /// The open transactions hold too many octets.
    #[error("the open transactions would hold more than {0} octets: COMMIT sooner")]
    TooLarge(usize),
    /// Too many transactions are open.
    #[error("at most {0} transactions may be open at a time: COMMIT or ABORT one first")]
    TooMany(usize),
    /// The transaction holds too many frames.
    #[error("a transaction may hold at most {0} frames: COMMIT sooner")]
    TooManyFrames(usize),
    /// There is no such transaction (TX-08, TX-09).
    #[error("no transaction of that name is open: BEGIN it first")]
    Unknown,
}

impl TransactionError {
    /// The code of the ERROR.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::AlreadyOpen => "transaction-open",
            Self::TimedOut(_) => "transaction-timeout",
            Self::TooLarge(_) | Self::TooManyFrames(_) => "transaction-too-large",
            Self::TooMany(_) => "too-many-transactions",
            Self::Unknown => "unknown-transaction",
        }
    }
}

impl Transactions {
    /// No transaction is open.
    pub(super) fn new(limits: TransactionLimits) -> Self {
        Self { limits, open: Vec::new(), timed_out: VecDeque::new(), bytes: 0 }
    }

    /// BEGIN.
    ///
    /// # Errors
    /// When it is open already, or too many are.
    pub(super) fn begin(&mut self, id: &str, now: Instant) -> Result<(), TransactionError> {
        self.expire(now);
        if self.open.iter().any(|open| open.id == id) {
            return Err(TransactionError::AlreadyOpen);
        }
        if self.open.len() >= self.limits.max_open {
            return Err(TransactionError::TooMany(self.limits.max_open));
        }
        self.timed_out.retain(|timed_out| timed_out != id);
        let deadline = clock::after(now, self.limits.timeout);
        self.open.push(Open { id: id.to_owned(), deadline, requests: Vec::new(), bytes: 0 });
        Ok(())
    }

    /// Keeps a SEND, ACK or NACK that names a transaction, and gives every other request back.
    ///
    /// # Errors
    /// When the transaction is not open, or is full. What it holds stays as it is.
    pub(super) fn hold(&mut self, mut request: Request, now: Instant) -> Result<Option<Request>, TransactionError> {
        let Some(id) = transaction(&mut request).and_then(Option::take) else { return Ok(Some(request)) };
        let index = self.find(&id, now)?;
        let cost = cost(&request);
        let open = &mut self.open[index];
        if open.requests.len() >= self.limits.max_frames {
            return Err(TransactionError::TooManyFrames(self.limits.max_frames));
        }
        if cost > self.limits.max_bytes - self.bytes {
            return Err(TransactionError::TooLarge(self.limits.max_bytes));
        }
        open.bytes += cost;
        self.bytes += cost;
        open.requests.push(request);
        Ok(None)
    }

    /// COMMIT: what was held, in its order.
    ///
    /// # Errors
    /// When it is not open.
    pub(super) fn commit(&mut self, id: &str, now: Instant) -> Result<Vec<Request>, TransactionError> {
        self.end(id, now)
    }

    /// ABORT: drops what was held, and tells how many frames.
    ///
    /// # Errors
    /// When it is not open.
    pub(super) fn abort(&mut self, id: &str, now: Instant) -> Result<usize, TransactionError> {
        self.end(id, now).map(|requests| requests.len())
    }

    /// Aborts what has been open for too long, and tells how many transactions. Each call does so by itself too: this one
    /// frees memory while the client is silent.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        let timed_out = self.open.iter().take_while(|open| open.deadline <= now).count();
        for open in self.open.drain(..timed_out) {
            self.bytes -= open.bytes;
            self.timed_out.push_back(open.id);
        }
        let too_many = self.timed_out.len().saturating_sub(MAX_TIMED_OUT);
        self.timed_out.drain(..too_many);
        timed_out
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.first().map(|open| open.deadline)
    }

    /// Octets that are held, as they are counted.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Transactions that are open.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    fn end(&mut self, id: &str, now: Instant) -> Result<Vec<Request>, TransactionError> {
        let found = self.find(id, now);
        self.timed_out.retain(|timed_out| timed_out != id);
        let ended = self.open.remove(found?);
        self.bytes -= ended.bytes;
        Ok(ended.requests)
    }

    fn find(&mut self, id: &str, now: Instant) -> Result<usize, TransactionError> {
        self.expire(now);
        self.open.iter().position(|open| open.id == id).ok_or_else(|| {
            if self.timed_out.iter().any(|timed_out| timed_out == id) {
                TransactionError::TimedOut(self.limits.timeout)
            } else {
                TransactionError::Unknown
            }
        })
    }
}

/// Where a request names its transaction, if it can belong to one.
fn transaction(request: &mut Request) -> Option<&mut Option<String>> {
    match request {
        Request::Ack(settle) | Request::Nack(settle) => Some(&mut settle.transaction),
        Request::Send(send) => Some(&mut send.transaction),
        _ => None,
    }
}

/// Whether a request is to wait for a COMMIT.
pub(super) fn names_transaction(request: &Request) -> bool {
    match request {
        Request::Ack(settle) | Request::Nack(settle) => settle.transaction.is_some(),
        Request::Send(send) => send.transaction.is_some(),
        _ => false,
    }
}

/// What keeping a request costs, in octets.
fn cost(request: &Request) -> usize {
    FRAME_COST
        + match request {
            Request::Ack(settle) | Request::Nack(settle) => {
                let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
                settle.message.len() + optional(&settle.subscription) + optional(&settle.receipt)
            }
            Request::Send(send) => send.body.len() + octets(&send.headers),
            _ => 0,
        }
}

fn octets(headers: &Headers) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}
