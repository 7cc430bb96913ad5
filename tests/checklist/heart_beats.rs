//! HB: heart-beats, against a broker that offers 300 ms both ways. A test of silence has to wait for it.

use std::{io::Read, time::Duration};

use crate::{
    client::{Client, Received, SINCE_1_1, now},
    support::Server,
};

/// What the broker offers, both ways.
const PERIOD: Duration = Duration::from_millis(300);

fn broker() -> Server {
    Server::broker(&["--heartbeat", "300,300"])
}

fn session(broker: &Server, version: &'static str, offer: &str) -> Client {
    let mut client = Client::open(broker);
    client.connect(&format!("CONNECT\naccept-version:{version}\n{offer}\n\n"), version);
    client
}

fn beats(received: &[Received]) -> usize {
    received.iter().filter(|received| matches!(received, Received::Beat)).count()
}

fn is_alive(received: &[Received]) -> bool {
    !received.iter().any(|received| matches!(received, Received::Closed(_) | Received::Frame(_)))
}

#[test]
fn hb_01_connected_offers_two_numbers() {
    let broker = broker();
    for version in SINCE_1_1 {
        let connected = Client::open(&broker).connect(&format!("CONNECT\naccept-version:{version}\n\n"), version);
        assert_eq!(connected.header("heart-beat"), Some("300,300"));
    }
}

#[test]
fn hb_02_hb_04_hb_08_without_an_offer_nobody_beats_and_an_idle_client_stays() {
    let broker = broker();
    for (version, offer) in [("1.1", "heart-beat:0,0"), ("1.2", "host:/"), ("1.0", "heart-beat:100,100")] {
        let mut client = session(&broker, version, offer);
        let received = client.receive_for(PERIOD * 5);
        assert!(received.is_empty(), "{offer}: {received:?}");
        client.subscribe("1", "/topic/a");
    }
}

#[test]
fn hb_03_an_idle_server_beats_in_each_period() {
    const BEATS: u32 = 6;
    let broker = broker();
    for (version, wants, period) in [("1.1", 100, PERIOD), ("1.2", 600, PERIOD * 2)] {
        let since = now();
        let mut client = session(&broker, version, &format!("heart-beat:0,{wants}"));
        for _ in 0..BEATS {
            assert!(matches!(client.receive(), Received::Beat));
        }
        // Over some periods, with half of one to spare for a busy machine.
        let time = since.elapsed();
        assert!(time < period * BEATS + period / 2, "{BEATS} beats took {time:?}");
    }
}

#[test]
fn hb_05_a_client_that_fell_silent_is_closed_in_time() {
    let broker = broker();
    for version in SINCE_1_1 {
        let since = now();
        // The bare stream answers no ping.
        let mut stream = session(&broker, version, "heart-beat:300,0").into_stream();
        let mut octets = Vec::new();
        while !String::from_utf8_lossy(&octets).contains("heart-beat-timeout") {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).expect("the server says something");
            assert!(count > 0, "the end came without an ERROR: {octets:?}");
            octets.extend_from_slice(&piece[..count]);
        }
        let silence = since.elapsed();
        assert!(silence > PERIOD * 3 / 2, "given up after {silence:?}");
        assert!(silence < PERIOD * 4, "given up after {silence:?}");
    }
}

#[test]
fn hb_06_a_beat_a_little_late_is_in_time() {
    let broker = broker();
    for (version, beat) in [("1.1", "\n"), ("1.2", "\r\n")] {
        let mut client = session(&broker, version, "heart-beat:300,0");
        for _ in 0..6 {
            let received = client.receive_for(PERIOD * 11 / 10);
            assert!(is_alive(&received), "{received:?}");
            client.text(beat);
        }
        client.subscribe("1", "/topic/a");
    }
}

#[test]
fn hb_07_any_octet_is_a_sign_of_life() {
    let broker = broker();
    let mut client = session(&broker, "1.2", "heart-beat:300,0");
    for octet in "SEND\ndestination:/topic/a\nreceipt:1\n\nx\0".chars().collect::<Vec<_>>().chunks(3) {
        client.text(&octet.iter().collect::<String>());
        let received = client.receive_within(PERIOD / 3);
        assert!(matches!(received, None | Some(Received::Frame(_))), "neither a ping nor an end: {received:?}");
    }
}

#[test]
fn hb_09_a_malformed_offer_is_an_error() {
    let broker = broker();
    for version in SINCE_1_1 {
        for offer in ["1000", "a,b", "-1,0", "1,2,3", "", "1.5,0", "0, 0"] {
            let mut client = Client::open(&broker);
            client.send(&format!("CONNECT\naccept-version:{version}\nheart-beat:{offer}\n\n"));
            client.expect_error("invalid-heart-beat");
        }
    }
}

#[test]
fn hb_10_huge_numbers_overflow_nothing() {
    let broker = broker();
    for offer in
        ["4294967296,4294967296", "18446744073709551615,18446744073709551615", "0,999999999999999999999999999999"]
    {
        let mut client = session(&broker, "1.2", &format!("heart-beat:{offer}"));
        client.subscribe("1", "/topic/a");
    }
}

#[test]
fn hb_11_a_beat_is_never_inside_a_frame() {
    let broker = broker();
    let mut client = session(&broker, "1.2", "heart-beat:0,300");
    client.subscribe("1", "/topic/a");
    let body = "x".repeat(50_000);
    let (mut messages, mut seen) = (0, 0);
    while messages < 12 {
        client.send(&format!("SEND\ndestination:/topic/a\n\n{body}"));
        for received in client.receive_for(PERIOD / 3) {
            match received {
                // A beat inside would make it another body, or no frame.
                Received::Frame(frame) if frame.text() == body => messages += 1,
                Received::Frame(frame) => panic!("{} with another body", frame.command),
                Received::Beat => seen += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    // Silence at last, so that the server has beaten at least once.
    seen += beats(&client.receive_for(PERIOD * 2));
    assert!(seen > 0);
}

#[test]
fn hb_12_a_silent_client_that_answers_pings_stays() {
    let broker = broker();
    for version in SINCE_1_1 {
        let mut client = session(&broker, version, "heart-beat:300,0");
        let received = client.receive_for(PERIOD * 8);
        assert!(is_alive(&received), "{received:?}");
        assert!(received.iter().any(|received| matches!(received, Received::Ping)), "the server asks");
        client.subscribe("1", "/topic/a");
    }
}
