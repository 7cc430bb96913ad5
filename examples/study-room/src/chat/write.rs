//! The write service: checks what is said and keeps it.

use std::sync::Arc;

use parlor::auth::Principal;

use crate::{
    chat::{ChatError, Draft},
    clock, drafts,
    rooms::PAGE,
    store::{Message, NewMessage, Page, Store},
};

/// Keeps messages in the database.
#[derive(Clone)]
pub(super) struct WriteService {
    store: Arc<dyn Store>,
}

impl WriteService {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Keeps a message; it is on the disk when this returns.
    pub(super) async fn message(&self, room: &str, author: &Principal, draft: Draft) -> Result<Message, ChatError> {
        let id = author.id().ok_or(ChatError::NotLoggedIn)?;
        drafts::check(&draft.text, &draft.key)?;
        let message = NewMessage {
            room: room.to_owned(),
            author_id: id.to_string(),
            author_name: author.to_string(),
            text: draft.text,
            key: draft.key,
            sent_at: clock::now_ms(),
        };
        match self.store.add_message(message).await? {
            Some(message) => Ok(message),
            None if self.store.room(room).await?.is_some() => Err(ChatError::KeyUsed),
            None => Err(ChatError::RoomNotFound),
        }
    }

    /// The newest messages of a room.
    pub(super) async fn newest(&self, room: &str) -> Result<Page, ChatError> {
        self.expect_room(room).await?;
        Ok(self.store.messages(room, None, PAGE).await?)
    }

    pub(super) async fn expect_room(&self, room: &str) -> Result<(), ChatError> {
        self.store.room(room).await?.map(drop).ok_or(ChatError::RoomNotFound)
    }
}
