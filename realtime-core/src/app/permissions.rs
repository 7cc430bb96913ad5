//! Who may send and subscribe where, as a table.

use std::{borrow::Cow, fmt};

use crate::{
    app::{Authorize, RouteKind, Routes},
    destination::Prefixes,
};

/// Every route and rule of an endpoint, from [`Realtime::permissions`](crate::Realtime::permissions). It prints as a table,
/// and a test that compares the table with a file notices every new route.
///
/// ```
/// use parlor_core::{Realtime, app::{Route, Router, Rules}, auth::Anonymous};
///
/// async fn say() {}
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().mount(Route::message("/app/say", say)).with_state(()))
///     .authenticate(Anonymous)
///     .authorize(Rules::deny_all().allow_subscribe("/topic/news"))
///     .build()?;
/// let permissions = realtime.permissions();
/// let rows: Vec<String> = permissions.iter().map(|row| format!("{} {}: {}", row.action, row.pattern, row.who)).collect();
/// assert_eq!(rows[0], "SEND /app/say: everyone, by its handler");
/// assert_eq!(rows[2], "SUBSCRIBE /topic/news: everyone");
/// println!("{permissions}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Permissions {
    rows: Vec<Permission>,
}

/// One row: who may do what, where.
///
/// ```
/// use parlor_core::app::{Action, Permission};
///
/// let row = Permission::new(Action::Subscribe, "/topic/news".to_owned(), "everyone");
/// assert!(!row.is_unguarded);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// What may be done.
    pub action: Action,
    /// Where: a pattern.
    pub pattern: String,
    /// Who may, in words.
    pub who: Cow<'static, str>,
    /// Whether a handler without any guard lets everyone in. Such a handler may well judge by itself.
    pub is_unguarded: bool,
}

/// What a client may do.
///
/// ```
/// use parlor_core::app::Action;
///
/// assert_eq!(Action::Send.to_string(), "SEND");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "a client sends and subscribes, and nothing else needs leave")]
pub enum Action {
    /// SEND.
    Send,
    /// SUBSCRIBE.
    Subscribe,
}

impl Permissions {
    pub(crate) fn of(routes: &Routes, rules: &dyn Authorize, prefixes: &Prefixes) -> Self {
        let mut rows: Vec<Permission> = routes
            .entries()
            .map(|entry| {
                let action = match entry.kind {
                    RouteKind::Message => Action::Send,
                    RouteKind::Subscribe => Action::Subscribe,
                };
                let who = match entry.guards {
                    [] => Cow::Borrowed("everyone, by its handler"),
                    guards => format!("if {}", guards.join(" and ")).into(),
                };
                Permission {
                    is_unguarded: entry.guards.is_empty(),
                    ..Permission::new(action, entry.pattern.to_string(), who)
                }
            })
            .collect();
        rows.extend(rules.describe(prefixes));
        rows.push(Permission::new(Action::Subscribe, format!("{}/**", prefixes.user), "everyone, their own"));
        rows.sort_by(|one, two| (one.action, &one.pattern).cmp(&(two.action, &two.pattern)));
        for action in [Action::Send, Action::Subscribe] {
            rows.push(Permission::new(action, "anything else".to_owned(), "nobody"));
        }
        rows.sort_by_key(|row| row.action);
        Self { rows }
    }

    /// The rows: what may be sent, then what may be subscribed to, each by pattern.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.rows.iter()
    }
}

impl Permission {
    /// A row for a rule.
    #[must_use]
    pub fn new(action: Action, pattern: String, who: impl Into<Cow<'static, str>>) -> Self {
        Self { action, pattern, who: who.into(), is_unguarded: false }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Send => "SEND",
            Self::Subscribe => "SUBSCRIBE",
        })
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.pattern.chars().count()).max().unwrap_or_default();
        for Permission { action, pattern, who, .. } in &self.rows {
            writeln!(f, "{action:<9}  {pattern:<width$}  {who}")?;
        }
        Ok(())
    }
}
