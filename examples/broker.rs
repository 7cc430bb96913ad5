//! A bare STOMP broker for development and interoperability tests: `cargo run --release --example broker`.
//!
//! Clients may SEND and SUBSCRIBE to `/topic/**`, `/queue/**` and their own `/user/**`, and a SEND of a JSON string to
//! `/app/echo` is answered at `/user/queue/replies`. Anyone may connect, unless a key for JWTs is given. `/echo` beside it is
//! a plain WebSocket echo through the same transport, for protocol test suites.
//!
//! The same over HTTP: `GET /events?destination=/topic/a` is an event stream, and `POST /publish?destination=/topic/a` with
//! `{"data": …, "event": …}` a message. Topics keep their last messages; of `/topic/latest/**` and `/topic/lossy/**` a slow
//! client misses some instead of being disconnected.

use std::{error::Error, fs, io, net::SocketAddr, num::ParseFloatError, process::ExitCode, time::Duration};

use axum::{
    Json,
    extract::{DefaultBodyLimit, FromRef, Query, State},
    http::StatusCode,
    routing::post,
};
use clap::{Parser, ValueEnum};
use parlor::{
    Config, Realtime,
    app::{Authorize, Route, Router, Rules, SendTarget},
    auth::{Anonymous, JwtKey, JwtKeyError, JwtKeys, JwtVerifier, OriginPolicy},
    axum::{Authenticated, BrokerHandle, ServeOptions, Server},
    broker::{DeliveryRules, OutboxLimits, Overflow, Publication},
    destination::{Class, Destination},
    extract::{Payload, Reply},
    history::Retain,
    limits::{ProxyRangeError, TrustedProxies},
    sse,
    stomp::{HeartBeat, Limits},
    websocket::WebSocketLimits,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// From here on a bare number of `--connect-timeout` can only mean milliseconds.
const SURELY_MILLISECONDS: f64 = 1000.0;

/// A STOMP broker over WebSocket for development and tests.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:15674")]
    addr: SocketAddr,
    /// `dev` lifts caps per address, on anonymous clients and on rates, and nothing else; tests and load generators on one
    /// machine need it
    #[arg(long, value_enum, default_value_t = Profile::Dev)]
    profile: Profile,
    /// The largest body of a STOMP frame, in octets [default: 65536]
    #[arg(long)]
    max_message: Option<usize>,
    /// The most headers of a frame [default: 32]
    #[arg(long)]
    max_headers: Option<usize>,
    /// The longest header line, in octets; all lines together may take a quarter of headers × line [default: 1024]
    #[arg(long)]
    max_header_bytes: Option<usize>,
    /// The most connections at a time [default: 10000, and 80 % of the open files]
    #[arg(long)]
    max_connections: Option<usize>,
    /// The most octets that may wait for one client [default: 262144]
    #[arg(long)]
    max_queue_bytes: Option<usize>,
    /// The most messages that may wait for one client [default: 1024]
    #[arg(long)]
    max_queue_messages: Option<usize>,
    /// What the server offers in heart-beats: sends,expects, in milliseconds
    #[arg(long, default_value = "10000,10000")]
    heartbeat: HeartBeat,
    /// How long a client may take until CONNECT: seconds (`10`, `2.5s`) or milliseconds (`500ms`, or a bare number from
    /// 1000 on)
    #[arg(long, default_value = "10", value_parser = duration)]
    connect_timeout: Duration,
    /// How long a message or frame may take from its first octet to its last, in the same units [default: 10]
    #[arg(long, value_parser = duration)]
    frame_timeout: Option<Duration>,
    /// How long a message may stay without ACK or NACK before it is delivered again, in the same units [default: 300]
    #[arg(long, value_parser = duration)]
    ack_timeout: Option<Duration>,
    /// An address or range of a proxy whose X-Forwarded-For is believed
    #[arg(long)]
    trusted_proxy: Vec<String>,
    /// An origin whose pages may connect; its own address in its loopback forms always may
    #[arg(long)]
    origin: Vec<String>,
    /// Demand a JWT (HS256, at least 32 octets of secret) from the cookie or as a bearer token
    #[arg(long)]
    jwt_secret: Option<String>,
    /// Demand a JWT by this key: `kid=public.pem` (EdDSA, ES256 or RS256; alone without `kid=`), or a JWK set; repeatable
    #[arg(long)]
    jwt_key: Vec<String>,
    /// Demand this `iss` of every JWT
    #[arg(long)]
    jwt_issuer: Option<String>,
    /// Demand this `aud` of every JWT
    #[arg(long)]
    jwt_audience: Option<String>,
    /// Demand this `typ` of every JWT, `at+jwt` say [default: none, JWT or at+jwt]
    #[arg(long)]
    jwt_type: Option<String>,
    /// The cookie that carries the JWT
    #[arg(long, default_value = "token")]
    cookie_name: String,
    /// Clients may send to `/user/{name}/**` of everyone
    #[arg(long)]
    allow_user_send: bool,
    /// How many messages each topic keeps for clients that resume, within 4 KiB for each in all; 0 keeps none
    #[arg(long, default_value_t = 1000)]
    retain: usize,
    /// For how many seconds at most [default: 3600]
    #[arg(long)]
    retain_seconds: Option<u64>,
    /// How long clients of event streams wait before they come back, in the same units [default: 3]
    #[arg(long, value_parser = duration)]
    sse_retry: Option<Duration>,
    /// Worker threads [default: one per core]
    #[arg(long)]
    workers: Option<usize>,
}

/// What HTTP handlers work with.
#[derive(Clone)]
struct Web {
    realtime: Realtime,
    rules: Rules,
}

impl FromRef<Web> for Realtime {
    fn from_ref(web: &Web) -> Self {
        web.realtime.clone()
    }
}

#[derive(Debug, Deserialize)]
struct To {
    destination: String,
}

/// A message over HTTP. A string is published as text, everything else as JSON.
#[derive(Debug, Deserialize)]
struct Posted {
    data: Value,
    /// The event's name in event streams.
    event: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    Dev,
    Production,
}

#[expect(clippy::print_stderr, reason = "the terminal is this program's user interface")]
fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(io::stderr).init();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = options.workers {
        runtime.worker_threads(workers.max(1));
    }
    runtime.enable_all().build()?.block_on(serve(options))
}

#[expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]
async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(options.addr)
        .await
        .map_err(|error| format!("Cannot listen on {}: {error}. Choose another --addr.", options.addr))?;
    let addr = listener.local_addr()?;
    let profile = match options.profile {
        Profile::Dev => "dev: no caps per address, on anonymous clients or on rates",
        Profile::Production => "production: all limits of docs/limits.md are on",
    };
    let rules = rules(&options);
    let realtime = realtime(&options, rules.clone(), addr)?;
    let http = axum::Router::new()
        .route("/publish", post(publish).layer(DefaultBodyLimit::max(realtime.config().stomp.max_body_bytes)))
        .route_service("/events", parlor::axum::events(&realtime))
        .route_service("/ws", parlor::axum::websocket(&realtime))
        .route_service("/echo", parlor::hyper::EchoService::new(&realtime))
        .with_state(Web { realtime: realtime.clone(), rules });
    println!("profile {profile}");
    println!("listening on ws://{addr}/ws");
    Server::new(listener, http, realtime).options(serve_options(&options)).run().await?;
    Ok(())
}

/// Room in the accept loop for as many connections as were asked for, whatever share of the open files that is. Fewer are refused
/// by the endpoint, in its own words.
fn serve_options(options: &Options) -> ServeOptions {
    let serve = ServeOptions::default();
    match options.max_connections {
        Some(connections) if connections > serve.max_connections => {
            serve.max_connections(connections).max_http_connections(connections)
        }
        _ => serve,
    }
}

/// SEND to /app/echo: what a typed handler costs.
async fn echo(Payload(text): Payload<String>) -> Reply<String> {
    Reply(text)
}

/// `POST /publish?destination=/topic/a`, for whom the rules let SEND there.
async fn publish(
    Authenticated(user): Authenticated,
    State(Web { rules, .. }): State<Web>,
    BrokerHandle(broker): BrokerHandle,
    Query(To { destination }): Query<To>,
    Json(Posted { data, event }): Json<Posted>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let refuse = |status, code, message: String| (status, Json(json!({ "code": code, "message": message })));
    let destination: Destination = destination
        .parse()
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, "invalid-destination", format!("{error}.")))?;
    let target = match broker.prefixes().classify(&destination) {
        Class::Topic => SendTarget::Topic(destination.clone()),
        Class::Queue => SendTarget::Queue(destination.clone()),
        _ => return Err(refuse(StatusCode::NOT_FOUND, "no-such-destination", format!("{destination} is no topic."))),
    };
    if !rules.may_send(&user, &target).await {
        return Err(refuse(StatusCode::FORBIDDEN, "forbidden", format!("You may not send to {destination}.")));
    }
    let mut publication = match data {
        Value::String(text) => Publication::text(text),
        data => Publication::bytes(data.to_string()).with_content_type("application/json"),
    };
    if let Some(name) = event {
        if sse::is_reserved(&name) || sse::SseEvent::default().named(name.as_str()).is_err() {
            return Err(refuse(StatusCode::BAD_REQUEST, "invalid-event", "No event can have that name.".to_owned()));
        }
        publication = publication.with_header("event", &name);
    }
    match broker.publish_message(destination, publication).await {
        Ok(published) => Ok(Json(json!({ "subscriptions": published.subscriptions }))),
        Err(error) => Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable", format!("{error}."))),
    }
}

fn rules(options: &Options) -> Rules {
    let mut rules = Rules::deny_all().allow_send_to_own_user();
    for pattern in ["/topic/**", "/queue/**"] {
        rules = rules.allow_send(pattern).allow_subscribe(pattern);
    }
    if options.allow_user_send {
        rules = rules.allow_send_to_other_users();
    }
    rules
}

/// What topics keep, and what happens where a client reads too slowly.
fn delivery(options: &Options) -> DeliveryRules {
    let delivery = DeliveryRules::default()
        .overflow("/topic/latest/**", Overflow::LatestOnly)
        .overflow("/topic/lossy/**", Overflow::DropOldest);
    if options.retain == 0 {
        return delivery;
    }
    let retain = Retain::last(options.retain).up_to(options.retain.saturating_mul(4096));
    delivery.history(
        "/topic/**",
        match options.retain_seconds {
            Some(seconds) => retain.within(Duration::from_secs(seconds)),
            None => retain,
        },
    )
}

fn realtime(options: &Options, rules: Rules, addr: SocketAddr) -> Result<Realtime, Box<dyn Error>> {
    let origins = OriginPolicy::new(&options.origin)?.allow_own_loopback(addr);
    let builder = Realtime::builder(Router::new().mount(Route::message("/app/echo", echo)).with_state(()))
        .authorize(rules)
        .origin_policy(origins)
        .delivery(delivery(options))
        .config(config(options)?);
    let builder = match verifier(options)? {
        Some(verifier) => builder.authenticate(verifier),
        None => builder.authenticate(Anonymous),
    };
    Ok(builder.build()?)
}

/// The verifier of the keys that are given; none where anyone may connect.
fn verifier(options: &Options) -> Result<Option<JwtVerifier>, Box<dyn Error>> {
    let mut keys = Vec::new();
    for option in &options.jwt_key {
        let (id, file) = option.split_once('=').unwrap_or(("", option));
        let text = fs::read_to_string(file).map_err(|error| format!("Cannot read the key {file}: {error}."))?;
        let wrong = |error: JwtKeyError| format!("Cannot use the key {file}: {error}.");
        if text.trim_start().starts_with('{') {
            keys.extend(JwtKeys::from_jwks(&text).map_err(wrong)?.iter().cloned());
        } else {
            let key = JwtKey::from_pem(text.as_bytes()).map_err(wrong)?;
            keys.push(if id.is_empty() { key } else { key.with_id(id) });
        }
    }
    let keys = match &options.jwt_secret {
        None if keys.is_empty() => return Ok(None),
        None => JwtKeys::new(keys)?,
        Some(secret) if keys.is_empty() => JwtKey::hs256(secret.as_bytes())?.into(),
        Some(secret) => {
            keys.push(JwtKey::hs256(secret.as_bytes())?.with_id("secret"));
            JwtKeys::new(keys)?.default_key("secret")?
        }
    };
    let mut verifier = JwtVerifier::new(keys).cookie(&options.cookie_name).bearer();
    if let Some(issuer) = &options.jwt_issuer {
        verifier = verifier.issuer(issuer);
    }
    if let Some(audience) = &options.jwt_audience {
        verifier = verifier.audience(audience);
    }
    if let Some(typ) = &options.jwt_type {
        verifier = verifier.token_type(typ);
    }
    Ok(Some(verifier))
}

fn config(options: &Options) -> Result<Config, ProxyRangeError> {
    let mut stomp = Limits::default();
    if let Some(octets) = options.max_message {
        stomp = stomp.max_body_bytes(octets);
    }
    if let Some(headers) = options.max_headers {
        stomp = stomp.max_headers(headers);
    }
    if let Some(octets) = options.max_header_bytes {
        stomp = stomp.max_header_bytes(octets);
    }
    // The default relation of the three: 32 headers of 1 KiB each, 8 KiB in all.
    let head = stomp.max_head_bytes.max(stomp.max_headers.saturating_mul(stomp.max_header_bytes) / 4);
    let stomp = stomp.max_head_bytes(head);
    // A WebSocket message has room for the largest frame, and for a batch of small ones.
    let frame = stomp.max_body_bytes.saturating_add(stomp.max_head_bytes).saturating_add(1);
    let message = WebSocketLimits::default().max_message_bytes.max(frame);
    let mut outbox = OutboxLimits::default();
    if let Some(octets) = options.max_queue_bytes {
        outbox = outbox.max_bytes(octets);
    }
    if let Some(messages) = options.max_queue_messages {
        outbox = outbox.max_messages(messages);
    }
    let defaults = match options.profile {
        Profile::Dev => Config::development(),
        Profile::Production => Config::default(),
    };
    let config = defaults
        .websocket(WebSocketLimits::default().max_message_bytes(message))
        .stomp(stomp)
        .outbox(outbox)
        .heart_beat(options.heartbeat)
        .connect_timeout(options.connect_timeout)
        .trusted_proxies(TrustedProxies::new(&options.trusted_proxy)?);
    let config = match options.frame_timeout {
        Some(limit) => config.frame_timeout(limit),
        None => config,
    };
    let config = match options.sse_retry {
        Some(time) => config.sse_retry(time),
        None => config,
    };
    let config = match options.ack_timeout {
        Some(limit) => {
            let (queues, topics) = (config.queues.ack_timeout(limit), config.acknowledgements.ack_timeout(limit));
            config.queues(queues).acknowledgements(topics)
        }
        None => config,
    };
    Ok(match options.max_connections {
        Some(connections) => config.max_connections(connections),
        None => config,
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_: ParseFloatError| format!("`{text}` is not a time such as 10, 2.5s or 500ms");
    let seconds = if let Some(milliseconds) = text.strip_suffix("ms") {
        milliseconds.parse::<f64>().map_err(wrong)? / 1000.0
    } else if let Some(seconds) = text.strip_suffix('s') {
        seconds.parse().map_err(wrong)?
    } else {
        let bare: f64 = text.parse().map_err(wrong)?;
        if bare >= SURELY_MILLISECONDS { bare / 1000.0 } else { bare }
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("`{text}` is not a usable time: {error}"))
}
