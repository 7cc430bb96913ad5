//! Event streams whose events the application sends itself: order, bounds, ends, and hubs, with paused time.

#![expect(clippy::expect_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt, StreamExt};
use parlor_core::{
    Config, Realtime,
    app::Router,
    auth::{Anonymous, Principal},
    broker::{OutboxLimits, Overflow},
    connection::Closing,
    event_stream::{EventStream, OpenEmitter, SseEmitter, SseHub, SseSendError, TooManyKeys},
    session::DisconnectReason,
    sse::SseEvent,
};
use proptest::{collection::vec, prelude::*};
use support::user;
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// With its field, and behind the greeting, exactly what may lie where the HTTP layer has not asked for it: the next event waits
/// in the outbox.
const FILLER: usize = 8 * 1024 - "retry: 3000\n\ndata: \n\n".len();

fn realtime_with(config: Config) -> Realtime {
    let routes = Router::new().with_state(());
    Realtime::builder(routes).authenticate(Anonymous).config(config).build().expect("a good endpoint")
}

async fn open(realtime: &Realtime, who: Principal) -> (SseEmitter, EventStream) {
    let admission = realtime.admit(None).and_then(|applicant| applicant.for_event_stream(&who));
    let OpenEmitter { emitter, stream, running, .. } = realtime.emitter(who, admission.expect("there is room")).await;
    tokio::spawn(running);
    (emitter, stream)
}

/// Everything until the end.
async fn rest(stream: EventStream) -> String {
    let octets: Vec<_> = timeout(SECOND * 60, stream.collect()).await.expect("an end in time");
    octets.iter().map(|octets| String::from_utf8_lossy(octets)).collect()
}

fn text(text: &str) -> SseEvent<'_> {
    SseEvent::message(text)
}

fn server(code: &str) -> DisconnectReason {
    let invites_back = matches!(code, "going-away" | "slow-consumer");
    DisconnectReason::Server { code: code.to_owned(), invites_back }
}

#[tokio::test(start_paused = true)]
async fn events_come_as_they_were_sent_and_completing_ends_the_stream_for_good() {
    let realtime = realtime_with(Config::default().sse_retry(SECOND * 7));
    let (emitter, stream) = open(&realtime, user("ada")).await;
    let typed = SseEvent::json(&["x"]).expect("JSON").named("list").expect("a name");
    emitter.send(&typed.with_id("1").expect("an id").with_retry(SECOND)).expect("sent");
    emitter.send(&SseEvent::comment("still there")).expect("sent");
    assert_eq!((emitter.is_open(), emitter.ended().now_or_never()), (true, None));
    emitter.complete();
    assert_eq!(emitter.send(&text("too late")), Err(SseSendError::Ended));
    let said = "retry: 7000\n\nevent: list\nid: 1\nretry: 1000\ndata: [\"x\"]\n\n: still there\n\n\
                event: parlor.closed\ndata: {\"code\":\"ended\"}\n\n";
    assert_eq!(rest(stream).await, said);
    assert_eq!(emitter.ended().await, server("ended"));
}

#[tokio::test(start_paused = true)]
async fn an_application_cannot_speak_in_parlors_name() {
    let realtime = realtime_with(Config::default());
    let (emitter, _stream) = open(&realtime, user("ada")).await;
    let hub = SseHub::new();
    hub.join(&emitter, 1).expect("room");
    for name in ["parlor.closed", "error", "open"] {
        let event = text("x").named(name).expect("a text");
        assert_eq!(emitter.send(&event), Err(SseSendError::ReservedName));
        assert_eq!(hub.broadcast(&1, &event), Err(SseSendError::ReservedName));
        assert_eq!(hub.send_to_user(&"ada".parse().expect("an id"), &event), Err(SseSendError::ReservedName));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_wait_up_to_their_number_and_not_one_more() {
    let limits = OutboxLimits::default().max_messages(4);
    let realtime = realtime_with(Config::default().outbox(limits));
    let (emitter, stream) = open(&realtime, user("ada")).await;
    emitter.send(&text(&"x".repeat(FILLER))).expect("it is written");
    for number in 0..4 {
        emitter.send(&text(&number.to_string())).expect("there is room");
    }
    assert_eq!(emitter.send(&text("4")), Err(SseSendError::Ended));
    let said = rest(stream).await;
    assert!(said.ends_with("event: parlor.closed\nretry: 3000\ndata: {\"code\":\"slow-consumer\",\"retry\":3000}\n\n"));
    assert_eq!(emitter.ended().await, server("slow-consumer"));
}

#[tokio::test(start_paused = true)]
async fn of_what_may_be_missed_the_latest_of_a_name_waits_and_what_was_dropped_is_told() {
    let limits = OutboxLimits::default().max_messages(3);
    let realtime = realtime_with(Config::default().outbox(limits));
    let (emitter, stream) = open(&realtime, user("ada")).await;
    emitter.send(&text(&"x".repeat(FILLER))).expect("it is written");
    for number in 0..5 {
        let event = SseEvent::json(&number).expect("JSON").named("latest").expect("a name");
        emitter.send_with(Overflow::LatestOnly, &event).expect("it takes the place of the one before");
    }
    for number in 0..5 {
        let event = SseEvent::json(&number).expect("JSON").named("some").expect("a name");
        emitter.send_with(Overflow::DropOldest, &event).expect("the oldest makes room");
    }
    emitter.complete();
    let said = rest(stream).await;
    let events: Vec<&str> = said.split("\n\n").skip(2).collect();
    let dropped = "event: parlor.dropped\ndata: {\"dropped\":3}";
    assert_eq!(events[..4], ["event: latest\ndata: 4", dropped, "event: some\ndata: 3", "event: some\ndata: 4"]);
}

#[tokio::test(start_paused = true)]
async fn who_can_wait_is_told_when_there_is_room() {
    let limits = OutboxLimits::default().max_bytes(1000);
    let realtime = realtime_with(Config::default().outbox(limits));
    let (emitter, stream) = open(&realtime, user("ada")).await;
    let reading = tokio::spawn(rest(stream));
    for _ in 0..200 {
        emitter.ready(500).await;
        emitter.send(&text(&"x".repeat(490))).expect("there is room");
    }
    emitter.complete();
    assert_eq!(reading.await.expect("no panic").matches("data: xx").count(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_application_learns_how_a_stream_ended_and_hubs_forget_it() {
    let realtime = realtime_with(Config::default());
    let hub: SseHub<u8> = SseHub::new();
    let registry = realtime.registry();
    let mut all = Vec::new();
    let expiring = user("eve").with_expiry(SystemTime::now() + SECOND * 60);
    for who in [user("ada"), user("bob"), expiring, user("dan")] {
        let (emitter, stream) = open(&realtime, who).await;
        hub.join(&emitter, 1).expect("room");
        all.push((emitter, Some(stream)));
    }
    assert_eq!((hub.len(), registry.event_stream_count()), (4, 4));
    all[0].1.take();
    assert_eq!(all[0].0.ended().await, DisconnectReason::Lost);
    let banned = Closing::application("banned", 4403, "You are banned");
    assert_eq!(registry.disconnect_user(&"bob".parse().expect("an id"), &banned), 1);
    assert_eq!(all[1].0.ended().await, server("banned"));
    assert_eq!((hub.len(), hub.broadcast(&1, &text("x"))), (2, Ok(2)));
    sleep(SECOND * 61).await;
    assert_eq!(all[2].0.ended().await, server("token-expired"));
    let stopping = tokio::spawn({
        let realtime = realtime.clone();
        async move { realtime.shutdown(SECOND * 30).await }
    });
    assert_eq!(all[3].0.ended().await, server("going-away"));
    assert!(hub.is_empty() && hub.emitters(&1).is_empty());
    let said = rest(all[3].1.take().expect("its stream")).await;
    assert!(said.ends_with("data: {\"code\":\"going-away\",\"retry\":5000}\n\n"), "{said}");
    drop(all);
    assert!(stopping.await.expect("no panic"));
    // One that has ended stays outside.
    let after = realtime_with(Config::default());
    let (emitter, stream) = open(&after, user("ada")).await;
    drop(stream);
    emitter.ended().await;
    hub.join(&emitter, 1).expect("nothing to refuse");
    assert!(hub.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_runs_is_over() {
    let realtime = realtime_with(Config::default());
    let admission = realtime.admit(None).and_then(|applicant| applicant.for_event_stream(&user("ada")));
    let opened = realtime.emitter(user("ada"), admission.expect("room")).await;
    let hub = SseHub::new();
    hub.join(&opened.emitter, "key").expect("room");
    drop(opened.running);
    assert_eq!(opened.emitter.ended().await, DisconnectReason::Lost);
    assert_eq!(opened.emitter.send(&text("x")), Err(SseSendError::Ended));
    assert_eq!((hub.len(), realtime.registry().event_stream_count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_emitter_has_so_many_keys_and_not_one_more() {
    let realtime = realtime_with(Config::default());
    let (emitter, _stream) = open(&realtime, user("ada")).await;
    let hub = SseHub::new();
    for key in 0..128 {
        assert_eq!(hub.join(&emitter, key), Ok(()));
    }
    assert_eq!((hub.join(&emitter, 128), hub.join(&emitter, 5)), (Err(TooManyKeys), Ok(())));
    hub.leave(&emitter, &5);
    assert_eq!(hub.join(&emitter, 128), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_is_gone_when_events_are_too_old() {
    let realtime = realtime_with(Config::default());
    let (emitter, silent) = open(&realtime, user("ada")).await;
    emitter.send(&text(&"x".repeat(FILLER))).expect("it is written");
    emitter.send(&text("behind it")).expect("it waits");
    sleep(SECOND * 11).await;
    assert_eq!(emitter.ended().now_or_never(), Some(server("slow-consumer")));
    drop(silent);
}

/// What happens to a hub: streams by number, three users, three keys.
#[derive(Clone, Copy, Debug)]
enum Step {
    Broadcast(u8),
    End(usize),
    Join(usize, u8),
    Leave(usize, u8),
    ToUser(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..3).prop_map(Step::Broadcast),
        (0_usize..6).prop_map(Step::End),
        (0_usize..6, 0_u8..3).prop_map(|(stream, key)| Step::Join(stream, key)),
        (0_usize..6, 0_u8..3).prop_map(|(stream, key)| Step::Join(stream, key)),
        (0_usize..6, 0_u8..3).prop_map(|(stream, key)| Step::Leave(stream, key)),
        (0_usize..3).prop_map(Step::ToUser),
    ]
}

proptest! {
    #[test]
    fn a_hub_reaches_whom_a_model_of_it_reaches(steps in vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        runtime.block_on(async {
            let realtime = realtime_with(Config::default());
            let hub: SseHub<u8> = SseHub::new();
            let mut streams = Vec::new();
            for number in 0..6 {
                let (emitter, stream) = open(&realtime, user(["ada", "bob", "eve"][number % 3])).await;
                streams.push((emitter, Some(stream)));
            }
            // By stream in the hub: its keys.
            let mut model: HashMap<usize, BTreeSet<u8>> = HashMap::new();
            let mut expected = vec![Vec::new(); 6];
            for (number, step) in steps.into_iter().enumerate() {
                let data = number.to_string();
                match step {
                    Step::Join(stream, key) => {
                        hub.join(&streams[stream].0, key).expect("room");
                        if streams[stream].1.is_some() {
                            model.entry(stream).or_default().insert(key);
                        }
                    }
                    Step::Leave(stream, key) => {
                        hub.leave(&streams[stream].0, &key);
                        if let Some(keys) = model.get_mut(&stream) {
                            keys.remove(&key);
                        }
                    }
                    Step::End(stream) => {
                        // Gone for the hub once the application could know.
                        if let Some(open) = streams[stream].1.take() {
                            drop(open);
                            streams[stream].0.ended().await;
                            expected[stream].clear();
                            model.remove(&stream);
                        }
                    }
                    Step::Broadcast(key) => {
                        let reached: Vec<usize> =
                            model.iter().filter(|(_, keys)| keys.contains(&key)).map(|(stream, _)| *stream).collect();
                        assert_eq!(hub.broadcast(&key, &text(&data)), Ok(reached.len()));
                        reached.into_iter().for_each(|stream| expected[stream].push(data.clone()));
                    }
                    Step::ToUser(who) => {
                        let reached: Vec<usize> = model.keys().filter(|stream| **stream % 3 == who).copied().collect();
                        let id = ["ada", "bob", "eve"][who].parse().expect("an id");
                        assert_eq!(hub.send_to_user(&id, &text(&data)), Ok(reached.len()));
                        reached.into_iter().for_each(|stream| expected[stream].push(data.clone()));
                    }
                }
                assert_eq!(hub.len(), model.len());
            }
            for ((emitter, stream), expected) in streams.into_iter().zip(expected) {
                emitter.complete();
                let Some(stream) = stream else { continue };
                let said = rest(stream).await;
                let data: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
                assert_eq!(data[..data.len() - 1], expected);
            }
        });
    }
}
