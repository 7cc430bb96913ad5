//! Who may send and subscribe where: denied unless a rule says otherwise.
//!
//! Send and subscribe are two questions. A mounted handler answers for its own destinations; these rules are for the
//! broker's: `/topic/**`, `/queue/**` and `/user/**`. Subscriptions to one's own `/user/**` need no rule, as nobody else can be
//! reached through them.

use futures_util::future::BoxFuture;

use crate::{
    app::{Action, Permission, RouteError, Rule, rule::Scope},
    auth::{Principal, UserId},
    destination::{Destination, Pattern, Prefixes},
};

/// A broker destination that a client wants to send to.
///
/// ```
/// use parlor_core::app::SendTarget;
///
/// fn is_public(target: &SendTarget) -> bool {
///     matches!(target, SendTarget::Topic(topic) if topic.as_str().starts_with("/topic/public/"))
/// }
/// ```
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
    /// A queue, of whose consumers one gets the message.
    Queue(Destination),
    /// The sender's own sessions, by the path below the user prefix.
    OwnUser(Destination),
    /// A fan-out destination.
    Topic(Destination),
}

/// Decides who may send and subscribe where.
///
/// Asked by a session's driver for each SEND to a broker destination and each SUBSCRIBE that no handler judges, in the
/// order of the session's frames. It may look things up; the session's later frames wait meanwhile. [`Rules`] are the usual
/// implementation.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use parlor_core::{
///     app::{Authorize, SendTarget},
///     auth::Principal,
///     destination::Pattern,
/// };
///
/// /// Everyone reads, editors write: a `Rules` of one line each, if it were not for the sake of the example.
/// struct Newspaper;
///
/// impl Authorize for Newspaper {
///     fn may_send<'a>(&'a self, principal: &'a Principal, target: &'a SendTarget) -> BoxFuture<'a, bool> {
///         Box::pin(async move { matches!(target, SendTarget::Topic(_)) && principal.has_role("editor") })
///     }
///
///     fn may_subscribe<'a>(&'a self, _: &'a Principal, pattern: &'a Pattern) -> BoxFuture<'a, bool> {
///         Box::pin(async move { pattern.as_str() == "/topic/news" })
///     }
/// }
/// ```
pub trait Authorize: Send + Sync + 'static {
    /// Whether `principal` may send to `target`.
    fn may_send<'a>(&'a self, principal: &'a Principal, target: &'a SendTarget) -> BoxFuture<'a, bool>;

    /// Whether `principal` may subscribe to everything that `pattern` can match. A single destination is a pattern that
    /// matches only itself.
    fn may_subscribe<'a>(&'a self, principal: &'a Principal, pattern: &'a Pattern) -> BoxFuture<'a, bool>;

    /// The patterns of the destinations that the rules are about. Figures are kept by these patterns and those of the routing
    /// table. Default: none, so that figures of destinations that only the rules know are kept together.
    fn destinations(&self) -> Vec<Pattern> {
        Vec::new()
    }

    /// What is wrong with the rules themselves, reported when the endpoint is built. Default: nothing.
    fn errors(&self, prefixes: &Prefixes) -> Vec<RouteError> {
        let _ = prefixes;
        Vec::new()
    }

    /// The rules for [`Realtime::permissions`](crate::Realtime::permissions). Default: one row that names the type.
    fn describe(&self, prefixes: &Prefixes) -> Vec<Permission> {
        [Action::Send, Action::Subscribe]
            .map(|action| Permission::new(action, format!("{}/**", prefixes.topic), std::any::type_name::<Self>()))
            .into()
    }
}

/// Rules by pattern. The empty set denies everything; an event passes when one rule lets it.
///
/// A client's pattern passes only if one rule includes all that it can match.
///
/// ```
/// use parlor_core::{
///     app::{Rule, Rules},
///     auth::Principal,
///     destination::Params,
/// };
///
/// async fn is_member(user: Principal, params: Params) -> bool {
///     params.get("room") == Some("lobby") || user.has_role("member")
/// }
///
/// let rules = Rules::deny_all()
///     .allow_subscribe("/topic/news/**")
///     .allow(Rule::subscribe("/topic/audit/**").role("admin"))
///     .allow(Rule::subscribe("/topic/rooms/{room}/**").authenticated().when(is_member))
///     .allow(Rule::send("/topic/cursors/{page}").authenticated());
/// # let _ = rules;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    errors: Vec<RouteError>,
}

impl Rules {
    /// Nobody may send or subscribe anywhere, but for mounted handlers and one's own `/user/**`.
    #[must_use]
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Adds a rule.
    #[must_use]
    pub fn allow(mut self, rule: Rule) -> Self {
        self.errors.extend(rule.pattern.as_ref().err().cloned());
        self.rules.push(rule);
        self
    }

    /// Everyone who is connected may SEND straight to the topics and queues that `pattern` matches.
    ///
    /// Subscribers then cannot tell a client's message from the server's. A handler with `send_to` is the safer way.
    #[must_use]
    pub fn allow_send(self, pattern: &str) -> Self {
        self.allow(Rule::send(pattern))
    }

    /// Everyone may SEND to their own `/user/**`.
    #[must_use]
    pub fn allow_send_to_own_user(self) -> Self {
        self.allow(Rule::send_to_own_user("/**"))
    }

    /// Everyone may SEND to everyone's `/user/{name}/**`. Receivers cannot tell such a message from the server's.
    #[must_use]
    pub fn allow_send_to_other_users(self) -> Self {
        self.allow(Rule::send_to_other_users("/**"))
    }

    /// Everyone who is connected may subscribe to the destinations that `pattern` matches, and to patterns that lie
    /// wholly within it.
    #[must_use]
    pub fn allow_subscribe(self, pattern: &str) -> Self {
        self.allow(Rule::subscribe(pattern))
    }

    async fn allows(&self, scope: Scope, principal: &Principal, pattern: &Pattern) -> bool {
        for rule in self.rules.iter().filter(|rule| rule.scope == scope) {
            if rule.allows(principal, pattern).await {
                return true;
            }
        }
        false
    }
}

impl Authorize for Rules {
    fn may_send<'a>(&'a self, principal: &'a Principal, target: &'a SendTarget) -> BoxFuture<'a, bool> {
        let (scope, destination) = match target {
            SendTarget::OtherUser { path, .. } => (Scope::SendToOtherUsers, path),
            SendTarget::OwnUser(path) => (Scope::SendToOwnUser, path),
            SendTarget::Queue(destination) | SendTarget::Topic(destination) => (Scope::Send, destination),
        };
        let pattern = Pattern::from(destination.clone());
        Box::pin(async move { self.allows(scope, principal, &pattern).await })
    }

    fn may_subscribe<'a>(&'a self, principal: &'a Principal, pattern: &'a Pattern) -> BoxFuture<'a, bool> {
        Box::pin(self.allows(Scope::Subscribe, principal, pattern))
    }

    fn destinations(&self) -> Vec<Pattern> {
        let topics = self.rules.iter().filter(|rule| matches!(rule.scope, Scope::Send | Scope::Subscribe));
        topics.filter_map(|rule| rule.pattern.clone().ok()).collect()
    }

    fn errors(&self, prefixes: &Prefixes) -> Vec<RouteError> {
        let misplaced = self.rules.iter().filter_map(|rule| rule.misplaced(prefixes));
        self.errors.iter().cloned().chain(misplaced).collect()
    }

    fn describe(&self, prefixes: &Prefixes) -> Vec<Permission> {
        self.rules.iter().filter_map(|rule| rule.describe(prefixes)).collect()
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
    fn a_rule_outside_of_its_prefix_is_told_what_to_write() {
        let told =
            |rules: Rules| rules.errors(&Prefixes::default()).iter().map(ToString::to_string).collect::<Vec<_>>();
        let subscribe = |pattern: &str| told(Rules::deny_all().allow_subscribe(pattern)).join("; ");
        assert_eq!(
            subscribe("/rooms/{room}"),
            "the rule about SUBSCRIBEs to `/rooms/{room}` must lie under /topic or /queue; write `/topic/rooms/{room}`"
        );
        assert!(subscribe("/app/a").ends_with("its handlers judge, write `.authorize(…)` at the route"));
        assert!(subscribe("/user/queue/a").ends_with("each user's own and needs no rule, remove it"));
        let sends = told(Rules::deny_all().allow_send("/user/queue/a")).join("; ");
        assert!(sends.ends_with("write `Rule::send_to_own_user` or `Rule::send_to_other_users`"), "{sends}");
    }

    #[test]
    fn a_rule_belongs_under_its_prefix() {
        let rules = Rules::deny_all().allow_subscribe("/app/a").allow_send("/topicx/a").allow_subscribe("/topic/a");
        let found = rules.errors(&Prefixes::default());
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_condition_holds_for_all_that_a_pattern_can_match_or_it_is_denied() {
        let seven = |_: Principal, params: crate::destination::Params| {
            let seven = params.get("room") == Some("7");
            async move { seven }
        };
        let rules = Rules::deny_all().allow(Rule::subscribe("/topic/rooms/{room}/**").when(seven));
        assert!(may_subscribe(&rules, "/topic/rooms/7/typing"));
        assert!(may_subscribe(&rules, "/topic/rooms/7/*"));
        assert!(!may_subscribe(&rules, "/topic/rooms/8/typing"));
        assert!(!may_subscribe(&rules, "/topic/rooms/*/typing"));
        assert!(!may_subscribe(&rules, "/topic/rooms/**"));
    }

    #[test]
    fn roles_and_authentication_are_asked_for() {
        let rules = Rules::deny_all()
            .allow(Rule::subscribe("/topic/audit").role("admin").role("auditor"))
            .allow(Rule::send("/topic/audit").authenticated());
        let user = |roles: &[&str]| Principal::user("ada".parse().unwrap()).with_roles(roles);
        let audit: Pattern = "/topic/audit".parse().unwrap();
        let subscribes = |who: &Principal| rules.may_subscribe(who, &audit).now_or_never().unwrap();
        assert!(subscribes(&user(&["auditor"])) && subscribes(&user(&["x", "admin"])));
        assert!(!subscribes(&user(&["administrator"])) && !subscribes(&Principal::anonymous()));
        let target = SendTarget::Topic("/topic/audit".parse().unwrap());
        assert!(rules.may_send(&user(&[]), &target).now_or_never().unwrap());
        assert!(!rules.may_send(&Principal::anonymous(), &target).now_or_never().unwrap());
    }

    #[test]
    fn a_rule_that_is_no_pattern_is_reported() {
        let rules = Rules::deny_all().allow_send("topic");
        assert_eq!(rules.errors(&Prefixes::default()).len(), 1);
    }
}
