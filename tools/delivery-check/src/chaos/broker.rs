//! The broker of a run: what it is, and the process that it runs in, so that it can be killed.

use std::{
    error::Error,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    time::Duration,
};

use futures_util::FutureExt;
use parlor_client::HeartBeat;
use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::{AuthError, Handshake, Principal},
    history::Retain,
};
use parlor_hyper::{EventsService, WebSocketService};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

/// For every destination; the number of messages is what binds.
const HISTORY_OCTETS: usize = 64 << 20;

/// What stands before the addresses in the broker's one line of output.
const LISTENING: &str = "listening on ";

/// How the broker of a run differs from another run's.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BrokerOptions {
    /// Messages that each destination keeps.
    pub history: usize,
    /// The heart-beats that it offers, both ways.
    pub heart_beat: Duration,
}

impl BrokerOptions {
    /// With that many messages of history, and heart-beats of that period.
    #[must_use]
    pub const fn new(history: usize, heart_beat: Duration) -> Self {
        Self { history, heart_beat }
    }
}

/// Heart-beats of that period both ways.
pub(super) fn heart_beat(period: Duration) -> HeartBeat {
    let period = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    HeartBeat { can_send_ms: period, wants_ms: period }
}

/// Is a broker on two free ports, one for event streams, until standard input ends: with the process that started it. Prints its addresses.
///
/// # Errors
/// When it cannot listen.
#[expect(clippy::print_stdout, reason = "its output is how whoever started it learns the address")]
pub async fn serve(options: BrokerOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**");
    let config = Config::development().heart_beat(heart_beat(options.heart_beat)).sse_heart_beat(options.heart_beat);
    let realtime = Realtime::builder(Router::new().with_state(()))
        .config(config)
        .authorize(rules)
        .authenticate(named)
        .history("/topic/**", Retain::last(options.history).up_to(HISTORY_OCTETS))
        .build()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let streams = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{LISTENING}{} {}", listener.local_addr()?, streams.local_addr()?);
    let service = WebSocketService::new(&realtime);
    let events = EventsService::new(&realtime);
    let orphaned = async {
        let _ = tokio::io::stdin().read(&mut [0]).await;
    };
    let orphaned = orphaned.shared();
    tokio::try_join!(
        parlor_hyper::serve(listener, service, realtime.clone(), orphaned.clone()),
        parlor_hyper::serve(streams, events, realtime, orphaned),
    )?;
    Ok(())
}

/// Believes every name: message keys belong to users, and have to outlive a session.
fn named(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
    let name = handshake.bearer()?.ok_or(AuthError::Missing)?;
    Ok(Principal::user(name.parse().map_err(|_| AuthError::Invalid)?))
}

/// A running broker. It is killed when this is dropped.
pub(super) struct Broker {
    child: Child,
    pub(super) address: SocketAddr,
    /// Of its event streams.
    pub(super) streams: SocketAddr,
}

impl Broker {
    /// Starts one: this program with other arguments.
    pub(super) async fn start(options: BrokerOptions) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (history, heart_beat) = (options.history.to_string(), options.heart_beat.as_millis().to_string());
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--history", &history, "--heart-beat-ms", &heart_beat])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("the broker has no output")?;
        let line = BufReader::new(output).lines().next_line().await?.ok_or("the broker ended before it listened")?;
        let addresses = line.strip_prefix(LISTENING).and_then(|addresses| addresses.split_once(' '));
        let (address, streams) = addresses.ok_or("the broker does not say its addresses")?;
        Ok(Self { child, address: address.parse()?, streams: streams.parse()? })
    }

    /// Kills it, as a crash does.
    pub(super) async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// The most memory that was in RAM so far, where the system says it.
    pub(super) fn peak_resident_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    }
}
