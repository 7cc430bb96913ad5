//! The realtime endpoint: what is mounted, and who gets in from where.

use std::sync::Arc;

use parlor::{
    BuildError, Config, Realtime,
    auth::{JwtVerifier, OriginPolicy},
    broker::Broker,
    history::Retain,
};

use crate::{
    chat::{self, ChatService},
    store::Store,
};

/// What a room keeps for pages that lost their connection: the messages of an hour (rule 14). A page that missed more begins
/// anew with the history from the database, and so does every page after a restart.
const KEPT: Retain = Retain::last(500);

/// The endpoint over a store, without a network: what `app` serves, and what the handlers' tests connect to.
pub(crate) fn endpoint(
    store: Arc<dyn Store>,
    verifier: JwtVerifier,
    origins: OriginPolicy,
    config: Config,
) -> Result<Realtime, BuildError> {
    let broker = Broker::default();
    let chat = ChatService::new(store, broker.clone());
    Realtime::builder(chat::routes().with_state(chat))
        .broker(broker)
        .history(chat::ROOM, KEPT)
        .authenticate(verifier)
        .origin_policy(origins)
        .config(config)
        .build()
}

#[cfg(test)]
mod tests;
