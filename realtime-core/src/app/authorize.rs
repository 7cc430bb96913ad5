//! Who may send and subscribe where: denied unless a rule says otherwise.
//!
//! Send and subscribe are two questions. A mounted handler answers for its own destinations; these rules are for the
//! broker's: `/topic/**` and `/user/**`. Subscriptions to one's own `/user/**` need no rule, as nobody else can be
//! reached through them.

use futures_util::future::{BoxFuture, ready};

use crate::{
    app::RouteError,
    auth::{Principal, UserId},
    destination::{Destination, Pattern},
};

/// A broker destination that a client wants to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendTarget {
    /// Another user's sessions.
    OtherUser {
        /// The user.
        user: UserId,
        /// The path below the user prefix.
        path: Destination,
    },
    /// The sender's own sessions, by the path below the user prefix.
    OwnUser(Destination),
    /// A fan-out destination.
    Topic(Destination),
}

/// Decides who may send and subscribe where.
///
/// Asked by a session's driver for each SEND to a broker destination and each SUBSCRIBE that no handler judges, in the
/// order of the session's frames. It may look things up; the session's later frames wait meanwhile.
pub trait Authorize: Send + Sync + 'static {
    /// Whether `principal` may send to `target`.
    fn may_send<'a>(&'a self, principal: &'a Principal, target: &'a SendTarget) -> BoxFuture<'a, bool>;

    /// Whether `principal` may subscribe to everything that `pattern` can match. A single destination is a pattern that
    /// matches only itself.
    fn may_subscribe<'a>(&'a self, principal: &'a Principal, pattern: &'a Pattern) -> BoxFuture<'a, bool>;

    /// What is wrong with the rules themselves, reported when the endpoint is built.
    fn errors(&self) -> Vec<RouteError> {
        Vec::new()
    }
}

/// Rules by pattern. The empty set denies everything.
///
/// ```
/// use parlor_core::app::Rules;
///
/// let rules = Rules::deny_all().allow_subscribe("/topic/news/**").allow_send("/topic/cursors/{page}");
/// # let _ = rules;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rules {
    send: Vec<Pattern>,
    send_to_own_user: bool,
    send_to_other_users: bool,
    subscribe: Vec<Pattern>,
    errors: Vec<RouteError>,
}

impl Rules {
    /// Nobody may send or subscribe anywhere, but for mounted handlers and one's own `/user/**`.
    #[must_use]
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Everyone who is connected may SEND straight to the fan-out destinations that `pattern` matches.
    ///
    /// Subscribers then cannot tell a client's message from the server's. A handler with `send_to` is the safer way.
    #[must_use]
    pub fn allow_send(mut self, pattern: &str) -> Self {
        Self::add(&mut self.send, &mut self.errors, pattern);
        self
    }

    /// Everyone may SEND to their own `/user/**`.
    #[must_use]
    pub fn allow_send_to_own_user(mut self) -> Self {
        self.send_to_own_user = true;
        self
    }

    /// Everyone may SEND to everyone's `/user/{name}/**`. Receivers cannot tell such a message from the server's.
    #[must_use]
    pub fn allow_send_to_other_users(mut self) -> Self {
        self.send_to_other_users = true;
        self
    }

    /// Everyone who is connected may subscribe to the destinations that `pattern` matches, and to patterns that lie
    /// wholly within it.
    #[must_use]
    pub fn allow_subscribe(mut self, pattern: &str) -> Self {
        Self::add(&mut self.subscribe, &mut self.errors, pattern);
        self
    }

    fn add(to: &mut Vec<Pattern>, errors: &mut Vec<RouteError>, pattern: &str) {
        match pattern.parse() {
            Ok(parsed) => to.push(parsed),
            Err(error) => errors.push(RouteError::pattern(pattern, error)),
        }
    }
}

impl Authorize for Rules {
    fn may_send<'a>(&'a self, _: &'a Principal, target: &'a SendTarget) -> BoxFuture<'a, bool> {
        Box::pin(ready(match target {
            SendTarget::OtherUser { .. } => self.send_to_other_users,
            SendTarget::OwnUser(_) => self.send_to_own_user,
            SendTarget::Topic(destination) => self.send.iter().any(|pattern| pattern.matches(destination)),
        }))
    }

    fn may_subscribe<'a>(&'a self, _: &'a Principal, pattern: &'a Pattern) -> BoxFuture<'a, bool> {
        Box::pin(ready(self.subscribe.iter().any(|allowed| allowed.includes(pattern))))
    }

    fn errors(&self) -> Vec<RouteError> {
        self.errors.clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn may_send(rules: &Rules, target: &SendTarget) -> bool {
        rules.may_send(&Principal::anonymous(), target).now_or_never().unwrap()
    }

    fn may_subscribe(rules: &Rules, pattern: &str) -> bool {
        rules.may_subscribe(&Principal::anonymous(), &pattern.parse().unwrap()).now_or_never().unwrap()
    }

    #[test]
    fn everything_is_denied_by_default() {
        let rules = Rules::deny_all();
        let path: Destination = "/queue/x".parse().unwrap();
        let targets = [
            SendTarget::Topic("/topic/a".parse().unwrap()),
            SendTarget::OwnUser(path.clone()),
            SendTarget::OtherUser { user: "bob".parse().unwrap(), path },
        ];
        assert!(targets.iter().all(|target| !may_send(&rules, target)));
        assert!(!may_subscribe(&rules, "/topic/a"));
    }

    #[test]
    fn send_and_subscribe_are_two_questions() {
        let rules = Rules::deny_all().allow_subscribe("/topic/**");
        assert!(may_subscribe(&rules, "/topic/a"));
        assert!(!may_send(&rules, &SendTarget::Topic("/topic/a".parse().unwrap())));
    }

    #[test]
    fn a_pattern_is_allowed_only_where_every_match_is() {
        let rules = Rules::deny_all().allow_subscribe("/topic/rooms/*");
        assert!(may_subscribe(&rules, "/topic/rooms/*"));
        assert!(!may_subscribe(&rules, "/topic/rooms/**"));
        assert!(!may_subscribe(&rules, "/topic/*/a"));
    }

    #[test]
    fn a_rule_that_is_no_pattern_is_reported() {
        let rules = Rules::deny_all().allow_send("topic");
        assert_eq!(rules.errors().len(), 1);
    }
}
