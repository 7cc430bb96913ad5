//! A study room on a free port, and clients of a few lines for it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "each test file uses a part, may fail, and reads the time"
)]

pub mod cluster;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parlor::stomp::{AckMode, ClientConfig, ClientEvent, ClientSession, MessageEvent};
use serde_json::Value;
use study_room::{App, Settings};
use tokio::sync::oneshot;
use tungstenite::{ClientRequestBuilder, Message, WebSocket, protocol::CloseFrame, stream::MaybeTlsStream};

/// How long a client waits for anything. So long that a slow machine comes in time: it ends a test that would never end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder that is gone with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("study-room-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("test.sqlite")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running study room; it drains when it is stopped or dropped.
pub struct Room {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Room {
    pub fn start(database: &Path) -> Self {
        Self::start_with(Settings::for_tests(database))
    }

    /// The same on any database.
    pub fn start_on(database_url: &str) -> Self {
        let mut settings = Settings::for_tests(Path::new(""));
        settings.database_url = database_url.to_owned();
        Self::start_with(settings)
    }

    /// The same with other settings.
    pub fn start_with(settings: Settings) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (started, addr) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let app = App::start(settings).await.unwrap();
                started.send(app.addr()).unwrap();
                app.run_until(async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { addr: addr.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// One that runs already, and that somebody else stops.
    pub fn at(addr: SocketAddr) -> Self {
        Self { addr, stop: None, thread: None }
    }

    /// Stops it and waits until it has drained.
    pub fn stop(mut self) {
        self.finish();
    }

    /// One request; `body` is sent as JSON.
    pub fn request(&self, method: &str, path: &str, cookie: Option<&str>, body: Option<&Value>) -> Answer {
        let json = body.map(ToString::to_string).unwrap_or_default();
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(cookie) = cookie {
            headers.push(("cookie", cookie.to_owned()));
            headers.push(("origin", format!("http://{}", self.addr)));
        }
        self.raw_request(method, path, &headers, &json)
    }

    /// One request with exactly these headers.
    pub fn raw_request(&self, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Answer {
        self.begin_request(method, path, headers, body).answer()
    }

    /// The same without waiting for the answer, so that many are under way.
    pub fn begin_request(&self, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Asked {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}",
            self.addr
        )
        .unwrap();
        Asked(stream)
    }

    /// Makes an account and gives back its cookie.
    pub fn sign_up(&self, name: &str) -> String {
        let account = serde_json::json!({ "name": name, "password": "correct horse" });
        let answer = self.request("POST", "/api/signup", None, Some(&account));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.cookie()
    }

    /// Makes a room and gives back its id.
    pub fn create_room(&self, cookie: &str, name: &str) -> String {
        let answer = self.request("POST", "/api/rooms", Some(cookie), Some(&serde_json::json!({ "name": name })));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the only login of an account has nothing open.
    pub fn wait_until_away(&self, cookie: &str) {
        let deadline = Instant::now() + PATIENCE;
        let logins = || self.request("GET", "/api/logins", Some(cookie), None).json["logins"].clone();
        while logins()[0]["is_open"].as_bool() != Some(false) {
            assert!(Instant::now() < deadline, "what was closed still counts as open");
        }
    }

    fn finish(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A request that was sent.
pub struct Asked(TcpStream);

impl Asked {
    pub fn answer(mut self) -> Answer {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        Answer::parse(&text)
    }
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub json: Value,
    pub text: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head: head.to_owned(),
            json: serde_json::from_str(body).unwrap_or_default(),
            text: body.to_owned(),
        }
    }

    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// `name=value` of the cookie that was set.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

/// A connected STOMP client.
pub struct Client {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: ClientSession,
}

impl Client {
    /// Opens a session with a cookie; the status where it is refused.
    pub fn connect(room: &Room, cookie: Option<&str>) -> Result<Self, u16> {
        let mut request = ClientRequestBuilder::new(format!("ws://{}/ws", room.addr).parse().unwrap())
            .with_header("origin", format!("http://{}", room.addr))
            .with_sub_protocol("v12.stomp");
        if let Some(cookie) = cookie {
            request = request.with_header("cookie", cookie);
        }
        let socket = match tungstenite::connect(request) {
            Ok((socket, _)) => socket,
            Err(tungstenite::Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut client = Self { socket, session: ClientSession::new(ClientConfig::default()) };
        client.session.connect();
        assert!(matches!(client.next(), ClientEvent::Connected(_)));
        Ok(client)
    }

    /// Subscribes and waits for the first message, which is the history.
    pub fn enter(&mut self, room: &str) -> Value {
        self.session.subscribe("sub-0", &format!("/topic/rooms/{room}/chat"), AckMode::Auto, None);
        let history = self.message();
        let json: Value = serde_json::from_slice(&history.body).unwrap();
        assert_eq!(json["type"], "history");
        json
    }

    /// Subscribes to refusals.
    pub fn hear_errors(&mut self) {
        self.session.subscribe("errors", "/user/queue/errors", AckMode::Auto, Some("errors"));
        assert!(matches!(self.next(), ClientEvent::Receipt(_)));
    }

    /// Says something and does not wait.
    pub fn say(&mut self, room: &str, text: &str, key: &str) {
        self.try_say(room, text, key).unwrap();
    }

    /// The same to a server that may be closing.
    pub fn try_say(&mut self, room: &str, text: &str, key: &str) -> Result<(), tungstenite::Error> {
        let body = serde_json::json!({ "text": text, "key": key }).to_string();
        self.session.send(&format!("/app/rooms/{room}/chat"), body.as_bytes(), &[], Some(key));
        self.try_flush()
    }

    /// Writes to one person, and waits until it is kept.
    pub fn write(&mut self, user: &str, text: &str, key: &str) {
        let body = serde_json::json!({ "text": text, "key": key }).to_string();
        self.session.send(&format!("/app/direct/{user}"), body.as_bytes(), &[], Some(key));
        assert_eq!(self.next(), ClientEvent::Receipt(key.to_owned()));
    }

    /// Sends something to any destination.
    pub fn send_to(&mut self, destination: &str) {
        self.session.send(destination, b"{}", &[], None);
    }

    /// Subscribes to any destination.
    pub fn subscribe_to(&mut self, destination: &str) {
        self.session.subscribe("any", destination, AckMode::Auto, None);
    }

    /// The next event.
    pub fn next(&mut self) -> ClientEvent {
        self.flush();
        self.next_or_end().unwrap_or_else(|end| panic!("closed: {end:?}"))
    }

    /// The next event without sending anything, or the close frame.
    pub fn next_or_end(&mut self) -> Result<ClientEvent, Option<CloseFrame>> {
        loop {
            if let Some(event) = self.session.poll_event().unwrap() {
                return Ok(event);
            }
            match self.socket.read().unwrap() {
                Message::Text(text) => self.session.handle_input(text.into()),
                Message::Binary(octets) => self.session.handle_input(octets),
                Message::Close(frame) => return Err(frame),
                _ => {}
            }
        }
    }

    /// The next message; receipts are passed over.
    pub fn message(&mut self) -> MessageEvent {
        loop {
            match self.next() {
                ClientEvent::Message(message) => return message,
                ClientEvent::Receipt(_) => {}
                other => panic!("a message was expected, not {other:?}"),
            }
        }
    }

    /// The next live message of a room; who came and went is passed over.
    pub fn said(&mut self) -> Value {
        loop {
            let json: Value = serde_json::from_slice(&self.message().body).unwrap();
            match json["type"].as_str() {
                Some("message") => return json["message"].clone(),
                Some("system") => {}
                _ => panic!("a message was expected, not {json}"),
            }
        }
    }

    /// What the system says next in a room: "entered" or "left", and who.
    pub fn announced(&mut self) -> (String, String) {
        let json: Value = serde_json::from_slice(&self.message().body).unwrap();
        assert_eq!(json["type"], "system", "{json}");
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        (text("event"), text("name"))
    }

    /// The status with which the server closes.
    pub fn close_status(&mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Close(Some(frame))) => return frame.code.into(),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn flush(&mut self) {
        self.try_flush().unwrap();
    }

    fn try_flush(&mut self) -> Result<(), tungstenite::Error> {
        while let Some(frame) = self.session.poll_transmit() {
            self.socket.send(Message::Text(String::from_utf8(frame.bytes.to_vec()).unwrap().into()))?;
        }
        Ok(())
    }
}
