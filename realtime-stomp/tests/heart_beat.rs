//! Chapter HB: heart-beats, with a clock that the tests turn by hand.

mod support;

use std::time::{Duration, Instant};

use parlor_stomp::{
    Connected, HeartBeat, HeartBeatAction, HeartBeatTimer, Request, ServerConfig, ServerSession, Version,
};
use support::{FROM_1_1, fault, feed, fresh, seen};

const SERVER: HeartBeat = HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 };

#[expect(clippy::disallowed_methods, reason = "any instant does; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The timer of a server that offers `SERVER` to a client that offers `header`.
fn timer(header: Option<&str>, now: Instant) -> HeartBeatTimer {
    let mut session = ServerSession::new(ServerConfig::default().heart_beat(SERVER));
    let line = header.map(|header| format!("heart-beat:{header}\n")).unwrap_or_default();
    let requests = feed(&mut session, format!("CONNECT\naccept-version:1.2\n{line}\n\0"));
    assert!(matches!(&requests[..], [Request::Connect(_)]), "{requests:?}");
    session.heart_beat_timer(now)
}

/// Every action that is due.
fn due(timer: &mut HeartBeatTimer, now: Instant) -> Vec<HeartBeatAction> {
    let mut actions = Vec::new();
    while let Some(action) = timer.poll(now) {
        actions.push(action);
        match action {
            HeartBeatAction::SendBeat => timer.sent(now),
            HeartBeatAction::TimedOut => break,
            HeartBeatAction::Ping => {}
        }
    }
    actions
}

/// HB-01.
#[test]
fn heart_beat_of_connected_is_two_numbers_or_absent() {
    for version in FROM_1_1 {
        let connected =
            Connected { version, session: "s", server: "parlor", heart_beat: SERVER, user_name: None }.encode();
        assert_eq!(seen(None, &connected).headers.get("heart-beat"), Some("10000,10000"));
    }
    let version = Version::V1_0;
    let connected = Connected { version, session: "s", server: "parlor", heart_beat: SERVER, user_name: None }.encode();
    assert_eq!(seen(None, &connected).headers.get("heart-beat"), None);
}

/// HB-02.
#[test]
fn no_header_means_no_heart_beats() {
    let now = start();
    for header in [None, Some("0,0")] {
        let mut timer = timer(header, now);
        assert_eq!(timer.deadline(), None);
        assert_eq!(due(&mut timer, now + ms(100_000_000)), []);
    }
}

/// HB-02: 1.0 has no heart-beats, so its header is no matter at all.
#[test]
fn version_1_0_has_no_heart_beats() {
    let mut session = ServerSession::new(ServerConfig::default().heart_beat(SERVER));
    assert_eq!(feed(&mut session, "CONNECT\nheart-beat:1,1\n\n\0").len(), 1);
    assert_eq!(session.heart_beat_timer(start()).deadline(), None);
}

/// HB-03.
#[test]
fn the_server_sends_at_least_every_agreed_period() {
    for (wanted, agreed) in [("0,1000", 10_000), ("0,10000", 10_000), ("0,25000", 25_000)] {
        let now = start();
        let mut timer = timer(Some(wanted), now);
        let mut last = now;
        for _ in 0..100 {
            let deadline = timer.deadline().unwrap();
            assert!(deadline < last + ms(agreed), "a beat comes early, so that it arrives in time");
            assert!(deadline >= last + ms(agreed * 7 / 8), "and not much too early");
            assert_eq!(due(&mut timer, deadline - ms(1)), []);
            assert_eq!(due(&mut timer, deadline), [HeartBeatAction::SendBeat]);
            last = deadline;
        }
    }
}

/// HB-03: whatever else was sent counts.
#[test]
fn anything_that_was_sent_puts_the_next_beat_off() {
    let now = start();
    let mut timer = timer(Some("0,10000"), now);
    timer.sent(now + ms(8_000));
    assert_eq!(due(&mut timer, now + ms(10_000)), []);
    assert_eq!(due(&mut timer, now + ms(17_000)), [HeartBeatAction::SendBeat]);
}

/// HB-04.
#[test]
fn a_client_that_wants_no_beats_gets_none() {
    let now = start();
    let mut timer = timer(Some("10000,0"), now);
    for seconds in 1..100 {
        timer.received(now + ms(seconds * 1_000));
        assert_eq!(due(&mut timer, now + ms(seconds * 1_000)), []);
    }
}

/// HB-05.
#[test]
fn a_silent_client_is_pinged_and_then_given_up_within_four_periods() {
    let now = start();
    let mut timer = timer(Some("10000,0"), now);
    assert_eq!(due(&mut timer, now + ms(14_999)), []);
    assert_eq!(timer.deadline(), Some(now + ms(15_000)));
    assert_eq!(due(&mut timer, now + ms(15_000)), [HeartBeatAction::Ping]);
    assert_eq!(due(&mut timer, now + ms(29_999)), []);
    assert_eq!(timer.deadline(), Some(now + ms(30_000)));
    assert_eq!(due(&mut timer, now + ms(30_000)), [HeartBeatAction::TimedOut]);
}

/// HB-05: the longer of what the client can and the server wants is the period.
#[test]
fn the_longer_period_counts_for_the_client_too() {
    let now = start();
    assert_eq!(timer(Some("1,0"), now).deadline(), Some(now + ms(15_000)));
    assert_eq!(timer(Some("40000,0"), now).deadline(), Some(now + ms(60_000)));
}

/// HB-05: a server that was late itself gives a whole period for the answer to its ping.
#[test]
fn nobody_is_given_up_without_a_ping() {
    let now = start();
    let mut timer = timer(Some("10000,0"), now);
    assert_eq!(due(&mut timer, now + ms(500_000)), [HeartBeatAction::Ping]);
    assert_eq!(due(&mut timer, now + ms(509_999)), []);
    assert_eq!(due(&mut timer, now + ms(510_000)), [HeartBeatAction::TimedOut]);
}

/// HB-06.
#[test]
fn beats_that_come_a_little_late_are_no_matter() {
    let now = start();
    let mut timer = timer(Some("10000,0"), now);
    for beat in 1..50 {
        let late = now + ms(beat * 11_000);
        assert_eq!(due(&mut timer, late), []);
        timer.received(late);
    }
}

/// HB-06: the beat may be CR LF; it makes no request.
#[test]
fn a_beat_may_be_lf_or_cr_lf() {
    let mut session = support::connected(Version::V1_2);
    for beat in ["\n", "\r\n", "\r", "\n"] {
        assert!(feed(&mut session, beat).is_empty());
    }
}

/// HB-07, HB-12: any octet counts, and so does the answer to a ping.
#[test]
fn any_sign_of_life_starts_the_silence_anew() {
    let now = start();
    let mut timer = timer(Some("10000,0"), now);
    for round in 0..20 {
        let silence = now + ms(round * 15_500);
        assert_eq!(due(&mut timer, silence + ms(15_000)), [HeartBeatAction::Ping]);
        timer.received(silence + ms(15_500));
    }
}

/// HB-08.
#[test]
fn a_client_that_sends_no_beats_is_never_given_up() {
    let now = start();
    let mut timer = timer(Some("0,10000"), now);
    for seconds in 1..10_000 {
        let actions = due(&mut timer, now + ms(seconds * 1_000));
        assert!(actions.iter().all(|action| *action == HeartBeatAction::SendBeat), "{actions:?}");
    }
}

/// HB-09.
#[test]
fn a_malformed_offer_is_a_fault() {
    for offer in ["", ",", "1", "1,", ",1", "1,2,3", "-1,0", "1.5,0", "a,b", " 1,1", "1, 1", "+1,1", "1;1"] {
        assert!(offer.parse::<HeartBeat>().is_err(), "{offer:?}");
        let fault = fault(&mut fresh(), format!("CONNECT\naccept-version:1.2\nheart-beat:{offer}\n\n\0"));
        assert_eq!(fault.code, "invalid-heart-beat");
    }
}

/// HB-10.
#[test]
fn huge_offers_overflow_nothing() {
    let now = start();
    for offer in
        ["18446744073709551615,18446744073709551615", "18446744073709551616,1", &format!("{0},{0}", "9".repeat(99))]
    {
        let mut timer = timer(Some(offer), now);
        let wait = timer.deadline().map(|deadline| deadline - now);
        assert!(wait.is_some_and(|wait| wait > ms(0) && wait < ms(1 << 34)), "{wait:?}: some clocks end in 200 years");
        assert_eq!(due(&mut timer, now + ms(1_000)), []);
    }
    let huge = HeartBeat { can_send_ms: u64::MAX, wants_ms: u64::MAX };
    assert!(huge.timer(huge, now).deadline().is_some());
}

#[test]
fn an_offer_is_read_back_as_it_is_written() {
    for offer in ["0,0", "10000,5000", "1,0"] {
        assert_eq!(offer.parse::<HeartBeat>().unwrap().to_string(), offer);
    }
}
