//! Where nodes meet: each tells its own entries and hears those of the others.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    clock,
    presence::{Entry, Moment, NodeId, Update},
};

/// Carries a node's own entries to other nodes, and theirs here.
///
/// An entry counts here as soon as it was written, before any other node knows of it: a directory never hands back a node's
/// own. [`Alone`] is the directory of a single node, the only one so far. It becomes public with the first engine, which may change it.
pub(super) trait Directory<P, D>: Send + Sync + 'static {
    /// This run of this node.
    fn node(&self) -> NodeId;

    /// The clock that all nodes share. It never goes back.
    fn now(&self) -> Moment;

    /// Carries an entry of this node's. Called under a lock and in the order of the revisions: it returns at once, and an engine
    /// keeps the latest of each name until it is there.
    fn put(&self, entry: &Entry<P, D>);

    /// Called once, with where to tell of other nodes.
    fn attach(&self, sink: Arc<dyn DirectorySink<P, D>>);
}

/// Hears what other nodes have.
#[cfg_attr(not(test), expect(dead_code, reason = "a node alone hears nothing: engines and tests call it"))]
pub(super) trait DirectorySink<P, D>: Send + Sync + 'static {
    /// Takes one update, in any order and any number of times. Never called from within [`Directory::put`].
    fn update(&self, update: Update<P, D>);
}

/// The directory of a single node: there is nobody to tell, and time is the node's own.
#[derive(Default)]
pub(super) struct Alone {
    beginning: OnceLock<Instant>,
}

impl<P, D> Directory<P, D> for Alone {
    fn node(&self) -> NodeId {
        NodeId::new(0)
    }

    fn now(&self) -> Moment {
        let now = clock::now();
        let passed: Duration = now.saturating_duration_since(*self.beginning.get_or_init(|| now));
        Moment::default().after(passed)
    }

    fn put(&self, _: &Entry<P, D>) {}

    fn attach(&self, _: Arc<dyn DirectorySink<P, D>>) {}
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alone").finish_non_exhaustive()
    }
}
