//! The limit reference: a server that does nothing but what no server can leave out.
//!
//! It accepts the same sockets, answers the same openings, and writes the same octets to each subscriber. They are encoded
//! beforehand; of a message only its stamp is copied in. *Plain*, each delivery is a `write`; *coalescing*, what one `recv`
//! brought is one `write` for each subscriber. One thread, no runtime, no checks: its clients are the load generator.

mod connection;
mod room;

use std::{
    collections::HashMap,
    error::Error,
    net::{Ipv4Addr, TcpListener},
};

use crate::{
    dialect::FRAME,
    limit::{
        connection::{Connection, Kind},
        room::Room,
    },
    poller::Poller,
    socket::{Received, SCRATCH, Socket},
    websocket::{self, Header},
};

/// The listener's number in the poller.
const LISTENER: usize = usize::MAX >> 1;

/// The room of all subscribers without a dialect.
const RAW_ROOM: &[u8] = b"";

/// The server.
#[derive(Debug)]
pub(crate) struct Limit {
    listener: TcpListener,
    poller: Poller,
    coalescing: bool,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    names: HashMap<Vec<u8>, usize>,
    rooms: Vec<Room>,
    /// Rooms with something that is not written yet.
    dirty: Vec<usize>,
    out: Vec<u8>,
}

impl Limit {
    /// Listens on a port of the loopback address.
    pub(crate) fn bind(port: u16, coalescing: bool) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let poller = Poller::new(false)?;
        poller.add(&listener, LISTENER)?;
        Ok(Self {
            listener,
            poller,
            coalescing,
            connections: Vec::new(),
            free: Vec::new(),
            names: HashMap::new(),
            rooms: Vec::new(),
            dirty: Vec::new(),
            out: Vec::new(),
        })
    }

    /// Serves until it is killed.
    pub(crate) fn serve(mut self) -> Result<(), Box<dyn Error>> {
        let mut scratch = vec![0; SCRATCH];
        loop {
            for index in 0..self.poller.wait(None)? {
                let ready = self.poller.ready(index);
                if ready.number == LISTENER {
                    self.accept()?;
                    continue;
                }
                if ready.writable {
                    self.flush(ready.number)?;
                }
                if ready.readable && self.receive(ready.number, &mut scratch).is_err() {
                    self.close(ready.number);
                }
                self.write_rooms()?;
            }
        }
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        // One for each event: it is reported again while there are more.
        let Ok((stream, _)) = self.listener.accept() else { return Ok(()) };
        let socket = Socket::new(stream)?;
        let number = self.free.pop().unwrap_or(self.connections.len());
        self.poller.add(&socket, number)?;
        if number == self.connections.len() {
            self.connections.push(None);
        }
        self.connections[number] = Some(Connection::new(socket));
        Ok(())
    }

    fn close(&mut self, number: usize) {
        let Some(connection) = self.connections[number].take() else { return };
        self.free.push(number);
        for (_, room) in connection.subscriptions {
            self.rooms[room].leave(number);
        }
    }

    /// Writes what there was no room for before.
    fn flush(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        if let Some(connection) = &mut self.connections[number]
            && connection.socket.flush().unwrap_or(true)
        {
            self.poller.watch_room(&connection.socket, number, false)?;
        }
        Ok(())
    }

    /// # Errors
    /// Where the connection is to be closed.
    fn receive(&mut self, number: usize, scratch: &mut [u8]) -> Result<(), Box<dyn Error>> {
        let Some(connection) = &mut self.connections[number] else { return Ok(()) };
        let octets = match connection.socket.receive(scratch)? {
            Received::Octets(octets) => octets,
            Received::Nothing => return Ok(()),
            Received::End => return Err("it has ended".into()),
        };
        let mut at = 0;
        if connection.kind == Kind::Upgrading {
            let Some(end) = memchr::memmem::find(&scratch[..octets], b"\r\n\r\n") else {
                connection.socket.keep(&scratch[..octets]);
                return Ok(());
            };
            connection.kind = Kind::of_request(&scratch[..end]);
            at = end + 4;
            self.write(number, websocket::UPGRADED)?;
            if self.kind(number) == Some(Kind::Subscriber) {
                self.join(number, RAW_ROOM, b"");
            }
        }
        while let Some(header) = Header::read(&scratch[at..octets]).filter(|header| octets - at >= header.frame()) {
            let payload = &mut scratch[at + header.length..at + header.frame()];
            if let Some(mask) = header.mask {
                websocket::unmask(payload, mask);
            }
            match header.opcode {
                websocket::TEXT | websocket::BINARY => self.handle(number, payload)?,
                websocket::CLOSE => return Err("it was closed".into()),
                _ => {}
            }
            at += header.frame();
        }
        if let Some(connection) = &mut self.connections[number] {
            connection.socket.keep(&scratch[at..octets]);
        }
        Ok(())
    }

    /// Handles a message of a client.
    fn handle(&mut self, number: usize, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        match self.kind(number) {
            Some(Kind::Echo) => self.answer(number, payload),
            Some(Kind::Publisher) => {
                let room = self.room(RAW_ROOM);
                self.rooms[room].encode_raw(payload);
                self.publish(room)
            }
            Some(Kind::Stomp) => self.handle_stomp(number, payload),
            Some(Kind::Subscriber | Kind::Upgrading) | None => Ok(()),
        }
    }

    fn handle_stomp(&mut self, number: usize, frame: &[u8]) -> Result<(), Box<dyn Error>> {
        let Some(end) = memchr::memmem::find(frame, b"\n\n") else { return Ok(()) };
        let (head, body) = (&frame[..end + 1], &frame[end + 2..frame.len().saturating_sub(1).max(end + 2)]);
        let header = |name: &str| connection::header(head, name);
        match head.split(|octet| *octet == b'\n').next() {
            Some(b"SEND") => {
                let size = header(FRAME).and_then(|size| std::str::from_utf8(size).ok()?.parse().ok());
                let name = header("destination").unwrap_or_default();
                let room = self.room(name);
                self.rooms[room].encode_stomp(name, body, size);
                return self.publish(room);
            }
            Some(b"CONNECT") => {
                return self.answer(number, b"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0");
            }
            Some(b"SUBSCRIBE") => {
                self.join(number, header("destination").unwrap_or_default(), header("id").unwrap_or_default());
            }
            Some(b"UNSUBSCRIBE") => self.leave(number, header("id").unwrap_or_default()),
            _ => {}
        }
        match header("receipt") {
            Some(receipt) => self.answer(number, &[b"RECEIPT\nreceipt-id:", receipt, b"\n\n\0"].concat()),
            None => Ok(()),
        }
    }

    /// A message of a room is encoded: to everyone at once, or with what else has come.
    fn publish(&mut self, room: usize) -> Result<(), Box<dyn Error>> {
        if self.coalescing {
            if self.rooms[room].collect() {
                self.dirty.push(room);
            }
            return Ok(());
        }
        self.write_room(room)
    }

    fn write_rooms(&mut self) -> Result<(), Box<dyn Error>> {
        for place in 0..self.dirty.len() {
            self.write_room(self.dirty[place])?;
            self.rooms[self.dirty[place]].clear();
        }
        self.dirty.clear();
        Ok(())
    }

    /// Writes what a room has to everyone in it.
    fn write_room(&mut self, room: usize) -> Result<(), Box<dyn Error>> {
        let room = &self.rooms[room];
        let octets = room.octets(self.coalescing);
        for member in &room.members {
            let Some(connection) = &mut self.connections[*member] else { continue };
            // Whoever has gone is found out by reading.
            if !connection.socket.send(octets).unwrap_or(true) {
                self.poller.watch_room(&connection.socket, *member, true)?;
            }
        }
        Ok(())
    }

    fn join(&mut self, number: usize, name: &[u8], id: &[u8]) {
        let room = self.room(name);
        self.rooms[room].join(number, id);
        if let Some(connection) = &mut self.connections[number] {
            connection.subscriptions.push((id.to_vec(), room));
        }
    }

    fn leave(&mut self, number: usize, id: &[u8]) {
        let Some(connection) = &mut self.connections[number] else { return };
        if let Some(place) = connection.subscriptions.iter().position(|(subscription, _)| subscription == id) {
            let (_, room) = connection.subscriptions.swap_remove(place);
            self.rooms[room].leave(number);
        }
    }

    /// The room of a name; a new one where there is none.
    fn room(&mut self, name: &[u8]) -> usize {
        if let Some(room) = self.names.get(name) {
            return *room;
        }
        self.rooms.push(Room::default());
        self.names.insert(name.to_vec(), self.rooms.len() - 1);
        self.rooms.len() - 1
    }

    fn kind(&self, number: usize) -> Option<Kind> {
        Some(self.connections[number].as_ref()?.kind)
    }

    /// Sends a text message to one client.
    fn answer(&mut self, number: usize, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        websocket::write_frame(websocket::TEXT, payload, &mut out);
        let written = self.write(number, &out);
        self.out = out;
        written
    }

    fn write(&mut self, number: usize, octets: &[u8]) -> Result<(), Box<dyn Error>> {
        if let Some(connection) = &mut self.connections[number]
            && !connection.socket.send(octets)?
        {
            self.poller.watch_room(&connection.socket, number, true)?;
        }
        Ok(())
    }
}
