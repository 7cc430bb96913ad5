//! What a part is given when its endpoint is built.

use std::{sync::OnceLock, time::Duration};

use crate::{
    app::{BoundHook, Context},
    broker::Broker,
    presence::Moment,
};

/// Set once; before that nothing is announced.
pub(super) type Start = OnceLock<Started>;

/// Where to publish, and how long listeners may take.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) broker: Broker,
    limit: Duration,
    /// When it was.
    pub(super) at: Moment,
}

impl Started {
    pub(super) fn new(broker: &Broker, limit: Duration, at: Moment) -> Self {
        Self { broker: broker.clone(), limit, at }
    }

    /// Tells every listener in turn of an event with the name `name`.
    pub(super) async fn announce<K: Clone>(&self, hooks: &[BoundHook<K>], name: &'static str, context: Context<K>) {
        for hook in hooks {
            hook.call(context.clone(), name, self.limit).await;
        }
    }
}
