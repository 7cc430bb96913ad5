//! A connection that runs, and what is given back when it is over.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::slots::Slot;

pin_project! {
    /// A future and a place among the open connections. An async block that awaits the future would have room for it twice.
    pub(crate) struct Open<F> {
        #[pin]
        connection: F,
        _slot: Option<Slot>,
    }
}

impl<F> Open<F> {
    pub(crate) fn new(connection: F, slot: Option<Slot>) -> Self {
        Self { connection, _slot: slot }
    }
}

impl<F: Future> Future for Open<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().connection.poll(cx)
    }
}
