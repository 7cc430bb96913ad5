//! The WebSocket endpoint in an axum router, on Parlor's accept loop and on axum's own.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::sync::mpsc;

use axum::{Json, Router, extract::FromRef, routing::post};
use parlor_axum::{Authenticated, BrokerHandle, websocket};
use parlor_core::{
    Realtime,
    auth::{Handshake, Principal},
};
use support::{ORIGIN, Server, endpoint, receive, send, token};

#[derive(Clone)]
struct Web {
    realtime: Realtime,
}

impl FromRef<Web> for Realtime {
    fn from_ref(web: &Web) -> Self {
        web.realtime.clone()
    }
}

async fn announce(user: Authenticated, BrokerHandle(broker): BrokerHandle) -> Json<usize> {
    let published = broker.publish("/topic/news", &format!("{} was here", user.0)).await.unwrap();
    Json(published.subscriptions)
}

fn application(realtime: &Realtime) -> Router {
    Router::new()
        .route_service("/ws", websocket(realtime))
        .route("/announce", post(announce))
        .with_state(Web { realtime: realtime.clone() })
}

fn both(realtime: &Realtime) -> [Server; 2] {
    [Server::parlor(application(realtime), realtime), Server::axum(application(realtime))]
}

#[test]
fn a_logged_in_page_connects_and_hears_what_an_http_handler_publishes() {
    let realtime = endpoint().build().unwrap();
    for server in both(&realtime) {
        let cookie = format!("token={}", token());
        let mut client = server.connect(ORIGIN, &cookie).unwrap();
        send(&mut client, "CONNECT\naccept-version:1.2\nhost:a\n\n");
        assert!(receive(&mut client).contains("\nuser-name:Ada\n"));
        send(&mut client, "SUBSCRIBE\nid:0\ndestination:/topic/news\nreceipt:r\n\n");
        assert!(receive(&mut client).starts_with("RECEIPT\n"));
        let answer = server.request("POST", "/announce", &[("Origin", ORIGIN), ("Cookie", &cookie)]);
        assert_eq!(answer, (200, "1".to_owned()));
        let message = receive(&mut client);
        assert!(message.starts_with("MESSAGE\n") && message.ends_with("\"Ada was here\""), "{message}");
    }
}

#[test]
fn a_handshake_without_login_or_from_a_foreign_page_is_refused() {
    let realtime = endpoint().build().unwrap();
    let cookie = format!("token={}", token());
    for server in both(&realtime) {
        for (origin, cookie, status) in [
            (ORIGIN, "", 401),
            (ORIGIN, "token=x", 401),
            ("", cookie.as_str(), 403),
            ("https://evil.example", cookie.as_str(), 403),
        ] {
            assert_eq!(server.connect(origin, cookie).err(), Some(status), "{origin:?} {cookie:?}");
        }
    }
}

#[test]
fn a_plain_request_is_told_to_upgrade() {
    let realtime = endpoint().build().unwrap();
    for server in both(&realtime) {
        let (status, body) = server.request("GET", "/ws", &[]);
        assert_eq!((status, support::code(&body).as_str()), (426, "upgrade-required"));
    }
}

#[test]
fn authenticators_see_the_peer_on_either_accept_loop() {
    let (sender, peers) = mpsc::channel();
    let watched = move |handshake: Handshake<'_>| {
        let _ = sender.send(handshake.peer());
        Ok(Principal::anonymous())
    };
    let realtime = endpoint().authenticate(watched).build().unwrap();
    for server in both(&realtime) {
        assert!(server.connect("", "").is_ok());
        assert!(peers.recv().unwrap().is_some_and(|peer| peer.ip().is_loopback()));
    }
}
