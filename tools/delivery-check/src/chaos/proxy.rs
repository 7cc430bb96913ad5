//! A TCP proxy that breaks connections.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{
    chaos::fault::{Direction, End, Fault},
    random::Random,
};

/// What is read at once; a fault splits it where it has to.
const CHUNK: usize = 4096;

/// What the proxy does to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing.
    Calm,
    /// Each breaks as its fault says.
    Storm,
    /// All are reset, and new ones at once.
    Dark,
}

/// A proxy. It ends, and its connections with it, when this is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    weather: watch::Sender<Weather>,
    upstream: watch::Sender<SocketAddr>,
    broken: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

/// What its connections share.
#[derive(Clone)]
struct Shared {
    weather: watch::Receiver<Weather>,
    broken: Arc<AtomicU64>,
}

impl Proxy {
    pub(super) async fn start(upstream: SocketAddr, random: Random, stall: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (weather, shared) = watch::channel(Weather::Calm);
        let (upstream, target) = watch::channel(upstream);
        let broken = Arc::new(AtomicU64::new(0));
        let shared = Shared { weather: shared, broken: Arc::clone(&broken) };
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, shared, random, stall));
        Ok(Self { address, weather, upstream, broken, _tasks: tasks })
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// New connections go there.
    pub(super) fn set_upstream(&self, upstream: SocketAddr) {
        self.upstream.send_replace(upstream);
    }

    /// Connections that it broke by a fault, those among them that were not open yet.
    pub(super) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    upstream: watch::Receiver<SocketAddr>,
    shared: Shared,
    mut random: Random,
    stall: Duration,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let fault = Fault::draw(&mut random, stall);
                let (upstream, shared) = (*upstream.borrow(), shared.clone());
                connections.spawn(async move {
                    // A connection that fails by itself is none of the proxy's faults, but a broken one all the same.
                    let _ = connect(client, upstream, fault, shared).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(mut client: TcpStream, upstream: SocketAddr, fault: Fault, mut shared: Shared) -> io::Result<()> {
    if *shared.weather.borrow() == Weather::Dark {
        return client.set_zero_linger();
    }
    let mut broker = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (paused, pause) = watch::channel(false);
    let strikes = Strikes { weather: shared.weather.clone(), paused };
    let (from_client, to_client) = client.split();
    let (from_broker, to_broker) = broker.split();
    let struck = |direction| (fault.direction == direction).then_some((fault, &strikes));
    let end = tokio::select! {
        end = pump(from_client, to_broker, pause.clone(), struck(Direction::ToBroker)) => end?,
        end = pump(from_broker, to_client, pause, struck(Direction::ToClient)) => end?,
        () = killed(strikes.weather.clone(), &fault) => Some(fault.end),
        _ = shared.weather.wait_for(|weather| *weather == Weather::Dark) => Some(End::Reset),
    };
    if end.is_some() {
        shared.broken.fetch_add(1, Ordering::Relaxed);
    }
    if end == Some(End::Reset) {
        client.set_zero_linger()?;
        broker.set_zero_linger()?;
    }
    Ok(())
}

/// Waits until the connection's time is over, and there is a storm. A stalled one stands still for the whole of it first.
async fn killed(mut weather: watch::Receiver<Weather>, fault: &Fault) {
    tokio::time::sleep(fault.life + fault.stall.unwrap_or_default()).await;
    if weather.wait_for(|weather| *weather == Weather::Storm).await.is_err() {
        std::future::pending().await
    }
}

/// What the direction of a fault needs for it.
struct Strikes {
    weather: watch::Receiver<Weather>,
    paused: watch::Sender<bool>,
}

/// Forwards until the stream ends, or the fault has struck.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut pause: watch::Receiver<bool>,
    struck: Option<(Fault, &Strikes)>,
) -> io::Result<Option<End>> {
    let mut chunk = [0; CHUNK];
    let mut left = struck.map(|(fault, _)| fault.after);
    let mut stall = struck.and_then(|(fault, _)| fault.stall);
    loop {
        // Not reading while it is paused is what a stalled network is like: what comes fills the buffers of the sender.
        let _ = pause.wait_for(|paused| !*paused).await;
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return Ok(None);
        }
        let mut octets = &chunk[..count];
        if let (Some((fault, strikes)), Some(room)) = (struck, left) {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            if octets.len() <= room {
                left = Some((room - octets.len()) as u64);
            } else if *strikes.weather.borrow() == Weather::Storm {
                to.write_all(&octets[..room]).await?;
                octets = &octets[room..];
                let Some(time) = stall.take() else { return Ok(Some(fault.end)) };
                strikes.paused.send_replace(true);
                tokio::time::sleep(time).await;
                strikes.paused.send_replace(false);
                left = Some(fault.after);
            }
        }
        to.write_all(octets).await?;
    }
}
