//! One rule: what it is about, and who may.

use std::{borrow::Cow, fmt, future::Future, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    app::{Action, Permission, RouteError},
    auth::Principal,
    destination::{Params, Pattern, Prefixes},
};

/// Lets those whom all of its conditions admit send or subscribe to what its pattern matches. Without conditions that is
/// everyone who is connected.
///
/// See [`Rules`](crate::app::Rules) for an example.
///
/// ```
/// use parlor_core::app::{Rule, Rules};
///
/// let rules = Rules::deny_all()
///     .allow(Rule::subscribe("/topic/audit/**").role("admin").role("auditor"))
///     .allow(Rule::send("/topic/cursors/{page}").authenticated());
/// # let _ = rules;
/// ```
#[derive(Clone)]
pub struct Rule {
    pub(super) scope: Scope,
    pub(super) pattern: Result<Pattern, RouteError>,
    authenticated: bool,
    roles: Vec<Cow<'static, str>>,
    conditions: Vec<Condition>,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Send,
    SendToOtherUsers,
    SendToOwnUser,
    Subscribe,
}

/// A function of the application that is asked.
#[derive(Clone)]
struct Condition {
    name: &'static str,
    ask: Arc<dyn Fn(Principal, Params) -> BoxFuture<'static, bool> + Send + Sync>,
}

impl Rule {
    /// About SENDs straight to topics and queues, which lie under their prefixes.
    #[must_use]
    pub fn send(pattern: &str) -> Self {
        Self::new(Scope::Send, pattern)
    }

    /// About SENDs to one's own `/user` + a path that `pattern` matches.
    #[must_use]
    pub fn send_to_own_user(pattern: &str) -> Self {
        Self::new(Scope::SendToOwnUser, pattern)
    }

    /// About SENDs to another user's `/user/{name}` + a path that `pattern` matches. Receivers cannot tell such a message from
    /// the server's.
    #[must_use]
    pub fn send_to_other_users(pattern: &str) -> Self {
        Self::new(Scope::SendToOtherUsers, pattern)
    }

    /// About subscriptions to topics and queues, which lie under their prefixes, and to patterns wholly within `pattern`.
    #[must_use]
    pub fn subscribe(pattern: &str) -> Self {
        Self::new(Scope::Subscribe, pattern)
    }

    /// Only for users, not for anonymous sessions.
    #[must_use]
    pub fn authenticated(mut self) -> Self {
        self.authenticated = true;
        self
    }

    /// Only for those who have this role. Named several times: one of these roles.
    #[must_use]
    pub fn role(mut self, role: impl Into<Cow<'static, str>>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Only if `condition` says so, asked last, with what the placeholders captured: a membership in a database, say. A
    /// client's pattern is denied where a placeholder would capture more than one segment's text.
    ///
    /// A condition that panics denies, with `internal`.
    #[must_use]
    pub fn when<F, Fut>(mut self, condition: F) -> Self
    where
        F: Fn(Principal, Params) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.conditions.push(Condition {
            name: std::any::type_name::<F>(),
            ask: Arc::new(move |principal, params| Box::pin(condition(principal, params))),
        });
        self
    }

    fn new(scope: Scope, pattern: &str) -> Self {
        Self {
            scope,
            pattern: pattern.parse().map_err(|error| RouteError::pattern(pattern, error)),
            authenticated: false,
            roles: Vec::new(),
            conditions: Vec::new(),
        }
    }

    /// Whether the rule lets `principal` at everything that `wanted` can match.
    pub(super) async fn allows(&self, principal: &Principal, wanted: &Pattern) -> bool {
        let Ok(pattern) = &self.pattern else { return false };
        if !pattern.includes(wanted)
            || (self.authenticated && principal.id().is_none())
            || !(self.roles.is_empty() || self.roles.iter().any(|role| principal.has_role(role)))
        {
            return false;
        }
        if self.conditions.is_empty() {
            return true;
        }
        let Some(params) = pattern.captures_within(wanted) else { return false };
        for condition in &self.conditions {
            if !(condition.ask)(principal.clone(), params.clone()).await {
                return false;
            }
        }
        true
    }

    /// What is wrong with the rule's place.
    pub(super) fn misplaced(&self, prefixes: &Prefixes) -> Option<RouteError> {
        let text = self.pattern.as_ref().ok()?.as_str();
        let Prefixes { app, user, .. } = prefixes;
        let (place, instead_for_users) = match self.scope {
            Scope::Send => {
                ("the rule about SENDs to", "write `Rule::send_to_own_user` or `Rule::send_to_other_users`".to_owned())
            }
            Scope::Subscribe => (
                "the rule about SUBSCRIBEs to",
                format!("what lies under {user} is each user's own and needs no rule, remove it"),
            ),
            Scope::SendToOtherUsers | Scope::SendToOwnUser => return None,
        };
        let allowed = [&prefixes.topic, &prefixes.queue];
        if app.is_above(text) {
            let instead = format!("what lies under {app} its handlers judge, write `.authorize(…)` at the route");
            Some(RouteError::wrong_prefix(place, text, &allowed, instead))
        } else if user.is_above(text) {
            Some(RouteError::wrong_prefix(place, text, &allowed, instead_for_users))
        } else {
            RouteError::misplaced(place, text, &allowed, prefixes)
        }
    }

    pub(super) fn describe(&self, prefixes: &Prefixes) -> Option<Permission> {
        let pattern = self.pattern.as_ref().ok()?;
        let user = &prefixes.user;
        let (action, place) = match self.scope {
            Scope::Send => (Action::Send, pattern.to_string()),
            Scope::SendToOtherUsers => (Action::Send, format!("{user}/{{name}}{pattern}")),
            Scope::SendToOwnUser => (Action::Send, format!("{user}{pattern}")),
            Scope::Subscribe => (Action::Subscribe, pattern.to_string()),
        };
        Some(Permission::new(action, place, self.who()))
    }

    /// Who may, in words.
    fn who(&self) -> String {
        let mut who = Vec::new();
        if self.authenticated {
            who.push("users".to_owned());
        }
        if !self.roles.is_empty() {
            who.push(format!("role {}", self.roles.join(" or ")));
        }
        who.extend(self.conditions.iter().map(|condition| format!("if {}", condition.name)));
        if who.is_empty() { "everyone".to_owned() } else { who.join(", ") }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("scope", &self.scope)
            .field("pattern", &self.pattern)
            .field("who", &self.who())
            .finish()
    }
}
