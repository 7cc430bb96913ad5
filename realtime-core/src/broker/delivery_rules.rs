//! How the messages of destinations are delivered, as an application declares it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    broker::{DeadLetters, by_pattern::ByPattern},
    destination::{Destination, Pattern, PatternError, Prefixes},
    history::{Journal, MemoryJournal, MemoryLimits, PositionCodec, Retain, Retention},
    limits::QueueLimits,
    outbox::Overflow,
};

/// What of their messages destinations keep, what happens where a client reads too slowly, and how long a message may wait
/// for its acknowledgement. Each setting is declared by pattern; of several patterns that match a destination the most
/// specific one counts.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{broker::{Broker, DeliveryRules, Overflow}, destination::Prefixes, history::Retain};
///
/// let rules = DeliveryRules::default()
///     .history("/topic/rooms/*/chat", Retain::last(500).within(Duration::from_secs(3600)).up_to(4 << 20))
///     .overflow("/topic/rooms/*/typing", Overflow::LatestOnly)
///     .ack_timeout("/queue/**", Duration::from_secs(30));
/// let broker = Broker::with_rules(Prefixes::default(), rules).unwrap();
/// # let _ = broker;
/// ```
///
/// Default: no history, [`Overflow::Disconnect`], and the time-out of [`QueueLimits`].
#[derive(Clone, Default)]
pub struct DeliveryRules {
    history: ByPattern<Retain>,
    overflow: ByPattern<Overflow>,
    ack_timeouts: ByPattern<Duration>,
    memory: MemoryLimits,
    journal: Option<Arc<dyn Journal>>,
    positions: Option<PositionCodec>,
    dead_letters: Option<Arc<dyn DeadLetters>>,
    errors: Vec<DeliveryRuleError>,
}

/// What is wrong with a rule of delivery, found when the broker is built.
///
/// ```
/// use parlor_core::{broker::{Broker, DeliveryRules}, destination::Prefixes, history::Retain};
///
/// let rules = DeliveryRules::default().history("/queue/jobs", Retain::last(10));
/// let errors = Broker::with_rules(Prefixes::default(), rules).unwrap_err();
/// assert_eq!(errors[0].to_string(), "`/queue/jobs` in `history` must lie under /topic");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryRuleError {
    /// Two patterns match the same destination and neither is more specific.
    #[error(
        "the patterns `{first}` and `{second}` of `{setting}` match the same destinations and neither is more specific; change one"
    )]
    Ambiguous {
        /// The setting.
        setting: &'static str,
        /// The pattern that was declared first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Not a pattern.
    #[error("`{text}` in `{setting}` is not a pattern: {error}")]
    Pattern {
        /// The setting.
        setting: &'static str,
        /// What was written.
        text: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// The setting means nothing there.
    #[error("`{text}` in `{setting}` must lie under {expected}")]
    WrongPrefix {
        /// The setting.
        setting: &'static str,
        /// What was written.
        text: String,
        /// The prefixes it may lie under.
        expected: String,
    },
}

impl DeliveryRules {
    /// Keeps messages of topics that `pattern` matches, so that subscriptions can resume (rule 14).
    #[must_use]
    pub fn history(mut self, pattern: &str, retain: Retain) -> Self {
        declare(&mut self.history, &mut self.errors, "history", pattern, retain);
        self
    }

    /// Says what happens to messages of these destinations, topics or users' as clients name them, where a client reads too
    /// slowly (rule 16).
    #[must_use]
    pub fn overflow(mut self, pattern: &str, overflow: Overflow) -> Self {
        declare(&mut self.overflow, &mut self.errors, "overflow", pattern, overflow);
        self
    }

    /// Says how long a message of these topics, queues or users' destinations, as clients name them, may be in flight
    /// without ACK or NACK before it is delivered again. Default: [`QueueLimits::ack_timeout`], 5 min, also for a
    /// subscription to a pattern.
    #[must_use]
    pub fn ack_timeout(mut self, pattern: &str, time: Duration) -> Self {
        declare(&mut self.ack_timeouts, &mut self.errors, "ack_timeout", pattern, time);
        self
    }

    /// Bounds the memory of all histories together. Means nothing with a journal of the application's own.
    #[must_use]
    pub fn history_memory(mut self, limits: MemoryLimits) -> Self {
        self.memory = limits;
        self
    }

    /// Keeps histories in this journal. Default: in memory, until the process ends.
    #[must_use]
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// Writes positions with this key. Default: a random one of this process. Nodes that share a journal share it.
    #[must_use]
    pub fn positions(mut self, positions: PositionCodec) -> Self {
        self.positions = Some(positions);
        self
    }

    /// Gives messages that could not be delivered to `dead_letters`. Default: they are counted and logged.
    #[must_use]
    pub fn on_dead_letter(mut self, dead_letters: impl DeadLetters) -> Self {
        self.dead_letters = Some(Arc::new(dead_letters));
        self
    }

    /// Whether nothing was declared.
    pub(crate) fn is_empty(&self) -> bool {
        self.history.is_empty()
            && self.overflow.is_empty()
            && self.ack_timeouts.is_empty()
            && self.journal.is_none()
            && self.positions.is_none()
            && self.dead_letters.is_none()
            && self.errors.is_empty()
    }

    /// The rules as the broker asks them.
    pub(super) fn compile(self, prefixes: &Prefixes) -> Result<Compiled, Vec<DeliveryRuleError>> {
        let mut errors = self.errors;
        let (topic, queue, user) = (&prefixes.topic, &prefixes.queue, &prefixes.user);
        check(&mut errors, "history", &self.history, &[topic]);
        check(&mut errors, "overflow", &self.overflow, &[topic, user]);
        check(&mut errors, "ack_timeout", &self.ack_timeouts, &[topic, queue, user]);
        if !errors.is_empty() {
            return Err(errors);
        }
        let journal = self.journal.unwrap_or_else(|| {
            let rules = self.history.iter().map(|(pattern, retain)| (pattern.clone(), retain));
            // They were judged when they were declared.
            let retention = Retention::new(rules).unwrap_or_default();
            Arc::new(MemoryJournal::new(retention, self.memory))
        });
        Ok(Compiled {
            journal: (!self.history.is_empty()).then_some(journal),
            history: self.history,
            overflow: self.overflow,
            ack_timeouts: self.ack_timeouts,
            positions: self.positions.unwrap_or_else(PositionCodec::random),
            dead_letters: self.dead_letters,
        })
    }
}

impl fmt::Debug for DeliveryRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryRules")
            .field("history", &self.history)
            .field("overflow", &self.overflow)
            .field("ack_timeouts", &self.ack_timeouts)
            .finish_non_exhaustive()
    }
}

/// Rules of delivery that have been judged.
pub(super) struct Compiled {
    history: ByPattern<Retain>,
    overflow: ByPattern<Overflow>,
    ack_timeouts: ByPattern<Duration>,
    journal: Option<Arc<dyn Journal>>,
    pub(super) positions: PositionCodec,
    pub(super) dead_letters: Option<Arc<dyn DeadLetters>>,
}

impl Compiled {
    /// Where messages of `destination` are kept; none where it has no history.
    pub(super) fn journal_of(&self, destination: &Destination) -> Option<&Arc<dyn Journal>> {
        self.journal.as_ref().filter(|_| self.history.find(destination).is_some())
    }

    pub(super) fn journal(&self) -> Option<&Arc<dyn Journal>> {
        self.journal.as_ref()
    }

    pub(super) fn overflow_of(&self, destination: &Destination) -> Overflow {
        self.overflow.find(destination).unwrap_or_default()
    }

    /// `limits` with the time-out of `destination`.
    pub(super) fn limits_of(&self, destination: &Destination, limits: QueueLimits) -> QueueLimits {
        match self.ack_timeouts.find(destination) {
            Some(time) => limits.ack_timeout(time),
            None => limits,
        }
    }
}

fn declare<T: Copy>(
    rules: &mut ByPattern<T>,
    errors: &mut Vec<DeliveryRuleError>,
    setting: &'static str,
    text: &str,
    value: T,
) {
    match text.parse::<Pattern>() {
        Ok(pattern) => {
            if let Err(first) = rules.insert(pattern, value) {
                let (first, second) = (first.as_str().to_owned(), text.to_owned());
                errors.push(DeliveryRuleError::Ambiguous { setting, first, second });
            }
        }
        Err(error) => errors.push(DeliveryRuleError::Pattern { setting, text: text.to_owned(), error }),
    }
}

/// Each pattern must lie under one of the prefixes.
fn check<T: Copy>(
    errors: &mut Vec<DeliveryRuleError>,
    setting: &'static str,
    rules: &ByPattern<T>,
    prefixes: &[&Destination],
) {
    for (pattern, _) in rules.iter() {
        if !prefixes.iter().any(|prefix| prefix.is_above(pattern.as_str())) {
            let expected = prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            errors.push(DeliveryRuleError::WrongPrefix { setting, text: pattern.as_str().to_owned(), expected });
        }
    }
}
