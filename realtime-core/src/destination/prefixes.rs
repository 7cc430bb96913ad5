//! What a destination is for, by its first segments.

use crate::destination::Destination;

/// The prefixes that give destinations their meaning. They match whole segments.
///
/// ```
/// use parlor_core::destination::{Class, Prefixes};
///
/// let prefixes = Prefixes::default();
/// assert!(matches!(prefixes.classify(&"/topic/news".parse().unwrap()), Class::Topic));
/// assert!(matches!(prefixes.classify(&"/topicx/news".parse().unwrap()), Class::Other));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prefixes {
    /// Goes to handlers, default `/app`.
    pub app: Destination,
    /// Each message to one subscription, default `/queue`.
    pub queue: Destination,
    /// Fans out to every subscription, default `/topic`.
    pub topic: Destination,
    /// Addresses users, default `/user`.
    pub user: Destination,
}

/// What a destination is for.
///
/// ```
/// use parlor_core::destination::{Class, Prefixes};
///
/// let class = |text: &str| Prefixes::default().classify(&text.parse().unwrap());
/// assert_eq!(class("/queue/jobs"), Class::Queue);
/// assert_eq!(class("/elsewhere/a"), Class::Other);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// A handler's.
    App,
    /// Nobody's.
    Other,
    /// A queue.
    Queue,
    /// A topic.
    Topic,
    /// A user's.
    User(UserPath),
}

/// Which user a destination under the user prefix is for.
///
/// ```
/// use parlor_core::destination::{Class, Prefixes, UserPath};
///
/// let class = Prefixes::default().classify(&"/user/ada/queue/notes".parse().unwrap());
/// let Class::User(UserPath::Named { user, path }) = class else { panic!("a user's") };
/// assert_eq!((&user[..], path.as_str()), ("ada", "/queue/notes"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a path is one's own or somebody's")]
pub enum UserPath {
    /// A named user's: `/user/ada/queue/notes` is ada's `/queue/notes`.
    Named {
        /// The user, as written.
        user: String,
        /// The path below the user.
        path: Destination,
    },
    /// The session's own user's: `/user/queue/notes` is `/queue/notes`.
    Own(Destination),
}

impl Default for Prefixes {
    fn default() -> Self {
        let prefix = |text: &str| {
            #[expect(clippy::expect_used, reason = "the literals below are destinations")]
            text.parse().expect("a destination")
        };
        Self { app: prefix("/app"), queue: prefix("/queue"), topic: prefix("/topic"), user: prefix("/user") }
    }
}

impl Prefixes {
    /// Sets the prefix of handlers' destinations.
    #[must_use]
    pub fn app(mut self, prefix: Destination) -> Self {
        self.app = prefix;
        self
    }

    /// Sets the prefix of queues.
    #[must_use]
    pub fn queue(mut self, prefix: Destination) -> Self {
        self.queue = prefix;
        self
    }

    /// Sets the prefix of topics.
    #[must_use]
    pub fn topic(mut self, prefix: Destination) -> Self {
        self.topic = prefix;
        self
    }

    /// Sets the prefix of users' destinations.
    #[must_use]
    pub fn user(mut self, prefix: Destination) -> Self {
        self.user = prefix;
        self
    }

    /// What `destination` is for. A prefix alone, without anything below it, is nobody's.
    #[must_use]
    pub fn classify(&self, destination: &Destination) -> Class {
        if self.app.is_above(destination.as_str()) {
            Class::App
        } else if self.topic.is_above(destination.as_str()) {
            Class::Topic
        } else if self.queue.is_above(destination.as_str()) {
            Class::Queue
        } else {
            destination.below(&self.user).and_then(|path| self.user_path(path)).map_or(Class::Other, Class::User)
        }
    }

    /// Two of the prefixes of which the second is the first or lies within it, so that a destination would have two meanings.
    pub(crate) fn overlapping(&self) -> Option<(&Destination, &Destination)> {
        let all = [&self.app, &self.queue, &self.topic, &self.user];
        for (place, one) in all.into_iter().enumerate() {
            for other in all.into_iter().skip(place + 1) {
                if other.starts_with_segments(one) {
                    return Some((one, other));
                }
                if one.starts_with_segments(other) {
                    return Some((other, one));
                }
            }
        }
        None
    }

    /// Below the user prefix: one's own path begins with the queue or topic prefix; otherwise a user's name comes first.
    fn user_path(&self, path: Destination) -> Option<UserPath> {
        let is_path = |path: &Destination| self.queue.is_above(path.as_str()) || self.topic.is_above(path.as_str());
        if is_path(&path) {
            return Some(UserPath::Own(path));
        }
        let user = path.segments().next()?.to_owned();
        let below = path.as_str().get(1 + user.len()..)?.parse().ok()?;
        is_path(&below).then_some(UserPath::Named { user, path: below })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(text: &str) -> Class {
        Prefixes::default().classify(&text.parse().unwrap())
    }

    #[test]
    fn rule_1_the_first_segment_says_what_a_destination_is_for() {
        assert_eq!(classify("/app/a"), Class::App);
        assert_eq!(classify("/topic/a"), Class::Topic);
        assert_eq!(classify("/queue/a"), Class::Queue);
        for text in ["/app", "/topic", "/topicx/a", "/user", "/user/queue", "/user/ada", "/elsewhere/a"] {
            assert_eq!(classify(text), Class::Other, "{text}");
        }
    }

    #[test]
    fn rule_6_a_path_without_a_name_is_ones_own() {
        let path = |text: &str| text.parse::<Destination>().unwrap();
        assert_eq!(classify("/user/queue/a"), Class::User(UserPath::Own(path("/queue/a"))));
        assert_eq!(classify("/user/topic/a/b"), Class::User(UserPath::Own(path("/topic/a/b"))));
        let named = UserPath::Named { user: "ada".to_owned(), path: path("/queue/a") };
        assert_eq!(classify("/user/ada/queue/a"), Class::User(named));
    }

    /// S-30: whatever a client writes, its own path is below `/queue` or `/topic`, and a name is one whole segment.
    #[test]
    fn rule_6_a_user_path_is_nothing_but_a_queue_or_a_topic() {
        for text in ["/user/app/a", "/user/ada/app/a", "/user/ada/queue", "/user/ada/bob/queue/a", "/user/queuex/a"] {
            assert_eq!(classify(text), Class::Other, "{text}");
        }
        // A user whose name is a prefix cannot be addressed in place of one's own path.
        for (text, own) in [("/user/queue/queue/a", "/queue/queue/a"), ("/user/queue/topic/a", "/queue/topic/a")] {
            assert_eq!(classify(text), Class::User(UserPath::Own(own.parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn rule_1_a_prefix_within_another_is_seen() {
        let parse = |text: &str| text.parse::<Destination>().unwrap();
        let overlapping =
            |prefixes: &Prefixes| prefixes.overlapping().map(|(one, other)| (one.to_string(), other.to_string()));
        assert_eq!(overlapping(&Prefixes::default()), None);
        assert_eq!(overlapping(&Prefixes::default().topic(parse("/v1/topic")).app(parse("/v1/app"))), None);
        assert_eq!(overlapping(&Prefixes::default().topic(parse("/apps"))), None);
        let found = Some(("/app".to_owned(), "/app".to_owned()));
        assert_eq!(overlapping(&Prefixes::default().topic(parse("/app"))), found);
        let found = Some(("/topic".to_owned(), "/topic/of".to_owned()));
        assert_eq!(overlapping(&Prefixes::default().user(parse("/topic/of"))), found);
    }

    #[test]
    fn prefixes_may_have_several_segments() {
        let prefixes = Prefixes::default().topic("/v1/topic".parse().unwrap());
        assert_eq!(prefixes.classify(&"/v1/topic/a".parse().unwrap()), Class::Topic);
        assert_eq!(prefixes.classify(&"/topic/a".parse().unwrap()), Class::Other);
    }
}
