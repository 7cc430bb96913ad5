//! Rule 26 over an in-memory stream and with paused time: rates, deadlines and who is let in, each at its limit and one
//! beyond.

#![expect(clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::{
    future::{pending, poll_fn},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Uri};
use parlor_core::{
    Config, Realtime,
    app::{Route, Router, Rules},
    auth::{Anonymous, AuthError, Authenticator, Handshake, Principal},
    limits::{AdmissionError, ConnectionLimits, Rate, RateLimits},
    stomp::HeartBeat,
    websocket::WebSocketLimits,
};
use support::{Client, Received, assert_silent, client_frame, header, user};
use tokio::time::{advance, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Frames that pass in these tests at once.
const BURST: u64 = 10;

fn realtime(config: Config) -> Realtime {
    let routes = Router::new()
        .mount(Route::message("/app/nothing", async || {}))
        .mount(Route::message("/app/second", async || sleep(SECOND).await))
        .mount(Route::message("/app/slow", async || sleep(SECOND * 25).await));
    Realtime::builder(routes.with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**"))
        .config(config)
        .build()
        .expect("a good endpoint")
}

fn with_rates(rates: impl FnOnce(RateLimits) -> RateLimits) -> Realtime {
    realtime(Config::development().rates(rates(RateLimits::unlimited())))
}

fn send(receipt: u64) -> String {
    format!("SEND\ndestination:/app/nothing\nreceipt:{receipt}\n\n")
}

async fn is_rate_limited(client: &mut Client) -> String {
    let (error, status) = client.error_and_close().await;
    assert_eq!((header(&error, "code"), status), (Some("rate-limited"), 1008), "{error}");
    error
}

#[tokio::test(start_paused = true)]
async fn frames_pass_at_the_rate_and_not_one_beyond_and_what_was_read_before_is_answered() {
    let realtime = with_rates(|rates| rates.frames(Rate::per_second(5).burst(BURST)));
    let mut other = Client::connect(&realtime, user("other")).await;
    other.subscribe("1", "/topic/a").await;
    let mut client = Client::connect(&realtime, user("ada")).await;
    // CONNECT was one, and after a fifth of a second there is room for one more.
    sleep(SECOND / 5).await;
    for receipt in 0..=BURST {
        client.send(&send(receipt)).await;
    }
    for receipt in 0..BURST {
        client.receipt(&receipt.to_string()).await;
    }
    let error = is_rate_limited(&mut client).await;
    assert_eq!(header(&error, "retry-after"), Some("200"));
    assert_eq!(header(&error, "receipt-id"), Some(BURST.to_string().as_str()));
    other.send("SEND\ndestination:/topic/a\n\nstill here").await;
    assert!(other.frame().await.ends_with("still here"));
}

#[expect(clippy::disallowed_methods, reason = "the test measures its own, paused clock")]
#[tokio::test(start_paused = true)]
async fn who_goes_on_flooding_after_the_farewell_is_not_listened_to_for_the_linger() {
    let realtime = with_rates(|rates| rates.frames(Rate::per_second(5).burst(BURST)));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for receipt in 0..=BURST {
        client.send(&send(receipt)).await;
    }
    // A whole message with a ping behind it, so that all of it is looked at.
    let flood = [&[0x82, 0xFE, 0x40, 0x00, 0, 0, 0, 0][..], &[0; 0x4000], &[0x89, 0x80, 0, 0, 0, 0]].concat();
    let begin = tokio::time::Instant::now();
    let taken = client.flood(&flood).await;
    assert!(begin.elapsed() < SECOND, "it was heard for {:?}", begin.elapsed());
    assert!((4 << 20..6 << 20).contains(&taken), "{taken} octets were read");
    assert!(client.server.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_rate_itself_passes_for_ever() {
    let realtime = with_rates(|rates| rates.frames(Rate::per_second(50).burst(1)));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for receipt in 0..1000 {
        advance(SECOND / 50).await;
        client.send(&send(receipt)).await;
        client.receipt(&receipt.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_connections_of_a_user_share_a_rate_and_coming_back_gives_nothing_away() {
    let realtime = with_rates(|rates| rates.user_frames(Rate::per_second(1).burst(BURST)));
    let mut one = Client::connect(&realtime, user("ada")).await;
    let mut two = Client::connect(&realtime, user("ada")).await;
    let mut other = Client::connect(&realtime, user("bob")).await;
    for receipt in 0..4 {
        one.send(&send(receipt)).await;
        one.receipt(&receipt.to_string()).await;
        two.send(&send(receipt)).await;
        two.receipt(&receipt.to_string()).await;
    }
    one.send(&send(9)).await;
    is_rate_limited(&mut one).await;
    other.send(&send(0)).await;
    other.receipt("0").await;
    one.vanish().await;
    two.vanish().await;
    let mut back = Client::open(&realtime, user("ada"));
    back.send("CONNECT\naccept-version:1.2\n\n").await;
    is_rate_limited(&mut back).await;
}

#[tokio::test(start_paused = true)]
async fn anonymous_sessions_share_no_rate() {
    let realtime = with_rates(|rates| rates.user_frames(Rate::per_second(1).burst(1)));
    for _ in 0..3 {
        Client::connect(&realtime, Principal::anonymous()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn everything_that_carries_nothing_is_counted_at_the_limit_and_one_beyond() {
    // The second pass of each sends one more. Fragments: the first of a message carries an octet.
    let begun: &[u8] = &[0x01, 0x81, 0, 0, 0, 0, b'\n'];
    let kinds: [(&str, &[u8], &[u8]); 6] = [
        ("heart-beats", &[], &[0x81, 0x81, 0, 0, 0, 0, b'\n']),
        ("heart-beats of two octets", &[], &[0x81, 0x82, 0, 0, 0, 0, b'\r', b'\n']),
        ("pings", &[], &[0x89, 0x80, 0, 0, 0, 0]),
        ("pongs", &[], &[0x8A, 0x80, 0, 0, 0, 0]),
        ("empty messages", &[], &[0x82, 0x80, 0, 0, 0, 0]),
        ("empty fragments", begun, &[0x00, 0x80, 0, 0, 0, 0]),
    ];
    for (kind, before, unit) in kinds {
        // The beginning of the message holds one heart-beat.
        let burst = BURST + u64::from(!before.is_empty());
        let realtime = with_rates(|rates| rates.empty_units(Rate::per_second(1).burst(burst)));
        for more in [0, 1] {
            let mut client = Client::connect(&realtime, user("ada")).await;
            client.send_raw(before).await;
            client.send_raw(&unit.repeat(BURST as usize + more)).await;
            if more == 0 {
                if before.is_empty() {
                    client.send(&send(1)).await;
                } else {
                    client.send_message(0x0, format!("{}\0", send(1)).as_bytes()).await;
                }
                loop {
                    match client.next().await {
                        Received::Pong => {}
                        Received::Frame(frame) => break assert!(frame.starts_with("RECEIPT"), "{kind}: {frame}"),
                        other => panic!("{kind}: {other:?}"),
                    }
                }
            } else {
                let error = loop {
                    match client.next().await {
                        Received::Pong => {}
                        Received::Frame(error) => break error,
                        other => panic!("{kind}: {other:?}"),
                    }
                };
                assert_eq!(header(&error, "code"), Some("rate-limited"), "{kind}");
                assert!(matches!(client.next().await, Received::Close(1008, _)), "{kind}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn empty_fragments_over_many_messages_are_counted_too() {
    let realtime = with_rates(|rates| rates.empty_units(Rate::per_second(1).burst(BURST)));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for number in 0..=BURST {
        let message = format!("{}\0", send(number));
        // An empty first fragment, and then the rest.
        client.send_raw(&[0x01, 0x80, 0, 0, 0, 0]).await;
        client.send_message(0x0, message.as_bytes()).await;
        if number < BURST {
            client.receipt(&number.to_string()).await;
        }
    }
    is_rate_limited(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn heart_beats_that_were_agreed_on_never_exceed_the_rate() {
    let config = Config::default()
        .rates(RateLimits::default().empty_units(Rate::per_second(1).burst(1)))
        .heart_beat(HeartBeat { can_send_ms: 0, wants_ms: 5 });
    let realtime = realtime(config);
    let mut client = Client::open(&realtime, user("ada"));
    client.send("CONNECT\naccept-version:1.2\nheart-beat:5,0\n\n").await;
    client.frame().await;
    for _ in 0..5000 {
        sleep(Duration::from_millis(5)).await;
        client.send_message(0x1, b"\n").await;
    }
    client.send(&send(1)).await;
    client.receipt("1").await;
}

#[tokio::test(start_paused = true)]
async fn octets_pass_at_the_rate_and_not_one_beyond() {
    const BURST: usize = 2000;
    // An unfinished frame of a message, after CONNECT: no unit but octets is counted.
    const CONNECT: usize = 6 + "CONNECT\naccept-version:1.2\n\n\0".len();
    for more in [0, 1] {
        let rates = RateLimits::unlimited().octets(Rate::per_second(1).burst(1));
        let limits = WebSocketLimits::default().max_message_bytes(BURST / 2);
        let realtime = realtime(Config::development().rates(rates).websocket(limits));
        let mut client = Client::connect(&realtime, user("ada")).await;
        let mut left = BURST - CONNECT + more;
        while left > 0 {
            // Messages of one heart-beat each, and a rest that is part of one.
            let unit = [0x81, 0x81, 0, 0, 0, 0, b'\n'];
            let count = left.min(unit.len());
            client.send_raw(&unit[..count]).await;
            left -= count;
        }
        if more == 0 {
            assert_silent(&mut client).await;
        } else {
            is_rate_limited(&mut client).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_largest_message_passes_the_rates_of_production_at_once() {
    let realtime = realtime(Config::default());
    let mut client = Client::connect(&realtime, user("ada")).await;
    let mut message = Vec::new();
    let mut receipts = 0;
    // The largest frames, as many as the largest message holds, and heart-beats within their rate behind them.
    while message.len() + 65_536 + 100 < 1024 * 1024 {
        message.extend_from_slice(send(receipts).as_bytes());
        message.extend_from_slice(&[b'x'; 65_536]);
        message.push(0);
        receipts += 1;
    }
    message.extend_from_slice(&[b'\n'; 200]);
    client.send_message(0x2, &message).await;
    for receipt in 0..receipts {
        client.receipt(&receipt.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_begun_must_be_completed_in_time() {
    let cases: [(&str, &[u8]); 6] = [
        ("one octet of a header", &[0x81]),
        ("a header without its payload", &[0x81, 0x85, 0, 0, 0, 0]),
        ("a ping without its payload", &[0x89, 0x85, 0, 0, 0, 0]),
        ("a message without its last fragment", &[0x01, 0x81, 0, 0, 0, 0, b'\n']),
        ("a command line", &[0x81, 0x82, 0, 0, 0, 0, b'S', b'E']),
        ("a head", &[0x81, 0x87, 0, 0, 0, 0, b'S', b'E', b'N', b'D', b'\n', b'a', b':']),
    ];
    for (case, octets) in cases {
        let realtime = realtime(Config::development());
        let mut client = Client::connect(&realtime, user("ada")).await;
        client.send_raw(octets).await;
        sleep(SECOND * 10 - Duration::from_millis(2)).await;
        let quiet = tokio::time::timeout(Duration::from_millis(1), client.next()).await;
        assert!(quiet.is_err(), "{case}: {quiet:?}");
        let (error, status) = client.error_and_close().await;
        assert_eq!((header(&error, "code"), status), (Some("frame-timeout"), 1008), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_that_is_begun_gains_no_time_by_what_wakes_its_connection() {
    let realtime = realtime(Config::development());
    let mut client = Client::connect(&realtime, user("ada")).await;
    for _ in 0..9 {
        // After each of them the connection is looked at.
        client.send("SEND\ndestination:/app/second\n\n").await;
    }
    client.send_raw(&[0x81]).await;
    let ended = tokio::time::timeout(SECOND * 10 + Duration::from_millis(1), client.error_and_close()).await;
    let (error, status) = ended.expect("it ends in time");
    assert_eq!((header(&error, "code"), status), (Some("frame-timeout"), 1008));
}

#[tokio::test(start_paused = true)]
async fn an_octet_now_and_then_does_not_help() {
    let realtime = realtime(Config::development());
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send_message(0x1, b"SEND\ndestination:/topic/a\n\n").await;
    for _ in 0..9 {
        sleep(SECOND).await;
        client.send_message(0x1, b"x").await;
        client.send_raw(&[0x89, 0x80, 0, 0, 0, 0]).await;
        assert_eq!(client.next().await, Received::Pong);
    }
    let (error, _) = client.error_and_close().await;
    assert_eq!(header(&error, "code"), Some("frame-timeout"));
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_always_cut_but_come_whole_in_time_are_fine() {
    let realtime = realtime(Config::development());
    let mut client = Client::connect(&realtime, user("ada")).await;
    let frame = |number: u64| format!("{}\0", send(number));
    let mut rest = frame(0);
    // Each message ends one frame and begins the next: there is never a moment without an incomplete one.
    for number in 1..20 {
        let next = frame(number);
        client.send_message(0x1, format!("{rest}{}", &next[..7]).as_bytes()).await;
        rest = next[7..].to_owned();
        client.receipt(&(number - 1).to_string()).await;
        sleep(SECOND * 3).await;
    }
    client.send_message(0x1, rest.as_bytes()).await;
    client.receipt("19").await;
}

/// A masked frame with a mask of zeros.
fn short_frame(first: u8, payload: &str) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short frame");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload.as_bytes()].concat()
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_always_cut_but_come_whole_in_time_are_fine() {
    let realtime = realtime(Config::development());
    let mut client = Client::connect(&realtime, user("ada")).await;
    let message = |number: u64| short_frame(0x81, &format!("{}\0", send(number)));
    client.send_raw(&message(0)[..1]).await;
    for number in 0..20 {
        sleep(SECOND * 3).await;
        client.send_raw(&[&message(number)[1..], &message(number + 1)[..1]].concat()).await;
        client.receipt(&number.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn time_in_which_the_server_does_not_read_does_not_count() {
    let realtime = realtime(Config::development().max_inbox_frames(1));
    let mut client = Client::connect(&realtime, user("ada")).await;
    // One message that is not complete while its first frame is handled, for longer than a message may take.
    client.send_raw(&short_frame(0x01, "\n")).await;
    sleep(SECOND).await;
    client.send_raw(&short_frame(0x00, "SEND\ndestination:/app/slow\nreceipt:slow\n\n\0")).await;
    sleep(SECOND).await;
    client.send_raw(&short_frame(0x00, &format!("{}\0", send(1)))).await;
    client.receipt("slow").await;
    client.receipt("1").await;
    client.send_raw(&short_frame(0x80, &format!("{}\0", send(2)))).await;
    client.receipt("2").await;
}

/// Never answers.
struct Silent;

impl Authenticator for Silent {
    fn authenticate<'a>(&'a self, _: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        Box::pin(pending())
    }
}

/// Judges one handshake of `from`.
async fn judge(realtime: &Realtime, from: IpAddr) -> Result<Result<(), AuthError>, AdmissionError> {
    let (headers, uri) = (HeaderMap::new(), Uri::from_static("/ws"));
    Ok(realtime.admit(Some(from))?.authenticate(Handshake::new(&headers, &uri, None)).await.map(drop))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[tokio::test(start_paused = true)]
async fn an_authenticator_has_its_time_and_a_time_out_is_not_the_clients_fault() {
    let realtime =
        Realtime::builder(Router::new().with_state(())).authenticate(Silent).build().expect("a good endpoint");
    for _ in 0..20 {
        let since = now();
        assert_eq!(judge(&realtime, address("192.0.2.1")).await, Ok(Err(AuthError::Unavailable)));
        assert_eq!(since.elapsed(), SECOND * 10);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures paused time")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

#[tokio::test(start_paused = true)]
async fn refused_handshakes_are_counted_by_network_and_then_nothing_is_judged() {
    let only_ada = |handshake: Handshake<'_>| match handshake.query("name") {
        Some(_) => Ok(Principal::anonymous()),
        None => Err(AuthError::Invalid),
    };
    let builder = || Realtime::builder(Router::new().with_state(())).authenticate(only_ada);
    let realtime = builder().build().expect("a good endpoint");
    for host in 0..10 {
        let from = address(&format!("2001:db8:1:2::{host}"));
        assert_eq!(judge(&realtime, from).await, Ok(Err(AuthError::Invalid)));
    }
    let from = address("2001:db8:1:2::ffff");
    let refused = judge(&realtime, from).await.expect_err("too many");
    assert_eq!(refused, AdmissionError::TooManyFailures { retry_after: SECOND * 6 });
    assert_eq!((refused.code(), refused.status().as_u16()), ("too-many-failed-handshakes", 429));
    assert!(judge(&realtime, address("2001:db8:1:3::1")).await.is_ok());
    advance(SECOND * 6).await;
    assert_eq!(judge(&realtime, from).await, Ok(Err(AuthError::Invalid)));
    assert!(judge(&realtime, from).await.is_err());
    let development = builder().config(Config::development()).build().expect("a good endpoint");
    for _ in 0..100 {
        assert_eq!(judge(&development, from).await, Ok(Err(AuthError::Invalid)));
    }
}

#[tokio::test]
async fn connections_are_bounded_by_address_user_and_anonymity_and_each_comes_back() {
    let limits = ConnectionLimits::default().max_per_address(2).max_per_user(2).max_anonymous(2);
    let realtime = realtime(Config::default().connections(limits));
    let home = Some(address("2001:db8:1:2::1"));
    let enter = |from, principal: Principal| realtime.admit(from)?.for_principal(&principal);
    fn error<T: std::fmt::Debug>(result: Result<T, AdmissionError>) -> AdmissionError {
        result.expect_err("one too many")
    }

    let two = [enter(home, user("a")), enter(home, user("b"))].map(|entered| entered.expect("room"));
    let refused = error(enter(Some(address("2001:db8:1:2::9")), user("c")));
    assert_eq!((refused.code(), refused.status().as_u16()), ("too-many-connections-from-address", 429));
    assert!(enter(Some(address("192.0.2.1")), user("c")).is_ok());
    drop(two);
    assert!(enter(home, user("a")).is_ok());

    let two = [enter(None, user("a")), enter(None, user("a"))].map(|entered| entered.expect("room"));
    let refused = error(enter(None, user("a")));
    assert_eq!((refused.code(), refused.status().as_u16()), ("too-many-connections-of-user", 429));
    assert!(enter(None, user("b")).is_ok());
    drop(two);
    assert!(enter(None, user("a")).is_ok());

    let anonymous = enter(None, Principal::anonymous()).expect("room");
    let under_way = realtime.admit(None).expect("room");
    let refused = error(realtime.admit(None));
    assert_eq!((refused.code(), refused.status().as_u16()), ("too-many-anonymous-connections", 503));
    let known = under_way.for_principal(&user("a")).expect("who is known is no stranger any more");
    assert!(realtime.admit(None).is_ok());
    drop((anonymous, known));
}

/// How many octets of frames a server takes while the first of them is handled.
async fn taken_while_busy(max_inbox_frames: usize, max_inbox_bytes: usize) -> usize {
    let frame = format!("SEND\ndestination:/app/slow\n\n{}", "x".repeat(1024));
    frames_taken_while_busy(&frame, max_inbox_frames, max_inbox_bytes).await
}

async fn frames_taken_while_busy(frame: &str, max_inbox_frames: usize, max_inbox_bytes: usize) -> usize {
    let config = Config::development().max_inbox_frames(max_inbox_frames).max_inbox_bytes(max_inbox_bytes);
    let realtime = realtime(config);
    let mut client = Client::open_with_buffer(&realtime, user("ada"), 1024);
    client.send("CONNECT\naccept-version:1.2\n\n").await;
    client.frame().await;
    let mut octets = 0;
    while octets < 64 * 1024 && tokio::time::timeout(SECOND, client.send(frame)).await.is_ok() {
        octets += frame.len();
    }
    octets
}

#[tokio::test(start_paused = true)]
async fn reading_stops_at_either_bound_of_the_inbox() {
    const LITTLE: usize = 16 * 1024;
    assert!(taken_while_busy(2, usize::MAX).await < LITTLE);
    assert!(taken_while_busy(usize::MAX, 2048).await < LITTLE);
    assert!(taken_while_busy(usize::MAX, usize::MAX).await >= 64 * 1024);
}

#[tokio::test(start_paused = true)]
async fn headers_count_against_the_inbox_as_bodies_do() {
    let frame = format!("SEND\ndestination:/app/slow\nnote:{0}\nother:{0}\n\n", "x".repeat(1000));
    assert!(frames_taken_while_busy(&frame, usize::MAX, 16 * 1024).await < 24 * 1024);
    assert!(frames_taken_while_busy(&frame, usize::MAX, usize::MAX).await >= 64 * 1024);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_close_is_not_waited_for_longer_than_the_linger() {
    let realtime = realtime(Config::default().close_linger(SECOND * 3));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("DISCONNECT\nreceipt:bye\n\n").await;
    client.receipt("bye").await;
    let since = now();
    assert!(matches!(client.next().await, Received::Close(1000, _)));
    assert_eq!(client.next().await, Received::End);
    assert_eq!(since.elapsed(), SECOND * 3);
}

/// How often every other task has its turn until one message to `/app/done` is handled, which comes behind a flood.
#[expect(clippy::disallowed_methods, reason = "a task of its own is what has turns")]
async fn turns_beside(flood: &[u8]) -> usize {
    let done = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&done);
    let finish = move || {
        done.store(true, Ordering::Relaxed);
        std::future::ready(())
    };
    let routes = Router::new()
        .mount(Route::message("/app/nothing", async || {}))
        .mount(Route::message("/app/done", finish))
        .with_state(());
    let realtime = Realtime::builder(routes)
        .authenticate(Anonymous)
        .config(Config::development())
        .build()
        .expect("a good endpoint");
    let mut client = Client::connect(&realtime, user("ada")).await;
    // All of it lies there before the server has its turn.
    client.send_raw(&[flood, &client_frame(1, b"SEND\ndestination:/app/done\n\n\0")].concat()).await;
    // Ready again at once, behind whoever else is; `yield_now` would wait until nobody is.
    let beside = async move {
        let mut turns = 0;
        poll_fn(|cx| {
            turns += 1;
            cx.waker().wake_by_ref();
            if seen.load(Ordering::Relaxed) { Poll::Ready(turns) } else { Poll::Pending }
        })
        .await
    };
    tokio::spawn(beside).await.expect("it counts")
}

#[tokio::test(start_paused = true)]
async fn a_client_that_floods_leaves_every_other_task_its_turn() {
    let message = b"SEND\ndestination:/app/nothing\n\n\0";
    for (flood, units) in [
        (client_frame(1, &message.repeat(1000)), 1000),
        (client_frame(1, message).repeat(1000), 2000),
        (client_frame(9, b"hi").repeat(1000), 1000),
        (client_frame(1, b"").repeat(1000), 1000),
    ] {
        let turns = turns_beside(&flood).await;
        assert!(turns >= units / 32, "{turns} turns for {units} messages and frames");
    }
}
