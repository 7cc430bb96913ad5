//! The README's server is `examples/server.rs`, and does what the README says.

#![expect(clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

#[path = "checklist/client.rs"]
#[allow(dead_code, reason = "this file uses a part")]
mod client;

use std::{
    env, fs,
    net::TcpListener,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use client::Client;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use support::{Server, built, root};

/// The address that the README names.
const ADDR: &str = "127.0.0.1:8080";

/// The secret that the README names.
const SECRET: &[u8] = b"a secret of at least 32 octets, please";

/// Code without the white space, which a formatter may choose.
fn dense(code: &str) -> String {
    // A trailing comma comes and goes with the line end behind it.
    code.split_whitespace().collect::<String>().replace(",)", ")").replace(",}", "}")
}

#[expect(clippy::disallowed_methods, reason = "the token is for the real clock")]
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = json!({ "sub": "7", "name": "Ada", "exp": now + 60 });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).expect("a token")
}

#[test]
fn the_code_of_the_readme_is_the_example() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let code = readme.split("```rust").nth(1).and_then(|rest| rest.split("```").next());
    let code = code.and_then(|block| block.split_once('\n')).expect("a block of code").1;
    let example = fs::read_to_string(root().join("examples/server.rs")).expect("there is an example");
    // What only the workspace's lints ask for is not shown.
    let example: String = example
        .lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("#!["))
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(dense(code), dense(&example));
}

#[test]
fn the_server_of_the_readme_does_what_it_says() {
    if let Err(error) = TcpListener::bind(ADDR) {
        assert!(env::var_os("PARLOR_REQUIRE_INTEROP").is_none(), "{ADDR} must be free: {error}");
        eprintln!("SKIPPED: {ADDR} is in use, which the README's server needs.");
        return;
    }
    let server = Server::start(&mut Command::new(built("examples/server")));
    assert_eq!(Client::handshake(&server, &[]).err(), Some(401), "no token");
    let bearer = format!("Bearer {}", token());
    let (mut client, _) = Client::handshake(&server, &[("authorization", &bearer)]).expect("the token is good");
    client.connect("CONNECT\naccept-version:1.2\nhost:/\n\n", "1.2");
    client.subscribe("1", "/topic/rooms/7");
    client.send("SEND\ndestination:/app/rooms/7/say\n\n\"hello\"");
    client.expect_text(r#"{"author":"Ada","text":"hello"}"#);
    client.send("SEND\ndestination:/app/rooms/7/say\nreceipt:r\n\n\"\"");
    assert_eq!(client.expect_error("empty").header("receipt-id"), Some("r"));
}
