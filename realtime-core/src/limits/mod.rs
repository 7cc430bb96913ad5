//! How much one connection, user, network address and the whole endpoint may take, and how that is counted.
//!
//! ```text
//! peer address -> TrustedProxies -> Network -> Gate (connections, failed handshakes) -> Applicant -> Admission
//! octets, empty units, frames -> TokenBucket by Rate -> Excess -> ERROR `rate-limited` and 1008
//! ```
//!
//! Everything that is kept for others than live connections has a bound of its own ([`ConnectionLimits::max_remembered`]).

mod admission;
mod connection_limits;
mod excess;
mod gate;
mod message_key;
mod network;
mod open_files;
mod parties;
mod queue_limits;
mod rate;
mod rate_limits;
mod repeat_limits;
mod repeats;
mod socket_rates;
mod token_bucket;
mod transaction_limits;
mod trusted_proxies;

pub use admission::{Admission, Applicant};
pub use connection_limits::ConnectionLimits;
pub use excess::Excess;
pub use gate::AdmissionError;
pub(crate) use gate::Gate;
pub(crate) use message_key::{MessageKey, MessageKeyError};
pub use network::Network;
pub use open_files::max_connections;
pub use queue_limits::QueueLimits;
pub use rate::Rate;
pub use rate_limits::RateLimits;
pub use repeat_limits::RepeatLimits;
pub(crate) use repeats::{Claim, First, Repeats};
pub(crate) use socket_rates::SocketRates;
pub(crate) use token_bucket::{SharedBucket, TokenBucket};
pub use transaction_limits::TransactionLimits;
pub use trusted_proxies::{ProxyHeader, ProxyRangeError, TrustedProxies};
