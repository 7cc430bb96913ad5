//! Tokens that were taken back before their end: by a log-out, a ban, a new password.
//!
//! A cookie that is deleted in the browser may have been copied before; only a list that the server keeps ends the copy.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::SystemTime,
};

use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;

use crate::{
    auth::{AuthError, JwtClaims, UserId},
    clock,
};

/// The most entries of a [`RevocationList`]: about 20 MB.
const MOST_ENTRIES: usize = 100_000;

/// Says whether a token was taken back.
///
/// Called after everything else about the token was found good, and once more when its connection has been entered in the
/// registry: whoever revokes a token and then calls [`Registry::disconnect_where`](crate::session::Registry::disconnect_where)
/// has ended all that it opened, whatever was under way meanwhile.
///
/// A closure is one too, where the answer needs no waiting:
///
/// ```
/// use parlor_core::auth::{JwtClaims, JwtVerifier};
///
/// let verifier = JwtVerifier::hs256(b"a secret of at least 32 octets, please")?
///     .cookie("token")
///     .revocation(|token: &JwtClaims| token.text("jti") == Some("the stolen one"));
/// # let _ = verifier; Ok::<(), parlor_core::auth::JwtKeyError>(())
/// ```
pub trait Revocation: Send + Sync + 'static {
    /// Whether this token must not open anything any more.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] where it cannot be told now: nobody is let in meanwhile.
    fn is_revoked<'a>(&'a self, token: &'a JwtClaims) -> BoxFuture<'a, Result<bool, AuthError>>;
}

/// Tokens that were taken back, in the memory of this process. Cheap to clone; all clones are one list.
///
/// It forgets an entry when the tokens that it is about have ended by themselves. It knows nothing of other nodes and, after
/// a restart, nothing of before: an application that must not forget keeps its log-outs in its database and enters those
/// that still matter at the start. Beyond 100,000 entries the one that ends first is forgotten, with a warning.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use parlor_core::auth::{JwtVerifier, RevocationList};
///
/// let revoked = RevocationList::default();
/// let verifier =
///     JwtVerifier::hs256(b"a secret of at least 32 octets, please")?.cookie("token").revocation(revoked.clone());
/// // At the log-out of a login whose tokens carry `sid: s-17`:
/// # let now = SystemTime::UNIX_EPOCH;
/// revoked.revoke("s-17", now + Duration::from_secs(12 * 3600));
/// # let _ = verifier; Ok::<(), parlor_core::auth::JwtKeyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RevocationList {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Revoked, Entry>,
    /// The same entries by their ends, to forget them in time.
    ends: BTreeSet<(SystemTime, Revoked)>,
    has_warned: bool,
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Revoked {
    /// Tokens whose `jti` or `sid` is this.
    Id(Arc<str>),
    /// Tokens of this user.
    User(UserId),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    until: SystemTime,
    /// Only tokens issued before; all of them where it says nothing.
    issued_before: Option<SystemTime>,
}

impl RevocationList {
    /// Refuses tokens whose `jti` or `sid` is `id`, until `until`: by then the last of them must have ended by itself.
    pub fn revoke(&self, id: &str, until: SystemTime) {
        self.enter(Revoked::Id(id.into()), Entry { until, issued_before: None });
    }

    /// Refuses tokens of a user that were issued before `moment`, or do not say when, until `until`: by then the last of them
    /// must have ended by itself. Tokens count whole seconds, so one that is issued in the second of `moment` is refused too.
    pub fn revoke_user(&self, user: &UserId, moment: SystemTime, until: SystemTime) {
        self.enter(Revoked::User(user.clone()), Entry { until, issued_before: Some(moment) });
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().entries.len()
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn enter(&self, revoked: Revoked, entry: Entry) {
        let mut state = self.state.lock();
        state.forget_before(clock::wall());
        state.enter(revoked, entry);
        if state.entries.len() > MOST_ENTRIES {
            state.forget_first();
        }
    }

    fn names(&self, token: &JwtClaims) -> bool {
        let state = self.state.lock();
        let by_id = ["jti", "sid"].into_iter().filter_map(|name| token.text(name)).map(|id| Revoked::Id(id.into()));
        by_id.chain([Revoked::User(token.subject().clone())]).any(|revoked| {
            let before = state.entries.get(&revoked).map(|entry| entry.issued_before);
            before.is_some_and(|before| before.is_none_or(|before| token.issued_at().is_none_or(|at| at < before)))
        })
    }
}

impl State {
    /// Enters it; what was entered of it before holds as well.
    fn enter(&mut self, revoked: Revoked, mut entry: Entry) {
        if let Some(known) = self.entries.get(&revoked) {
            entry.until = entry.until.max(known.until);
            entry.issued_before = entry.issued_before.max(known.issued_before);
            self.ends.remove(&(known.until, revoked.clone()));
        }
        self.ends.insert((entry.until, revoked.clone()));
        self.entries.insert(revoked, entry);
    }

    fn forget_before(&mut self, now: SystemTime) {
        while let Some((until, revoked)) = self.ends.pop_first() {
            if until > now {
                self.ends.insert((until, revoked));
                return;
            }
            self.entries.remove(&revoked);
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, revoked)) = self.ends.pop_first() {
            self.entries.remove(&revoked);
        }
        if !self.has_warned {
            self.has_warned = true;
            tracing::warn!("over {MOST_ENTRIES} tokens are revoked; those that end first are forgotten from now on");
        }
    }
}

impl Revocation for RevocationList {
    fn is_revoked<'a>(&'a self, token: &'a JwtClaims) -> BoxFuture<'a, Result<bool, AuthError>> {
        Box::pin(ready(Ok(self.names(token))))
    }
}

impl<F: Fn(&JwtClaims) -> bool + Send + Sync + 'static> Revocation for F {
    fn is_revoked<'a>(&'a self, token: &'a JwtClaims) -> BoxFuture<'a, Result<bool, AuthError>> {
        Box::pin(ready(Ok(self(token))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn claims(more: &Value) -> JwtClaims {
        let now = clock::wall();
        let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({ "sub": "ada", "iat": seconds(now), "exp": seconds(now + HOUR) });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        JwtClaims::check(claims.as_object().unwrap().clone(), now, HOUR * 2).unwrap()
    }

    #[test]
    fn a_token_is_refused_by_its_id_or_by_that_of_its_login() {
        let list = RevocationList::default();
        list.revoke("one", clock::wall() + HOUR);
        assert!(list.names(&claims(&json!({ "jti": "one" }))));
        assert!(list.names(&claims(&json!({ "jti": "two", "sid": "one" }))));
        assert!(!list.names(&claims(&json!({ "jti": "two", "sid": "three" }))));
        assert!(!list.names(&claims(&json!({ "sub": "one" }))), "an id is no user");
    }

    #[test]
    fn a_users_tokens_are_refused_that_were_issued_before() {
        let list = RevocationList::default();
        let now = clock::wall();
        list.revoke_user(&"ada".parse().unwrap(), now - HOUR, now + HOUR);
        let issued = |at: SystemTime| json!({ "iat": at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() });
        assert!(!list.names(&claims(&json!({}))), "issued now");
        assert!(list.names(&claims(&issued(now - HOUR))), "issued in that second");
        assert!(list.names(&claims(&json!({ "iat": null }))), "it does not say when");
        assert!(!list.names(&claims(&json!({ "sub": "bob", "iat": null }))));
        // An earlier moment takes nothing back.
        list.revoke_user(&"ada".parse().unwrap(), now - HOUR * 2, now + HOUR);
        assert!(list.names(&claims(&issued(now - HOUR))));
    }

    #[test]
    fn what_has_ended_is_forgotten_and_what_lasts_longer_is_not() {
        let list = RevocationList::default();
        list.revoke("ended", clock::wall() - HOUR);
        list.revoke("lasting", clock::wall() + HOUR);
        list.revoke("lasting", clock::wall() - HOUR);
        assert_eq!(list.len(), 1);
        assert!(list.names(&claims(&json!({ "jti": "lasting" }))));
    }

    #[test]
    fn memory_is_bounded() {
        let list = RevocationList::default();
        let until = clock::wall() + HOUR;
        for index in 0..=MOST_ENTRIES {
            list.revoke(&index.to_string(), until + Duration::from_secs(index as u64));
        }
        assert_eq!(list.len(), MOST_ENTRIES);
        assert!(!list.names(&claims(&json!({ "jti": "0" }))), "the one that ends first is forgotten");
        assert!(list.names(&claims(&json!({ "jti": "1" }))));
    }
}
