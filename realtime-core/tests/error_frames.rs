//! What clients are told: an ERROR frame of each code, octet for octet, and the close frame behind it, as
//! `error_frames.txt` beside this file has them. Codes and headers are stable, so a change there is one that clients see.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "support/broken_journal.rs"]
mod broken_journal;
mod support;

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    num::ParseIntError,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use broken_journal::client_of_a_broken_journal;
use parlor_core::{
    Config, Realtime,
    app::{Rate, Rejection, Route, Router, Rules},
    auth::{Anonymous, Principal},
    broker::{Broker, OutboxLimits},
    connection::Closing,
    destination::Destination,
    extract::{Header, NamedHeader, Path as Segments, Payload, Replies, Reply},
    limits::{RateLimits, TransactionLimits},
    notifications::NotificationStoreError,
    presence::PresenceError,
    session::Session,
    stomp::Limits,
};
use support::{Client, Received, user};
use tower::{limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer, timeout::TimeoutLayer};

const CONNECT: &str = "CONNECT\naccept-version:1.2\n\n";

/// One frame or more for each code: what is sent last is what the ERROR answers.
const FAULTS: &[(&str, &[&str])] = &[
    ("already-connected", &[CONNECT, CONNECT]),
    ("bad-content-length", &[CONNECT, "SEND\ndestination:/topic/a\ncontent-length:-1\nreceipt:r\n\n"]),
    ("body-too-large", &[CONNECT, "SEND\ndestination:/topic/a\nreceipt:r\ncontent-length:101\n\n"]),
    ("connect-timeout", &[]),
    ("duplicate-subscription", &[CONNECT, SUBSCRIBE, SUBSCRIBE]),
    ("frame-timeout", &[CONNECT, "SEND\ndestination:/topic/a\ncontent-length:100\n\n"]),
    ("frame-too-large", &["CONNECT\naccept-version:1.2\ncontent-length:500\n\n"]),
    (
        "head-too-large",
        &[
            CONNECT,
            "SEND\ndestination:/topic/a\na:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\nb:bbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n\n",
        ],
    ),
    ("header-too-long", &[CONNECT, "SEND\ndestination:/topic/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\n"]),
    ("heart-beat-timeout", &["CONNECT\naccept-version:1.2\nheart-beat:10000,0\n\n"]),
    ("invalid-ack", &[CONNECT, "SUBSCRIBE\nid:0\ndestination:/topic/a\nack:no\nreceipt:r\n\n"]),
    ("invalid-heart-beat", &["CONNECT\naccept-version:1.2\nheart-beat:soon\n\n"]),
    ("malformed-frame", &[CONNECT, "SEND\ndestination:/topic/a\ncontent-length:1\n\nab"]),
    ("malformed-header", &[CONNECT, "SEND\nreceipt:r\ndestination\n\n"]),
    ("missing-header", &[CONNECT, "SEND\nreceipt:r\n\n"]),
    ("not-connected", &["SEND\ndestination:/topic/a\nreceipt:r\n\n"]),
    ("server-command", &[CONNECT, "MESSAGE\nreceipt:r\n\n"]),
    ("too-many-headers", &[CONNECT, "SEND\nreceipt:r\na:1\nb:1\nc:1\nd:1\ne:1\nf:1\n\n"]),
    ("too-many-subscriptions", &[CONNECT, SUBSCRIBE, "SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:r\n\n"]),
    ("too-many-transactions", &[CONNECT, "BEGIN\ntransaction:t\n\n", "BEGIN\ntransaction:u\nreceipt:r\n\n"]),
    (
        "transaction-too-large",
        &[CONNECT, "BEGIN\ntransaction:t\n\n", "SEND\ndestination:/topic/a\ntransaction:t\nreceipt:r\n\n"],
    ),
    ("transaction-open", &[CONNECT, "BEGIN\ntransaction:t\n\n", "BEGIN\ntransaction:t\nreceipt:r\n\n"]),
    ("undefined-escape", &[CONNECT, "SEND\nreceipt:r\ndestination:/topic/\\t\n\n"]),
    ("unknown-ack", &[CONNECT, "ACK\nid:1\nreceipt:r\n\n"]),
    ("unknown-command", &[CONNECT, "PUBLISH\n\n"]),
    ("unknown-transaction", &[CONNECT, "COMMIT\ntransaction:t\nreceipt:r\n\n"]),
    ("version-not-supported", &["CONNECT\naccept-version:9.9\n\n"]),
];

/// A frame that is refused by rule 11 where the client does not listen to refusals, with the code.
const REFUSALS: &[(&str, &str)] = &[
    ("ended", "SEND\ndestination:/app/ended\nreceipt:r\n\n"),
    ("forbidden", "SEND\ndestination:/topic/secret\nreceipt:r\n\n"),
    ("internal", "SEND\ndestination:/app/internal\nreceipt:r\n\n"),
    ("invalid-header", "SEND\ndestination:/app/colour\ncolour:blue\nreceipt:r\n\n"),
    ("invalid-destination", "SEND\ndestination:/topic//a\nreceipt:r\n\n"),
    ("invalid-message-key", "SEND\ndestination:/topic/a\nmessage-key:\nreceipt:r\n\n"),
    ("invalid-prefetch-count", "SUBSCRIBE\nid:1\ndestination:/topic/a\nprefetch-count:0\nreceipt:r\n\n"),
    ("invalid-path", "SEND\ndestination:/app/number/x\nreceipt:r\n\n"),
    ("invalid-payload", "SEND\ndestination:/app/json\nreceipt:r\n\n{"),
    ("mailbox-full", "SEND\ndestination:/app/mailbox\nreceipt:r\n\n"),
    ("missing-header", "SEND\ndestination:/app/colour\nreceipt:r\n\n"),
    ("no-such-destination", "SEND\ndestination:/app/nothing\nreceipt:r\n\n"),
    ("not-present", "SEND\ndestination:/app/present/0\nreceipt:r\n\n"),
    ("not-supported", "SUBSCRIBE\nid:1\ndestination:/topic/*\nreceipt:r\n\n"),
    ("overloaded", "SEND\ndestination:/app/overloaded\nreceipt:r\n\n"),
    ("payload-too-large", "SEND\ndestination:/app/small\nreceipt:r\n\nxx"),
    ("presence-full", "SEND\ndestination:/app/present/1\nreceipt:r\n\n"),
    ("presence-too-large", "SEND\ndestination:/app/present/2\nreceipt:r\n\n"),
    ("queue-full", "SEND\ndestination:/queue/a\nreceipt:r\n\n"),
    ("rate-limited", "SEND\ndestination:/app/never\nreceipt:r\n\n"),
    ("timeout", "SEND\ndestination:/app/slow\nreceipt:r\n\n"),
    ("too-many-places", "SEND\ndestination:/app/present/3\nreceipt:r\n\n"),
    ("too-many-queues", "SUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:r\n\n"),
    ("too-many-streams", "SUBSCRIBE\nid:1\ndestination:/app/endless\nreceipt:r\n\n"),
    ("unsupported-content-type", "SEND\ndestination:/app/json\ncontent-type:text/plain\nreceipt:r\n\n1"),
];

const SUBSCRIBE: &str = "SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:r\n\n";

async fn number(Segments(_): Segments<u32>) {}

/// A header that takes numbers only.
struct Colour;

impl NamedHeader for Colour {
    const NAME: &'static str = "colour";
    type Error = ParseIntError;

    fn from_value(value: &str) -> Result<Self, ParseIntError> {
        value.parse::<u32>().map(|_| Self)
    }
}

async fn colour(Header(_): Header<Colour>) {}

async fn text(_: String) {}

async fn json(Payload(_): Payload<u32>) {}

async fn never() {
    std::future::pending::<()>().await;
}

/// Something is published before its reply.
async fn busy_meanwhile(broker: Broker) -> Reply<u32> {
    broker.publish("/topic/busy", &1).await.unwrap();
    Reply(2)
}

/// What an application passes on of a presence.
async fn present(Segments(why): Segments<u32>) -> Result<(), PresenceError> {
    Err(match why {
        0 => PresenceError::NotPresent,
        1 => PresenceError::Full,
        2 => PresenceError::TooLarge { octets: 1_025, limit: 1_024 },
        _ => PresenceError::TooManyPlaces { limit: 128 },
    })
}

async fn endless() -> Replies<futures_util::stream::Pending<Payload<u32>>> {
    Replies(futures_util::stream::pending())
}

fn realtime(config: Config) -> Realtime {
    let busy = GlobalConcurrencyLimitLayer::with_semaphore(tokio::sync::Semaphore::new(0).into());
    let routes = Router::new()
        .mount(Route::message("/app/internal", async || Err::<(), _>(Rejection::internal("the cause"))))
        .mount(Route::message("/app/number/{number}", number))
        .mount(Route::message("/app/colour", colour))
        .mount(Route::message("/app/text", text))
        .mount(Route::message("/app/json", json))
        .mount(Route::message("/app/ended", async || Err::<(), _>(Rejection::ended())))
        .mount(Route::message("/app/over", async |session: Session| session.close(Closing::ended())))
        .mount(Route::message("/app/mailbox", async || Err::<(), _>(NotificationStoreError::Full)))
        .mount(Route::message("/app/present/{why}", present))
        .mount(Route::message("/app/overloaded", never).layer(busy).layer(LoadShedLayer::new()))
        .mount(Route::message("/app/small", async || {}).max_size(1))
        .mount(Route::message("/app/never", async || {}).rate(Rate::per_minute(1).burst(0)))
        .mount(Route::message("/app/slow", never).layer(TimeoutLayer::new(Duration::from_secs(1))))
        .mount(Route::subscribe("/app/endless", endless))
        .mount(Route::subscribe("/topic/busy", busy_meanwhile));
    let rules = ["/topic/a", "/queue/a"].into_iter();
    let rules = rules.fold(Rules::deny_all(), |rules, place| rules.allow_subscribe(place).allow_send(place));
    Realtime::builder(routes.with_state(())).authenticate(Anonymous).authorize(rules).config(config).build().unwrap()
}

/// Limits that a line of text reaches.
fn tight() -> Config {
    let stomp = Limits::default()
        .max_body_bytes(100)
        .max_connect_bytes(100)
        .max_head_bytes(90)
        .max_header_bytes(50)
        .max_headers(6);
    let transactions = TransactionLimits::default().max_open(1).max_frames(0);
    Config::development().stomp(stomp).max_subscriptions(1).max_streams(0).max_queues(0).transactions(transactions)
}

/// What the client hears at the end, as text.
async fn end(mut client: Client) -> String {
    let mut told = String::new();
    loop {
        // More than any limit in time here; an end that does not come fails the test.
        let next = tokio::time::timeout(Duration::from_secs(120), client.next()).await;
        match next.unwrap_or_else(|_| panic!("no end comes after {told:?}")) {
            Received::Frame(frame) if frame.starts_with("ERROR\n") => writeln!(told, "{frame}").unwrap(),
            Received::Close(status, reason) => {
                write!(told, "{status} {reason}").unwrap();
                return told;
            }
            Received::End => panic!("the end without a close frame"),
            _ => {}
        }
    }
}

async fn told(realtime: &Realtime, principal: Principal, frames: &[&str]) -> String {
    let mut client = Client::open_with_buffer(realtime, principal, 4096);
    for frame in frames {
        if frame.contains("content-length:") && !frame.ends_with('b') {
            // Its body stays away.
            client.send_message(1, frame.as_bytes()).await;
        } else {
            client.send(frame).await;
        }
    }
    end(client).await
}

/// All of them, by code.
async fn all() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let endpoint = realtime(tight());
    for (code, frames) in FAULTS {
        all.push(((*code).to_owned(), told(&endpoint, user("ada"), frames).await));
    }
    for (code, frame) in REFUSALS {
        all.push((format!("{code} (refusal)"), told(&endpoint, user("ada"), &[CONNECT, frame]).await));
    }
    let mut client = Client::connect(&endpoint, user("ada")).await;
    client.send_message(2, b"SEND\ndestination:/topic/\xFF\n\n\0").await;
    all.push(("invalid-utf8".to_owned(), end(client).await));
    let mut client = Client::connect(&endpoint, user("ada")).await;
    client.send_message(2, b"SEND\ndestination:/app/text\nreceipt:r\n\n\xFF\0").await;
    all.push(("invalid-text (refusal)".to_owned(), end(client).await));

    let rates = RateLimits::unlimited().frames(Rate::per_second(1).burst(1));
    let limited = realtime(Config::development().rates(rates));
    all.push(("rate-limited".to_owned(), told(&limited, user("ada"), &[CONNECT, SUBSCRIBE]).await));

    let transactions = TransactionLimits::default().timeout(Duration::ZERO);
    let hurried = realtime(Config::development().transactions(transactions));
    let frames = [CONNECT, "BEGIN\ntransaction:t\n\n", "COMMIT\ntransaction:t\nreceipt:r\n\n"];
    all.push(("transaction-timeout".to_owned(), told(&hurried, user("ada"), &frames).await));

    let expired = user("ada").with_expiry(SystemTime::UNIX_EPOCH);
    all.push(("token-expired".to_owned(), told(&endpoint, expired, &[]).await));

    let over = "SEND\ndestination:/app/over\nreceipt:r\n\n";
    all.push(("ended".to_owned(), told(&endpoint, user("ada"), &[CONNECT, over]).await));

    let (_, client) = client_of_a_broken_journal(Router::new()).await;
    all.push(("internal".to_owned(), end(client).await));

    let hurried = realtime(Config::development().max_held_messages(0));
    let frames = [CONNECT, "SUBSCRIBE\nid:1\ndestination:/topic/busy\nreceipt:r\n\n"];
    all.push(("slow-handler".to_owned(), told(&hurried, user("ada"), &frames).await));

    let slow = realtime(Config::development().outbox(OutboxLimits::default().max_messages(1)));
    let mut client = Client::open_with_buffer(&slow, user("ada"), 256);
    client.send(CONNECT).await;
    client.send(SUBSCRIBE).await;
    let destination: Destination = "/topic/a".parse().unwrap();
    while slow.broker().subscription_count(&destination) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..8 {
        slow.broker().publish(destination.clone(), &"x".repeat(100)).await.unwrap();
    }
    all.push(("slow-consumer".to_owned(), end(client).await));
    all.sort();
    all
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/error_frames.txt")
}

#[tokio::test(start_paused = true)]
async fn what_clients_are_told_changes_only_where_the_file_beside_this_changes() {
    let mut text = String::new();
    for (name, told) in all().await {
        let code = name.trim_end_matches(" (refusal)");
        assert!(told.contains(&format!("\ncode:{code}\n")), "{name}: {told}");
        write!(text, "=== {name}\n{told}\n").unwrap();
    }
    if std::env::var_os("PARLOR_WRITE_ERROR_FRAMES").is_some() {
        fs::write(file(), &text).unwrap();
    }
    let known = fs::read_to_string(file()).unwrap();
    let line = text.lines().zip(known.lines()).find(|(now, before)| now != before);
    assert!(
        text == known,
        "Clients would be told something else: {line:?}. If that is meant, set PARLOR_WRITE_ERROR_FRAMES=1 and review \
         the change of {}.",
        file().display()
    );
}

/// The codes in one table of `docs/codes.md`, with `suffix`.
fn listed(heading: &str, suffix: &str) -> Vec<String> {
    let codes = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes.md")).unwrap();
    let section = codes.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let codes = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    codes.map(|code| format!("{code}{suffix}")).collect()
}

/// But for `cancelled`: then nobody is there any more who could be told.
#[test]
fn every_code_of_an_error_stands_in_the_file() {
    let listed: BTreeSet<String> =
        listed("ERROR and close", "").into_iter().chain(listed("Refusals", " (refusal)")).collect();
    let known = fs::read_to_string(file()).unwrap();
    let known: BTreeSet<String> =
        known.lines().filter_map(|line| line.strip_prefix("=== ")).map(str::to_owned).collect();
    let missing: Vec<_> = listed.difference(&known).collect();
    assert!(listed.len() > 40, "{listed:?}");
    assert_eq!(missing, ["cancelled (refusal)"]);
}
