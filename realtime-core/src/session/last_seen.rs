//! When users were here for the last time.

use std::{
    collections::{BTreeMap, HashMap},
    time::SystemTime,
};

use crate::auth::UserId;

/// When a user was here for the last time.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous, session::LastSeen};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let text = match realtime.registry().last_seen(&"ada".parse()?) {
///     Some(LastSeen::Now) => "online".to_owned(),
///     Some(LastSeen::At(time)) => format!("{} s ago", time.elapsed()?.as_secs()),
///     None => "not lately".to_owned(),
/// };
/// assert_eq!(text, "not lately");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a user is here, or was")]
pub enum LastSeen {
    /// The user's last session or event stream ended then.
    At(SystemTime),
    /// The user has a session or an event stream.
    Now,
}

/// Users that left, the latest of them.
#[derive(Debug, Default)]
pub(super) struct Departed {
    by_user: HashMap<UserId, (u64, SystemTime)>,
    /// In the order in which they left.
    order: BTreeMap<u64, UserId>,
    next: u64,
}

impl Departed {
    pub(super) fn left(&mut self, user: &UserId, at: SystemTime, most: usize) {
        self.came(user);
        self.by_user.insert(user.clone(), (self.next, at));
        self.order.insert(self.next, user.clone());
        self.next += 1;
        while self.order.len() > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.by_user.remove(&oldest);
        }
    }

    pub(super) fn came(&mut self, user: &UserId) {
        if let Some((place, _)) = self.by_user.remove(user) {
            self.order.remove(&place);
        }
    }

    pub(super) fn of(&self, user: &UserId) -> Option<SystemTime> {
        self.by_user.get(user).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_are_remembered_who_left_last_at_the_limit_and_not_one_beyond() {
        let user = |name: &str| name.parse::<UserId>().unwrap();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut departed = Departed::default();
        for (second, name) in (1..).zip(["ada", "bob", "ada", "cy"]) {
            departed.left(&user(name), at(second), 2);
        }
        assert_eq!([departed.of(&user("ada")), departed.of(&user("cy"))], [Some(at(3)), Some(at(4))]);
        assert_eq!((departed.of(&user("bob")), departed.order.len()), (None, 2));
        departed.came(&user("ada"));
        departed.left(&user("dee"), at(5), 0);
        assert!(departed.by_user.is_empty() && departed.order.is_empty());
    }
}
