//! A run from its beginning to its verdict.

use std::{
    error::Error,
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    Event,
    chaos::{
        broker::{Broker, BrokerOptions},
        event_stream::EventStreams,
        feed::{Transport, WebSocket},
        proxy::{Proxy, Weather},
        publisher::{BATCH, publish},
        scene::{LAST, PATIENCE, Scene, Subscribed, Tally},
        subscriber::{Place, Subscriber},
    },
    checker::{Verdict, check},
    log::{Recorder, read},
    random::Random,
};

/// More than is published during any outage of a run in which the history covers all.
const LONG_HISTORY: usize = 100_000;

/// Less than is published during an outage of a run in which it does not.
const SHORT_HISTORY: usize = 20;

/// Heart-beats where connections are broken by nothing but the outages.
const SLOW_HEART_BEAT: Duration = Duration::from_secs(10);

/// In percent, how often a subscriber begins anew with another client after a reconnect.
const RENEWALS: u64 = 10;

/// What everybody waits for at a step, and what it means when it does not come.
type Failure = Box<dyn Error + Send + Sync>;

/// What is done to the connections, and what is promised then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// The broker is killed and started anew: each subscription is told `recovered:false`.
    Restarts,
    /// During an outage of the subscribers more is published than is kept: each is told `recovered:false`.
    SmallHistory,
    /// Connections break, and the history covers it: nothing is lost or doubled, and each is told `recovered:true`.
    Window,
}

/// How subscribers listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transports {
    /// By either, and each new client of a subscriber by another one perhaps.
    Both,
    /// By event streams over HTTP.
    EventStreams,
    /// By STOMP over WebSocket.
    WebSocket,
}

/// A run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunOptions {
    /// What is done.
    pub mode: Mode,
    /// Decides the faults.
    pub seed: u64,
    /// Reconnects after which a run of [`Mode::Window`] ends.
    pub reconnects: u64,
    /// Outages after which a run of the other modes ends.
    pub outages: u64,
    /// Clients that send.
    pub publishers: u64,
    /// Clients that listen, each to every destination.
    pub subscribers: usize,
    /// Topics.
    pub destinations: usize,
    /// How subscribers listen.
    pub transports: Transports,
    /// How long a stalled connection stands still. Heart-beats have a fifth of it: they find it.
    pub stall: Duration,
    /// Where the log is written to.
    pub log: PathBuf,
}

impl RunOptions {
    /// A run of that mode with 20 publishers, 6 subscribers, 4 destinations, 1,000 reconnects or 10 outages, stalls of 1 s.
    #[must_use]
    pub fn new(mode: Mode, seed: u64, log: impl Into<PathBuf>) -> Self {
        Self {
            mode,
            seed,
            reconnects: 1000,
            outages: 10,
            publishers: 20,
            subscribers: 6,
            destinations: 4,
            transports: Transports::Both,
            stall: Duration::from_secs(1),
            log: log.into(),
        }
    }
}

/// What a run showed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The checker's.
    pub verdict: Verdict,
    /// What the run itself found wrong.
    pub faults: Vec<String>,
    /// Sessions that were opened after the first one of each client.
    pub reconnects: u64,
    /// Among them clients that were thrown away and replaced.
    pub renewed: u64,
    /// Connections that the proxy broke, those among them that had not opened yet.
    pub broken: u64,
    /// Receipts that did not come, with which the application had to deal itself.
    pub unknown: u64,
    /// Messages that were refused.
    pub refused: u64,
    /// From the first octet to the last.
    pub duration: Duration,
    /// The most memory that any of the brokers had in RAM, where the system says it.
    pub peak_resident_bytes: Option<u64>,
}

impl Outcome {
    /// Whether every promise was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdict.is_proved() && self.faults.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} reconnects ({} with another client), {} connections broken, {} receipts unknown, {} messages refused, {:.1} s",
            self.reconnects,
            self.renewed,
            self.broken,
            self.unknown,
            self.refused,
            self.duration.as_secs_f64()
        )?;
        if let Some(octets) = self.peak_resident_bytes {
            writeln!(f, "the broker had at most {:.1} MiB in RAM", octets as f64 / f64::from(1 << 20))?;
        }
        write!(f, "{}", self.verdict.counts)
    }
}

/// The parts of a run while it runs.
struct Stage {
    options: RunOptions,
    scene: Arc<Scene>,
    broker: Broker,
    broker_options: BrokerOptions,
    publishing: Proxy,
    listening: Proxy,
    streaming: Proxy,
    /// Sessions that the calm beginning had.
    first: u64,
    publishers: JoinSet<()>,
    subscribers: JoinSet<Result<(), String>>,
    peak_resident_bytes: Option<u64>,
}

/// Runs, and checks the log. The broker's process is this program with the argument `serve`, which calls
/// [`serve`](crate::chaos::serve).
///
/// # Errors
/// When the run itself does not come to its end.
#[expect(clippy::disallowed_methods, reason = "the one reading of the clock: times of a log count from it")]
pub async fn run(options: RunOptions) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    let log = options.log.clone();
    let mut stage = Stage::set(options, begun).await?;
    stage.run().await?;
    // Whoever still waits for a message would write into what is read now.
    stage.publishers.shutdown().await;
    stage.subscribers.shutdown().await;
    let duration = begun.elapsed();
    stage.scene.recorder.finish()?;
    let Stage { options, scene, broker, publishing, listening, streaming, first, peak_resident_bytes, .. } = stage;
    let peak_resident_bytes = peak_resident_bytes.max(broker.peak_resident_bytes());
    let tally = scene.tally.borrow().clone();
    let verdict = check(&read(&log)?);
    Ok(Outcome {
        faults: faults(&options, &tally),
        verdict,
        reconnects: tally.sessions.saturating_sub(first),
        renewed: tally.renewed,
        broken: publishing.broken() + listening.broken() + streaming.broken(),
        unknown: tally.unknown,
        refused: tally.refused,
        duration,
        peak_resident_bytes,
    })
}

/// What subscriptions were told that they should not have been told.
fn faults(options: &RunOptions, tally: &Tally) -> Vec<String> {
    let mut faults = Vec::new();
    let told = |of: fn(&Subscribed) -> u64| tally.subscriptions.iter().map(of).sum::<u64>();
    let (recovered, not_recovered) = (told(|told| told.recovered), told(|told| told.not_recovered));
    let owed = options.outages * tally.subscriptions.len() as u64;
    match options.mode {
        Mode::Window if not_recovered > 0 => {
            faults.push(format!("recovered:false came {not_recovered} times, and the history covered everything"));
        }
        Mode::Restarts | Mode::SmallHistory if recovered > 0 || not_recovered != owed => faults.push(format!(
            "recovered:true came {recovered} times in place of none, recovered:false {not_recovered} times in place of {owed}"
        )),
        _ => {}
    }
    if tally.refused > 0 {
        faults.push(format!("{} messages were refused, and every one is allowed", tally.refused));
    }
    faults
}

impl Stage {
    /// Starts the broker, the proxies and all clients, and waits until every subscription has a message.
    async fn set(options: RunOptions, begun: Instant) -> Result<Self, Failure> {
        let window = options.mode == Mode::Window;
        let heart_beat = if window { options.stall / 5 } else { SLOW_HEART_BEAT };
        let history = if options.mode == Mode::SmallHistory { SHORT_HISTORY } else { LONG_HISTORY };
        let broker_options = BrokerOptions::new(history, heart_beat);
        let broker = Broker::start(broker_options).await?;
        let proxy = |upstream, stream| Proxy::start(upstream, Random::new(options.seed, stream), options.stall);
        let publishing = proxy(broker.address, 1).await?;
        let listening = proxy(broker.address, 2).await?;
        let streaming = proxy(broker.streams, 3).await?;
        let destinations: Vec<_> = (0..options.destinations).map(|number| format!("/topic/check/{number}")).collect();
        let subscriptions = options.subscribers * destinations.len();
        let tally = Tally {
            receipts: vec![0; destinations.len()],
            subscriptions: vec![Subscribed::default(); subscriptions],
            ..Tally::default()
        };
        let scene = Arc::new(Scene {
            recorder: Recorder::create(&options.log, begun)?,
            destinations,
            heart_beat,
            sends_again: options.mode != Mode::Restarts,
            renewals: if window { RENEWALS } else { 0 },
            tally: watch::Sender::new(tally),
            stop: watch::Sender::new(false),
        });
        let (mut publishers, mut subscribers) = (JoinSet::new(), JoinSet::new());
        let websocket: Arc<dyn Transport> =
            Arc::new(WebSocket { scene: Arc::clone(&scene), address: listening.address });
        let streams: Arc<dyn Transport> =
            Arc::new(EventStreams { scene: Arc::clone(&scene), address: streaming.address });
        let transports = match options.transports {
            Transports::Both => vec![websocket, streams],
            Transports::EventStreams => vec![streams],
            Transports::WebSocket => vec![websocket],
        };
        for number in 0..options.subscribers {
            let places = scene.destinations.iter().map(|destination| Place::new(destination)).collect();
            let subscriber = Subscriber {
                scene: Arc::clone(&scene),
                name: format!("s{number}"),
                first: number * scene.destinations.len(),
                transports: transports.clone(),
                random: Random::new(options.seed, 1000 + number as u64),
                places,
            };
            subscribers.spawn(subscriber.listen());
        }
        for number in 0..options.publishers {
            let random = Random::new(options.seed, 2000 + number);
            publishers.spawn(publish(Arc::clone(&scene), format!("p{number}"), publishing.address, random));
        }
        let mut stage = Self {
            options,
            scene,
            broker,
            broker_options,
            publishing,
            listening,
            streaming,
            first: 0,
            publishers,
            subscribers,
            peak_resident_bytes: None,
        };
        // What it begins with is a position, so that it can be cut off before its first message.
        stage.until("every subscription is confirmed", all(|told| told.confirmed)).await?;
        stage.first = stage.scene.tally.borrow().sessions;
        Ok(stage)
    }

    async fn run(&mut self) -> Result<(), Failure> {
        match self.options.mode {
            Mode::Restarts => {
                for outage in 1..=self.options.outages {
                    self.restart().await?;
                    self.until_all_resumed(outage).await?;
                }
            }
            Mode::SmallHistory => {
                for outage in 1..=self.options.outages {
                    self.set_listeners_weather(Weather::Dark);
                    self.outgrow_the_history().await?;
                    self.set_listeners_weather(Weather::Calm);
                    self.until_all_resumed(outage).await?;
                }
            }
            Mode::Window => self.storm().await?,
        }
        self.end().await
    }

    /// Breaks connections until there were enough reconnects.
    async fn storm(&mut self) -> Result<(), Failure> {
        self.publishing.set_weather(Weather::Storm);
        self.set_listeners_weather(Weather::Storm);
        let mut reached = 0;
        while reached < self.options.reconnects {
            // A storm in which nobody reconnects any more has found a fault.
            let next = self.first + reached + 1;
            self.until("a client reconnects", move |tally| tally.sessions >= next).await?;
            reached = self.scene.tally.borrow().sessions - self.first;
        }
        self.publishing.set_weather(Weather::Calm);
        self.set_listeners_weather(Weather::Calm);
        Ok(())
    }

    fn set_listeners_weather(&self, weather: Weather) {
        self.listening.set_weather(weather);
        self.streaming.set_weather(weather);
    }

    /// Kills the broker and starts another one.
    async fn restart(&mut self) -> Result<(), Failure> {
        self.peak_resident_bytes = self.peak_resident_bytes.max(self.broker.peak_resident_bytes());
        self.broker.kill().await?;
        self.broker = Broker::start(self.broker_options).await?;
        self.publishing.set_upstream(self.broker.address);
        self.listening.set_upstream(self.broker.address);
        self.streaming.set_upstream(self.broker.streams);
        Ok(())
    }

    /// Waits until more was accepted since now than is kept, for certain: what is on its way may have been accepted before.
    async fn outgrow_the_history(&mut self) -> Result<(), Failure> {
        let before = self.scene.tally.borrow().receipts.clone();
        let more = SHORT_HISTORY as u64 + 1 + self.options.publishers * BATCH;
        let grown = move |tally: &Tally| tally.receipts.iter().zip(&before).all(|(now, before)| *now >= before + more);
        self.until("more is published than is kept", grown).await
    }

    /// Waits until every subscription was told of that many outages, and has got messages since.
    async fn until_all_resumed(&mut self, outages: u64) -> Result<(), Failure> {
        let resumed = all(move |told| told.recovered + told.not_recovered >= outages && told.fresh > 0);
        self.until("every subscription resumes", resumed).await
    }

    /// Stops publishing, and ends every destination with a message behind which nothing follows.
    async fn end(&mut self) -> Result<(), Failure> {
        self.scene.stop.send_replace(true);
        let publishers = &mut self.publishers;
        timeout(PATIENCE, async { while publishers.join_next().await.is_some() {} })
            .await
            .map_err(|_| "the publishers do not come to their end")?;
        let client = self.scene.client(LAST, self.broker.address).connect().await?;
        for (number, destination) in self.scene.destinations.iter().enumerate() {
            let id = format!("{LAST}-{number}");
            self.scene.record(LAST, Event::Send { destination: destination.clone(), id: id.clone() });
            client.send(destination).text(&*id).receipt().await?;
            self.scene.record(LAST, Event::Receipt { id });
        }
        client.close().await?;
        // Whoever does not get it has lost it, which the checker says.
        let subscribers = &mut self.subscribers;
        let ended = async {
            while let Some(ended) = subscribers.join_next().await {
                ended??;
            }
            Ok::<_, Failure>(())
        };
        timeout(PATIENCE, ended).await.unwrap_or(Ok(()))
    }

    /// Waits until the tally says so.
    async fn until(&mut self, what: &str, is: impl Fn(&Tally) -> bool) -> Result<(), Failure> {
        let mut tally = self.scene.tally.subscribe();
        tokio::select! {
            waited = timeout(PATIENCE, tally.wait_for(|tally| is(tally))) => match waited {
                Ok(_) => Ok(()),
                Err(_) => Err(format!("nothing happens any more: it was waited until {what}").into()),
            },
            Some(ended) = self.subscribers.join_next() => match ended? {
                Ok(()) => Err("a subscriber ended before its time".into()),
                Err(reason) => Err(reason.into()),
            },
        }
    }
}

fn all(is: impl Fn(&Subscribed) -> bool) -> impl Fn(&Tally) -> bool {
    move |tally| tally.subscriptions.iter().all(&is)
}
