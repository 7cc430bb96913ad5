//! The Origin gate around an axum router, on either accept loop (rule 23).

mod support;

use axum::{
    Router,
    routing::{get, post},
};
use parlor_axum::OriginLayer;
use support::{ORIGIN, Server, code, endpoint};

#[test]
fn rule_23_routes_of_an_axum_router_are_closed_to_other_pages() {
    let realtime = endpoint().build().unwrap();
    let router = || {
        let api = Router::new().route("/rooms", post(|| async { "made" }).get(|| async { "listed" }));
        let guarded = api.fallback(|| async { "nothing" }).layer(OriginLayer::new(&realtime));
        Router::new().route("/page", get(|| async { "page" })).nest("/api", guarded)
    };
    let cookie = ("Cookie", "token=x");
    let foreign = ("Origin", "https://evil.example");
    for server in [Server::parlor(router(), &realtime), Server::axum(router())] {
        for (method, path, headers, status) in [
            ("POST", "/api/rooms", vec![cookie, ("Origin", ORIGIN)], 200),
            ("POST", "/api/rooms", vec![], 200),
            ("POST", "/api/rooms", vec![cookie], 403),
            ("POST", "/api/rooms", vec![foreign], 403),
            ("GET", "/api/rooms", vec![cookie], 200),
            ("GET", "/api/rooms", vec![cookie, ("Sec-Fetch-Site", "cross-site")], 403),
            ("OPTIONS", "/api/rooms", vec![foreign], 403),
            ("POST", "/api/none", vec![cookie], 403),
            ("GET", "/page", vec![foreign, ("Sec-Fetch-Site", "cross-site")], 200),
        ] {
            let (answer, body) = server.request(method, path, &headers);
            assert_eq!(answer, status, "{method} {path} {headers:?}");
            if status == 403 {
                assert_eq!(code(&body), "origin-not-allowed");
            }
        }
    }
}
