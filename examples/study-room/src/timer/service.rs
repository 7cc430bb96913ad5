//! The timers that are under way: changed by commands and by time, and published after each change.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use parlor::broker::{Broker, PublishError};
use serde::Serialize;
use tokio::task::AbortHandle;

use crate::{
    clock,
    timer::{Command, LOBBY, TimerError, state::Timer},
};

/// Timers at a time: all of them fit into one message for the lobby. Each is gone with its round, or an hour after its pause.
const MOST_TIMERS: usize = 500;

/// The focus timers of all rooms.
#[derive(Clone)]
pub(crate) struct TimerService {
    timers: Arc<Timers>,
}

struct Timers {
    broker: Broker,
    rooms: Mutex<Rooms>,
}

struct Rooms {
    under_way: HashMap<String, UnderWay>,
    /// Of the last change in any room. Changes are published after the lock is free, perhaps in another order: pages take none
    /// that is older than what they have. It begins with the time, so that it goes on growing after a restart.
    version: i64,
}

/// A timer, and the task that waits for what time does to it; the task ends with it.
struct UnderWay {
    timer: Timer,
    alarm: AbortHandle,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.alarm.abort();
    }
}

/// How a room's timer stands; without a timer it is ready.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    timer: Standing,
    version: i64,
    /// What the server's clock says, in milliseconds since 1970.
    now: i64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Standing {
    Ready { state: &'static str },
    UnderWay(Timer),
}

/// A room's timer among those of others.
#[derive(Debug, Serialize)]
struct ShownIn<'a> {
    room: &'a str,
    #[serde(flatten)]
    shown: &'a Shown,
}

/// All timers that are under way: the first message to the lobby. Those that follow are one each.
#[derive(Debug, Serialize)]
pub(super) struct Lobby {
    timers: HashMap<String, Shown>,
}

impl TimerService {
    pub(crate) fn new(broker: Broker) -> Self {
        let rooms = Rooms { under_way: HashMap::new(), version: clock::now_ms() };
        Self { timers: Arc::new(Timers { broker, rooms: Mutex::new(rooms) }) }
    }

    pub(super) async fn command(&self, room: &str, by: &str, command: Command) -> Result<(), TimerError> {
        if matches!(command, Command::Start(lengths) if !lengths.are_sensible()) {
            return Err(TimerError::BadLengths);
        }
        if let Some(shown) = self.change(room, by, command)? {
            self.timers.publish(room, &shown).await?;
        }
        Ok(())
    }

    pub(super) fn shown(&self, room: &str) -> Shown {
        self.timers.lock().shown(room, clock::now_ms())
    }

    pub(super) fn all(&self) -> Lobby {
        let (rooms, now) = (self.timers.lock(), clock::now_ms());
        Lobby { timers: rooms.under_way.keys().map(|room| (room.clone(), rooms.shown(room, now))).collect() }
    }

    /// None where the command changes nothing.
    fn change(&self, room: &str, by: &str, command: Command) -> Result<Option<Shown>, TimerError> {
        let (mut rooms, now) = (self.timers.lock(), clock::now_ms());
        let before = rooms.under_way.get(room).map(|under_way| under_way.timer.clone());
        let after = Timer::after(before.clone(), command, by, now);
        if after == before {
            return Ok(None);
        }
        match after {
            Some(_) if before.is_none() && rooms.under_way.len() >= MOST_TIMERS => return Err(TimerError::Full),
            Some(timer) => {
                let alarm = watch(Arc::downgrade(&self.timers), room.to_owned(), timer.deadline() - now);
                rooms.under_way.insert(room.to_owned(), UnderWay { timer, alarm });
            }
            None => drop(rooms.under_way.remove(room)),
        }
        Ok(Some(rooms.changed(room, now)))
    }
}

/// What time has done to a timer.
enum Passed {
    /// Nothing yet: look again in so many milliseconds.
    Waits(i64),
    /// Its next phase has begun, which ends in so many milliseconds.
    GoesOn(Shown, i64),
    /// It is over. The timer is kept until that is published, as its task ends with it.
    Over(Shown, UnderWay),
}

impl Timers {
    fn pass(&self, room: &str) -> Option<Passed> {
        let (mut rooms, now) = (self.lock(), clock::now_ms());
        let under_way = rooms.under_way.get_mut(room)?;
        let deadline = under_way.timer.deadline();
        if now < deadline {
            return Some(Passed::Waits(deadline - now));
        }
        if let Some(timer) = under_way.timer.clone().at(now) {
            let next = timer.deadline() - now;
            under_way.timer = timer;
            return Some(Passed::GoesOn(rooms.changed(room, now), next));
        }
        let over = rooms.under_way.remove(room)?;
        Some(Passed::Over(rooms.changed(room, now), over))
    }

    async fn publish(&self, room: &str, shown: &Shown) -> Result<(), PublishError> {
        self.broker.publish(format!("/topic/rooms/{room}/timer"), shown).await?;
        self.broker.publish(LOBBY, &ShownIn { room, shown }).await?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        // Nothing panics while it is held; and if it did, the timers would still be timers.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    fn changed(&mut self, room: &str, now: i64) -> Shown {
        self.version = now.max(self.version + 1);
        self.shown(room, now)
    }

    fn shown(&self, room: &str, now: i64) -> Shown {
        // Its task may be a moment late.
        let timer = self.under_way.get(room).and_then(|under_way| under_way.timer.clone().at(now));
        let timer = timer.map_or(Standing::Ready { state: "ready" }, Standing::UnderWay);
        Shown { timer, version: self.version, now }
    }
}

/// Waits for what time does to a room's timer, and publishes it, until the timer is over or the service is gone.
#[expect(clippy::disallowed_methods, reason = "the task belongs to the timer and is ended when that is dropped")]
fn watch(timers: Weak<Timers>, room: String, mut wait: i64) -> AbortHandle {
    let watching = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or_default())).await;
            let Some(timers) = timers.upgrade() else { return };
            let published = match timers.pass(&room) {
                Some(Passed::Waits(left)) => {
                    wait = left;
                    continue;
                }
                Some(Passed::GoesOn(shown, next)) => {
                    wait = next;
                    timers.publish(&room, &shown).await
                }
                Some(Passed::Over(shown, over)) => {
                    let published = timers.publish(&room, &shown).await;
                    drop(over);
                    published
                }
                None => return,
            };
            if let Err(error) = published {
                tracing::error!(%error, room, "a timer's change was not published");
            }
        }
    });
    watching.abort_handle()
}

#[cfg(test)]
mod tests {
    use parlor::broker::OutboxLimits;

    use super::*;
    use crate::timer::state::Lengths;

    const START: Command = Command::Start(Lengths::DEFAULT);

    #[tokio::test]
    async fn timers_are_bounded_and_one_that_ends_makes_room() {
        let timers = TimerService::new(Broker::default());
        // The longest name that an account may have.
        let name = "\u{10330}".repeat(24);
        for room in 0..MOST_TIMERS {
            timers.command(&format!("{room:016x}"), &name, START).await.unwrap();
        }
        assert!(matches!(timers.command("one more", &name, START).await, Err(TimerError::Full)));
        timers.command("0000000000000000", &name, Command::Pause).await.unwrap();
        let all = serde_json::to_vec(&timers.all()).unwrap();
        assert!(
            2 * all.len() < OutboxLimits::default().max_bytes,
            "{} octets fit twice into what a page may lag",
            all.len()
        );
        timers.command("0000000000000000", &name, Command::Reset).await.unwrap();
        timers.command("one more", &name, START).await.unwrap();
    }

    #[tokio::test]
    async fn a_task_ends_with_its_timer_and_with_the_service() {
        let timers = TimerService::new(Broker::default());
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        for command in [START, Command::Pause, Command::Resume] {
            timers.command("algebra", "Ada", command).await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(tasks(), 1, "one for each timer, however often it changes");
        }
        timers.command("botany", "Ada", START).await.unwrap();
        timers.command("algebra", "Ada", Command::Reset).await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(tasks(), 1);
        drop(timers);
        tokio::task::yield_now().await;
        assert_eq!(tasks(), 0);
    }
}
