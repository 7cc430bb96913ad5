//! The shards of a broker.

use std::{
    hash::BuildHasher,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use rustc_hash::FxBuildHasher;
use tokio::runtime::Handle;

use super::{backlog::Bounds, lane::LaneId, shard::Shard};
use crate::{
    outbox::{Outbox, OutboxLimits},
    telemetry::Meters,
};

/// More threads than this seldom write at the same time, and each costs every publisher an append.
const MAX_SHARDS: usize = 16;

/// As many shards as the runtime has workers, up to 16: they write at the same time.
#[derive(Debug)]
pub(crate) struct Shards {
    meters: Arc<Meters>,
    /// Made with the first subscription, which comes from a connection's task.
    shards: OnceLock<Box<[Arc<Shard>]>>,
    next_lane: AtomicU64,
    /// What may wait for one client, which bounds what waits here.
    outbox: OnceLock<OutboxLimits>,
}

impl Shards {
    pub(crate) fn new(meters: Arc<Meters>) -> Self {
        Self { meters, shards: OnceLock::new(), next_lane: AtomicU64::new(1), outbox: OnceLock::new() }
    }

    /// The shard of a connection, always the same.
    pub(crate) fn of(&self, outbox: &Arc<Outbox>) -> &Arc<Shard> {
        let shards = self.shards();
        let hash = FxBuildHasher.hash_one(Arc::as_ptr(outbox).addr());
        // The high half: the low bits of addresses are alike.
        let place = usize::try_from(hash >> 32).unwrap_or_default() % shards.len();
        let shard = &shards[place];
        outbox.set_upstream(|| {
            let shard: Weak<Shard> = Arc::downgrade(shard);
            shard
        });
        shard
    }

    pub(crate) fn next_lane(&self) -> LaneId {
        self.next_lane.fetch_add(1, Ordering::Relaxed)
    }

    /// Bounds what waits here by what may wait for one client; only the first call counts, and that before the first subscription.
    pub(crate) fn set_outbox(&self, limits: &OutboxLimits) {
        let _ = self.outbox.set(*limits);
    }

    /// Waits until a publisher may go on: not for any subscriber, but for the work that was made.
    pub(crate) async fn wait_for_room(&self) {
        for shard in self.shards.get().into_iter().flatten().filter(|shard| !shard.has_room()) {
            // Boxed, for it seldom comes to that, and is a part of each SEND's future.
            Box::pin(shard.wait_for_room()).await;
        }
    }

    /// Waits until everything that was appended before has taken effect.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn settled(&self) {
        for shard in self.shards() {
            shard.settled().await;
        }
    }

    fn shards(&self) -> &[Arc<Shard>] {
        self.shards.get_or_init(|| {
            let home = Handle::try_current().ok();
            let workers = home.as_ref().map_or(1, |runtime| runtime.metrics().num_workers());
            let bounds = Bounds::new(self.outbox.get_or_init(OutboxLimits::default));
            let shard = |_| Arc::new(Shard::new(bounds, Arc::clone(&self.meters), home.clone()));
            (0..workers.clamp(1, MAX_SHARDS)).map(shard).collect()
        })
    }
}
