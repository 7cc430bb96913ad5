//! The servers of `examples/` that stand on hyper and tower alone: they start, serve a STOMP client, and drain.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

#[path = "checklist/client.rs"]
#[allow(dead_code, reason = "this file uses a part")]
mod client;

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use client::{Client, now};
use support::{Server, built};

const EXAMPLES: [&str; 2] = ["plain_hyper", "tower_stack"];

fn start(example: &str) -> Server {
    Server::start(Command::new(built(&format!("examples/{example}"))).arg("127.0.0.1:0"))
}

fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.addr).expect("it accepts");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a whole answer");
    answer
}

#[test]
fn a_client_converses_and_is_told_of_the_stop() {
    for example in EXAMPLES {
        let server = start(example);
        let mut client = Client::session(&server, "1.2");
        client.subscribe("0", "/topic/a");
        client.send("SEND\ndestination:/topic/a\n\nhello");
        client.expect_text("hello");
        let stopping = thread::spawn(|| server.stop());
        assert_eq!(client.closed(), 1012, "{example}");
        stopping.join().expect("it ends with status 0");
    }
}

#[test]
fn other_paths_are_answered_beside_it() {
    for example in EXAMPLES {
        let server = start(example);
        assert!(get(&server, "/readyz").starts_with("HTTP/1.1 200 "), "{example}");
        assert!(get(&server, "/elsewhere").starts_with("HTTP/1.1 404 "), "{example}");
    }
    let answer = get(&start("tower_stack"), "/ws");
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.contains("nosniff"), "the layer saw it: {answer}");
}

#[test]
fn rule_27_a_second_signal_ends_it_at_once() {
    let server = start("tower_stack");
    let mut client = Client::session(&server, "1.2");
    client.subscribe("0", "/topic/a");
    let mut stream = client.into_stream();
    server.terminate();
    // The close frame is there, and stays without an answer: the drain would wait for it for 5 s.
    let mut opcode = [0];
    stream.read_exact(&mut opcode).expect("a close frame");
    assert_eq!(opcode, [0x88]);
    let begin: Instant = now();
    server.terminate();
    server.wait();
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}
