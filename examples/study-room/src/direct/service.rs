//! The service of direct messages: checks what is written and keeps it.

use std::sync::Arc;

use parlor::auth::{Principal, UserId};

use crate::{
    clock,
    direct::DirectError,
    drafts,
    store::{Direct, NewDirect, Store},
};

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

    pub(super) async fn mark_read(&self, reader: &Principal, with: &str, up_to: i64) -> Result<(), DirectError> {
        let reader = reader.id().ok_or(DirectError::NotLoggedIn)?.to_string();
        Ok(self.store.mark_read(&reader, with, up_to).await?)
    }
}
