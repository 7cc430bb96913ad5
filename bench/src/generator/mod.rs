//! The load: many clients on one thread, without a runtime, so that the generator is never what is measured.
//!
//! ```text
//! epoll -> one recv into a shared buffer -> frames in place -> stamp -> ledger: lost? doubled? in order?
//!                                                                    -> lane: latency, who has it all?
//! ```
//!
//! Some microseconds of a CPU go into a `recv`, nearly all of them the kernel's, which also acknowledges; [`Effort`] says how many it
//! was. All clients are checked for every message; one of them is also a [`Witness`](crate::dialect::Witness).

mod client;
mod flight;
mod lane;
mod opening;
mod pace;

use std::{error::Error, net::SocketAddr};

use memchr::memmem::Finder;

use crate::{
    clock,
    dialect::Dialect,
    generator::{client::Client, flight::Stream},
    ledger::Verdict,
    poller::Poller,
    socket::{Received, SCRATCH},
    stamp::{self, Stamp},
    websocket::{self, Header},
};

pub(crate) use lane::{Lane, Outcome};
pub(crate) use opening::{Plan, Session, Transport};
pub(crate) use pace::{Companion, Nobody, Pace};

/// How all clients of a load receive.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reception {
    /// Asks again and again for what has come, instead of sleeping until something has.
    pub(crate) spins: bool,
    /// Begins as one who answers what it receives: see [`set_interactive`](crate::socket::Socket::set_interactive).
    pub(crate) interactive: bool,
}

impl Reception {
    /// What either of two asks for.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { spins: self.spins || other.spins, interactive: self.interactive || other.interactive }
    }
}

/// Clients that connect at the same time.
const CONNECTING: usize = 32;

/// Connected clients, and what they have received.
pub(crate) struct Load<'a> {
    address: SocketAddr,
    dialect: &'a dyn Dialect,
    reception: Reception,
    poller: Poller,
    /// By their numbers; a place is empty once its client was closed.
    clients: Vec<Option<Client>>,
    /// Empty places. What the poller still says of a closed client is of no harm to the next one there.
    free: Vec<usize>,
    streams: Vec<Stream>,
    lanes: Vec<Lane>,
    /// What everyone's messages carry, so that what an earlier load left behind is not counted.
    run: u8,
    body: Vec<u8>,
    scratch: Vec<u8>,
    /// Where a message is put together.
    payload: Vec<u8>,
    frames: Vec<u8>,
    marker: Finder<'static>,
    /// Streams with a message that has reached everyone, once for each, since this was last emptied.
    completed: Vec<usize>,
    /// Clients that have become usable since this was last emptied.
    opened: Vec<usize>,
    faults: Faults,
    effort: Effort,
}

/// What must not happen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Faults {
    /// Deliveries that came twice.
    pub(crate) doubled: u64,
    /// Deliveries after later ones of the same publisher and destination.
    pub(crate) disordered: u64,
    /// Deliveries to those who had not subscribed.
    pub(crate) strayed: u64,
}

/// What the generator itself did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort {
    /// `recv` calls.
    pub(crate) receives: u64,
    /// Octets of all deliveries, frame headers included.
    pub(crate) octets: u64,
    /// Frames that carried deliveries.
    pub(crate) frames: u64,
}

impl<'a> Load<'a> {
    /// A load without clients; `body` octets go into each message.
    pub(crate) fn new(
        address: SocketAddr,
        dialect: &'a dyn Dialect,
        run: u8,
        body: usize,
        reception: Reception,
    ) -> Result<Self, Box<dyn Error>> {
        if body < stamp::LENGTH {
            return Err(format!("a body has at least {} octets, those of its stamp", stamp::LENGTH).into());
        }
        Ok(Self {
            address,
            dialect,
            reception,
            poller: Poller::new(reception.spins)?,
            clients: Vec::new(),
            free: Vec::new(),
            streams: Vec::new(),
            lanes: Vec::new(),
            run,
            body: vec![b'x'; body],
            scratch: vec![0; SCRATCH],
            payload: Vec::new(),
            frames: Vec::new(),
            marker: Finder::new(stamp::MARKER),
            completed: Vec::new(),
            opened: Vec::new(),
            faults: Faults::default(),
            effort: Effort::default(),
        })
    }

    /// A stream from a client to a destination that so many are subscribed to; returns its number.
    pub(crate) fn stream(&mut self, publisher: usize, destination: usize, audience: usize) -> usize {
        self.streams.push(Stream::new(publisher, destination, audience));
        self.streams.len() - 1
    }

    /// What went wrong so far.
    pub(crate) fn faults(&self) -> Faults {
        self.faults
    }

    /// What it took so far.
    pub(crate) fn effort(&self) -> Effort {
        self.effort
    }

    /// Messages that the witness has read, if there is one.
    pub(crate) fn witnessed(&self) -> Option<u64> {
        self.clients.iter().flatten().find_map(|client| Some(client.witness.as_ref()?.messages()))
    }

    /// Payloads without a stamp that a client has been given since it was opened: receipts, heart-beats.
    pub(crate) fn heard(&self, client: usize) -> u64 {
        self.clients.get(client).and_then(Option::as_ref).map_or(0, |client| client.heard)
    }

    /// Closes a client's connection.
    pub(crate) fn close(&mut self, client: usize) {
        // The kernel takes it out of the poller with its last descriptor.
        if self.clients[client].take().is_some() {
            self.free.push(client);
        }
    }

    /// Sends a text message of one's own making from a client.
    pub(crate) fn say(&mut self, client: usize, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        self.frames.clear();
        websocket::write_masked_frame(websocket::TEXT, payload, &mut self.frames);
        self.write(client)
    }

    /// Publishes so many messages of a stream in one write. `sent` is when they should have been: a publisher who is late
    /// makes its messages older, and not fewer.
    fn publish(&mut self, stream: usize, messages: u32, sent: u64) -> Result<(), Box<dyn Error>> {
        self.frames.clear();
        let Stream { publisher, destination, .. } = self.streams[stream];
        for _ in 0..messages {
            let number = self.streams[stream].depart();
            // Streams are fewer than 2^20: `Plan` says how many clients there may be.
            Stamp { run: self.run, stream: stream as u32, number, sent }.write(&mut self.body);
            self.payload.clear();
            self.dialect.publish(destination, &self.body, &mut self.payload);
            websocket::write_masked_frame(websocket::TEXT, &self.payload, &mut self.frames);
        }
        self.write(publisher)
    }

    /// Writes `frames`.
    fn write(&mut self, client: usize) -> Result<(), Box<dyn Error>> {
        let Some(sender) = &mut self.clients[client] else { return Err("a closed client was to send".into()) };
        if !sender.socket.send(&self.frames)? {
            self.poller.watch_room(&sender.socket, client, true)?;
        }
        Ok(())
    }

    /// Waits for something to happen, until a time at most, and handles it.
    pub(crate) fn turn(&mut self, until: u64) -> Result<(), Box<dyn Error>> {
        let ready = self.poller.wait(Some(until.saturating_sub(clock::now())))?;
        for index in 0..ready {
            let ready = self.poller.ready(index);
            if ready.writable {
                self.flush(ready.number)?;
            }
            if ready.readable {
                self.receive(ready.number)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        if let Some(client) = &mut self.clients[number]
            && client.socket.flush()?
        {
            self.poller.watch_room(&client.socket, number, false)?;
        }
        Ok(())
    }

    fn receive(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let Some(client) = &mut self.clients[number] else { return Ok(()) };
        self.effort.receives += 1;
        let octets = match client.socket.receive(&mut self.scratch)? {
            Received::Octets(octets) => octets,
            Received::Nothing => return Ok(()),
            Received::End => return Err(format!("the server closed connection {number}{}", client.last_words()).into()),
        };
        let scratch = std::mem::take(&mut self.scratch);
        let handled = self.handle(number, &scratch[..octets]);
        self.scratch = scratch;
        handled
    }

    /// Handles what came for a client and keeps what has not come whole.
    fn handle(&mut self, number: usize, octets: &[u8]) -> Result<(), Box<dyn Error>> {
        let mut at = 0;
        if self.client(number)?.is_upgrading() {
            let Some(head) = opening::head(octets)? else {
                self.client(number)?.socket.keep(octets);
                return Ok(());
            };
            at = head;
            self.upgraded(number)?;
        }
        if self.client(number)?.is_event_stream() {
            at += self.handle_events(number, &octets[at..])?;
        } else {
            while let Some(header) = Header::read(&octets[at..]).filter(|header| octets.len() - at >= header.frame()) {
                let payload = &octets[at + header.length..at + header.frame()];
                self.handle_frame(number, header, payload)?;
                at += header.frame();
            }
        }
        self.client(number)?.socket.keep(&octets[at..]);
        Ok(())
    }

    fn handle_frame(&mut self, number: usize, header: Header, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        match header.opcode {
            websocket::TEXT | websocket::BINARY | websocket::CONTINUATION => {
                if self.client(number)?.is_opening() {
                    return self.answered(number, payload);
                }
                if let Some(witness) = &mut self.client(number)?.witness {
                    witness.read(payload)?;
                }
                let mut found = 0;
                let mut at = 0;
                while let Some(start) = self.marker.find(&payload[at..]) {
                    at += start;
                    if let Some(stamp) = Stamp::read(&payload[at..]) {
                        self.deliver(number, stamp);
                        found += 1;
                    }
                    at += stamp::MARKER.len();
                }
                if found > 0 {
                    self.effort.frames += 1;
                    self.effort.octets += header.frame() as u64;
                } else {
                    self.client(number)?.heard(payload);
                }
                if (found == 0 || self.dialect.answers_deliveries())
                    && let Some(answer) = self.dialect.answer(payload)
                {
                    self.say(number, &answer)?;
                }
                Ok(())
            }
            websocket::PING => {
                self.frames.clear();
                websocket::write_masked_frame(websocket::PONG, payload, &mut self.frames);
                self.write(number)
            }
            websocket::CLOSE => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                let words = self.client(number)?.last_words();
                Err(format!("the server closed connection {number}: {code} {reason}{words}").into())
            }
            _ => Ok(()),
        }
    }

    /// Deliveries of an event stream: there, stamps alone are looked for. Returns how many octets are done with.
    fn handle_events(&mut self, number: usize, octets: &[u8]) -> Result<usize, Box<dyn Error>> {
        let mut at = 0;
        while let Some(start) = self.marker.find(&octets[at..]) {
            at += start;
            if octets.len() - at < stamp::LENGTH {
                self.effort.octets += at as u64;
                return Ok(at);
            }
            if let Some(stamp) = Stamp::read(&octets[at..]) {
                self.deliver(number, stamp);
                self.effort.frames += 1;
                at += stamp::LENGTH;
            } else {
                at += stamp::MARKER.len();
            }
        }
        // A marker may have come in part.
        let done = octets.len().saturating_sub(stamp::MARKER.len() - 1).max(at);
        self.effort.octets += done as u64;
        Ok(done)
    }

    /// Judges one delivery.
    fn deliver(&mut self, number: usize, stamp: Stamp) {
        if stamp.run != self.run {
            return;
        }
        let stream = stamp.stream as usize;
        let (Some(client), Some(of)) = (self.clients[number].as_mut(), self.streams.get_mut(stream)) else {
            self.faults.strayed += 1;
            return;
        };
        if !client.hears(of.destination) {
            self.faults.strayed += 1;
            return;
        }
        match client.ledger.judge(stamp.stream, stamp.number) {
            Verdict::InOrder => {}
            Verdict::OutOfOrder => self.faults.disordered += 1,
            Verdict::Doubled => {
                self.faults.doubled += 1;
                return;
            }
            Verdict::Forgiven => return,
        }
        if of.arrive(stamp.number) {
            self.completed.push(stream);
        }
        if let Some(lane) = self.lanes.get_mut(of.lane) {
            lane.delivered(clock::now().saturating_sub(stamp.sent));
        }
    }

    fn client(&mut self, number: usize) -> Result<&mut Client, Box<dyn Error>> {
        self.clients[number].as_mut().ok_or_else(|| "a closed client was to receive".into())
    }
}
