//! The service of notifications: who should hear of what.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parlor::{
    auth::{Principal, UserId},
    broker::Broker,
    notifications::{Acknowledge, NotificationId, NotificationStoreError, Notifications, NotifyError, Unread},
};
use serde::Serialize;

use crate::{
    clock,
    notifications::mentions,
    store::{Account, Message, Room, Store, StoreError},
    throttle::Throttle,
};

/// Characters of a message that a mention shows.
const SHOWN: usize = 120;

/// How often one person reaches another by mentions: so many at once, and one more each time. What is beyond it stands in the
/// room all the same.
const MENTIONS: u32 = 10;
const MENTION_RETURNS: Duration = Duration::from_secs(10);

/// How often the same person who enters the same room is news.
const ENTRY_RETURNS: Duration = Duration::from_secs(10 * 60);

/// Notifies people, and keeps what they have not acknowledged.
#[derive(Clone)]
pub(crate) struct NotificationService {
    mailboxes: Notifications,
    store: Arc<dyn Store>,
    /// By author and reader.
    mentions: Arc<Throttle<(String, String)>>,
    /// By room and who enters.
    entries: Arc<Throttle<(String, String)>>,
}

/// Somebody was named in a room.
#[derive(Debug, Serialize)]
struct Mention<'a> {
    room: &'a str,
    room_name: &'a str,
    by: &'a str,
    /// The id of the message, and how it begins.
    message: i64,
    text: String,
}

/// Somebody entered a room that one has made.
#[derive(Debug, Serialize)]
struct Entered<'a> {
    room: &'a str,
    room_name: &'a str,
    by: &'a str,
}

/// Why somebody was not notified. For logs: nothing else fails for it.
#[derive(Debug, thiserror::Error)]
enum NotNotified {
    #[error(transparent)]
    Notify(#[from] NotifyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotificationService {
    pub(crate) fn new(store: Arc<dyn Store>, broker: Broker) -> Self {
        Self {
            mailboxes: Notifications::new(broker, Arc::clone(&store)),
            store,
            mentions: Arc::new(Throttle::new(MENTIONS, MENTION_RETURNS)),
            entries: Arc::new(Throttle::new(1, ENTRY_RETURNS)),
        }
    }

    /// What Parlor delivers and what pages acknowledge.
    pub(crate) fn mailboxes(&self) -> &Notifications {
        &self.mailboxes
    }

    /// Something was said: those whom it names hear of it, once each, and not its author. A failure is logged.
    pub(crate) async fn said(&self, message: &Message) {
        if let Err(error) = self.mention(message).await {
            tracing::error!(%error, message = message.id, "whom a message names was not found out");
        }
    }

    /// Somebody entered a room: who made it hears of it, unless it is they themselves. A failure is logged.
    pub(crate) async fn entered(&self, room: &str, who: &Principal) {
        if let Err(error) = self.tell_maker(room, who).await {
            tracing::error!(%error, room, "the maker of a room did not hear who entered it");
        }
    }

    pub(super) async fn unread(
        &self,
        user: &UserId,
        after: Option<NotificationId>,
    ) -> Result<Unread, NotificationStoreError> {
        self.mailboxes.unread(user, after).await
    }

    pub(super) async fn acknowledge(
        &self,
        user: &UserId,
        which: &Acknowledge,
    ) -> Result<Vec<NotificationId>, NotificationStoreError> {
        self.mailboxes.acknowledge(user, which).await
    }

    async fn mention(&self, message: &Message) -> Result<(), NotNotified> {
        let mentions = mentions::names(&message.text);
        if mentions.is_empty() {
            return Ok(());
        }
        let mentioned = self.mentioned(&mentions).await?;
        let Some(room) = self.store.room(&message.room).await? else { return Ok(()) };
        let mention = Mention {
            room: &room.id,
            room_name: &room.name,
            by: &message.author,
            message: message.id,
            text: message.text.chars().take(SHOWN).collect(),
        };
        for reader in mentioned.into_iter().filter(|reader| reader.id != message.author_id) {
            let pair = (message.author_id.clone(), reader.id.clone());
            if self.mentions.take(pair, clock::now()).is_err() {
                tracing::debug!(message = message.id, "somebody is mentioned too often by the same person");
            } else if let Err(error) = self.notify(&reader, "mention", &mention).await {
                // The others hear of it all the same.
                tracing::warn!(%error, message = message.id, "somebody who was mentioned was not notified");
            }
        }
        Ok(())
    }

    /// The accounts that are meant, each once: of the names that may stand behind an `@`, the longest that somebody has.
    async fn mentioned(&self, mentions: &[Vec<String>]) -> Result<Vec<Account>, StoreError> {
        let accounts = self.store.accounts_named(&mentions.concat()).await?;
        let mut by_key: HashMap<String, Account> =
            accounts.into_iter().map(|account| (account.name.to_lowercase(), account)).collect();
        let longest =
            |names: &Vec<String>| names.iter().map(|name| name.to_lowercase()).find(|key| by_key.contains_key(key));
        let keys: Vec<String> = mentions.iter().filter_map(longest).collect();
        Ok(keys.iter().filter_map(|key| by_key.remove(key)).collect())
    }

    async fn tell_maker(&self, room: &str, who: &Principal) -> Result<(), NotNotified> {
        let Some(Room { id, name, created_by, .. }) = self.store.room(room).await? else { return Ok(()) };
        let makers = self.store.accounts_named(&[created_by]).await?;
        let Some((maker, who_id)) = makers.into_iter().next().zip(who.id()) else { return Ok(()) };
        if maker.id == who_id.as_str() || self.entries.take((id.clone(), who_id.to_string()), clock::now()).is_err() {
            return Ok(());
        }
        let entered = Entered { room: &id, room_name: &name, by: &who.to_string() };
        Ok(self.notify(&maker, "entered", &entered).await?)
    }

    async fn notify(&self, to: &Account, kind: &str, payload: &impl Serialize) -> Result<(), NotifyError> {
        // An account whose id is none would be one that this program has not made.
        let Ok(user) = to.id.parse::<UserId>() else { return Ok(()) };
        self.mailboxes.notify(&user, kind, payload).await?;
        Ok(())
    }
}
