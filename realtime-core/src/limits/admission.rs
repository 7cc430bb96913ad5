//! The way in, in two steps: an applicant whose handshake is judged, and an admitted connection.

use std::{fmt, net::IpAddr, sync::Arc};

use crate::{
    auth::{AuthError, Handshake, Judge, Principal, UserId},
    limits::{
        AdmissionError, Gate, SharedBucket,
        gate::{Place, Stranger, StreamSeats},
        parties::Seat,
    },
};

/// A client whose handshake is judged, from [`Realtime::admit`](crate::Realtime::admit). It has a place already; dropping it
/// gives it back.
///
/// ```
/// use parlor_core::{Config, Realtime, app::Router, auth::Anonymous};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(()))
///     .authenticate(Anonymous)
///     .config(Config::default().max_connections(1))
///     .build()?;
/// let applicant = realtime.admit(None)?;
/// assert!(realtime.admit(None).is_err()); // the one place is taken
/// drop(applicant);
/// assert!(realtime.admit(None).is_ok());
/// # Ok(()) }
/// ```
pub struct Applicant {
    gate: Arc<Gate>,
    judge: Judge,
    place: Place,
    stranger: Stranger,
}

/// The right to one connection; dropping it gives it back.
///
/// ```
/// use parlor_core::{Config, Realtime, app::Router, auth::{Anonymous, Principal}, limits::ConnectionLimits};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(()))
///     .authenticate(Anonymous)
///     .config(Config::default().connections(ConnectionLimits::default().max_per_user(1)))
///     .build()?;
/// let ada = Principal::user("ada".parse()?);
/// let admission = realtime.admit(None)?.for_principal(&ada)?;
/// assert!(realtime.admit(None)?.for_principal(&ada).is_err());
/// drop(admission);
/// assert!(realtime.admit(None)?.for_principal(&ada).is_ok());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Admission {
    _place: Place,
    /// Of who is not known by name.
    _stranger: Option<Stranger>,
    /// Of who is.
    user: Option<Seat<UserId>>,
    /// Of an event stream.
    _stream: Option<Box<StreamSeats>>,
}

impl Applicant {
    pub(crate) fn enter(gate: &Arc<Gate>, judge: Judge, from: Option<IpAddr>) -> Result<Self, AdmissionError> {
        let (place, stranger) = gate.enter(from)?;
        Ok(Self { gate: Arc::clone(gate), judge, place, stranger })
    }

    /// Asks the authenticator who it is, by [`Realtime::authenticate`](crate::Realtime::authenticate). A refusal counts as a failed handshake.
    ///
    /// # Errors
    /// The authenticator's, or that it took too long.
    pub async fn authenticate(&self, handshake: Handshake<'_>) -> Result<Principal, AuthError> {
        let judged = self.judge.authenticate(handshake).await;
        if matches!(judged, Err(AuthError::Forbidden | AuthError::Invalid | AuthError::Missing)) {
            self.place.failed();
        }
        judged
    }

    /// The right to a connection of `principal`.
    ///
    /// # Errors
    /// [`AdmissionError::UserFull`].
    pub fn for_principal(self, principal: &Principal) -> Result<Admission, AdmissionError> {
        let Self { gate, place, stranger, .. } = self;
        let Some(user) = principal.id() else {
            return Ok(Admission { _place: place, _stranger: Some(stranger), user: None, _stream: None });
        };
        let seat = gate.seat(user.clone())?;
        Ok(Admission { _place: place, _stranger: None, user: Some(seat), _stream: None })
    }

    /// The right to an event stream of `principal`, which is a connection too.
    ///
    /// # Errors
    /// [`AdmissionError::AddressStreamsFull`], [`AdmissionError::UserFull`] and [`AdmissionError::UserStreamsFull`].
    pub fn for_event_stream(self, principal: &Principal) -> Result<Admission, AdmissionError> {
        let seats = self.gate.stream_seats(&self.place, principal.id())?;
        Ok(Admission { _stream: Some(Box::new(seats)), ..self.for_principal(principal)? })
    }
}

impl Admission {
    /// What the user's connections have used of their rate of frames together; none of an anonymous one.
    pub(crate) fn user_frames(&self) -> Option<SharedBucket> {
        self.user.as_ref().map(|seat| SharedBucket::clone(seat.bucket()))
    }
}

impl fmt::Debug for Applicant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applicant").field("place", &self.place).finish_non_exhaustive()
    }
}
