//! A queue with the connections of its consumers: what it hands out goes straight to their outboxes.
//!
//! One serves a destination of the queue prefix, or one acknowledging subscription to a topic, which is its only consumer.
//! Lock order: a topic's lock, then a queue's, then an outbox's. Dead letters are buried after the lock was given back.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parlor_stomp::AckMode;
use tokio::time::Instant;

use crate::{
    broker::{
        encoding::{Encoding, Handing},
        stored::{LastEncoded, Stored},
    },
    clock,
    delivery::{Dead, Delivery, Queue, QueueFull, Returned, Settled, SmallMap},
    limits::QueueLimits,
    outbox::{Outbox, Pushed},
    sync::{Mutex, MutexGuard},
};

/// Messages that a client before STOMP 1.2 may be asked about, by id; beyond, those that are settled are forgotten.
const MAX_REMEMBERED: usize = 1024;

/// Octets that all queues of a broker hold.
pub(super) type Usage = Arc<AtomicUsize>;

/// A queue and its consumers.
#[derive(Debug)]
pub(super) struct SharedQueue {
    state: Mutex<State>,
    /// None where it is one subscription's alone, which has bounds of its own.
    usage: Option<Usage>,
}

#[derive(Debug)]
struct State {
    queue: Queue<Arc<Stored>>,
    receivers: SmallMap<u64, Receiver, 1>,
    /// Waits for the queue to be less than half full.
    waiting: Option<Waker>,
    /// Taken out of the index: whoever still holds it must look again.
    retired: bool,
}

/// The connection of a consumer.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) outbox: Arc<Outbox>,
    pub(super) encoding: Encoding,
    pub(super) mode: AckMode,
    pub(super) prefetch: usize,
    /// Given nothing before its session knows of it, nor once that ends.
    pub(super) is_ready: bool,
    /// Told with the first message.
    pub(super) first: Option<(&'static str, &'static str)>,
    /// When its task looks at the time-outs by itself. That may be too early, where what it was for is settled; to have the task
    /// look once for nothing is less work than to tell it of each message.
    pub(super) looks_at: Option<Instant>,
    /// What earlier versions name messages by; most clients speak a later one.
    #[expect(clippy::box_collection, reason = "the map itself would be another line of memory in every consumer")]
    pub(super) ids: Option<Box<HashMap<Arc<str>, u64>>>,
}

/// What was handed out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handed {
    pub(super) messages: usize,
    pub(super) octets: usize,
    /// Somewhere it waits in an outbox.
    pub(super) queued: bool,
}

/// How a client names what it settles.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a> {
    /// By the number of the delivery (STOMP 1.2).
    Delivery(u64),
    /// By the message's id (1.0, 1.1).
    Message(&'a str),
}

impl SharedQueue {
    pub(super) fn new(limits: QueueLimits, usage: Option<Usage>) -> Self {
        let queue = Queue::new(limits);
        let state = State { queue, receivers: SmallMap::default(), waiting: None, retired: false };
        Self { state: Mutex::new(state), usage }
    }

    /// Puts a message at the end and hands out what can be; none where the queue is out of the index.
    pub(super) fn publish(
        &self,
        message: Arc<Stored>,
        last: Option<&mut LastEncoded>,
    ) -> Option<Result<Handed, QueueFull>> {
        let octets = message.octets();
        self.with(|state| state.queue.publish(message, octets).map(|_| state.hand_out_after(last)))
    }

    /// Adds a consumer; false where the queue is out of the index.
    pub(super) fn add(&self, key: u64, receiver: Receiver) -> bool {
        let added = self.with(|state| {
            state.queue.add(key, receiver.mode, receiver.prefetch);
            state.receivers.insert(key, receiver);
        });
        added.is_some()
    }

    /// Removes a consumer; what it had in flight goes to others. Returns what is dead, and whether the queue is idle.
    pub(super) fn remove(&self, key: u64) -> (Vec<Dead<Arc<Stored>>>, Handed, bool) {
        let removed = self.with(|state| {
            state.receivers.remove(&key);
            let Returned { dead, .. } = state.queue.remove(key);
            let handed = state.hand_out();
            (dead, handed, state.queue.is_idle())
        });
        removed.unwrap_or_default()
    }

    /// Says whether a consumer can be given messages, and hands out what can be.
    pub(super) fn set_ready(&self, key: u64, is_ready: bool) -> Handed {
        let handed = self.with(|state| {
            if let Some(receiver) = state.receivers.get_mut(&key) {
                receiver.is_ready = is_ready;
            }
            state.hand_out()
        });
        handed.unwrap_or_default()
    }

    /// Puts a header on a consumer's next message alone.
    pub(super) fn announce(&self, key: u64, header: (&'static str, &'static str)) {
        if let Some(receiver) = self.state.lock().receivers.get_mut(&key) {
            receiver.first = Some(header);
        }
    }

    /// Takes the header back that a consumer's next message would have.
    pub(super) fn take_announced(&self, key: u64) -> Option<(&'static str, &'static str)> {
        self.state.lock().receivers.get_mut(&key)?.first.take()
    }

    /// Hands out what can be, where a connection has room again.
    pub(super) fn pump(&self) -> Handed {
        self.with(State::hand_out).unwrap_or_default()
    }

    /// ACK or NACK by a consumer.
    pub(super) fn settle(
        &self,
        consumer: u64,
        named: Named<'_>,
        accepted: bool,
    ) -> (Settled, Vec<Dead<Arc<Stored>>>, Handed) {
        let settled = self.with(|state| {
            let Some(ack) = state.delivery(consumer, named) else {
                return (Settled::NeverGiven, Vec::new(), Handed::default());
            };
            let (settled, dead) = if accepted {
                (state.queue.ack(consumer, ack), Vec::new())
            } else {
                let (settled, returned) = state.queue.nack(consumer, ack);
                (settled, returned.dead)
            };
            (settled, dead, state.hand_out())
        });
        settled.unwrap_or_else(|| (Settled::NeverGiven, Vec::new(), Handed::default()))
    }

    /// Takes back what was in flight for too long.
    pub(super) fn expire(&self, now: Instant) -> (Vec<Dead<Arc<Stored>>>, Handed) {
        self.with(|state| (state.queue.expire(now).dead, state.hand_out())).unwrap_or_default()
    }

    /// When the task of a consumer is to call [`expire`](Self::expire); given none, it counts on being told of the next message.
    pub(super) fn next_look(&self, consumer: u64, now: Instant) -> Option<Instant> {
        let State { queue, receivers, .. } = &mut *self.state.lock();
        let receiver = receivers.get_mut(&consumer)?;
        let planned = receiver.looks_at.filter(|planned| *planned > now);
        receiver.looks_at = planned.into_iter().chain(queue.next_deadline()).min();
        receiver.looks_at
    }

    /// Ready when less than half of what may wait does: room for those who can wait themselves.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        let (messages, limits) = (state.queue.waiting() + state.queue.in_flight(), state.queue.limits());
        if messages <= limits.max_messages / 2 && state.queue.bytes() <= limits.max_bytes / 2 {
            return Poll::Ready(());
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether so many messages of so many octets in all could wait now.
    pub(super) fn has_room_for(&self, messages: usize, octets: usize) -> bool {
        let state = self.state.lock();
        let (queue, limits) = (&state.queue, state.queue.limits());
        queue.waiting() + queue.in_flight() + messages <= limits.max_messages
            && queue.bytes().saturating_add(octets) <= limits.max_bytes
    }

    /// Messages that nobody has.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().queue.waiting()
    }

    /// Its consumers.
    pub(super) fn consumers(&self) -> usize {
        self.state.lock().queue.consumers()
    }

    /// Whether there is neither a message nor a consumer.
    pub(super) fn is_idle(&self) -> bool {
        self.state.lock().queue.is_idle()
    }

    /// Takes the queue out of use if there is neither a message nor a consumer; returns whether it is.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state.lock();
        state.retired = state.queue.is_idle();
        state.retired
    }

    /// Works on the queue, unless it was taken out of the index, and counts what it has more or less then.
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state: MutexGuard<'_, State> = self.state.lock();
        if state.retired {
            return None;
        }
        let before = state.queue.bytes();
        let done = work(&mut state);
        let after = state.queue.bytes();
        match &self.usage {
            Some(usage) if after > before => {
                usage.fetch_add(after - before, Ordering::Relaxed);
            }
            Some(usage) if after < before => {
                usage.fetch_sub(before - after, Ordering::Relaxed);
            }
            _ => {}
        }
        if after < before
            && let Some(waiting) = state.waiting.take()
        {
            waiting.wake();
        }
        Some(done)
    }
}

impl Drop for SharedQueue {
    fn drop(&mut self) {
        if let Some(usage) = &self.usage {
            usage.fetch_sub(self.state.get_mut().queue.bytes(), Ordering::Relaxed);
        }
    }
}

impl State {
    /// Hands out everything that somebody can take.
    fn hand_out(&mut self) -> Handed {
        self.hand_out_after(None)
    }

    /// As [`hand_out`](Self::hand_out), where other queues may just have handed out the same.
    fn hand_out_after(&mut self, mut last: Option<&mut LastEncoded>) -> Handed {
        let mut handed = Handed::default();
        let Self { queue, receivers, .. } = self;
        if queue.waiting() == 0 {
            return handed;
        }
        let now = clock::now();
        while let Some(delivery) = queue.next(now, |key| receivers.get(&key).is_some_and(Receiver::has_room)) {
            let Some(receiver) = receivers.get_mut(&delivery.consumer) else { continue };
            let wire = receiver.encode(&delivery, last.as_deref_mut());
            receiver.remember(&delivery, queue);
            handed.messages += 1;
            handed.octets += wire.len();
            handed.queued |= receiver.outbox.push(wire) == Pushed::Queued;
            // What its task looks at by itself is for a message before this one, which times out no later.
            if delivery.ack.is_some() && receiver.looks_at.is_none() && queue.in_flight_of(delivery.consumer) == 1 {
                receiver.outbox.rouse();
            }
        }
        handed
    }

    fn delivery(&self, consumer: u64, named: Named<'_>) -> Option<u64> {
        match named {
            Named::Delivery(ack) => Some(ack),
            Named::Message(id) => self.receivers.get(&consumer)?.ids.as_ref()?.get(id).copied(),
        }
    }
}

impl Receiver {
    fn has_room(&self) -> bool {
        self.is_ready && self.outbox.offers_room()
    }

    fn encode(&mut self, delivery: &Delivery<Arc<Stored>>, last: Option<&mut LastEncoded>) -> Bytes {
        let ack = delivery.ack.map(|ack| (delivery.consumer, ack));
        let handing = Handing { ack, is_redelivered: delivery.is_redelivered() };
        let wire = delivery.message.encode_handed(&self.encoding, handing, last);
        match self.first.take() {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        }
    }

    /// Keeps by which name the client may settle a delivery that has none of its own: of a message that comes again, the latest.
    fn remember(&mut self, delivery: &Delivery<Arc<Stored>>, queue: &Queue<Arc<Stored>>) {
        let Some(ack) = delivery.ack.filter(|_| !self.encoding.has_ack_header()) else { return };
        let ids = self.ids.get_or_insert_default();
        if ids.len() >= MAX_REMEMBERED {
            ids.retain(|_, ack| queue.is_in_flight(delivery.consumer, *ack));
        }
        ids.insert(Arc::clone(&delivery.message.message_id), ack);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::task::noop_waker_ref;
    use parlor_stomp::Version;

    use super::*;
    use crate::{
        broker::{Begins, Publication, Subscriber, model_tests::Kept},
        outbox::OutboxLimits,
        session_id::SessionId,
    };

    const KEY: u64 = 7;
    const OTHER: u64 = 8;
    const TIME: Duration = Duration::from_secs(10);

    /// A consumer, and its connection.
    fn consumer(queue: &SharedQueue, key: u64) -> Arc<Outbox> {
        consumer_of(Version::V1_2, queue, key)
    }

    fn consumer_of(version: Version, queue: &SharedQueue, key: u64) -> Arc<Outbox> {
        let outbox = Arc::new(Outbox::new(Box::new(Kept::default()), OutboxLimits::default()));
        let subscriber = Subscriber {
            session: SessionId::random(),
            encoding: Encoding::stomp(version, Some("0")),
            outbox: Arc::clone(&outbox),
            ack: AckMode::ClientIndividual,
            prefetch: usize::MAX,
            begins: Begins::Live,
        };
        queue.add(key, Receiver::new(&subscriber));
        queue.set_ready(key, true);
        outbox
    }

    /// Whether the task of that connection is told to look.
    fn is_told(outbox: &Outbox) -> bool {
        outbox.poll_flush(&mut Context::from_waker(noop_waker_ref())).is_ready()
    }

    fn publish(queue: &SharedQueue) {
        publish_as(queue, "m");
    }

    fn publish_as(queue: &SharedQueue, id: &str) {
        let (message_id, destination) = (id.into(), "/topic/a".into());
        let message = Stored { message_id, destination, publication: Publication::text("x"), place: None };
        assert!(matches!(queue.publish(Arc::new(message), None), Some(Ok(Handed { messages: 1, .. }))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_looks_at_time_outs_by_itself_is_not_told_of_messages_and_none_of_them_is_overlooked() {
        let queue = SharedQueue::new(QueueLimits::default().ack_timeout(TIME), None);
        let outbox = consumer(&queue, KEY);
        let begin = clock::now();

        publish(&queue);
        assert!(is_told(&outbox), "it looks at nothing yet");
        assert_eq!(queue.next_look(KEY, begin), Some(begin + TIME));
        queue.settle(KEY, Named::Delivery(1), true);
        assert_eq!(queue.next_look(KEY, begin), Some(begin + TIME), "it goes on looking at what is settled");

        tokio::time::advance(TIME / 4).await;
        let second = clock::now();
        publish(&queue);
        assert!(!is_told(&outbox), "it looks earlier than that times out");
        assert_eq!(queue.next_look(KEY, second), Some(begin + TIME));
        assert_eq!(queue.next_look(KEY, begin + TIME), Some(second + TIME), "the look was for nothing");
        queue.settle(KEY, Named::Delivery(2), true);
        assert_eq!(queue.next_look(KEY, second + TIME), None);

        publish(&queue);
        assert!(is_told(&outbox), "it looks at nothing any more");
    }

    #[test]
    fn v10_02_a_message_is_settled_by_its_id_also_when_it_is_delivered_again() {
        let queue = SharedQueue::new(QueueLimits::default(), None);
        let _one = consumer_of(Version::V1_1, &queue, KEY);
        let settle = |id, accepted| queue.settle(KEY, Named::Message(id), accepted).0;
        assert_eq!(settle("m", true), Settled::NeverGiven);
        publish(&queue);
        assert_eq!(settle("m", false), Settled::Settled(1), "and it comes again");
        assert_eq!(settle("m", true), Settled::Settled(1));
        assert_eq!((settle("m", true), settle("another", true)), (Settled::AlreadySettled, Settled::NeverGiven));
        assert!(queue.waiting() == 0 && queue.state.lock().queue.in_flight() == 0);
    }

    #[test]
    fn of_what_is_settled_only_so_many_ids_are_remembered_and_of_what_is_not_all() {
        let queue = SharedQueue::new(QueueLimits::default(), None);
        let _one = consumer_of(Version::V1_1, &queue, KEY);
        let settle = |id: &str| queue.settle(KEY, Named::Message(id), true).0;
        publish_as(&queue, "kept");
        for number in 1..=MAX_REMEMBERED {
            let id = number.to_string();
            publish_as(&queue, &id);
            assert_eq!(settle(&id), Settled::Settled(1));
            assert_eq!(settle(&id), Settled::AlreadySettled);
        }
        assert_eq!((settle("1"), settle("kept")), (Settled::NeverGiven, Settled::Settled(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_looks_at_what_came_back_from_another_connection() {
        let queue = SharedQueue::new(QueueLimits::default().ack_timeout(TIME), None);
        let (one, other) = (consumer(&queue, KEY), consumer(&queue, OTHER));
        let begin = clock::now();
        publish(&queue);
        assert!(is_told(&one) && !is_told(&other));
        assert_eq!([KEY, OTHER].map(|key| queue.next_look(key, begin)), [Some(begin + TIME); 2], "both look");

        tokio::time::advance(TIME / 4).await;
        let returned = clock::now();
        let (settled, dead, handed) = queue.settle(KEY, Named::Delivery(1), false);
        assert_eq!((settled, dead.len(), handed.messages), (Settled::Settled(1), 0, 1), "the other one has it");
        assert!(!is_told(&other), "it looks earlier than that times out");
        let looks = [begin, begin + TIME].map(|now| queue.next_look(OTHER, now));
        assert_eq!(looks, [Some(begin + TIME), Some(returned + TIME)]);
    }
}
