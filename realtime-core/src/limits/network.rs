//! What counts as one address of the network.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// An IPv4 address, or the /64 of an IPv6 address: a household has a whole one and could come from another address each
/// time. IPv4 addresses written as IPv6 ones (`::ffff:192.0.2.1`) count as what they are.
///
/// ```
/// use parlor_core::limits::Network;
///
/// let one = Network::of("2001:db8:1:2:3:4:5:6".parse().unwrap());
/// let two = Network::of("2001:db8:1:2::9".parse().unwrap());
/// assert_eq!(one, two);
/// assert_eq!(one.to_string(), "2001:db8:1:2::/64");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network that an address counts with.
    #[must_use]
    pub fn of(addr: IpAddr) -> Self {
        Self(match addr.to_canonical() {
            IpAddr::V6(addr) => IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() & !u128::from(u64::MAX))),
            addr => addr,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(addr) => addr.fmt(f),
            IpAddr::V6(addr) => write!(f, "{addr}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_counts_with_its_network_and_an_ipv4_one_alone() {
        for (addr, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ] {
            assert_eq!(Network::of(addr.parse().unwrap()).to_string(), expected);
        }
    }
}
