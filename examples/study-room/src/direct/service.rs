//! The service of direct messages: checks what is written and keeps it.

use std::sync::Arc;

use parlor::auth::{Principal, UserId};
use serde::Serialize;

use crate::{
    clock,
    direct::DirectError,
    drafts,
    rooms::PAGE,
    store::{Account, Conversation, Direct, DirectPage, NewDirect, Store},
};

/// Conversations that are listed: more than anyone keeps up.
const MOST_LISTED: u32 = 100;

/// With whom somebody has written, the newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Conversations {
    conversations: Vec<Conversation>,
}

/// What somebody has written with another.
#[derive(Debug, Serialize)]
pub(crate) struct Opened {
    with: Person,
    #[serde(flatten)]
    page: DirectPage,
}

#[derive(Debug, Serialize)]
struct Person {
    id: String,
    name: String,
}

/// Keeps direct messages, and what was read of them.
#[derive(Clone)]
pub(crate) struct DirectService {
    store: Arc<dyn Store>,
}

impl DirectService {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Keeps a message; it is on the disk when this returns.
    pub(super) async fn keep(
        &self,
        author: &Principal,
        to: &UserId,
        text: String,
        key: String,
    ) -> Result<Direct, DirectError> {
        let author_id = author.id().ok_or(DirectError::NotLoggedIn)?;
        drafts::check(&text, &key)?;
        if author_id == to {
            return Err(DirectError::ToOneself);
        }
        let (author_id, recipient_id) = (author_id.to_string(), to.to_string());
        let message = NewDirect { author_id, recipient_id, text, key, sent_at: clock::now_ms() };
        match self.store.add_direct(message).await? {
            Some(message) => Ok(message),
            None if self.store.account(&to.to_string()).await?.is_some() => Err(DirectError::KeyUsed),
            None => Err(DirectError::PersonNotFound),
        }
    }

    pub(super) async fn conversations(&self, owner: &Principal) -> Result<Conversations, DirectError> {
        let owner = owner.id().ok_or(DirectError::NotLoggedIn)?.to_string();
        Ok(Conversations { conversations: self.store.conversations(&owner, MOST_LISTED).await? })
    }

    /// The newest messages with somebody, or those before one. There may be none yet: so a conversation begins.
    pub(super) async fn open(&self, user: &Principal, with: &str, before: Option<i64>) -> Result<Opened, DirectError> {
        let own = user.id().ok_or(DirectError::NotLoggedIn)?.to_string();
        let Account { id, name } = self.store.account(with).await?.ok_or(DirectError::PersonNotFound)?;
        if id == own {
            return Err(DirectError::ToOneself);
        }
        let page = self.store.direct_messages(&own, &id, before, PAGE).await?;
        Ok(Opened { with: Person { id, name }, page })
    }

    pub(super) async fn mark_read(&self, reader: &Principal, with: &str, up_to: i64) -> Result<(), DirectError> {
        let reader = reader.id().ok_or(DirectError::NotLoggedIn)?.to_string();
        Ok(self.store.mark_read(&reader, with, up_to).await?)
    }
}
