//! The programs of `examples/` do what they say when they are run: servers start, answer, and drain, the others end well.
//!
//! `server` is run by `readme.rs`, `broker` by `interop.rs` and the checklist, `key_rotation` by a file of its own.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

#[path = "checklist/client.rs"]
#[allow(dead_code, reason = "this file uses a part")]
mod client;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    iter,
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Once,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use client::{Client, now};
use support::{Server, built, root};

const EXAMPLES: [&str; 2] = ["plain_hyper", "tower_stack"];

/// A program that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program of an example that has tests of its own: `cargo test` builds those instead of it.
fn built_beside_its_tests(example: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(["build", "--quiet", "--workspace"]);
        cargo.args(["--example", "metrics", "--example", "permissions", "--example", "testing"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "the examples are built");
    });
    built(&format!("examples/{example}"))
}

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
fn the_chat_of_attributes_welcomes_and_passes_on() {
    let server = start("macros");
    let mut client = Client::session(&server, "1.2");
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/rooms/7\n\n");
    client.expect_text("\"Welcome to room 7.\"");
    client.send("SEND\ndestination:/app/rooms/7/say\n\n\"hello\"");
    client.expect_text("\"anonymous: hello\"");
    server.stop();
}

/// The lines of an event stream's fields, without what HTTP has between them.
fn listen(server: &Server, path: &str) -> impl Iterator<Item = String> + use<> {
    let mut stream = TcpStream::connect(server.addr).expect("it accepts");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").expect("it reads");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line in time"));
    lines.filter(|line| ["data: ", "event: ", "retry: "].iter().any(|field| line.starts_with(field)))
}

/// Sends a request with a body, and returns the last line of the answer.
fn send(server: &Server, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.addr).expect("it accepts");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a whole answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.trim_end().rsplit('\n').next().unwrap_or_default().to_owned()
}

#[test]
fn events_of_an_order_come_until_it_is_delivered_and_then_never_again() {
    let server = start("sse_emitter");
    let mut lines = listen(&server, "/orders/7");
    assert_eq!(lines.next().as_deref(), Some("retry: 3000"));
    assert_eq!(send(&server, "POST", "/orders/8", "packed"), "0");
    assert_eq!(send(&server, "POST", "/orders/7", "packed"), "1");
    assert_eq!(lines.next().as_deref(), Some("event: step"));
    assert_eq!(lines.next().as_deref(), Some(r#"data: {"order":7,"step":"packed"}"#));
    send(&server, "DELETE", "/orders/7", "");
    assert_eq!(lines.next().as_deref(), Some("event: parlor.closed"));
    assert_eq!(lines.next().as_deref(), Some(r#"data: {"code":"ended"}"#));
    assert!(get(&server, "/orders/7").starts_with("HTTP/1.1 204 "));
    server.stop();
}

#[test]
fn a_bell_rings_until_it_is_answered_over_either_transport() {
    let server = start("notifications");
    let id = send(&server, "POST", "/notify/ada", "Bob named you");
    let mut lines = listen(&server, "/events?name=ada&destination=/user/queue/notifications").skip(1);
    assert_eq!(lines.next().as_deref(), Some("event: unread"));
    let unread = lines.next().expect("the mailbox");
    assert!(unread.contains("Bob named you") && unread.contains(&id), "{unread}");
    let acknowledged = send(&server, "POST", "/acknowledge?name=ada", &format!(r#"{{"ids":["{id}"]}}"#));
    assert_eq!(acknowledged, format!(r#"["{id}"]"#));
    assert_eq!(lines.next().as_deref(), Some("event: acknowledged"));
    server.stop();
}

#[test]
fn the_figures_have_an_address_of_their_own() {
    // The first address that it prints is that of the figures.
    let server = Server::start(Command::new(built_beside_its_tests("metrics")).args(["127.0.0.1:0", "127.0.0.1:0"]));
    let answer = get(&server, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("# TYPE "), "{answer}");
    assert!(get(&server, "/stats").contains("application/json"));
    assert!(get(&server, "/ws").starts_with("HTTP/1.1 404 "), "the endpoint is elsewhere");
}

#[test]
fn a_program_that_serves_nobody_prints_and_ends_well() {
    for (example, says) in [
        ("permissions", "/topic/"),
        ("presence", "ada left."),
        ("refresh", "the page gets a new cookie: true"),
        ("testing", "is built"),
    ] {
        let output = Command::new(built_beside_its_tests(example)).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(says), "{example}: {text}");
    }
}

#[test]
fn the_client_of_the_terminal_says_what_it_hears() {
    let server = Server::broker(&[]);
    let address = format!("ws://{}/ws", server.addr);
    let mut client = Command::new(built("examples/client"))
        .args([&address, "/topic/a"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let (mut input, output) = client.stdin.take().zip(client.stdout.take()).expect("both are piped");
    writeln!(input, "hello").expect("it reads");
    let (says, said) = mpsc::channel();
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| says.send(line)));
    let deadline = now() + PATIENCE;
    let next = || said.recv_timeout(deadline.saturating_duration_since(now()));
    let heard = iter::from_fn(|| next().ok()).any(|line| line == "> hello");
    // The end of what it reads is the end of the program, and of what it says.
    drop(input);
    let has_ended = iter::repeat_with(next).find_map(Result::err) == Some(RecvTimeoutError::Disconnected);
    if !has_ended {
        client.kill().expect("it runs still");
    }
    let status = client.wait().expect("it was started");
    assert!(heard && has_ended && status.success(), "heard: {heard}, ended by itself: {has_ended}, {status}");
}

/// A new example is not only compiled.
#[test]
fn every_example_is_run_by_a_test() {
    let read =
        |folder: &str| fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("a file").path());
    let is_code = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let tests = read("tests").chain(read("tests/support")).filter(is_code);
    let tests: String = tests.map(|path| fs::read_to_string(path).expect("a text")).collect();
    for example in read("examples").filter(is_code) {
        let name = example.file_stem().expect("a name").to_string_lossy();
        let run = tests.contains(&format!("\"{name}\"")) || tests.contains(&format!("\"examples/{name}\""));
        assert!(run, "no test runs examples/{name}.rs");
    }
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
