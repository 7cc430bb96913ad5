//! Connecting and subscribing: the upgrade, then the dialect's steps, some clients at a time.

use std::{collections::VecDeque, error::Error};

use crate::{
    clock::{self, SECOND},
    dialect::{Role, Step},
    generator::{
        CONNECTING, Load,
        client::{Client, Phase},
    },
    socket::Socket,
    websocket,
};

/// How long the server may take until somebody else is connected.
const PATIENCE: u64 = 30 * SECOND;

/// The longest head of an answer.
const LONGEST_HEAD: usize = 16 * 1024;

/// Who is to connect. At most a million in all runs of a load, which stamps have room for.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) sessions: Vec<Session>,
    /// The JWT of each session, in turn, as the cookie `token` of a page of the server's own.
    pub(crate) tokens: Vec<String>,
    /// Whether the first subscriber reads everything as a real client would, if the dialect has one.
    pub(crate) witness: bool,
}

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) transport: Transport,
    pub(crate) destinations: Vec<usize>,
}

/// How a client is connected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// A WebSocket.
    WebSocket(Role),
    /// Server-sent events, by this request target.
    EventStream(String),
}

impl Session {
    /// A subscriber over WebSocket.
    pub(crate) fn subscriber(destinations: Vec<usize>) -> Self {
        Self { transport: Transport::WebSocket(Role::Subscriber), destinations }
    }

    /// One who only publishes.
    pub(crate) fn publisher() -> Self {
        Self { transport: Transport::WebSocket(Role::Publisher), destinations: Vec::new() }
    }
}

impl Plan {
    /// So many subscribers of destination 0, and a publisher behind them.
    pub(crate) fn fan_out(subscribers: usize) -> Self {
        let mut sessions = vec![Session::subscriber(vec![0]); subscribers];
        sessions.push(Session::publisher());
        Self { sessions, tokens: Vec::new(), witness: true }
    }
}

impl Load<'_> {
    /// Connects everyone of a plan and waits until they are subscribed and receive as the load is to; returns their numbers.
    pub(crate) fn connect(&mut self, plan: &Plan) -> Result<Vec<usize>, Box<dyn Error>> {
        let mut numbers = Vec::with_capacity(plan.sessions.len());
        let (mut done, mut last) = (0, clock::now());
        self.opened.clear();
        while done < plan.sessions.len() {
            while numbers.len() < plan.sessions.len() && numbers.len() - done < CONNECTING {
                let session = &plan.sessions[numbers.len()];
                let token = plan.tokens.get(numbers.len() % plan.tokens.len().max(1)).map(String::as_str);
                let number = self.start(session, numbers.len(), token)?;
                if plan.witness && numbers.is_empty() {
                    let witness = self.dialect.witness(0, &session.destinations);
                    self.client(number)?.witness = witness.map(Box::new);
                }
                numbers.push(number);
            }
            self.turn(last + PATIENCE)?;
            if !self.opened.is_empty() {
                done += self.opened.len();
                last = clock::now();
                self.opened.clear();
            } else if clock::now() - last > PATIENCE {
                let waiting = self.clients.iter().flatten().find(|client| !matches!(client.phase, Phase::Open));
                let words = waiting.map(Client::last_words).unwrap_or_default();
                return Err(format!("{done} clients are connected, and no other for 30 seconds{words}").into());
            }
        }
        // How the kernel acknowledges would otherwise depend on the protocol, and on how long the others took to connect.
        let interactive = self.reception.interactive;
        for number in &numbers {
            self.client(*number)?.socket.set_interactive(interactive)?;
        }
        Ok(numbers)
    }

    /// Begins to connect one more client; returns its number. It stands among those whose opening is done once it is.
    pub(crate) fn start(
        &mut self,
        session: &Session,
        subscriber: usize,
        token: Option<&str>,
    ) -> Result<usize, Box<dyn Error>> {
        let host = self.address.to_string();
        // Like a browser: a cookie without the page it belongs to is refused.
        let login = token.map_or_else(Vec::new, |token| {
            vec![("Cookie".to_owned(), format!("token={token}")), ("Origin".to_owned(), format!("http://{host}"))]
        });
        let (request, steps) = match &session.transport {
            Transport::WebSocket(role) => {
                let mut headers = self.dialect.headers();
                headers.extend(login);
                let request = websocket::upgrade(&host, &self.dialect.request_target(*role), &headers);
                (request, self.dialect.opening(*role, subscriber, &session.destinations))
            }
            Transport::EventStream(target) => {
                let login: String = login.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                (format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{login}\r\n"), Vec::new())
            }
        };
        let event_stream = matches!(session.transport, Transport::EventStream(_));
        let mut client = Client::new(Socket::connect(self.address)?, event_stream, &session.destinations, steps);
        client.socket.send(request.as_bytes())?;
        let number = self.free.pop().unwrap_or(self.clients.len());
        self.poller.add(&client.socket, number)?;
        if number == self.clients.len() {
            self.clients.push(Some(client));
        } else {
            self.clients[number] = Some(client);
        }
        Ok(number)
    }

    /// The clients that have become usable since this was last asked.
    pub(crate) fn take_opened(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.opened)
    }

    /// The answer to a client's request has come.
    pub(super) fn upgraded(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let client = self.client(number)?;
        let Phase::Upgrading(steps) = std::mem::replace(&mut client.phase, Phase::Open) else { return Ok(()) };
        self.step(number, steps)
    }

    /// A payload has come while the opening waited.
    pub(super) fn answered(&mut self, number: usize, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        let client = self.client(number)?;
        client.heard(payload);
        let Phase::Opening(steps) = &mut client.phase else { return Ok(()) };
        let awaited =
            matches!(steps.front(), Some(Step::Await(needle)) if memchr::memmem::find(payload, needle).is_some());
        let steps = std::mem::take(steps);
        if let Some(witness) = &mut client.witness {
            witness.read(payload)?;
        }
        if awaited {
            return self.step(number, steps.into_iter().skip(1).collect());
        }
        client.phase = Phase::Opening(steps);
        if let Some(answer) = self.dialect.answer(payload) {
            self.say(number, &answer)?;
        }
        Ok(())
    }

    /// Goes on up to the next step that waits, or to the end.
    fn step(&mut self, number: usize, mut steps: VecDeque<Step>) -> Result<(), Box<dyn Error>> {
        while let Some(Step::Send(payload)) = steps.front() {
            self.say(number, payload)?;
            steps.pop_front();
        }
        let client = self.client(number)?;
        if steps.is_empty() {
            client.phase = Phase::Open;
            client.heard = 0;
            self.opened.push(number);
        } else {
            client.phase = Phase::Opening(steps);
        }
        Ok(())
    }
}

/// The length of the head that `octets` begin with, once it has come whole.
///
/// # Errors
/// Where the server refused.
pub(super) fn head(octets: &[u8]) -> Result<Option<usize>, Box<dyn Error>> {
    let Some(end) = memchr::memmem::find(octets, b"\r\n\r\n") else {
        if octets.len() > LONGEST_HEAD {
            return Err("the head of the server's answer does not end".into());
        }
        return Ok(None);
    };
    if !octets.starts_with(b"HTTP/1.1 101") && !octets.starts_with(b"HTTP/1.1 200") {
        let line = octets.split(|octet| *octet == b'\r').next().unwrap_or_default();
        return Err(format!("the server refused: {}", String::from_utf8_lossy(line)).into());
    }
    Ok(Some(end + 4))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use rustix::net::sockopt::tcp_quickack;

    use super::*;
    use crate::{
        dialect::{self, Variation},
        generator::Reception,
        subject::{LIMIT_ECHO, Subject},
    };

    /// Whether clients of a load are interactive once they are connected.
    fn are_interactive(reception: Reception) -> Vec<bool> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let server = thread::spawn(move || {
            let upgrade = |_| {
                let (mut client, _) = listener.accept().expect("it connects");
                client.read_exact(&mut [0]).expect("it asks");
                client.write_all(websocket::UPGRADED).expect("it is there");
                client
            };
            [0, 1].map(upgrade)
        });
        let language = Subject::limit(LIMIT_ECHO).expect("it is one of three").language;
        let dialect = dialect::of(&language, &Variation::default()).expect("it is known");
        let mut load = Load::new(address, &*dialect, 1, 32, reception).expect("the body is long enough");
        let plan = Plan { sessions: vec![Session::subscriber(Vec::new()); 2], ..Plan::default() };
        load.connect(&plan).expect("the server upgrades");
        server.join().expect("it is done");
        let interactive = |client: &Client| !tcp_quickack(&client.socket).expect("it is a TCP socket");
        load.clients.iter().flatten().map(interactive).collect()
    }

    #[test]
    fn all_clients_begin_to_listen_or_interactive() {
        assert_eq!(are_interactive(Reception::default()), [false, false]);
        assert_eq!(are_interactive(Reception { interactive: true, ..Reception::default() }), [true, true]);
    }

    #[test]
    fn a_head_is_waited_for_and_a_refusal_is_told() {
        assert_eq!(head(b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n").expect("it may go on"), None);
        let whole = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n\x81\x00";
        assert_eq!(head(whole).expect("it is good"), Some(whole.len() - 2));
        let refusal = head(b"HTTP/1.1 403 Forbidden\r\n\r\n").expect_err("it is a refusal");
        assert_eq!(refusal.to_string(), "the server refused: HTTP/1.1 403 Forbidden");
    }
}
