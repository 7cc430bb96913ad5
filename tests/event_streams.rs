//! The broker example over HTTP alone: published by POST, heard by GET, resumed by `Last-Event-ID`.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use support::Server;

/// A test that waits longer for one line has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn send(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).expect("it accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.write_all(request.as_bytes()).expect("it reads");
    stream
}

/// Status and body of a POST.
fn publish(server: &Server, destination: &str, headers: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let mut stream = send(
        server,
        &format!(
            "POST /publish?destination={destination} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\
             content-length: {length}\r\n\r\n{body}"
        ),
    );
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a whole answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.rsplit("\r\n\r\n").next().expect("a body").to_owned())
}

const JSON: &str = "content-type: application/json\r\n";

/// The lines of an event stream, without what HTTP has between them.
fn listen(server: &Server, destination: &str, headers: &str) -> impl Iterator<Item = String> + use<> {
    let request = format!("GET /events?destination={destination} HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
    let lines = BufReader::new(send(server, &request)).lines().map(|line| line.expect("a line in time"));
    lines.filter(|line| ["data: ", "event: ", "id: "].iter().any(|field| line.starts_with(field)))
}

#[test]
fn what_is_posted_is_heard_and_a_stream_goes_on_where_it_was() {
    let server = Server::broker(&[]);
    let mut lines = listen(&server, "/topic/a", "");
    assert!(lines.next().expect("a beginning").starts_with("id: "));
    let posted = publish(&server, "/topic/a", JSON, r#"{"data":{"n":1},"event":"note"}"#);
    assert_eq!(posted, (200, r#"{"subscriptions":1}"#.to_owned()));
    assert_eq!(lines.next().as_deref(), Some("event: note"));
    let id = lines.next().expect("an id");
    assert_eq!(lines.next().as_deref(), Some(r#"data: {"n":1}"#));
    drop(lines);
    assert_eq!(publish(&server, "/topic/a", JSON, r#"{"data":"two\nlines"}"#).0, 200);
    let mut lines = listen(&server, "/topic/a", &format!("last-event-{id}\r\n"));
    assert_eq!(lines.next().as_deref(), Some("event: parlor.recovered"));
    assert_eq!(lines.next().as_deref(), Some(r#"data: {"recovered":true}"#));
    assert!(lines.next().expect("an id").starts_with("id: "));
    assert_eq!(lines.next().as_deref(), Some("data: two"));
    assert_eq!(lines.next().as_deref(), Some("data: lines"));
    server.stop();
    assert_eq!(lines.next().as_deref(), Some("event: parlor.closed"));
}

#[test]
fn publishing_over_http_has_the_bounds_and_rules_of_a_send() {
    let server = Server::broker(&["--max-message", "1000"]);
    let good = r#"{"data":"x"}"#;
    let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(1000));
    let cases = [
        ("/topic/a", JSON.to_owned(), good, 200),
        ("topic", JSON.to_owned(), good, 400),
        ("/app/a", JSON.to_owned(), good, 404),
        ("/topic/a", JSON.to_owned(), r#"{"data":"x","event":"parlor.closed"}"#, 400),
        ("/topic/a", JSON.to_owned(), r#"{"data":"x","event":"a\nb"}"#, 400),
        ("/topic/a", JSON.to_owned(), &large, 413),
        // A page of another origin cannot say what a form cannot, nor what its cookie would say for it.
        ("/topic/a", "content-type: text/plain\r\n".to_owned(), good, 415),
        ("/topic/a", format!("{JSON}origin: https://evil.example\r\n"), good, 403),
        ("/topic/a", format!("{JSON}cookie: token=x\r\n"), good, 403),
    ];
    for (destination, headers, body, status) in cases {
        assert_eq!(publish(&server, destination, &headers, body).0, status, "{destination} {headers} {body}");
    }
    server.stop();
}
