//! What a request for events is answered, over real sockets: refusals that pass and those that do not, the end for good, and
//! pages of other origins. The rows of docs/sse.md.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{pin::Pin, time::Duration};

use http::{HeaderMap, Method, Request, Response, Version, header};
use http_body_util::BodyExt;
use parlor_core::{
    Config, Realtime,
    app::{Interceptor, Rejection, Rules},
    auth::{Anonymous, AuthError, Handshake, OriginPolicy, Principal},
    event_stream::SseHub,
    limits::ConnectionLimits,
    session::Session,
    sse::SseEvent,
    stomp::Headers as StompHeaders,
};
use parlor_hyper::{EventsBody, RequestBody, SseClient};
use support::{
    ORIGIN, endpoint,
    streams::{Exchange, Headers, Reader, Running, VERSIONS, all_gone, by_name, get, request, serve, serve_with},
};
use tower::service_fn;

/// The page that lists the rows.
const DOCUMENT: &str = include_str!("../../docs/sse.md");

const OPEN: &str = "?destination=/topic/open/a";
const ADA: Headers = &[("x-name", "ada")];

/// Refuses for reasons of its own.
struct Reasons;

impl Interceptor for Reasons {
    fn on_subscribe<'a>(
        &'a self,
        _: &'a Session,
        destination: &'a str,
        _: &'a StompHeaders,
    ) -> Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send + 'a>> {
        Box::pin(async move {
            match destination {
                "/topic/open/over" => Err(Rejection::ended()),
                "/topic/open/broken" => Err(Rejection::internal("the database is away")),
                "/topic/open/busy" => {
                    Err(Rejection::new("room-full", "Come later.").with_retry_after(Duration::from_secs(7)))
                }
                "/topic/open/secret" => Err(Rejection::new("too-secret", "Ask for something else.")),
                _ => Ok(()),
            }
        })
    }
}

/// One answer, with its body.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn answer(mut exchange: Exchange) -> Answer {
    let body = exchange.response.body_mut().collect().await.unwrap().to_bytes();
    let (status, headers) = (exchange.response.status().as_u16(), exchange.response.headers().clone());
    Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

impl Answer {
    /// A refusal that does not pass by itself, and its row in the document.
    fn is_final(&self, status: u16, code: &str) {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)));
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        assert_eq!(self.headers.get("cache-control").unwrap(), "no-store");
        is_documented(status, code);
    }

    /// A stream of one event, after which an `EventSource` comes back.
    fn is_for_now(&self, code: &str, retry: u64) {
        let said = format!("event: parlor.closed\nretry: {retry}\ndata: {{\"code\":\"{code}\",\"retry\":{retry}}}\n\n");
        assert_eq!((self.status, self.body.as_str()), (200, said.as_str()));
        assert_eq!(self.headers.get("content-type").unwrap(), "text/event-stream");
        assert_eq!(self.headers.get("cache-control").unwrap(), "no-store");
        is_documented(200, code);
    }
}

/// Whether a row of the table of answers has that status and names that code.
fn is_documented(status: u16, code: &str) {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with(&format!("| {status} |")));
    let mut codes = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    assert!(code == "too-secret" || code == "room-full" || codes.any(|named| named == code), "{status} {code}");
}

#[tokio::test]
async fn what_does_not_pass_by_itself_has_its_status() {
    let realtime = endpoint()
        .authenticate(by_name)
        .authorize(Rules::deny_all().allow_subscribe("/topic/open/**"))
        .intercept(Reasons)
        .build()
        .unwrap();
    let server = serve(&realtime).await;
    let evil: Headers = &[("x-name", "ada"), ("origin", "https://evil.example")];
    let cross_site: Headers = &[("x-name", "ada"), ("sec-fetch-site", "cross-site")];
    let cases: [(&str, Headers, u16, &str); 13] = [
        ("", ADA, 400, "bad-query"),
        ("?destination=/topic/open/a&destination=/topic/open/b", ADA, 400, "bad-query"),
        ("?destination=/topic/open/a&resume-from=a&resume-from=b", ADA, 400, "bad-query"),
        ("?destination=topic", ADA, 400, "invalid-destination"),
        ("?destination=/topic/open/%2e%2e", ADA, 400, "invalid-destination"),
        ("?destination=/queue/a", ADA, 400, "not-supported"),
        (OPEN, &[], 401, "missing-credentials"),
        ("?destination=/topic/closed", ADA, 403, "forbidden"),
        ("?destination=/user/bob/queue/a", ADA, 403, "forbidden"),
        (OPEN, evil, 403, "origin-not-allowed"),
        (OPEN, cross_site, 403, "origin-not-allowed"),
        ("?destination=/topic/open/secret", ADA, 403, "too-secret"),
        ("?destination=/nowhere", ADA, 404, "no-such-destination"),
    ];
    for version in VERSIONS {
        for (query, headers, status, code) in cases {
            answer(get(server.address, version, query, headers).await).await.is_final(status, code);
        }
        let posted = answer(request(server.address, version, "POST", OPEN, ADA).await).await;
        posted.is_final(405, "method-not-allowed");
        assert_eq!(posted.headers.get("allow").unwrap(), "GET");
        let over = answer(get(server.address, version, "?destination=/topic/open/over", ADA).await).await;
        assert_eq!((over.status, over.body.as_str()), (204, ""));
        is_documented(204, "ended");
    }
}

#[tokio::test]
async fn what_passes_by_itself_is_a_stream_that_says_when_to_come_back() {
    let limits = ConnectionLimits::default().max_event_streams_per_user(1);
    let realtime = endpoint()
        .authenticate(by_name)
        .authorize(Rules::deny_all().allow_subscribe("/topic/open/**"))
        .intercept(Reasons)
        .config(Config::development().connections(limits).sse_retry(Duration::from_secs(2)))
        .build()
        .unwrap();
    let server = serve(&realtime).await;
    for version in VERSIONS {
        // A page of the same origin sends no Origin with a GET, one of an allowed origin does.
        for allowed in [("sec-fetch-site", "same-origin"), ("origin", ORIGIN)] {
            let headers = [("x-name", "ada"), allowed, ("cookie", "token=x")];
            let reader = Reader::open(server.address, version, OPEN, &headers).await;
            let one_more = answer(get(server.address, version, OPEN, ADA).await).await;
            one_more.is_for_now("too-many-event-streams-of-user", 5000);
            drop(reader);
            all_gone(&realtime).await;
        }
        let broken = answer(get(server.address, version, "?destination=/topic/open/broken", ADA).await).await;
        broken.is_for_now("internal", 2000);
        let busy = answer(get(server.address, version, "?destination=/topic/open/busy", ADA).await).await;
        busy.is_for_now("room-full", 7000);
    }
    assert!(realtime.shutdown(Duration::from_secs(5)).await);
    answer(get(server.address, Version::HTTP_11, OPEN, ADA).await).await.is_for_now("full", 5000);
}

/// A server whose bounds are those of production, but for one.
async fn bounded(config: Config) -> (Realtime, Running) {
    let unavailable = |handshake: Handshake<'_>| {
        let name = handshake.headers().get("x-name").map(|name| name.as_bytes().to_owned());
        match name.as_deref() {
            Some(b"unknown") => Err(AuthError::Unavailable),
            Some(b"wrong") => Err(AuthError::Invalid),
            Some(name) => Ok(Principal::user(String::from_utf8_lossy(name).parse().unwrap())),
            None => Ok(Principal::anonymous()),
        }
    };
    let rules = Rules::deny_all().allow_subscribe("/topic/open/**");
    let realtime = endpoint().authenticate(unavailable).authorize(rules).config(config).build().unwrap();
    let server = serve(&realtime).await;
    (realtime, server)
}

#[tokio::test]
async fn every_bound_of_admission_is_told_in_a_stream_of_one_event() {
    let limits = |limits: ConnectionLimits| Config::default().connections(limits);
    let default = ConnectionLimits::default;
    let ada = || Principal::user("ada".parse().unwrap());
    let cases: [(Config, Principal, Headers, &str); 5] = [
        (Config::default().max_connections(1), ada(), ADA, "full"),
        (limits(default().max_event_streams_per_address(1)), ada(), ADA, "too-many-event-streams-from-address"),
        (limits(default().max_per_address(1)), ada(), ADA, "too-many-connections-from-address"),
        (limits(default().max_per_user(1)), ada(), ADA, "too-many-connections-of-user"),
        (limits(default().max_anonymous(1)), Principal::anonymous(), &[], "too-many-anonymous-connections"),
    ];
    for (config, who, headers, code) in cases {
        let (realtime, server) = bounded(config).await;
        // Not over a socket: the accept loop has bounds of its own, and would cut a second connection before it asks for anything.
        let applicant = realtime.admit(Some(server.address.ip())).unwrap();
        let place = applicant.for_event_stream(&who).unwrap();
        answer(get(server.address, Version::HTTP_11, OPEN, headers).await).await.is_for_now(code, 5000);
        drop(place);
    }
    let (_realtime, server) = bounded(Config::default()).await;
    let address = server.address;
    let unknown = answer(get(address, Version::HTTP_11, OPEN, &[("x-name", "unknown")]).await).await;
    unknown.is_for_now("unavailable", 5000);
    for _ in 0..10 {
        let wrong = answer(get(address, Version::HTTP_11, OPEN, &[("x-name", "wrong")]).await).await;
        wrong.is_final(401, "invalid-credentials");
    }
    let guessing = answer(get(address, Version::HTTP_11, OPEN, &[("x-name", "wrong")]).await).await;
    assert_eq!(guessing.status, 200);
    assert!(guessing.body.contains("\"too-many-failed-handshakes\""), "{}", guessing.body);
    is_documented(200, "too-many-failed-handshakes");
}

/// What CORS says in an answer: who may read it, whether with credentials, and what it depends on.
fn cors(headers: &HeaderMap) -> (Option<&str>, Option<&str>, Vec<&str>) {
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap());
    let vary = headers.get_all(header::VARY).iter().map(|value| value.to_str().unwrap()).collect();
    (text(header::ACCESS_CONTROL_ALLOW_ORIGIN), text(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), vary)
}

#[tokio::test]
async fn rule_23_pages_of_listed_origins_may_read_a_stream_with_credentials_and_no_others() {
    let realtime = endpoint().authenticate(by_name).build().unwrap();
    let server = serve(&realtime).await;
    let preflight = [("access-control-request-method", "GET"), ("access-control-request-headers", "last-event-id")];
    // The Origin headers of a request, and whether its page may read the answer.
    let cases: [(&[&str], bool); 9] = [
        (&[ORIGIN], true),
        (&["https://app.example:443"], true),
        (&[], false),
        (&["https://evil.example"], false),
        (&["https://app.example.evil.example"], false),
        (&["http://app.example"], false),
        (&["null"], false),
        (&["*"], false),
        (&[ORIGIN, ORIGIN], false),
    ];
    for version in VERSIONS {
        for (origins, may) in cases {
            let origins: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
            let expected = (may.then(|| origins[0].1), may.then_some("true"), vec!["origin"]);
            let ada = [&origins[..], ADA, &[("cookie", "token=x")]].concat();
            let granted = get(server.address, version, "?destination=/topic/a", &ada).await;
            let status = granted.response.status().as_u16();
            assert_eq!(status, if may || origins.is_empty() { 200 } else { 403 }, "{origins:?}");
            assert_eq!(cors(granted.response.headers()), expected, "{origins:?}");
            // A page may also read why it was refused.
            let refused = answer(get(server.address, version, "?destination=/topic/a", &origins).await).await;
            assert_eq!(refused.status, if may || origins.is_empty() { 401 } else { 403 });
            assert_eq!(cors(&refused.headers), expected, "{origins:?}");

            let asked = [&origins[..], &preflight].concat();
            let asked = request(server.address, version, "OPTIONS", "?destination=/topic/a", &asked).await;
            let asked = answer(asked).await;
            assert_eq!(cors(&asked.headers), expected, "{origins:?}");
            let allows = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            if may {
                assert_eq!((asked.status, asked.body.as_str()), (204, ""));
                assert_eq!(allows("access-control-allow-methods").as_deref(), Some("GET"));
                let headers = allows("access-control-allow-headers");
                assert_eq!(headers.as_deref(), Some("authorization, cache-control, last-event-id"));
                assert_eq!(allows("access-control-max-age").as_deref(), Some("600"));
            } else {
                let (status, code) =
                    if origins.is_empty() { (405, "method-not-allowed") } else { (403, "origin-not-allowed") };
                asked.is_final(status, code);
                assert_eq!(allows("access-control-allow-methods"), None);
            }
        }
    }
}

#[tokio::test]
async fn where_any_origin_is_allowed_pages_read_without_credentials() {
    let policy = OriginPolicy::new([ORIGIN]).unwrap().dangerously_allow_any_origin();
    let realtime = endpoint().authenticate(Anonymous).origin_policy(policy).build().unwrap();
    let server = serve(&realtime).await;
    for (origin, allowed, credentials) in [("https://evil.example", "*", None), (ORIGIN, ORIGIN, Some("true"))] {
        let stream = get(server.address, Version::HTTP_11, "?destination=/topic/a", &[("origin", origin)]).await;
        assert_eq!(cors(stream.response.headers()), (Some(allowed), credentials, vec!["origin"]));
    }
}

#[tokio::test]
async fn an_applications_own_stream_is_judged_and_answered_as_one_of_a_destination() {
    let limits = ConnectionLimits::default().max_event_streams_per_user(1);
    let config = Config::development().connections(limits);
    let realtime = endpoint().authenticate(by_name).config(config).build().unwrap();
    let hub: SseHub<&str> = SseHub::new();
    let service = {
        let (realtime, hub) = (realtime.clone(), hub.clone());
        service_fn(move |request: Request<RequestBody>| {
            let (realtime, hub) = (realtime.clone(), hub.clone());
            async move {
                let (request, _) = request.into_parts();
                let client = match SseClient::admit(&realtime, &request).await {
                    Ok(client) => client,
                    Err(refusal) => return Ok(refusal.into_response()),
                };
                if request.method == Method::POST {
                    return Ok(client.refuse(Rejection::ended()).into_response());
                }
                let seen = client.last_event_id().unwrap_or("nothing").to_owned();
                let (emitter, response): (_, Response<EventsBody>) = client.open().await;
                hub.join(&emitter, "all").unwrap();
                emitter.send(&SseEvent::message(format!("you have seen {seen}"))).unwrap();
                Ok(response)
            }
        })
    };
    let server = serve_with(&realtime, service).await;
    for version in VERSIONS {
        let headers = [("x-name", "ada"), ("last-event-id", "41"), ("origin", ORIGIN)];
        let mut reader = Reader::open(server.address, version, "", &headers).await;
        assert_eq!(cors(reader.exchange.response.headers()), (Some(ORIGIN), Some("true"), vec!["origin"]));
        assert_eq!(reader.data().await, "you have seen 41");
        let event = SseEvent::message("x").named("typed").unwrap().with_id("42").unwrap();
        assert_eq!(hub.send_to_user(&"ada".parse().unwrap(), &event), Ok(1));
        assert_eq!(reader.next().await.unwrap(), ("typed".to_owned(), "42".to_owned(), "x".to_owned()));
        answer(get(server.address, version, "", ADA).await).await.is_for_now("too-many-event-streams-of-user", 5000);
        drop(reader);
        all_gone(&realtime).await;
        assert!(hub.is_empty());
        let over = answer(request(server.address, version, "POST", "", ADA).await).await;
        assert_eq!((over.status, over.body.as_str()), (204, ""));
    }
    answer(get(server.address, Version::HTTP_11, "", &[]).await).await.is_final(401, "missing-credentials");
}
