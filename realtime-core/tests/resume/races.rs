//! Rule 14 under races with publishers: many courses of one thread, each by its seed, and threads that cut each other.

use super::{journals::Late, *};

/// Two publishers, a client that comes and goes, and a course of events for each seed.
async fn race(seed: u64, journal: Option<Late>) {
    let delivery = match journal {
        Some(journal) => retaining(100_000).journal(journal),
        None => retaining(100_000),
    };
    let realtime = realtime(delivery);
    let mut chance = Chance(seed);
    let mut position = seen_the_first(&realtime).await;
    let next = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let publishers = [0, 1].map(|publisher| {
        let (broker, mut chance) = (realtime.broker().clone(), Chance(seed.wrapping_mul(31) + publisher));
        let (next, stop) = (Arc::clone(&next), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let number = next.fetch_add(1, Ordering::AcqRel);
                broker.publish(CHAT, &format!("{publisher}-{number}")).await.unwrap();
                chance.pause().await;
            }
        })
    });
    let mut seen: Vec<String> = Vec::new();
    for round in 0..4 {
        chance.pause().await;
        let ada = TestClient::connect(&realtime, "ada").await;
        let chat = ada.subscribe(CHAT).resume_from(&position).await;
        assert_eq!(chat.recovered(), Some(true), "seed {seed}");
        if round == 3 {
            stop.store(true, Ordering::Release);
        } else {
            for _ in 0..chance.below(30) {
                let message = chat.expect_message().await;
                message.position().unwrap().clone_into(&mut position);
                seen.push(message.json());
            }
            ada.abort().await;
            continue;
        }
        for publisher in &publishers {
            while !publisher.is_finished() {
                yield_now().await;
            }
        }
        while seen.len() < next.load(Ordering::Acquire) {
            let message = chat.expect_message().await;
            seen.push(message.json());
        }
        chat.assert_silent().await;
    }
    for publisher in ["0-", "1-"] {
        let numbers: Vec<usize> = seen.iter().filter_map(|text| text.strip_prefix(publisher)?.parse().ok()).collect();
        assert!(numbers.is_sorted_by(|one, other| one < other), "seed {seed}: {numbers:?}");
    }
    let mut sorted: Vec<usize> = seen.iter().map(|text| text[2..].parse().unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..sorted.len()).collect::<Vec<_>>(), "seed {seed}: everything once");
}

/// A generator of numbers that a seed decides (xorshift).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) async fn pause(&mut self) {
        for _ in 0..self.below(12) {
            yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_under_races_with_publishers_nothing_is_lost_and_nothing_comes_twice() {
    for seed in 0..25 {
        race(seed, None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_journal_that_tells_of_entries_later_than_it_shows_them_loses_and_repeats_nothing() {
    for seed in 0..25 {
        race(seed, Some(Late::new(seed))).await;
    }
}

/// The same where threads race: what one task does is cut by others anywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_14_under_races_of_threads_nothing_is_lost_and_nothing_comes_twice() {
    const PUBLISHERS: usize = 3;
    let realtime = realtime(retaining(1_000_000));
    let position = seen_the_first(&realtime).await;
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicUsize; PUBLISHERS]> = Arc::default();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let (broker, stop, counts) = (realtime.broker().clone(), Arc::clone(&stop), Arc::clone(&counts));
            tokio::spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    let number = counts[publisher].fetch_add(1, Ordering::AcqRel);
                    broker.publish(CHAT, &[publisher, number]).await.unwrap();
                    // Paced by the clock of the wall, or the readers would never be done.
                    tokio::time::sleep(Duration::from_micros(300)).await;
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let (realtime, mut position) = (realtime.clone(), position.clone());
            tokio::spawn(async move {
                let mut next = [0; PUBLISHERS];
                for _ in 0..40 {
                    let client = TestClient::connect(&realtime, format!("reader-{reader}").as_str()).await;
                    let chat = client.subscribe(CHAT).resume_from(&position).await;
                    assert_eq!(chat.recovered(), Some(true));
                    for _ in 0..30 {
                        let message = chat.expect_message().await;
                        let [publisher, number] = message.json::<[usize; 2]>();
                        assert_eq!(number, next[publisher], "of {publisher}");
                        next[publisher] += 1;
                        message.position().unwrap().clone_into(&mut position);
                    }
                    client.abort().await;
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    stop.store(true, Ordering::Release);
    for publisher in publishers {
        publisher.await.unwrap();
    }
}
