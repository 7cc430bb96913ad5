//! The way in, in two steps: an applicant whose handshake is judged, and an admitted connection.

use std::net::IpAddr;

use tokio::time::timeout;

use crate::{
    auth::{AuthError, Handshake, Principal, UserId},
    limits::{
        AdmissionError, SharedBucket,
        gate::{Place, Stranger},
        parties::Seat,
    },
    realtime::Realtime,
};

/// A client whose handshake is judged, from [`Realtime::admit`]. It has a place already; dropping it gives it back.
#[derive(Debug)]
pub struct Applicant {
    realtime: Realtime,
    place: Place,
    stranger: Stranger,
}

/// The right to one connection; dropping it gives it back.
#[derive(Debug)]
pub struct Admission {
    _place: Place,
    /// Of who is not known by name.
    _stranger: Option<Stranger>,
    /// Of who is.
    user: Option<Seat<UserId>>,
}

impl Applicant {
    pub(crate) fn enter(realtime: &Realtime, from: Option<IpAddr>) -> Result<Self, AdmissionError> {
        let (place, stranger) = realtime.gate().enter(from)?;
        Ok(Self { realtime: realtime.clone(), place, stranger })
    }

    /// Asks the authenticator who it is, by [`Realtime::authenticate`]. A refusal counts as a failed handshake.
    ///
    /// # Errors
    /// The authenticator's, or that it took too long.
    pub async fn authenticate(&self, handshake: Handshake<'_>) -> Result<Principal, AuthError> {
        let judged = self.realtime.authenticate(handshake).await;
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
        let Self { realtime, place, stranger } = self;
        let Some(user) = principal.id() else {
            return Ok(Admission { _place: place, _stranger: Some(stranger), user: None });
        };
        let seat = realtime.gate().seat(user.clone())?;
        Ok(Admission { _place: place, _stranger: None, user: Some(seat) })
    }
}

impl Admission {
    /// What the user's connections have used of their rate of frames together; none of an anonymous one.
    pub(crate) fn user_frames(&self) -> Option<SharedBucket> {
        self.user.as_ref().map(|seat| SharedBucket::clone(seat.bucket()))
    }
}

impl Realtime {
    /// Who a client is, by the endpoint's authenticator, which may take
    /// [`authenticate_timeout`](crate::Config::authenticate_timeout).
    ///
    /// For a connection use [`Applicant::authenticate`], which counts refusals.
    ///
    /// # Errors
    /// The authenticator's, or [`AuthError::Unavailable`] where it took too long.
    pub async fn authenticate(&self, handshake: Handshake<'_>) -> Result<Principal, AuthError> {
        let limit = self.config().authenticate_timeout;
        timeout(limit, self.authenticator().authenticate(handshake)).await.unwrap_or_else(|_| {
            tracing::warn!(limit = ?limit, "the authenticator took too long; the client is told to come back");
            Err(AuthError::Unavailable)
        })
    }
}
