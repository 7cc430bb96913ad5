//! The realtime endpoint: what is mounted, and who gets in from where.

use std::sync::Arc;

use parlor::{
    BuildError, Config, Realtime,
    app::Router,
    auth::{JwtVerifier, OriginPolicy},
    broker::{Broker, Overflow},
    extract::FromRef,
    history::Retain,
};

use crate::{
    chat::{self, ChatService},
    direct::{self, DirectService},
    notifications::{self, NotificationService},
    presence::{self, PresenceService},
    store::Store,
    timer::{self, TimerService},
    typing,
};

/// What a room keeps for pages that lost their connection: the messages of an hour (rule 14). A page that missed more begins
/// anew with the history from the database, and so does every page after a restart.
const KEPT: Retain = Retain::last(500);

/// The endpoint over a store, without a network: what `app` serves, and what the handlers' tests connect to.
pub(crate) fn endpoint(
    store: Arc<dyn Store>,
    presence: PresenceService,
    verifier: JwtVerifier,
    origins: OriginPolicy,
    config: Config,
) -> Result<Realtime, BuildError> {
    let broker = Broker::default();
    let notifications = NotificationService::new(Arc::clone(&store), broker.clone());
    let services = Services {
        chat: ChatService::new(Arc::clone(&store), broker.clone(), notifications.clone()),
        direct: DirectService::new(Arc::clone(&store)),
        timers: TimerService::new(broker.clone()),
        notifications: notifications.clone(),
        presence,
        store,
    };
    let routes = Router::new()
        .merge(chat::routes())
        .merge(direct::routes())
        .merge(notifications::routes(&notifications))
        .merge(presence::routes(&services.presence))
        .merge(timer::routes())
        .merge(typing::routes());
    Realtime::builder(routes.with_state(services))
        .broker(broker)
        .history(chat::ROOM, KEPT)
        .notifications(notifications.mailboxes())
        .overflow(timer::TIMER, Overflow::LatestOnly)
        .overflow(typing::TYPING, Overflow::LatestOnly)
        .authenticate(verifier)
        .origin_policy(origins)
        .config(config)
        .build()
}

/// What handlers share. Each names the part that it uses.
#[derive(Clone)]
struct Services {
    chat: ChatService,
    direct: DirectService,
    notifications: NotificationService,
    presence: PresenceService,
    timers: TimerService,
    store: Arc<dyn Store>,
}

impl FromRef<Services> for ChatService {
    fn from_ref(services: &Services) -> Self {
        services.chat.clone()
    }
}

impl FromRef<Services> for DirectService {
    fn from_ref(services: &Services) -> Self {
        services.direct.clone()
    }
}

impl FromRef<Services> for NotificationService {
    fn from_ref(services: &Services) -> Self {
        services.notifications.clone()
    }
}

impl FromRef<Services> for PresenceService {
    fn from_ref(services: &Services) -> Self {
        services.presence.clone()
    }
}

impl FromRef<Services> for TimerService {
    fn from_ref(services: &Services) -> Self {
        services.timers.clone()
    }
}

impl FromRef<Services> for Arc<dyn Store> {
    fn from_ref(services: &Services) -> Self {
        Self::clone(&services.store)
    }
}

#[cfg(test)]
mod tests;
