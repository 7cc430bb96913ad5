//! How many connections of one network address speak HTTP, so that one client does not take the room of all.
//!
//! WebSockets have a bound of their own (`ConnectionLimits::max_per_address`), which is asked at the handshake; until then a
//! connection counts here.

use std::{collections::HashMap, fmt, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use parlor_core::{
    Config, Profile,
    limits::{Network, TrustedProxies},
};

use crate::ServeOptions;

/// The addresses that have connections here. There are no more of them than connections.
pub(crate) struct Addresses {
    most: usize,
    proxies: TrustedProxies,
    counts: Mutex<HashMap<Network, usize>>,
}

/// One connection of an address; dropping it gives its place back.
#[derive(Debug)]
pub(crate) struct Seat {
    /// None of a connection that is not counted.
    counted: Option<(Arc<Addresses>, Network)>,
}

impl Addresses {
    /// The development profile lifts the cap (rule 26).
    pub(crate) fn new(options: &ServeOptions, config: &Config) -> Arc<Self> {
        let most = match config.profile() {
            Profile::Development => usize::MAX,
            Profile::Production => options.max_http_connections_per_address,
        };
        Arc::new(Self { most, proxies: config.trusted_proxies.clone(), counts: Mutex::default() })
    }

    /// A place for one more connection from `peer`; none where its address has as many as it may. A trusted proxy stands
    /// for many clients, and a Unix socket has no address: those are not counted.
    pub(crate) fn seat(self: &Arc<Self>, peer: Option<SocketAddr>) -> Option<Seat> {
        let Some(addr) = peer.map(|peer| peer.ip()).filter(|addr| !self.proxies.trusts(*addr)) else {
            return Some(Seat { counted: None });
        };
        let network = Network::of(addr);
        let mut counts = self.counts.lock();
        let count = counts.get(&network).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        counts.insert(network, count + 1);
        Some(Seat { counted: Some((Arc::clone(self), network)) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((all, network)) = &self.counted else { return };
        let mut counts = all.counts.lock();
        if let Some(count) = counts.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(network);
            }
        }
    }
}

/// Where clients come from is nobody's business.
impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(config: &Config) -> Arc<Addresses> {
        Addresses::new(&ServeOptions::default().max_http_connections_per_address(2), config)
    }

    fn peer(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_places_and_not_one_more_and_others_have_theirs() {
        let all = addresses(&Config::default());
        let one = all.seat(peer("192.0.2.1:1"));
        let two = all.seat(peer("[::ffff:192.0.2.1]:2"));
        assert!(one.is_some() && two.is_some() && all.seat(peer("192.0.2.1:3")).is_none());
        // A household of IPv6 is one address.
        let household = [all.seat(peer("[2001:db8::1]:1")), all.seat(peer("[2001:db8::2]:1"))];
        assert!(household.iter().all(Option::is_some) && all.seat(peer("[2001:db8::3]:1")).is_none());
        drop(one);
        assert!(all.seat(peer("192.0.2.1:3")).is_some());
        drop((two, household));
        assert!(all.counts.lock().is_empty(), "nobody is remembered who is gone");
    }

    #[test]
    fn trusted_proxies_unix_sockets_and_the_development_profile_are_not_counted() {
        let behind = Config::default().trusted_proxies(TrustedProxies::new(["10.0.0.0/8"]).unwrap());
        for (config, from) in
            [(behind, peer("10.0.0.1:1")), (Config::default(), None), (Config::development(), peer("192.0.2.1:1"))]
        {
            let all = addresses(&config);
            let seats: Vec<_> = (0..5).map(|_| all.seat(from)).collect();
            assert!(seats.iter().all(Option::is_some), "{from:?}");
        }
    }
}
