//! Event streams over the core alone, with paused time: order, resume, both transports in turn, overflow, ends and bounds.

#![expect(clippy::expect_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::StreamExt;
use parlor_core::{
    Config, Realtime,
    app::{Interceptor, Rejection, Route, Router, Rules},
    auth::{Anonymous, Principal},
    broker::{DeliveryRules, OutboxLimits, Overflow, Publication},
    connection::Closing,
    event_stream::{EventStream, EventsRequest},
    history::Retain,
    limits::{AdmissionError, ConnectionLimits},
    session::Session,
    stomp::Headers,
};
use support::{Client, header, user};
use tokio::time::{advance, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn realtime_with(config: Config) -> Realtime {
    let delivery = DeliveryRules::default()
        .history("/topic/kept/**", Retain::last(1000).up_to(4 << 20))
        .overflow("/topic/kept/lossy", Overflow::DropOldest)
        .overflow("/topic/latest", Overflow::LatestOnly);
    let routes = Router::new().mount(Route::subscribe("/topic/judged", async || {}));
    Realtime::builder(routes.with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**"))
        .delivery(delivery)
        .intercept(NoSecrets)
        .config(config)
        .build()
        .expect("a good endpoint")
}

fn realtime() -> Realtime {
    realtime_with(Config::development())
}

/// Refuses subscriptions to what it is not asked about by any rule.
struct NoSecrets;

impl Interceptor for NoSecrets {
    fn on_subscribe<'a>(
        &'a self,
        _: &'a Session,
        destination: &'a str,
        _: &'a Headers,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send + 'a>> {
        Box::pin(async move {
            match destination {
                "/topic/secret" => Err(Rejection::new("too-secret", "This is a secret. Ask for something else.")),
                "/topic/panic" => panic!("the interceptor is broken"),
                _ => Ok(()),
            }
        })
    }
}

/// One event as a client would see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Event {
    name: Option<String>,
    id: Option<String>,
    data: Option<String>,
    retry: Option<u64>,
}

impl Event {
    fn data(&self) -> &str {
        self.data.as_deref().unwrap_or_default()
    }

    fn is(&self, name: &str, data: &str) -> bool {
        self.name.as_deref() == Some(name) && self.data() == data
    }
}

/// Reads a stream, event by event.
struct Reader {
    stream: EventStream,
    text: String,
    events: VecDeque<Event>,
    /// As a browser would send it.
    last_event_id: Option<String>,
}

impl Reader {
    fn new(stream: EventStream) -> Self {
        Self { stream, text: String::new(), events: VecDeque::new(), last_event_id: None }
    }

    /// The next event, also one without data; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                if event.id.is_some() {
                    self.last_event_id.clone_from(&event.id);
                }
                return Some(event);
            }
            let octets = timeout(60 * SECOND, self.stream.next()).await.expect("an event in time")?;
            self.take(&octets);
        }
    }

    fn take(&mut self, octets: &Bytes) {
        self.text.push_str(std::str::from_utf8(octets).expect("the tests cut no letter in two"));
        while let Some((block, rest)) = self.text.split_once("\n\n") {
            let mut event = Event::default();
            for (field, value) in block.lines().filter_map(|line| line.split_once(": ")) {
                let value = value.to_owned();
                match field {
                    "event" => event.name = Some(value),
                    "id" => event.id = Some(value),
                    "retry" => event.retry = value.parse().ok(),
                    "data" => event.data = Some(event.data.map(|data| data + "\n").unwrap_or_default() + &value),
                    _ => {}
                }
            }
            self.events.push_back(event);
            self.text = rest.to_owned();
        }
    }

    /// The data of the next event that has any.
    async fn data(&mut self) -> String {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if let Some(data) = event.data {
                return data;
            }
        }
    }

    /// Everything until the end.
    async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

async fn try_open(realtime: &Realtime, request: EventsRequest<'_>, who: Principal) -> Result<EventStream, String> {
    let admission = realtime.admit(None).and_then(|applicant| applicant.for_event_stream(&who));
    let admission = admission.map_err(|error| error.code().to_owned())?;
    let (stream, running) =
        realtime.events(request, who, admission).await.map_err(|rejection| rejection.code().to_owned())?;
    tokio::spawn(running);
    Ok(stream)
}

async fn open(realtime: &Realtime, destination: &str) -> Reader {
    Reader::new(try_open(realtime, EventsRequest::new(destination), user("ada")).await.expect("it is allowed"))
}

async fn resume(realtime: &Realtime, destination: &str, position: &str) -> Reader {
    let request = EventsRequest::new(destination).resume_from(position);
    Reader::new(try_open(realtime, request, user("ada")).await.expect("it is allowed"))
}

async fn publish(realtime: &Realtime, destination: &str, text: &str) {
    let publication = Publication::text(text);
    realtime.broker().publish_message(destination.parse().expect("good"), publication).await.expect("published");
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_with_its_reconnection_time_and_carries_what_is_published() {
    let realtime = realtime_with(Config::development().sse_retry(SECOND * 7));
    let mut reader = open(&realtime, "/topic/a").await;
    publish(&realtime, "/topic/a", "two\r\nlines").await;
    assert_eq!(reader.next().await, Some(Event { retry: Some(7000), ..Event::default() }));
    assert_eq!(reader.next().await, Some(Event { data: Some("two\nlines".into()), ..Event::default() }));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_names_events_but_cannot_forge_one_or_break_a_stream() {
    let realtime = realtime();
    let mut reader = open(&realtime, "/topic/a").await;
    reader.next().await;
    for name in ["typing", "parlor.closed", "error", "a\ndata: forged"] {
        let publication = Publication::text("x").with_header("event", name);
        realtime.broker().publish_message("/topic/a".parse().expect("good"), publication).await.expect("published");
    }
    let mut names = Vec::new();
    for _ in 0..4 {
        let event = reader.next().await.expect("an event");
        assert_eq!(event.data(), "x");
        names.push(event.name);
    }
    assert_eq!(names, [Some("typing".to_owned()), None, None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_text_comes_in_base64_under_a_name_of_its_own() {
    let realtime = realtime();
    let mut reader = open(&realtime, "/topic/a").await;
    reader.next().await;
    let publication = Publication::bytes(&b"\xff\0"[..]).with_header("event", "typing");
    realtime.broker().publish_message("/topic/a".parse().expect("good"), publication).await.expect("published");
    assert!(reader.next().await.expect("an event").is("parlor.binary", "/wA="));
}

#[tokio::test(start_paused = true)]
async fn transports_change_in_mid_stream_and_nothing_is_lost_or_comes_twice() {
    let realtime = realtime();
    let topic = "/topic/kept/a";
    let mut stomp = Client::connect(&realtime, user("ada")).await;
    stomp.subscribe("0", topic).await;
    publish(&realtime, topic, "0").await;
    let message = stomp.frame().await;
    let position = header(&message, "position").expect("a position").to_owned();
    drop(stomp);
    publish(&realtime, topic, "1").await;
    publish(&realtime, topic, "2").await;

    let mut reader = resume(&realtime, topic, &position).await;
    publish(&realtime, topic, "3").await;
    let first = [reader.next().await, reader.next().await].map(|event| event.expect("an event"));
    assert_eq!(first[0].retry, Some(3000));
    assert!(first[1].is("parlor.recovered", r#"{"recovered":true}"#), "{first:?}");
    for expected in ["1", "2", "3"] {
        assert_eq!(reader.data().await, expected);
    }
    let position = reader.last_event_id.clone().expect("an id");
    drop(reader);
    publish(&realtime, topic, "4").await;

    let mut stomp = Client::connect(&realtime, user("ada")).await;
    stomp.send(&format!("SUBSCRIBE\nid:0\ndestination:{topic}\nreceipt:r\nresume-from:{position}\n\n")).await;
    publish(&realtime, topic, "5").await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let frame = stomp.frame().await;
        if frame.starts_with("RECEIPT\n") {
            assert_eq!(header(&frame, "recovered"), Some("true"));
        } else {
            seen.push(frame.rsplit('\n').next().expect("a body").to_owned());
        }
    }
    assert_eq!(seen, ["4", "5"]);
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_position_that_proves_nothing_is_told_at_once_and_nothing_is_replayed() {
    let realtime = realtime();
    publish(&realtime, "/topic/kept/a", "before").await;
    for (topic, position) in [("/topic/kept/a", "bogus"), ("/topic/a", "bogus"), ("/topic/kept/a", "\u{fffd}")] {
        let mut reader = resume(&realtime, topic, position).await;
        reader.next().await;
        assert!(reader.next().await.expect("an event").is("parlor.recovered", r#"{"recovered":false}"#));
        publish(&realtime, topic, "after").await;
        assert_eq!(reader.data().await, "after");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_before_its_first_message_goes_on_from_where_it_began() {
    let realtime = realtime();
    publish(&realtime, "/topic/kept/a", "before").await;
    let mut reader = open(&realtime, "/topic/kept/a").await;
    let greeting = reader.next().await.expect("a greeting");
    assert!(greeting.data.is_none(), "an event without data is not dispatched");
    let position = reader.last_event_id.clone().expect("an id");
    drop(reader);
    publish(&realtime, "/topic/kept/a", "between").await;
    let mut reader = resume(&realtime, "/topic/kept/a", &position).await;
    assert_eq!(reader.data().await, r#"{"recovered":true}"#);
    assert_eq!(reader.data().await, "between");
}

#[tokio::test(start_paused = true)]
async fn a_long_replay_goes_as_fast_as_it_is_read_and_is_whole_and_in_order() {
    let realtime = realtime();
    let topic = "/topic/kept/a";
    let position = {
        let mut reader = open(&realtime, topic).await;
        reader.next().await;
        reader.last_event_id.clone().expect("an id")
    };
    // Four times of what may wait.
    for number in 0..500 {
        publish(&realtime, topic, &format!("{number} {}", "x".repeat(2048))).await;
    }
    let mut reader = resume(&realtime, topic, &position).await;
    assert_eq!(reader.data().await, r#"{"recovered":true}"#);
    for number in 0..510 {
        if number % 50 == 0 && number < 500 {
            publish(&realtime, topic, &format!("{} live", 500 + number / 50)).await;
        }
        let data = reader.data().await;
        assert_eq!(data.split(' ').next(), Some(number.to_string().as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_too_slowly_is_told_so_last_and_nobody_else_waits() {
    let limits = OutboxLimits::default().max_bytes(10_000);
    let realtime = realtime_with(Config::development().outbox(limits));
    let slow = open(&realtime, "/topic/a").await;
    let mut other = open(&realtime, "/topic/a").await;
    for number in 0..40 {
        publish(&realtime, "/topic/a", &format!("{number} {}", "x".repeat(1000))).await;
        assert!(other.data().await.starts_with(&format!("{number} ")));
    }
    let all = slow.rest().await;
    let last = all.last().expect("an event");
    assert!(last.is("parlor.closed", r#"{"code":"slow-consumer","retry":3000}"#), "{last:?}");
    // Whole events in their order, without a gap, up to where it was too slow.
    let numbers: Vec<&str> =
        all[1..all.len() - 1].iter().map(|event| event.data().split(' ').next().expect("n")).collect();
    let expected: Vec<String> = (0..numbers.len()).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
    assert!((8..20).contains(&numbers.len()), "{}", numbers.len());
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_is_gone_when_messages_are_too_old_and_gives_its_place_back() {
    let realtime = realtime();
    let silent = open(&realtime, "/topic/a").await;
    for _ in 0..20 {
        publish(&realtime, "/topic/a", &"x".repeat(1000)).await;
    }
    realtime.broker().settled().await;
    advance(SECOND * 9).await;
    tokio::task::yield_now().await;
    assert_eq!(realtime.registry().event_stream_count(), 1);
    advance(SECOND * 2).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(realtime.registry().event_stream_count(), 0);
    // The linger for the last event is over then too: the admission is given back with nobody having read.
    tokio::time::sleep(SECOND * 5).await;
    assert!(realtime.shutdown(SECOND).await);
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_drops_is_an_event_in_front_of_the_next_message() {
    let limits = OutboxLimits::default().max_messages(4);
    let realtime = realtime_with(Config::development().outbox(limits));
    let mut reader = open(&realtime, "/topic/kept/lossy").await;
    reader.next().await;
    for number in 0..40 {
        publish(&realtime, "/topic/kept/lossy", &format!("{number} {}", "x".repeat(1000))).await;
    }
    let (mut next, mut missing, mut notes) = (0, 0, 0);
    while next < 40 {
        let event = reader.next().await.expect("an event");
        if event.name.as_deref() == Some("parlor.dropped") {
            notes += 1;
            let data = event.data();
            missing = data.trim_start_matches(r#"{"dropped":"#).trim_end_matches('}').parse().expect("a number");
            continue;
        }
        let number: usize = event.data().split(' ').next().expect("a number").parse().expect("a number");
        assert_eq!(number, next + missing, "what is missing was told, and nothing else is");
        (next, missing) = (number + 1, 0);
    }
    assert_eq!(notes, 1);
}

#[tokio::test(start_paused = true)]
async fn of_the_latest_only_the_latest_waits() {
    let realtime = realtime();
    let mut reader = open(&realtime, "/topic/latest").await;
    reader.next().await;
    for number in 0..40 {
        publish(&realtime, "/topic/latest", &format!("{number} {}", "x".repeat(1000))).await;
    }
    let mut last = String::new();
    let mut count = 0;
    while !last.starts_with("39 ") {
        last = reader.data().await;
        count += 1;
    }
    assert!(count < 15, "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_a_comment_every_fifteen_seconds() {
    let realtime = realtime();
    let mut stream = try_open(&realtime, EventsRequest::new("/topic/a"), user("ada")).await.expect("it is allowed");
    stream.next().await.expect("the greeting");
    for _ in 0..3 {
        let begin = tokio::time::Instant::now();
        let beat = timeout(SECOND * 60, stream.next()).await.expect("in time").expect("a beat");
        assert_eq!((&beat[..], begin.elapsed().as_secs()), (&b": \n\n"[..], 15));
    }
    advance(SECOND * 10).await;
    publish(&realtime, "/topic/a", "x").await;
    assert_eq!(stream.next().await.expect("a message"), "data: x\n\n");
    let begin = tokio::time::Instant::now();
    assert_eq!(stream.next().await.expect("a beat"), ": \n\n");
    assert_eq!(begin.elapsed().as_secs(), 15, "a message is as good as a beat");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_token_and_is_not_invited_back() {
    let realtime = realtime();
    let who = user("ada").with_expiry(SystemTime::now() + SECOND * 60);
    let request = EventsRequest::new("/topic/a");
    let reader = Reader::new(try_open(&realtime, request, who).await.expect("it is allowed"));
    let rest = tokio::spawn(reader.rest());
    tokio::time::sleep(SECOND * 59).await;
    publish(&realtime, "/topic/a", "in time").await;
    tokio::time::sleep(SECOND * 2).await;
    publish(&realtime, "/topic/a", "too late").await;
    let events = rest.await.expect("no panic");
    let said: Vec<&str> = events.iter().filter_map(|event| event.data.as_deref()).collect();
    assert_eq!(said, [r#"{"expires_in":60}"#, "in time", r#"{"code":"token-expired"}"#]);
    assert_eq!(events.last().expect("an event").retry, None);
}

#[tokio::test(start_paused = true)]
async fn a_user_or_a_destination_is_disconnected_with_its_streams_and_no_other() {
    let realtime = realtime();
    let ada = open(&realtime, "/topic/a").await;
    let bob = try_open(&realtime, EventsRequest::new("/topic/b"), user("bob")).await.expect("it is allowed");
    let mut eve =
        Reader::new(try_open(&realtime, EventsRequest::new("/topic/a"), user("eve")).await.expect("it is allowed"));
    let banned = Closing::application("banned", 4403, "You are banned");
    assert_eq!(realtime.registry().disconnect_user(&"ada".parse().expect("a name"), &banned), 1);
    assert!(ada.rest().await.last().expect("an event").is("parlor.closed", r#"{"code":"banned"}"#));
    let moved = Closing::application("moved", 4001, "The topic has moved");
    let topic = "/topic/b".parse().expect("a topic");
    assert_eq!(realtime.registry().disconnect_destination(&topic, &moved), 1);
    let last = Reader::new(bob).rest().await;
    assert!(last.last().expect("an event").is("parlor.closed", r#"{"code":"moved","retry":3000}"#));
    publish(&realtime, "/topic/a", "x").await;
    assert_eq!(eve.data().await, "x");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_every_stream_with_a_spread_time_to_come_back() {
    let realtime = realtime();
    let streams = [open(&realtime, "/topic/a").await, open(&realtime, "/topic/b").await];
    publish(&realtime, "/topic/a", "before").await;
    let ends: Vec<_> = streams.into_iter().map(|reader| tokio::spawn(reader.rest())).collect();
    assert!(realtime.shutdown(SECOND * 10).await);
    let mut times = Vec::new();
    for end in ends {
        let events = end.await.expect("no panic");
        let last = events.last().expect("an event");
        let retry = last.retry.expect("a time");
        assert!(last.is("parlor.closed", &format!(r#"{{"code":"going-away","retry":{retry}}}"#)), "{last:?}");
        times.push(retry);
    }
    times.sort_unstable();
    assert_eq!(times, [2500, 5000]);
    assert_eq!(realtime.admit(None).err(), Some(AdmissionError::Full));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_leaves_nothing_behind() {
    let realtime = realtime();
    let reader = open(&realtime, "/topic/a").await;
    let topic = "/topic/a".parse().expect("a topic");
    assert_eq!((realtime.broker().subscription_count(&topic), realtime.registry().event_stream_count()), (1, 1));
    assert_eq!(realtime.stats().connections.event_streams, 1);
    drop(reader);
    tokio::time::sleep(SECOND).await;
    assert_eq!((realtime.broker().subscription_count(&topic), realtime.registry().event_stream_count()), (0, 0));
    let stats = realtime.stats().connections;
    assert_eq!((stats.event_streams, stats.event_streams_total), (0, 1));
    assert!(realtime.shutdown(SECOND).await);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_judged_as_a_subscription_is() {
    let realtime = realtime();
    let cases = [
        ("topic/a", "invalid-destination"),
        ("/topic/*", "invalid-destination"),
        ("/topic/judged", "forbidden"),
        ("/user/bob/queue/x", "forbidden"),
        ("/queue/a", "not-supported"),
        ("/app/a", "no-such-destination"),
        ("/elsewhere", "no-such-destination"),
        ("/topic/secret", "too-secret"),
        ("/topic/panic", "internal"),
    ];
    for (destination, code) in cases {
        let refused = try_open(&realtime, EventsRequest::new(destination), user("ada")).await.err();
        assert_eq!(refused.as_deref(), Some(code), "{destination}");
    }
    let closed = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build().expect("good");
    let refused = try_open(&closed, EventsRequest::new("/topic/a"), user("ada")).await.err();
    assert_eq!(refused.as_deref(), Some("forbidden"));
    assert_eq!((realtime.registry().event_stream_count(), closed.registry().event_stream_count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_users_own_messages_reach_their_streams_and_nobody_elses() {
    let realtime = realtime();
    let mut ada = open(&realtime, "/user/queue/notes").await;
    let mut bob =
        Reader::new(try_open(&realtime, EventsRequest::new("/user/queue/notes"), user("bob")).await.expect("allowed"));
    for (name, note) in [("bob", "for bob"), ("ada", "for ada")] {
        let name = name.parse().expect("a name");
        let sent = realtime.broker().send_to_user(&name, "/queue/notes", note).await.expect("sent");
        assert_eq!((sent.sessions, sent.subscriptions), (1, 1));
    }
    assert_eq!((ada.data().await.as_str(), bob.data().await.as_str()), ("\"for ada\"", "\"for bob\""));
}

#[tokio::test(start_paused = true)]
async fn an_address_has_so_many_streams_and_not_one_more() {
    let limits = ConnectionLimits::default().max_event_streams_per_address(2);
    let realtime = realtime_with(Config::development().connections(limits));
    let enter = |from: &str, who| {
        let applicant = realtime.admit(Some(from.parse().expect("an address"))).expect("room");
        applicant.for_event_stream(&who)
    };
    let one = enter("192.0.2.1", user("ada")).expect("room");
    let two = enter("192.0.2.1", Principal::anonymous()).expect("room");
    assert_eq!(enter("192.0.2.1", user("bob")).err(), Some(AdmissionError::AddressStreamsFull));
    assert!(enter("192.0.2.2", user("bob")).is_ok());
    // WebSockets have room beside them.
    let websocket = realtime.admit(Some("192.0.2.1".parse().expect("an address"))).expect("room");
    assert!(websocket.for_principal(&user("bob")).is_ok());
    drop((one, two));
    assert!(enter("192.0.2.1", user("bob")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_user_has_so_many_streams_and_not_one_more() {
    let limits = ConnectionLimits::default().max_event_streams_per_user(2);
    let realtime = realtime_with(Config::development().connections(limits));
    let all = [open(&realtime, "/topic/a").await, open(&realtime, "/topic/a").await];
    let again = || try_open(&realtime, EventsRequest::new("/topic/a"), user("ada"));
    assert_eq!(again().await.err().as_deref(), Some("too-many-event-streams-of-user"));
    assert!(try_open(&realtime, EventsRequest::new("/topic/a"), user("bob")).await.is_ok());
    // WebSockets have room beside them.
    assert!(realtime.admit(None).and_then(|applicant| applicant.for_principal(&user("ada"))).is_ok());
    drop(all);
    tokio::time::sleep(SECOND).await;
    assert!(again().await.is_ok());
    let refused = try_open(&realtime, EventsRequest::new("/nowhere"), user("ada")).await;
    assert!(refused.is_err());
    assert!(again().await.is_ok(), "one that was refused takes no place");
}
