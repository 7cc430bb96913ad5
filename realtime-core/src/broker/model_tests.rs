//! The broker against a model of it: a list of subscriptions that is searched from end to end.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use parlor_stomp::{AckMode, Version};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    auth::UserId,
    destination::{Owner, Pattern, UserDestination},
    session_id::SessionId,
};

const DESTINATIONS: &[&str] = &["/topic/a", "/topic/b", "/topic/a/x", "/topic/a/y", "/topic/b/x/1"];
const PATTERNS: &[&str] = &["/topic/*", "/topic/**", "/topic/a/*", "/topic/*/x", "/topic/b/**"];

#[derive(Clone, Debug)]
enum Op {
    Publish { destination: usize },
    SendToUser { user: usize },
    Subscribe { session: usize, destination: usize, id: usize },
    SubscribePattern { session: usize, pattern: usize, id: usize },
    SubscribeUser { session: usize, id: usize },
    Unsubscribe { index: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let session = 0..4_usize;
    let id = 0..3_usize;
    prop_oneof![
        4 => (0..DESTINATIONS.len()).prop_map(|destination| Op::Publish { destination }),
        1 => (0..2_usize).prop_map(|user| Op::SendToUser { user }),
        2 => (session.clone(), 0..DESTINATIONS.len(), id.clone())
            .prop_map(|(session, destination, id)| Op::Subscribe { session, destination, id }),
        1 => (session.clone(), 0..PATTERNS.len(), id.clone())
            .prop_map(|(session, pattern, id)| Op::SubscribePattern { session, pattern, id }),
        1 => (session, id).prop_map(|(session, id)| Op::SubscribeUser { session, id }),
        2 => (0..16_usize).prop_map(|index| Op::Unsubscribe { index }),
    ]
}

/// A socket that keeps everything.
#[derive(Clone, Default)]
pub(super) struct Kept(pub(super) Arc<Mutex<Vec<u8>>>);

impl WireWriter for Kept {
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.try_write(&slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct TestSession {
    id: SessionId,
    user: UserId,
    kept: Kept,
    outbox: Arc<Outbox>,
    expected: Vec<(String, String)>,
}

impl TestSession {
    fn new(number: usize) -> Self {
        let kept = Kept::default();
        Self {
            id: SessionId::random(),
            user: user(number % 2),
            outbox: Arc::new(Outbox::new(Box::new(kept.clone()), OutboxLimits::default())),
            kept,
            expected: Vec::new(),
        }
    }

    fn subscriber(&self, id: usize) -> Subscriber {
        Subscriber {
            session: self.id,
            encoding: Encoding::stomp(Version::V1_2, Some(&format!("sub-{id}"))),
            outbox: Arc::clone(&self.outbox),
            ack: AckMode::Auto,
            prefetch: usize::MAX,
            begins: Begins::Live,
        }
    }

    /// What arrived: pairs of subscription and body.
    fn received(&self) -> Vec<(String, String)> {
        let octets = self.kept.0.lock().clone();
        let text = String::from_utf8_lossy(&octets).into_owned();
        text.split('\0')
            .filter_map(|frame| {
                let head = frame.find("subscription:")?;
                let id = frame[head + 13..].lines().next()?.to_owned();
                let body = frame.rsplit("\n\n").next()?.to_owned();
                Some((id, body))
            })
            .collect()
    }
}

fn user(number: usize) -> UserId {
    format!("user-{number}").parse().unwrap()
}

/// Where a subscription of the model listens.
enum Listens {
    At(usize),
    Matching(Pattern),
    ToUser,
}

proptest! {
    #[test]
    fn deliveries_equal_the_models(ops in vec(op(), 1..60)) {
        let broker = Broker::default();
        let mut sessions: Vec<TestSession> = (0..4).map(TestSession::new).collect();
        let mut model: Vec<(usize, usize, Listens, ActiveSubscription)> = Vec::new();
        for (number, op) in ops.into_iter().enumerate() {
            match op {
                Op::Publish { destination } => {
                    let destination: Destination = DESTINATIONS[destination].parse().unwrap();
                    let body = number.to_string();
                    let reached = broker
                        .publish_message(destination.clone(), Publication::text(body.clone()))
                        .now_or_never().unwrap().unwrap();
                    let mut expected = 0;
                    for (session, id, listens, _) in &model {
                        let hears = match listens {
                            Listens::At(at) => DESTINATIONS[*at] == destination.as_str(),
                            Listens::Matching(pattern) => pattern.matches(&destination),
                            Listens::ToUser => false,
                        };
                        if hears {
                            sessions[*session].expected.push((format!("sub-{id}"), body.clone()));
                            expected += 1;
                        }
                    }
                    prop_assert_eq!(reached.subscriptions, expected);
                }
                Op::SendToUser { user: number_of_user } => {
                    let body = number.to_string();
                    let owner = Owner::User(user(number_of_user));
                    let to = UserDestination { owner, path: "/queue/x".parse().unwrap() };
                    let (reached, _) = broker.hand_to_owner(&to, &Publication::text(body.clone()), None).unwrap();
                    let mut expected = 0;
                    for (session, id, listens, _) in &model {
                        if matches!(listens, Listens::ToUser) && sessions[*session].user == user(number_of_user) {
                            sessions[*session].expected.push((format!("sub-{id}"), body.clone()));
                            expected += 1;
                        }
                    }
                    prop_assert_eq!(reached.subscriptions, expected);
                }
                Op::Subscribe { session, destination, id } => {
                    let address = Address::Topic(DESTINATIONS[destination].parse().unwrap());
                    let active = broker.subscribe(address, sessions[session].subscriber(id)).0;
                    model.push((session, id, Listens::At(destination), active));
                }
                Op::SubscribePattern { session, pattern, id } => {
                    let pattern: Pattern = PATTERNS[pattern].parse().unwrap();
                    let active = broker.subscribe_pattern(pattern.clone(), sessions[session].subscriber(id)).0;
                    model.push((session, id, Listens::Matching(pattern), active));
                }
                Op::SubscribeUser { session, id } => {
                    let owner = Owner::User(sessions[session].user.clone());
                    let address = Address::User(UserDestination { owner, path: "/queue/x".parse().unwrap() });
                    let active = broker.subscribe(address, sessions[session].subscriber(id)).0;
                    model.push((session, id, Listens::ToUser, active));
                }
                Op::Unsubscribe { index } if !model.is_empty() => {
                    model.swap_remove(index % model.len());
                }
                Op::Unsubscribe { .. } => {}
            }
        }
        for session in &sessions {
            let (mut expected, mut received) = (session.expected.clone(), session.received());
            // Each subscription sees the order of publishing; between subscriptions of one message there is none.
            let order = |bodies: &[(String, String)]| bodies.iter().map(|(_, body)| body.clone()).collect::<Vec<_>>();
            prop_assert_eq!(order(&expected), order(&received));
            expected.sort();
            received.sort();
            prop_assert_eq!(expected, received);
        }
        drop(model);
        prop_assert_eq!(broker.destination_count(), 0);
    }
}
