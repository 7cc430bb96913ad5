//! Who gets in, before the upgrade: how many there are in all, from one address, of one user, and not known by name.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    auth::UserId,
    clock,
    limits::{ConnectionLimits, Network, Rate, open_files, parties::Parties, parties::Seat},
};

/// How long a client should wait where it is not known when there will be room.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a client is not let in now.
///
/// ```
/// use parlor_core::{
///     Config, Realtime,
///     app::Router,
///     auth::{Anonymous, Principal},
///     limits::{AdmissionError, ConnectionLimits},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::default().connections(ConnectionLimits::default().max_per_user(1));
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).config(config).build()?;
/// let ada = Principal::user("ada".parse()?);
/// let first = realtime.admit(None)?.for_principal(&ada)?;
/// let error = realtime.admit(None)?.for_principal(&ada).unwrap_err();
/// assert_eq!((error, error.code()), (AdmissionError::UserFull, "too-many-connections-of-user"));
/// assert_eq!(error.status(), 429);
/// drop(first);
/// assert!(realtime.admit(None)?.for_principal(&ada).is_ok());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// Its network address has as many connections as it may: 429.
    #[error("There are too many connections from your network. Close one, or try again later.")]
    AddressFull,
    /// Its network address has as many event streams as it may: 429.
    #[error("There are too many event streams from your network. Close one, or try again later.")]
    AddressStreamsFull,
    /// There are as many anonymous clients and handshakes under way as there may be: 503.
    #[error("The server takes no more guests now. Log in, or try again later.")]
    AnonymousFull,
    /// The endpoint has as many connections as it may, or stops: 503.
    #[error("The server takes no more connections now. Try again later.")]
    Full,
    /// Too many handshakes from its network address were refused: 429.
    #[error("Too many attempts to connect from your network were refused. Try again later.")]
    TooManyFailures {
        /// When the next attempt is judged.
        retry_after: Duration,
    },
    /// The user has as many event streams as they may: 429.
    #[error("You have too many event streams. Close one, or try again later.")]
    UserStreamsFull,
    /// The user has as many connections as they may: 429.
    #[error("You have too many connections. Close one, or try again later.")]
    UserFull,
}

impl AdmissionError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AddressFull => "too-many-connections-from-address",
            Self::AddressStreamsFull => "too-many-event-streams-from-address",
            Self::AnonymousFull => "too-many-anonymous-connections",
            Self::Full => "full",
            Self::TooManyFailures { .. } => "too-many-failed-handshakes",
            Self::UserFull => "too-many-connections-of-user",
            Self::UserStreamsFull => "too-many-event-streams-of-user",
        }
    }

    /// The HTTP status: 429 where the client itself has too much, 503 where all of them together have.
    #[must_use]
    pub const fn status(self) -> http::StatusCode {
        match self {
            Self::AnonymousFull | Self::Full => http::StatusCode::SERVICE_UNAVAILABLE,
            _ => http::StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// How long the client should wait, for `Retry-After`.
    #[must_use]
    pub const fn retry_after(self) -> Duration {
        match self {
            Self::TooManyFailures { retry_after } => retry_after,
            _ => RETRY_AFTER,
        }
    }
}

/// Counts connections. Every count is given back by dropping what it gave out.
pub(crate) struct Gate {
    limits: ConnectionLimits,
    places: Arc<Semaphore>,
    max_places: u32,
    strangers: Arc<AtomicUsize>,
    networks: Arc<Parties<Network>>,
    users: Arc<Parties<UserId>>,
    /// Network addresses by their event streams.
    streaming_networks: Arc<Parties<Network>>,
    /// Users by their event streams.
    streaming_users: Arc<Parties<UserId>>,
    has_warned: AtomicBool,
}

/// What every connection takes, known by name or not.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    network: Option<Seat<Network>>,
}

/// What an event stream takes beside that.
#[derive(Debug)]
pub(super) struct StreamSeats {
    _network: Option<Seat<Network>>,
    _user: Option<Seat<UserId>>,
}

/// One who is not known by name, or not yet.
#[derive(Debug)]
pub(super) struct Stranger {
    all: Arc<AtomicUsize>,
}

impl Gate {
    /// Lets at most `max_connections` in, and fewer where open files are scarce. `user_frames` is the rate of frames of all
    /// connections of a user together.
    pub(crate) fn new(max_connections: usize, limits: ConnectionLimits, user_frames: Rate) -> Self {
        let max_places = max_places(max_connections, open_files::max_connections());
        if usize::try_from(max_places).is_ok_and(|places| places < max_connections) {
            tracing::info!(
                max_connections = max_places,
                "the limit of open files leaves room for fewer connections than the settings allow"
            );
        }
        Self {
            places: Arc::new(Semaphore::new(max_places as usize)),
            max_places,
            strangers: Arc::default(),
            networks: Parties::new(limits.max_per_address, limits.failed_handshakes, limits.max_remembered),
            users: Parties::new(limits.max_per_user, user_frames, limits.max_remembered),
            // Nothing is sent on a stream, so there is nothing to remember of who has none.
            streaming_networks: Parties::new(
                limits.max_event_streams_per_address,
                Rate::unlimited(),
                limits.max_remembered,
            ),
            streaming_users: Parties::new(limits.max_event_streams_per_user, Rate::unlimited(), limits.max_remembered),
            has_warned: AtomicBool::new(false),
            limits,
        }
    }

    /// A place for a connection from `from`, whoever it is.
    pub(super) fn enter(&self, from: Option<IpAddr>) -> Result<(Place, Stranger), AdmissionError> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| AdmissionError::Full)?;
        let stranger = self.stranger().ok_or(AdmissionError::AnonymousFull)?;
        let network = match from {
            Some(addr) => Some(self.networks.seat(Network::of(addr)).ok_or(AdmissionError::AddressFull)?),
            None => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!("the addresses of clients are not known here: bounds by address do not apply");
                }
                None
            }
        };
        if let Some(seat) = &network {
            let checked = seat.bucket().lock().check(seat.rate(), clock::now());
            checked.map_err(|retry_after| AdmissionError::TooManyFailures { retry_after })?;
        }
        Ok((Place { _permit: permit, network }, stranger))
    }

    /// A seat for one more connection of a user.
    pub(super) fn seat(&self, user: UserId) -> Result<Seat<UserId>, AdmissionError> {
        self.users.seat(user).ok_or(AdmissionError::UserFull)
    }

    /// Seats for one more event stream of whoever has that place, and of a user where it is known who it is.
    pub(super) fn stream_seats(&self, place: &Place, user: Option<&UserId>) -> Result<StreamSeats, AdmissionError> {
        let network = place.network.as_ref().map(|seat| *seat.key());
        let network =
            network.map(|network| self.streaming_networks.seat(network).ok_or(AdmissionError::AddressStreamsFull));
        let user = user.map(|user| self.streaming_users.seat(user.clone()).ok_or(AdmissionError::UserStreamsFull));
        Ok(StreamSeats { _network: network.transpose()?, _user: user.transpose()? })
    }

    /// Ready when every connection has ended; nobody may be let in any more.
    pub(crate) async fn all_gone(&self) {
        // It fails only where the semaphore is closed, which nobody does.
        let _ = self.places.acquire_many(self.max_places).await;
    }

    fn stranger(&self) -> Option<Stranger> {
        let most = self.limits.max_anonymous;
        let one_more = |count: usize| (count < most).then_some(count + 1);
        self.strangers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Stranger { all: Arc::clone(&self.strangers) })
    }
}

impl Place {
    /// Counts a handshake that was refused.
    pub(super) fn failed(&self) {
        if let Some(seat) = &self.network {
            // Where several fail at once, those beyond the rate have nothing left to take.
            let _ = seat.bucket().lock().take(seat.rate(), 1, clock::now());
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("free", &self.places.available_permits()).finish_non_exhaustive()
    }
}

/// As many connections as the settings and the open files allow, and as a wait for all of them can count.
fn max_places(settings: usize, open_files: Option<usize>) -> u32 {
    let most = settings.min(open_files.unwrap_or(usize::MAX)).min(Semaphore::MAX_PERMITS);
    u32::try_from(most).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_in_all_are_the_fewer_of_settings_and_open_files() {
        assert_eq!(max_places(10_000, Some(16_000)), 10_000);
        assert_eq!(max_places(10_000, Some(819)), 819);
        assert_eq!(max_places(usize::MAX, None), u32::MAX);
    }
}
