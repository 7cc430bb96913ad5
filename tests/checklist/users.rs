//! AUTH, USER, CON-14: users with tokens, and the destinations that are theirs.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::{
    client::{Client, VERSIONS},
    support::Server,
};

const SECRET: &str = "a secret of thirty-two octets, at least";

fn broker(options: &[&str]) -> Server {
    Server::broker(&[&["--jwt-secret", SECRET], options].concat())
}

#[expect(clippy::disallowed_methods, reason = "the tokens of these tests are for the real clock")]
fn token(name: &str, secret: &str, lives: i64) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let expires = since.checked_add_signed(lives).expect("a time");
    let claims: Value = json!({ "sub": name, "name": name, "exp": expires });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
}

fn login(broker: &Server, name: &str, version: &'static str) -> Client {
    let bearer = format!("Bearer {}", token(name, SECRET, 60));
    let (mut client, _) = Client::handshake(broker, &[("authorization", &bearer)]).expect("the token is good");
    client.connect(&format!("CONNECT\naccept-version:{version}\nhost:/\n\n"), version);
    client
}

#[test]
fn auth_01_to_06_a_bad_token_is_refused_before_the_upgrade() {
    let broker = broker(&[]);
    let good = token("ada", SECRET, 60);
    let parts: Vec<&str> = good.split('.').collect();
    let forged = json!({ "sub": "eve", "exp": 4_102_444_800_u64 }).to_string();
    let payload = base64url(forged.as_bytes());
    let none = base64url(br#"{"alg":"none","typ":"JWT"}"#);
    for bad in [
        None,
        Some("garbage".to_owned()),
        Some(token("ada", "another secret of thirty-two octets!", 60)),
        Some(format!("{}.{payload}.{}", parts[0], parts[2])),
        Some(format!("{none}.{payload}.")),
        Some(token("ada", SECRET, -60)),
    ] {
        let cookie = bad.as_ref().map(|token| format!("token={token}"));
        let bearer = bad.as_ref().map(|token| format!("Bearer {token}"));
        let origin = format!("http://{}", broker.addr);
        let headers = cookie.as_deref().map(|cookie| vec![("cookie", cookie), ("origin", &origin)]);
        assert_eq!(Client::handshake(&broker, &headers.unwrap_or_default()).err(), Some(401), "{cookie:?}");
        let headers = bearer.as_deref().map(|bearer| vec![("authorization", bearer)]);
        assert_eq!(Client::handshake(&broker, &headers.unwrap_or_default()).err(), Some(401), "{bearer:?}");
    }
    assert!(Client::handshake(&broker, &[("authorization", &format!("Bearer {good}"))]).is_ok());
}

#[test]
fn auth_07_a_cookie_from_a_foreign_page_is_refused() {
    let broker = broker(&[]);
    let cookie = format!("token={}", token("ada", SECRET, 60));
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"] {
        let headers = [("cookie", &cookie[..]), ("origin", origin)];
        assert_eq!(Client::handshake(&broker, &headers).err(), Some(403), "{origin}");
    }
    let port = broker.addr.port();
    for own in [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}"), format!("http://[::1]:{port}")]
    {
        assert!(Client::handshake(&broker, &[("cookie", &cookie), ("origin", &own)]).is_ok(), "{own}");
    }
}

#[test]
fn con_14_values_of_connected_are_not_escaped() {
    let broker = broker(&[]);
    for version in ["1.1", "1.2"] {
        let bearer = format!("Bearer {}", token("a:b\\c", SECRET, 60));
        let (mut client, _) = Client::handshake(&broker, &[("authorization", &bearer)]).expect("the token is good");
        let connected = client.connect(&format!("CONNECT\naccept-version:{version}\nhost:/\n\n"), version);
        assert_eq!(connected.header("user-name"), Some("a:b\\c"));
    }
}

#[test]
fn user_01_a_message_to_a_user_reaches_all_sessions_of_that_user_and_nobody_else() {
    let broker = broker(&["--allow-user-send"]);
    let mut ada = VERSIONS.map(|version| login(&broker, "ada", version));
    let mut bob = login(&broker, "bob", "1.2");
    for client in &mut ada {
        client.subscribe("1", "/user/queue/notes");
    }
    bob.subscribe("1", "/user/queue/notes");
    bob.send("SEND\ndestination:/user/ada/queue/notes\nreceipt:r\n\nfor ada");
    bob.expect_receipt("r");
    for client in &mut ada {
        let message = client.expect_text("for ada");
        assert_eq!(message.header("destination"), Some("/user/queue/notes"), "USER-03");
    }
    bob.send("SEND\ndestination:/user/queue/notes\n\nfor bob");
    bob.expect_text("for bob");
}

#[test]
fn user_02_nobody_can_subscribe_to_anothers_destination() {
    let broker = broker(&["--allow-user-send"]);
    for destination in ["/user/ada/queue/notes", "/user/*/queue/notes", "/user/**", "/**"] {
        let mut eve = login(&broker, "eve", "1.2");
        eve.send(&format!("SUBSCRIBE\nid:1\ndestination:{destination}\nreceipt:r\n\n"));
        let error = eve.expect("ERROR");
        assert_eq!(error.header("receipt-id"), Some("r"), "{destination}");
        assert_eq!(eve.closed(), 1008, "{destination}");
    }
    // A queue like any other: a user's destination has no spelling.
    let mut eve = login(&broker, "eve", "1.2");
    eve.subscribe("1", "/queue/notes-userada");
    let mut ada = login(&broker, "ada", "1.2");
    ada.subscribe("1", "/user/queue/notes");
    ada.expect_nothing_before_own("/user/queue/notes");
    eve.expect_nothing_before_own("/queue/notes-userada");
}

#[test]
fn rule_2_nobody_can_send_to_another_user_unless_that_is_allowed() {
    let broker = broker(&[]);
    let mut ada = login(&broker, "ada", "1.2");
    ada.subscribe("1", "/user/queue/notes");
    let mut eve = login(&broker, "eve", "1.2");
    eve.send("SEND\ndestination:/user/ada/queue/notes\nreceipt:r\n\nx");
    assert_eq!(eve.expect_error("forbidden").header("receipt-id"), Some("r"));
    ada.expect_nothing_before_own("/user/queue/notes");
}

#[test]
fn rule_6_an_anonymous_session_is_its_own_user() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut clients = [(); 2].map(|()| Client::session(&broker, version));
        for client in &mut clients {
            client.subscribe("1", "/user/queue/notes");
        }
        clients[0].send("SEND\ndestination:/user/queue/notes\n\nmine");
        let message = clients[0].expect_text("mine");
        assert_eq!(message.header("destination"), Some("/user/queue/notes"), "USER-03");
        clients[1].expect_nothing_before_own("/user/queue/notes");
    }
}

fn base64url(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    octets
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |place| char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]))
        })
        .collect()
}
