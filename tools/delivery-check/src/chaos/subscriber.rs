//! A subscriber: it gives each message to its application, which is the log, and remembers the last position.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::task::JoinSet;

use crate::{
    Event,
    chaos::{
        feed::{FeedEvent, Listener, Transport},
        scene::{LAST, Scene},
    },
    random::Random,
};

/// One subscriber with its subscriptions.
pub(super) struct Subscriber {
    pub(super) scene: Arc<Scene>,
    pub(super) name: String,
    /// Where its subscriptions stand among those of all.
    pub(super) first: usize,
    /// Each new client takes one of these, by chance.
    pub(super) transports: Vec<Arc<dyn Transport>>,
    pub(super) random: Random,
    pub(super) places: Vec<Place>,
}

/// A subscription, as its application keeps it.
pub(super) struct Place {
    destination: String,
    position: Option<String>,
    confirmed: bool,
    ended: bool,
}

impl Place {
    /// One that is still to be made.
    pub(super) fn new(destination: &str) -> Self {
        Self { destination: destination.to_owned(), position: None, confirmed: false, ended: false }
    }
}

impl Subscriber {
    /// Listens until the last message of each destination; with another client whenever it wants one.
    ///
    /// # Errors
    /// When a subscription is refused.
    pub(super) async fn listen(mut self) -> Result<(), String> {
        while self.places.iter().any(|place| !place.ended) {
            let transport = self.random.index(self.transports.len());
            let listener = self.transports[transport].connect(&self.name).await;
            let mut watching = JoinSet::new();
            watching.spawn(listener.count_sessions());
            self.follow(&*listener).await?;
        }
        Ok(())
    }

    /// Listens with one client. What it has not given to the application when it is thrown away comes again.
    async fn follow(&mut self, listener: &dyn Listener) -> Result<(), String> {
        let open = self.places.iter().enumerate().filter(|(_, place)| !place.ended);
        let feeds = open.map(|(number, place)| {
            let feed = listener.subscribe(place.destination.clone(), place.position.clone());
            feed.map(move |event| (number, event)).boxed()
        });
        let mut feeds = stream::select_all(feeds);
        while let Some((number, event)) = feeds.next().await {
            let (place, count) = (&mut self.places[number], self.first + number);
            let destination = place.destination.clone();
            match event {
                FeedEvent::Confirmed { position } if !place.confirmed => {
                    place.confirmed = true;
                    place.position = position;
                    self.scene.record(&self.name, Event::Subscribed { destination });
                    self.scene.count(|tally| tally.subscriptions[count].confirmed = true);
                }
                // Another client: it is told how it goes on.
                FeedEvent::Confirmed { .. } => {}
                FeedEvent::Resumed { .. } if place.ended => {}
                FeedEvent::Message { id, position } => {
                    let last = id.starts_with(LAST);
                    self.scene.record(&self.name, Event::Deliver { destination: destination.clone(), id });
                    place.position = position;
                    self.scene.count(|tally| {
                        tally.subscriptions[count].delivered += 1;
                        tally.subscriptions[count].fresh += 1;
                    });
                    if last {
                        self.scene.record(&self.name, Event::Ended { destination });
                        place.ended = true;
                        if self.places.iter().all(|place| place.ended) {
                            break;
                        }
                    }
                }
                FeedEvent::Resumed { recovered } => {
                    self.scene.record(&self.name, Event::Resumed { destination, recovered });
                    self.scene.count(|tally| {
                        let told = &mut tally.subscriptions[count];
                        told.fresh = 0;
                        *(if recovered { &mut told.recovered } else { &mut told.not_recovered }) += 1;
                    });
                    if self.random.chance(self.scene.renewals) {
                        self.scene.count(|tally| tally.renewed += 1);
                        break;
                    }
                }
                FeedEvent::Ended(reason) => {
                    return Err(format!("{} was told at {destination}: {reason}", self.name));
                }
            }
        }
        Ok(())
    }
}
