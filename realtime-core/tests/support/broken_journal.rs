//! A journal of an application whose reader panics in the middle of a replay.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a test may fail")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{FutureExt, future::BoxFuture};
use parlor_core::{
    Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    broker::DeliveryRules,
    destination::Destination,
    history::{
        Appended, Entry, Journal, JournalError, JournalSink, MemoryJournal, MemoryLimits, Page, Position, ReadLimit,
        Retain, Retention,
    },
};

use crate::support::{Client, header, user};

/// Finds where a client was, and panics when it reads on from there.
struct BrokenJournal {
    inner: MemoryJournal,
    reads: AtomicUsize,
}

impl Journal for BrokenJournal {
    fn attach(&self, sink: Arc<dyn JournalSink>) {
        self.inner.attach(sink);
    }

    fn append<'a>(&'a self, to: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
        self.inner.append(to, entry)
    }

    fn read<'a>(
        &'a self,
        of: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>> {
        assert_eq!(self.reads.fetch_add(1, Ordering::SeqCst), 0, "this is the test's own panic");
        let page = self.inner.read(of, after, limit);
        async {
            let mut page = page.await?;
            // There is more, so that it is read on.
            page.entries.truncate(1);
            Ok(page)
        }
        .boxed()
    }

    fn top<'a>(&'a self, of: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.inner.top(of)
    }

    fn forget<'a>(&'a self, of: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.forget(of)
    }
}

/// A client whose connection is about to end with the panic of its replay.
pub async fn client_of_a_broken_journal(routes: Router<()>) -> (Realtime, Client) {
    let retention = Retention::new([("/topic/**".parse().unwrap(), Retain::last(10))]).unwrap();
    let journal =
        BrokenJournal { inner: MemoryJournal::new(retention, MemoryLimits::default()), reads: AtomicUsize::new(0) };
    let realtime = Realtime::builder(routes.with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .delivery(DeliveryRules::default().history("/topic/**", Retain::last(10)).journal(journal))
        .build()
        .unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/a").await;
    for n in 0..3 {
        realtime.broker().publish("/topic/a", &n).await.unwrap();
    }
    let position = header(&client.frame().await, "position").unwrap().to_owned();
    client.frame().await;
    client.frame().await;
    client.send(&format!("SUBSCRIBE\nid:1\ndestination:/topic/a\nresume-from:{position}\n\n")).await;
    assert_eq!(header(&client.frame().await, "recovered"), Some("true"));
    (realtime, client)
}
