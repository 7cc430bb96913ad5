//! What nodes tell each other about who is where: entries, each owned by the node that wrote it.
//!
//! One entry stands for all tabs that a user has at one place on one node. Only its owner writes it, with a growing revision, so
//! that entries can be merged in any order.

use crate::auth::UserId;

/// A moment on the clock that all nodes of a [`Directory`](super::Directory) share, in milliseconds since a beginning of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment(u64);

/// One run of one node: never used again after a restart, or after its lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u128);

/// For how long an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Until that moment, whatever becomes of its owner: a grace, or long ago, which is how an entry is taken back.
    Until(Moment),
    /// As long as the node that wrote it lives.
    WhileOwnerLives,
}

/// That a user is at a place, as one node knows it: `P` names the place, `D` is what it has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<P, D> {
    /// Where.
    pub(super) place: P,
    /// Who.
    pub(super) user: UserId,
    /// Which node wrote it; place, user and owner together name the entry.
    pub(super) owner: NodeId,
    /// Of two entries with one name the greater revision counts. A node's revisions grow over all of its entries.
    pub(super) revision: u64,
    /// For how long it counts.
    pub(super) hold: Hold,
    /// What it says.
    pub(super) data: D,
}

/// What a directory tells of other nodes.
#[cfg_attr(not(test), expect(dead_code, reason = "a node alone hears nothing of others: engines and tests do"))]
#[derive(Clone, Debug)]
pub(super) enum Update<P, D> {
    /// An entry is new or has changed.
    Entry(Entry<P, D>),
    /// A node's lease ran out: what it wrote counts until then.
    NodeDown {
        /// The node.
        node: NodeId,
        /// The end of its lease, and the grace.
        until: Moment,
    },
    /// Everything that there is: after a gap, or when the directory was lost. What is missing here counts until `until`, so that
    /// nodes can write it again before anyone is taken for gone.
    Reset {
        /// All entries, of all nodes.
        entries: Vec<Entry<P, D>>,
        /// Up to which revision of each node this is complete.
        revisions: Vec<(NodeId, u64)>,
        /// Until when the missing ones count.
        until: Moment,
    },
}

impl Moment {
    /// That many milliseconds after the beginning.
    #[cfg(test)]
    pub(super) fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning.
    pub(super) fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `time` later, in whole milliseconds.
    pub(super) fn after(self, time: std::time::Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl NodeId {
    /// A node's id. Let it be random, or greater than all before.
    pub(super) const fn new(id: u128) -> Self {
        Self(id)
    }
}
