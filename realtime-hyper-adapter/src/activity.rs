//! What happens on one HTTP connection, and when it is overdue.
//!
//! hyper's own time limit for heads begins only when the HTTP version is known, does not exist for HTTP/2, and does not
//! tell a head that trickles from a connection that idles. So the octets are watched on their way to it:
//!
//! ```text
//! accepted --first request--> in progress --last one answered--> idle --octet of a head--> head --request--> in progress
//!    \_ head_timeout                \_ write_timeout               \_ idle_timeout           \_ head_timeout
//! ```

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{ServeOptions, http2_heads::Http2Heads};

/// How an HTTP/2 client begins (RFC 9113 section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Why a connection is closed although its client did not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// A request head did not end in time.
    Head,
    /// There was no request for too long.
    Idle,
    /// The client took nothing of its answer.
    Write,
}

/// The state of one connection, fed by its stream and its requests.
#[derive(Debug)]
pub(crate) struct Activity {
    head_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    state: Mutex<State>,
    /// The deadline may be sooner than it was.
    sooner: Notify,
}

#[derive(Debug)]
struct State {
    protocol: Protocol,
    /// Whether there was a request at all.
    has_begun: bool,
    in_progress: usize,
    /// Since when nothing is in progress.
    idle_since: Instant,
    head_since: Option<Instant>,
    blocked_since: Option<Instant>,
}

#[derive(Debug)]
enum Protocol {
    /// So many octets were as HTTP/2 begins.
    Unknown(usize),
    Http1,
    Http2(Http2Heads),
}

/// A request in progress; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct InProgress {
    activity: Arc<Activity>,
}

impl Activity {
    /// A connection that begins now.
    pub(crate) fn new(options: &ServeOptions) -> Arc<Self> {
        Arc::new(Self {
            head_timeout: options.head_timeout,
            idle_timeout: options.idle_timeout,
            write_timeout: options.write_timeout,
            state: Mutex::new(State {
                protocol: Protocol::Unknown(0),
                has_begun: false,
                in_progress: 0,
                idle_since: now(),
                head_since: None,
                blocked_since: None,
            }),
            sooner: Notify::new(),
        })
    }

    /// Octets came.
    pub(crate) fn received(&self, octets: &[u8]) {
        let mut state = self.state.lock();
        if state.received(octets) {
            self.sooner.notify_one();
        }
    }

    /// The stream took some octets, or none.
    pub(crate) fn written(&self, is_blocked: bool) {
        let mut state = self.state.lock();
        match (is_blocked, state.blocked_since) {
            (true, None) => {
                state.blocked_since = Some(now());
                self.sooner.notify_one();
            }
            (false, Some(_)) => state.blocked_since = None,
            _ => {}
        }
    }

    /// A request, or a stream that one was upgraded to, is in progress.
    pub(crate) fn begin(self: &Arc<Self>) -> InProgress {
        let mut state = self.state.lock();
        state.has_begun = true;
        state.in_progress += 1;
        if !matches!(state.protocol, Protocol::Http2(_)) {
            // Its head is whole. (What follows the head of an HTTP/1 request is its body.)
            state.head_since = None;
        }
        InProgress { activity: Arc::clone(self) }
    }

    /// Ready when the connection is overdue.
    pub(crate) async fn overdue(&self) -> Overdue {
        loop {
            let next = self.state.lock().deadline(self);
            let Some((deadline, _)) = next else {
                self.sooner.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = self.sooner.notified() => {}
            }
            // Things may have moved on meanwhile: only a deadline that still stands counts.
            if let Some((deadline, why)) = self.state.lock().deadline(self)
                && deadline <= now()
            {
                return why;
            }
        }
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.in_progress -= 1;
        if state.in_progress == 0 {
            state.idle_since = now();
            self.sooner.notify_one();
        }
    }
}

impl State {
    /// Whether the deadline may be sooner now.
    fn received(&mut self, mut octets: &[u8]) -> bool {
        if let Protocol::Unknown(matched) = &mut self.protocol {
            let expected = &HTTP2_PREFACE[*matched..];
            let common = expected.len().min(octets.len());
            if octets[..common] != expected[..common] {
                self.protocol = Protocol::Http1;
            } else if common == expected.len() {
                self.protocol = Protocol::Http2(Http2Heads::default());
                octets = &octets[common..];
            } else {
                *matched += common;
            }
        }
        match &mut self.protocol {
            Protocol::Unknown(_) => false,
            Protocol::Http1 if self.in_progress == 0 && self.head_since.is_none() => {
                self.head_since = Some(now());
                true
            }
            Protocol::Http1 => false,
            Protocol::Http2(heads) => {
                if heads.feed(octets) {
                    self.head_since = None;
                }
                let begins = heads.is_open() && self.head_since.is_none();
                if begins {
                    self.head_since = Some(now());
                }
                begins
            }
        }
    }

    fn deadline(&self, limits: &Activity) -> Option<(Instant, Overdue)> {
        if !self.has_begun {
            return Some((after(self.idle_since, limits.head_timeout), Overdue::Head));
        }
        let head = self.head_since.map(|since| (after(since, limits.head_timeout), Overdue::Head));
        let idle = (self.in_progress == 0).then(|| (after(self.idle_since, limits.idle_timeout), Overdue::Idle));
        let write = self.blocked_since.map(|since| (after(since, limits.write_timeout), Overdue::Write));
        [head, idle, write].into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.activity.end();
    }
}

/// A limit that is longer than time itself is none: thirty years stand for it.
fn after(since: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    since + time.min(FAR)
}

#[expect(clippy::disallowed_methods, reason = "the accept loop reads the clock here alone")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity() -> Arc<Activity> {
        Activity::new(&ServeOptions::default())
    }

    /// Why it is overdue, and after how many seconds.
    async fn overdue(activity: &Activity) -> (Overdue, u64) {
        let begin = now();
        let why = activity.overdue().await;
        (why, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_is_due_from_the_accept_whatever_comes() {
        let activity = activity();
        activity.received(HTTP2_PREFACE);
        tokio::time::advance(Duration::from_secs(4)).await;
        activity.received(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        assert_eq!(overdue(&activity).await, (Overdue::Head, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_idles_until_its_next_head_begins() {
        let activity = activity();
        activity.received(b"GET / HTTP/1.1\r\n\r\n");
        drop(activity.begin());
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(overdue(&activity).await, (Overdue::Idle, 40));
        activity.received(b"G");
        assert_eq!(overdue(&activity).await.0, Overdue::Idle, "the head does not prolong it");
        drop(activity.begin());
        activity.received(b"G");
        tokio::time::advance(Duration::from_secs(3)).await;
        activity.received(b"E");
        assert_eq!(overdue(&activity).await, (Overdue::Head, 7), "each octet does not prolong it");
    }

    #[tokio::test(start_paused = true)]
    async fn the_body_of_a_request_is_no_head() {
        let activity = activity();
        activity.received(b"POST / HTTP/1.1\r\n");
        let request = activity.begin();
        activity.received(b"body");
        let patience = Duration::from_secs(3600);
        assert!(tokio::time::timeout(patience, activity.overdue()).await.is_err());
        drop(request);
        assert_eq!(overdue(&activity).await, (Overdue::Idle, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_of_http_2_is_due_even_beside_a_request() {
        let activity = activity();
        activity.received(HTTP2_PREFACE);
        let _request = activity.begin();
        // HEADERS of one octet without END_HEADERS.
        activity.received(&[0, 0, 1, 1, 0, 0, 0, 0, 3, 0]);
        assert_eq!(overdue(&activity).await, (Overdue::Head, 10));
        // CONTINUATION with END_HEADERS.
        activity.received(&[0, 0, 1, 9, 4, 0, 0, 0, 3, 0]);
        assert!(tokio::time::timeout(Duration::from_secs(3600), activity.overdue()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_overdue_and_one_that_takes_a_little_is_not() {
        let activity = activity();
        let _request = activity.begin();
        activity.written(true);
        tokio::time::advance(Duration::from_secs(29)).await;
        activity.written(false);
        activity.written(true);
        assert_eq!(overdue(&activity).await, (Overdue::Write, 30));
    }
}
