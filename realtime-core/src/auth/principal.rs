//! The authenticated party behind a session.

use std::{any::Any, fmt, str::FromStr, sync::Arc, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest user id, in octets: it is a key in many tables.
const LONGEST_USER_ID: usize = 128;

/// Names a user. Opaque: it is compared as a whole and never becomes part of another text that is parsed again. Cheap to
/// clone.
///
/// ```
/// use parlor_core::auth::UserId;
///
/// let id: UserId = "u-1".parse()?;
/// assert_eq!(id.as_str(), "u-1");
/// assert!("".parse::<UserId>().is_err());
/// # Ok::<(), parlor_core::auth::UserIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

/// Why a text is no user id.
///
/// ```
/// use parlor_core::auth::{UserId, UserIdError};
///
/// assert_eq!("".parse::<UserId>(), Err(UserIdError::Empty));
/// let error = "u".repeat(129).parse::<UserId>().unwrap_err();
/// assert_eq!(error.to_string(), "a user id has at most 128 octets; this one has 129");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserIdError {
    /// It holds a control character.
    #[error("a user id has no control characters")]
    Control,
    /// It is empty.
    #[error("a user id is not empty")]
    Empty,
    /// It is too long.
    #[error("a user id has at most {LONGEST_USER_ID} octets; this one has {0}")]
    TooLong(usize),
}

/// Who a session belongs to: a user, or nobody in particular. Cheap to clone.
///
/// ```
/// use parlor_core::auth::Principal;
///
/// let ada = Principal::user("u-1".parse().unwrap()).with_name("Ada");
/// assert_eq!(ada.to_string(), "Ada");
/// assert!(Principal::anonymous().id().is_none());
/// ```
#[derive(Clone, Default)]
pub struct Principal {
    /// Behind one count, as every handler that asks gets a copy.
    about: Arc<About>,
}

/// What is known of a principal.
#[derive(Clone, Default)]
struct About {
    id: Option<UserId>,
    name: Option<Arc<str>>,
    login: Option<Arc<str>>,
    expires_at: Option<SystemTime>,
    roles: Arc<[Box<str>]>,
    claims: Option<Arc<dyn Any + Send + Sync>>,
    /// What the authenticator keeps for itself, to say later whether the principal is still good.
    credential: Option<Arc<dyn Any + Send + Sync>>,
}

impl UserId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Principal {
    /// A user.
    #[must_use]
    pub fn user(id: UserId) -> Self {
        Self::anonymous().with(|about| about.id = Some(id))
    }

    /// Nobody in particular: each such session is its own user.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Adds a name to show.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        self.with(|about| about.name = Some(name.into()))
    }

    /// Adds the login that the principal belongs to: what one log-in began and one log-out ends, over all tokens that were
    /// issued for it meanwhile. [`Realtime::refresh`](crate::Realtime::refresh) extends by it; without it a principal extends
    /// nothing but the session that it is handed to in band.
    #[must_use]
    pub fn with_login(self, login: &str) -> Self {
        self.with(|about| about.login = Some(login.into()))
    }

    /// Adds the time at which every session of this principal ends.
    #[must_use]
    pub fn with_expiry(self, at: SystemTime) -> Self {
        self.with(|about| about.expires_at = Some(at))
    }

    /// Sets the roles, for [`has_role`](Self::has_role), [`require_role`](crate::app::require_role) and
    /// [`Rule::role`](crate::app::Rule::role).
    #[must_use]
    pub fn with_roles<R: AsRef<str>>(self, roles: impl IntoIterator<Item = R>) -> Self {
        self.with(|about| about.roles = roles.into_iter().map(|role| role.as_ref().into()).collect())
    }

    /// Adds what the authenticator learned, for [`claims`](Self::claims).
    #[must_use]
    pub fn with_claims<T: Any + Send + Sync>(self, claims: T) -> Self {
        self.with(|about| about.claims = Some(Arc::new(claims)))
    }

    /// Adds what the authenticator keeps for itself.
    pub(super) fn with_credential<T: Any + Send + Sync>(self, credential: T) -> Self {
        self.with(|about| about.credential = Some(Arc::new(credential)))
    }

    fn with(mut self, change: impl FnOnce(&mut About)) -> Self {
        change(Arc::make_mut(&mut self.about));
        self
    }

    /// What the authenticator keeps for itself, if it is a `T`.
    pub(super) fn credential<T: Any>(&self) -> Option<&T> {
        self.about.credential.as_deref()?.downcast_ref()
    }

    /// The user, unless anonymous.
    #[must_use]
    pub fn id(&self) -> Option<&UserId> {
        self.about.id.as_ref()
    }

    /// The name to show, where there is one.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.about.name.as_deref()
    }

    /// The login that the principal belongs to, where that is known. It is no secret, and it opens nothing.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.about.login.as_deref()
    }

    /// Whether `other` is the same user by the same login: what a refresh may extend. Never where either says no login.
    #[must_use]
    pub fn is_same_login(&self, other: &Self) -> bool {
        self.id().is_some() && self.id() == other.id() && self.login().is_some() && self.login() == other.login()
    }

    /// When sessions of this principal end.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.about.expires_at
    }

    /// The principal, with the user and the login of `other`.
    pub(crate) fn in_the_name_of(self, other: &Self) -> Self {
        let About { id, login, .. } = (*other.about).clone();
        self.with(|about| (about.id, about.login) = (id, login))
    }

    /// Whether this one ends later than `other`, which is what makes a token a newer one: those that were issued before bring
    /// back no rights that were taken since.
    pub(crate) fn outlasts(&self, other: &Self) -> bool {
        match (self.expires_at(), other.expires_at()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(one), Some(other)) => one > other,
        }
    }

    /// The roles, in the order in which they were given.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.about.roles.iter().map(AsRef::as_ref)
    }

    /// Whether `role` is one of the roles. Roles are compared as whole texts.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|has| has == role)
    }

    /// What the authenticator learned, if it is a `T`.
    #[must_use]
    pub fn claims<T: Any>(&self) -> Option<&T> {
        self.about.claims.as_deref()?.downcast_ref()
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, UserIdError> {
        if text.is_empty() {
            Err(UserIdError::Empty)
        } else if text.len() > LONGEST_USER_ID {
            Err(UserIdError::TooLong(text.len()))
        } else if text.chars().any(char::is_control) {
            Err(UserIdError::Control)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The name to show, else the user's id, else `anonymous`.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id().map(UserId::as_str);
        f.write_str(self.display_name().or(id).unwrap_or("anonymous"))
    }
}

/// Claims are not shown.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("id", &self.about.id)
            .field("name", &self.about.name)
            .field("expires_at", &self.about.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_bounded_at_the_limit_and_not_one_beyond() {
        assert!("u".repeat(128).parse::<UserId>().is_ok());
        assert_eq!("u".repeat(129).parse::<UserId>(), Err(UserIdError::TooLong(129)));
        assert_eq!("".parse::<UserId>(), Err(UserIdError::Empty));
        assert_eq!("a\nb".parse::<UserId>(), Err(UserIdError::Control));
    }

    #[test]
    fn a_login_is_the_same_only_by_user_and_name() {
        let user = |name: &str| Principal::user(name.parse().unwrap());
        let ada = user("ada").with_login("s-1");
        assert!(ada.is_same_login(&ada.clone().with_name("Ada").with_roles(["editor"])));
        assert!(!ada.is_same_login(&user("ada").with_login("s-2")));
        assert!(!ada.is_same_login(&user("bob").with_login("s-1")));
        assert!(!user("ada").is_same_login(&user("ada")), "two that say no login may be two logins");
        let nobody = Principal::anonymous().with_login("s-1");
        assert!(!nobody.is_same_login(&nobody.clone()));
    }

    #[test]
    fn claims_are_typed_and_not_shown() {
        let principal = Principal::anonymous().with_claims("secret".to_owned());
        assert_eq!(principal.claims::<String>().map(String::as_str), Some("secret"));
        assert_eq!(principal.claims::<u8>(), None);
        assert!(!format!("{principal:?}").contains("secret"));
    }
}
