//! One publisher, many subscribers, a fixed number of messages in flight: the next is sent when one has reached everyone.

use std::{
    cell::Cell,
    error::Error,
    rc::Rc,
    time::{Duration, Instant},
};

use parlor_stomp::{AckMode, ClientEvent};
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    control::{Publisher, Verdict, Witness},
    process::Server,
    subscriber::Subscriber,
};

const DESTINATION: &str = "/topic/bench";

/// How long the last deliveries of a round may take before they count as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// A loaded broker.
pub(crate) struct FanOut {
    publisher: Publisher,
    verdict: Verdict,
    subscribers: u64,
    progress: Rc<Progress>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a round is like.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) in_flight: u64,
    pub(crate) time: Duration,
}

/// What a round showed.
pub(crate) struct Figures {
    pub(crate) per_cpu_second: f64,
    pub(crate) per_second: f64,
    pub(crate) lost: u64,
}

#[derive(Default)]
struct Progress {
    deliveries: Cell<u64>,
    changed: Notify,
}

impl Progress {
    fn delivered(&self) {
        self.deliveries.set(self.deliveries.get() + 1);
        self.changed.notify_one();
    }
}

impl FanOut {
    /// Connects and subscribes everyone; one of the subscribers is the witness.
    pub(crate) async fn connect(server: &Server, subscribers: usize, body: usize) -> Result<Self, Box<dyn Error>> {
        let progress = Rc::new(Progress::default());
        let mut connected = Vec::with_capacity(subscribers);
        for _ in 1..subscribers {
            let mut subscriber = Subscriber::connect(server.address).await?;
            subscriber.session.subscribe("sub-0", DESTINATION, AckMode::Auto, Some("subscribed"));
            subscriber.receipt().await?;
            connected.push(subscriber);
        }
        let publisher = Publisher::connect(server.address, DESTINATION, body).await?;
        let witness = Witness::connect(server.address, DESTINATION, body).await?;
        let verdict = witness.verdict();
        let local = connected.into_iter().map(|subscriber| (subscriber, Rc::clone(&progress)));
        let mut tasks: Vec<_> =
            local.map(|(subscriber, progress)| tokio::task::spawn_local(count(subscriber, progress))).collect();
        let watched = Rc::clone(&progress);
        tasks.push(tokio::task::spawn_local(witness.watch(move || watched.delivered())));
        Ok(Self { publisher, verdict, subscribers: subscribers.max(1) as u64, progress, tasks })
    }

    /// Runs one round.
    #[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
    pub(crate) async fn run(&mut self, server: &Server, workload: Workload) -> Result<Figures, Box<dyn Error>> {
        self.publish_for(workload, workload.time / 10).await?;
        let (cpu, begun, before) = (server.cpu_time()?, Instant::now(), self.progress.deliveries.get());
        let lost = self.publish_for(workload, workload.time).await?;
        let (cpu, time) = (server.cpu_time()? - cpu, begun.elapsed());
        let deliveries = (self.progress.deliveries.get() - before) as f64;
        Ok(Figures {
            per_cpu_second: deliveries / cpu.as_secs_f64(),
            per_second: deliveries / time.as_secs_f64(),
            lost,
        })
    }

    /// Publishes for a time and waits for the last delivery; returns how many are missing.
    #[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
    async fn publish_for(&mut self, workload: Workload, time: Duration) -> Result<u64, Box<dyn Error>> {
        let (begun, before) = (Instant::now(), self.progress.deliveries.get());
        let mut published = 0;
        while begun.elapsed() < time {
            while published < self.arrived(before) + workload.in_flight {
                self.publisher.publish().await?;
                published += 1;
            }
            self.progress.changed.notified().await;
        }
        let expected = published * self.subscribers;
        let all = async {
            while self.progress.deliveries.get() - before < expected {
                self.progress.changed.notified().await;
            }
        };
        let complete = tokio::time::timeout(PATIENCE, all).await.is_ok();
        self.verdict.judge()?;
        Ok(if complete { 0 } else { expected - (self.progress.deliveries.get() - before) })
    }

    /// How many messages have reached everyone since `before`, given that all subscribers keep pace.
    fn arrived(&self, before: u64) -> u64 {
        (self.progress.deliveries.get() - before) / self.subscribers
    }
}

impl Drop for FanOut {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn count(mut subscriber: Subscriber, progress: Rc<Progress>) {
    while let Ok(event) = subscriber.next().await {
        if matches!(event, ClientEvent::Message(_)) {
            progress.delivered();
        }
    }
}
