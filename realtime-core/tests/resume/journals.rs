//! Journals of an application's own: one that takes its time, one that fails, and one that is watched.

use super::{races::Chance, *};

/// A journal that takes its time, and tells of an entry some time after it can be read.
pub(super) struct Late {
    inner: MemoryJournal,
    sink: OnceLock<Arc<dyn JournalSink>>,
    /// Keeps the order of what the sink is told.
    order: tokio::sync::Mutex<Chance>,
    reads: AtomicUsize,
}

impl Late {
    pub(super) fn new(seed: u64) -> Self {
        let retain = Retain::last(100_000).up_to(64 << 20);
        let retention = Retention::new([("/topic/**".parse().unwrap(), retain)]).unwrap();
        Self {
            inner: MemoryJournal::new(retention, MemoryLimits::default()),
            sink: OnceLock::new(),
            order: tokio::sync::Mutex::new(Chance(seed)),
            reads: AtomicUsize::new(0),
        }
    }
}

impl Journal for Late {
    fn attach(&self, sink: Arc<dyn JournalSink>) {
        self.sink.get_or_init(|| sink);
    }

    fn append<'a>(&'a self, on: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(async move {
            let mut chance = self.order.lock().await;
            let Position { epoch, offset } = self.inner.append(on, entry.clone()).await?.position;
            chance.pause().await;
            let stamp = Stamp { epoch, offset, prev: offset - 1 };
            let reached = self.sink.get().unwrap().appended(on, stamp, &entry);
            drop(chance);
            yield_now().await;
            Ok(Appended::new(stamp.position(), reached))
        })
    }

    fn read<'a>(
        &'a self,
        on: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>> {
        Box::pin(async move {
            for _ in 0..self.reads.fetch_add(1, Ordering::Relaxed) % 5 {
                yield_now().await;
            }
            let page = self.inner.read(on, after, limit).await;
            yield_now().await;
            page
        })
    }

    fn top<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.inner.top(on)
    }

    fn forget<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.forget(on)
    }
}

/// A journal whose store can be away.
struct Failing {
    inner: MemoryJournal,
    away: Arc<AtomicBool>,
}

impl Failing {
    fn judge(&self) -> Result<(), JournalError> {
        match self.away.load(Ordering::Acquire) {
            true => Err(JournalError::Store("the store is away".into())),
            false => Ok(()),
        }
    }
}

impl Journal for Failing {
    fn attach(&self, sink: Arc<dyn JournalSink>) {
        self.inner.attach(sink);
    }

    fn append<'a>(&'a self, on: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(async move {
            self.judge()?;
            self.inner.append(on, entry).await
        })
    }

    fn read<'a>(
        &'a self,
        on: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>> {
        Box::pin(async move {
            self.judge()?;
            self.inner.read(on, after, limit).await
        })
    }

    fn top<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.inner.top(on)
    }

    fn forget<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.forget(on)
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_delivers_nothing_and_resumes_nobody_and_says_so() {
    let away = Arc::new(AtomicBool::new(false));
    let retention = Retention::new([("/topic/**".parse().unwrap(), Retain::last(10_000))]).unwrap();
    let inner = MemoryJournal::new(retention, MemoryLimits::default());
    let realtime = realtime(retaining(1).journal(Failing { inner, away: Arc::clone(&away) }));
    let position = seen_the_first(&realtime).await;
    for number in 1..1000 {
        publish(realtime.broker(), number).await;
    }
    let bob = TestClient::connect(&realtime, "bob").await;
    let witness = bob.subscribe(CHAT).await;
    away.store(true, Ordering::Release);
    assert!(realtime.broker().publish(CHAT, "lost").await.is_err());
    bob.send(CHAT, "lost").refused("internal").await;
    witness.assert_silent().await;
    let chat = bob.subscribe(CHAT).resume_from(&position).await;
    assert_eq!(chat.recovered(), Some(false));
    chat.assert_silent().await;
    away.store(false, Ordering::Release);
    bob.send(CHAT, "back").await;
    assert_eq!(chat.expect_json("back").await.header("recovered"), Some("false"));
    witness.expect_json("back").await;
    // Away in the middle: the connection ends, so that the client comes back to where it was.
    let mut slow = begin_slow_replay(&realtime, &position).await;
    away.store(true, Ordering::Release);
    loop {
        let frame = slow.frame().await;
        if frame.starts_with("ERROR") {
            assert_eq!(header(&frame, "code"), Some("slow-consumer"));
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn destinations_to_which_nothing_is_published_give_their_memory_back_while_somebody_is_connected() {
    struct Watched(Arc<MemoryJournal>);
    impl Journal for Watched {
        fn attach(&self, sink: Arc<dyn JournalSink>) {
            self.0.attach(sink);
        }
        fn append<'a>(&'a self, on: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
            self.0.append(on, entry)
        }
        fn read<'a>(
            &'a self,
            on: &'a Destination,
            after: Position,
            limit: ReadLimit,
        ) -> BoxFuture<'a, Result<Page, JournalError>> {
            self.0.read(on, after, limit)
        }
        fn top<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
            self.0.top(on)
        }
        fn forget<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
            self.0.forget(on)
        }
        fn tidy(&self) {
            self.0.tidy();
        }
    }
    let retain = Retain::last(10).within(Duration::from_secs(60));
    let retention = Retention::new([("/topic/**".parse().unwrap(), retain)]).unwrap();
    let journal = Arc::new(MemoryJournal::new(retention, MemoryLimits::default()));
    let realtime = realtime(retaining(1).journal(Watched(Arc::clone(&journal))));
    let idle = TestClient::connect(&realtime, "ada")
        .heart_beat(parlor_stomp::HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 })
        .await;
    for room in 0..500 {
        realtime.broker().publish(format!("/topic/{room}").as_str(), "x").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(journal.usage().octets > 0);
    // By the heart-beats of one idle client alone.
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert_eq!(journal.usage().octets, 0);
    // And where there are none, by whoever comes.
    idle.disconnect().await;
    realtime.broker().publish(CHAT, &Publication::text("x").body.len()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(journal.usage().octets > 0);
    TestClient::connect(&realtime, "bob").await;
    assert_eq!(journal.usage().octets, 0);
}
