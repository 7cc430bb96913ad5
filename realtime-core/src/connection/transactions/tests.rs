//! Transactions against a model of them, a list that is searched and summed anew, and the rules one by one.

use std::time::Duration;

use bytes::Bytes;
use parlor_stomp::{ServerConfig, ServerSession};
use proptest::{collection::vec, prelude::*};

use super::*;

/// What the headers of a [`send`] cost: names and values of `destination` and `transaction`.
const HEADERS: usize = "destination/queue/atransactiont0".len();

/// The request that a frame of a connected client becomes.
fn request(frame: &str) -> Request {
    let mut session = ServerSession::new(ServerConfig::default());
    session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\nhost:a\n\n\0"));
    session.poll_request().unwrap();
    session.handle_input(Bytes::from(format!("{frame}\0")));
    session.poll_request().unwrap()
}

fn send(id: &str, body: &str) -> Request {
    request(&format!("SEND\ndestination:/queue/a\ntransaction:{id}\n\n{body}"))
}

/// What tells requests apart: the body of a SEND, the message of an ACK or a NACK.
fn name(request: &Request) -> String {
    match request {
        Request::Ack(settle) => format!("ack {}", settle.message),
        Request::Nack(settle) => format!("nack {}", settle.message),
        Request::Send(send) => format!("send {}", String::from_utf8_lossy(&send.body)),
        other => panic!("{other:?}"),
    }
}

fn names(requests: impl IntoIterator<Item = Request>) -> Vec<String> {
    requests.into_iter().map(|request| name(&request)).collect()
}

fn held(transactions: &mut Transactions, request: Request, now: Instant) -> bool {
    transactions.hold(request, now).unwrap().is_none()
}

#[test]
fn tx_01_and_13_what_is_held_comes_out_at_commit_in_its_order_without_its_transaction() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default());
    transactions.begin("t", now).unwrap();
    assert!(held(&mut transactions, send("t", "1"), now));
    assert!(held(&mut transactions, request("ACK\nid:2\ntransaction:t\nreceipt:r\n\n"), now));
    assert!(held(&mut transactions, request("NACK\nid:3\ntransaction:t\n\n"), now));
    let committed = transactions.commit("t", now).unwrap();
    assert_eq!(committed[1].receipt(), Some("r"));
    for request in &committed {
        // As read now: held by nothing.
        assert!(transactions.hold(request.clone(), now).unwrap().is_some());
    }
    assert_eq!(names(committed), ["send 1", "ack 2", "nack 3"]);
    assert_eq!((transactions.open(), transactions.bytes()), (0, 0));
}

#[test]
fn what_names_no_transaction_passes() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default());
    transactions.begin("t", now).unwrap();
    for frame in
        ["SEND\ndestination:/queue/a\n\n", "ACK\nid:1\n\n", "UNSUBSCRIBE\nid:1\n\n", "BEGIN\ntransaction:t\n\n"]
    {
        assert!(transactions.hold(request(frame), now).unwrap().is_some(), "{frame}");
    }
}

#[test]
fn tx_03_abort_discards() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default());
    transactions.begin("t", now).unwrap();
    held(&mut transactions, send("t", "1"), now);
    assert_eq!(transactions.abort("t", now), Ok(1));
    assert_eq!(transactions.bytes(), 0);
}

#[test]
fn tx_07_08_09_16_names_that_are_in_use_or_not_open_are_told() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default());
    assert_eq!(transactions.commit("t", now).unwrap_err(), TransactionError::Unknown);
    assert_eq!(transactions.abort("t", now).unwrap_err(), TransactionError::Unknown);
    assert_eq!(transactions.hold(send("t", "1"), now).unwrap_err(), TransactionError::Unknown);
    transactions.begin("t", now).unwrap();
    assert_eq!(transactions.begin("t", now).unwrap_err(), TransactionError::AlreadyOpen);
    transactions.commit("t", now).unwrap();
    assert_eq!(transactions.commit("t", now).unwrap_err(), TransactionError::Unknown);
    // TX-11
    assert_eq!(transactions.begin("t", now), Ok(()));
}

#[test]
fn four_transactions_are_open_and_not_one_more() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default());
    for id in ["1", "2", "3", "4"] {
        transactions.begin(id, now).unwrap();
    }
    assert_eq!(transactions.begin("5", now), Err(TransactionError::TooMany(4)));
    transactions.abort("2", now).unwrap();
    assert_eq!(transactions.begin("5", now), Ok(()));
}

#[test]
fn a_limit_of_no_transaction_switches_them_off() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default().max_open(0));
    assert_eq!(transactions.begin("t", now), Err(TransactionError::TooMany(0)));
}

#[test]
fn a_transaction_holds_64_frames_and_not_one_more() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default());
    transactions.begin("t", now).unwrap();
    transactions.begin("u", now).unwrap();
    for _ in 0..64 {
        held(&mut transactions, send("t", ""), now);
    }
    assert_eq!(transactions.hold(send("t", ""), now).unwrap_err(), TransactionError::TooManyFrames(64));
    assert!(held(&mut transactions, send("u", ""), now));
    assert_eq!(transactions.commit("t", now).unwrap().len(), 64);
}

#[test]
fn octets_of_all_transactions_are_bounded_at_the_limit_and_not_one_beyond() {
    let now = clock::now();
    let mut transactions = Transactions::new(TransactionLimits::default().max_bytes(2 * (256 + HEADERS) + 10));
    transactions.begin("t0", now).unwrap();
    transactions.begin("t1", now).unwrap();
    held(&mut transactions, send("t0", "12345"), now);
    assert_eq!(
        transactions.hold(send("t1", "123456"), now).unwrap_err(),
        TransactionError::TooLarge(2 * (256 + HEADERS) + 10)
    );
    assert!(held(&mut transactions, send("t1", "12345"), now));
    // What ends gives its room back.
    transactions.commit("t0", now).unwrap();
    assert!(held(&mut transactions, send("t1", "12345"), now));
}

#[test]
fn a_transaction_is_aborted_at_its_time_and_its_commit_is_told_once() {
    let now = clock::now();
    let limits = TransactionLimits::default();
    let mut transactions = Transactions::new(limits);
    transactions.begin("t", now).unwrap();
    held(&mut transactions, send("t", "1"), now);
    let due = now + Duration::from_secs(30);
    assert_eq!(transactions.next_deadline(), Some(due));
    assert_eq!(transactions.expire(due - Duration::from_nanos(1)), 0);
    assert_eq!(transactions.expire(due), 1);
    assert_eq!((transactions.bytes(), transactions.next_deadline()), (0, None));
    assert_eq!(transactions.hold(send("t", "2"), due).unwrap_err(), TransactionError::TimedOut(limits.timeout));
    assert_eq!(transactions.commit("t", due).unwrap_err(), TransactionError::TimedOut(limits.timeout));
    assert_eq!(transactions.commit("t", due).unwrap_err(), TransactionError::Unknown);
}

#[test]
fn time_counts_without_a_timer_too_and_the_name_is_free_again() {
    let now = clock::now();
    let limits = TransactionLimits::default().max_open(1);
    let mut transactions = Transactions::new(limits);
    transactions.begin("t", now).unwrap();
    assert_eq!(transactions.commit("t", now + limits.timeout).unwrap_err(), TransactionError::TimedOut(limits.timeout));
    transactions.begin("t", now).unwrap();
    transactions.begin("t", now + limits.timeout).unwrap();
    assert_eq!(transactions.commit("t", now + limits.timeout).unwrap().len(), 0);
}

#[test]
fn sixteen_that_timed_out_are_remembered_and_not_one_more() {
    let now = clock::now();
    let limits = TransactionLimits::default().max_open(17);
    let mut transactions = Transactions::new(limits);
    for id in 0..17 {
        transactions.begin(&id.to_string(), now).unwrap();
    }
    assert_eq!(transactions.expire(now + limits.timeout), 17);
    assert_eq!(transactions.commit("0", now).unwrap_err(), TransactionError::Unknown);
    assert_eq!(transactions.commit("1", now).unwrap_err(), TransactionError::TimedOut(limits.timeout));
}

/// The model: every transaction that was ever begun, and how it stands.
struct Model {
    limits: TransactionLimits,
    begun: Vec<Begun>,
}

struct Begun {
    id: u8,
    at: Instant,
    stands: Stands,
    /// Each with what it costs.
    frames: Vec<(String, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Ended,
    Open,
    TimedOut,
}

impl Model {
    fn begin(&mut self, id: u8, now: Instant) -> Result<(), TransactionError> {
        self.expire(now);
        if self.begun.iter().any(|begun| begun.id == id && begun.stands == Stands::Open) {
            return Err(TransactionError::AlreadyOpen);
        }
        if self.open().count() >= self.limits.max_open {
            return Err(TransactionError::TooMany(self.limits.max_open));
        }
        self.begun.push(Begun { id, at: now, stands: Stands::Open, frames: Vec::new() });
        Ok(())
    }

    fn hold(&mut self, id: u8, frame: String, cost: usize, now: Instant) -> Result<(), TransactionError> {
        let (octets, limits) = (self.bytes_at(now), self.limits);
        let begun = self.find(id, now)?;
        if begun.frames.len() >= limits.max_frames {
            return Err(TransactionError::TooManyFrames(limits.max_frames));
        }
        if octets + cost > limits.max_bytes {
            return Err(TransactionError::TooLarge(limits.max_bytes));
        }
        begun.frames.push((frame, cost));
        Ok(())
    }

    fn end(&mut self, id: u8, now: Instant) -> Result<Vec<String>, TransactionError> {
        let found = self.find(id, now).map(|begun| begun.frames.iter().map(|(frame, _)| frame.clone()).collect());
        for begun in self.begun.iter_mut().filter(|begun| begun.id == id) {
            begun.stands = Stands::Ended;
        }
        found
    }

    fn expire(&mut self, now: Instant) {
        let timeout = self.limits.timeout;
        for begun in self.begun.iter_mut().filter(|begun| begun.stands == Stands::Open && begun.at + timeout <= now) {
            begun.stands = Stands::TimedOut;
        }
    }

    /// The latest of that name says how it stands.
    fn find(&mut self, id: u8, now: Instant) -> Result<&mut Begun, TransactionError> {
        self.expire(now);
        let timeout = self.limits.timeout;
        let latest = self.begun.iter_mut().rev().find(|begun| begun.id == id).ok_or(TransactionError::Unknown)?;
        match latest.stands {
            Stands::Ended => Err(TransactionError::Unknown),
            Stands::Open => Ok(latest),
            Stands::TimedOut => Err(TransactionError::TimedOut(timeout)),
        }
    }

    fn bytes_at(&mut self, now: Instant) -> usize {
        self.expire(now);
        self.open().flat_map(|begun| &begun.frames).map(|(_, cost)| cost).sum()
    }

    fn open(&self) -> impl Iterator<Item = &Begun> {
        self.begun.iter().filter(|begun| begun.stands == Stands::Open)
    }
}

proptest! {
    #[test]
    fn every_answer_and_every_count_is_the_models(
        max_open in 0..4_usize,
        max_frames in 0..6_usize,
        max_bytes in 0..2500_usize,
        ops in vec((0..14_u8, 0..3_u8, 0..200_usize), 1..60),
    ) {
        let limits = TransactionLimits::default().max_open(max_open).max_frames(max_frames).max_bytes(max_bytes);
        let (mut transactions, mut model) = (Transactions::new(limits), Model { limits, begun: Vec::new() });
        let (send, ack) = (send("t0", ""), request("ACK\nid:1\ntransaction:t0\n\n"));
        let mut now = clock::now();
        for (number, (kind, id, size)) in ops.into_iter().enumerate() {
            let text = format!("t{id}");
            match kind {
                0..3 => prop_assert_eq!(transactions.begin(&text, now), model.begin(id, now)),
                3..9 => {
                    // A SEND of that size, or an ACK or NACK whose message is that long.
                    let content = format!("{number:0size$}");
                    let mut frame = if kind < 7 { send.clone() } else { ack.clone() };
                    let cost = match &mut frame {
                        Request::Send(send) => {
                            (send.transaction, send.body) = (Some(text), content.clone().into());
                            256 + HEADERS + content.len()
                        }
                        Request::Ack(ack) => {
                            (ack.transaction, ack.message) = (Some(text), content.clone());
                            256 + content.len()
                        }
                        other => panic!("{other:?}"),
                    };
                    if let (8, Request::Ack(settle)) = (kind, &frame) {
                        frame = Request::Nack(settle.clone());
                    }
                    let expected = model.hold(id, name(&frame), cost, now);
                    prop_assert_eq!(transactions.hold(frame, now).map(|passed| assert!(passed.is_none())), expected);
                }
                9..11 => prop_assert_eq!(transactions.commit(&text, now).map(names), model.end(id, now)),
                11 => prop_assert_eq!(transactions.abort(&text, now), model.end(id, now).map(|frames| frames.len())),
                12 => now += Duration::from_secs(size as u64 / 10),
                _ => {
                    let before = model.open().count();
                    model.expire(now);
                    prop_assert_eq!(transactions.expire(now), before - model.open().count());
                }
            }
            // Not before the next call does a time-out that has no timer count.
            if transactions.next_deadline().is_none_or(|deadline| deadline > now) {
                prop_assert_eq!(transactions.bytes(), model.bytes_at(now));
                prop_assert_eq!(transactions.open(), model.open().count());
                let first = model.open().map(|begun| begun.at + limits.timeout).min();
                prop_assert_eq!(transactions.next_deadline(), first);
            }
            prop_assert!(transactions.bytes() <= max_bytes && transactions.open() <= max_open);
        }
        transactions.expire(now + limits.timeout);
        prop_assert_eq!((transactions.bytes(), transactions.open()), (0, 0));
    }
}
