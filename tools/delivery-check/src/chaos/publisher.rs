//! A publisher: it sends some messages at once, awaits their receipts, and sends again what has an unknown outcome.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use parlor_client::{Client, SendError};
use tokio::task::JoinSet;

use crate::{Event, chaos::scene::Scene, random::Random};

/// The most messages that are on their way at once.
pub(super) const BATCH: u64 = 8;

/// The longest pause between two batches, in milliseconds; half of it on average.
const PAUSE: u64 = 100;

/// A message.
struct Outgoing {
    id: String,
    /// The index of its destination.
    destination: usize,
}

/// Publishes until the run stops.
pub(super) async fn publish(scene: Arc<Scene>, name: String, address: SocketAddr, mut random: Random) {
    let client = scene.connect(&name, address).await;
    let mut watching = JoinSet::new();
    let (counting, state) = (Arc::clone(&scene), client.state());
    watching.spawn(async move { counting.count_sessions(state).await });
    let mut number = 0_u64;
    while !scene.is_stopping() {
        let batch: Vec<_> = (0..=random.below(BATCH))
            .map(|_| {
                number += 1;
                Outgoing { id: format!("{name}-{number}"), destination: random.index(scene.destinations.len()) }
            })
            .collect();
        for message in &batch {
            let destination = scene.destinations[message.destination].clone();
            scene.record(&name, Event::Send { destination, id: message.id.clone() });
        }
        // They are polled, and so sent, in their order.
        let known = join_all(batch.iter().map(|message| send(&scene, &client, &name, message))).await;
        for (message, known) in batch.iter().zip(known) {
            // One after the other: what was sent after it must not overtake it.
            let mut known = known || !scene.sends_again;
            while !known && !client.state().borrow().is_closed() {
                known = send(&scene, &client, &name, message).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(random.below(PAUSE))).await;
    }
    // What it did not manage to say is in the log already: as sent, without a receipt.
    let _ = client.close().await;
}

/// Sends a message; whether its outcome is known.
async fn send(scene: &Scene, client: &Client, name: &str, message: &Outgoing) -> bool {
    let Outgoing { id, destination } = message;
    let sending = client.send(&scene.destinations[*destination]).text(id);
    let sending = if scene.sends_again { sending.resend_with_key(id) } else { sending.message_key(id) };
    match sending.receipt().await {
        Ok(()) => {
            scene.record(name, Event::Receipt { id: id.clone() });
            scene.count(|tally| tally.receipts[*destination] += 1);
            true
        }
        Err(SendError::Refused(_)) => {
            scene.count(|tally| tally.refused += 1);
            true
        }
        Err(_) => {
            scene.record(name, Event::Unknown { id: id.clone() });
            scene.count(|tally| tally.unknown += 1);
            false
        }
    }
}
