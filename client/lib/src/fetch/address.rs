//! Which addresses are public. Everything else is refused: what a stranger's URL or a stranger's
//! name server leads to must not be this machine, its network or the cloud that it runs in.
//!
//! The tables follow IANA's registries of special-purpose addresses, "IPv4 Special-Purpose Address
//! Space" and "IPv6 Special-Purpose Address Space" (RFC 6890, RFC 8190), with multicast from
//! registries of its own (RFC 5771, RFC 4291), and the addresses at which clouds keep their
//! machines' credentials. A block that holds both reachable and unreachable addresses is refused
//! whole where none of the reachable ones serves the web.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first address of a block, how many bits it has in common with the others, and what it is.
type Block<Address> = (Address, u32, &'static str);

const METADATA: &str = "the metadata service of a cloud";
const DOCUMENTATION: &str = "reserved for documentation";
const PROTOCOLS: &str = "reserved for protocols";

const IPV4: &[Block<Ipv4Addr>] = &[
    // Of single clouds; the last one lies among public addresses.
    (Ipv4Addr::new(169, 254, 169, 254), 32, METADATA),
    (Ipv4Addr::new(100, 100, 100, 200), 32, METADATA),
    (Ipv4Addr::new(192, 0, 0, 192), 32, METADATA),
    (Ipv4Addr::new(168, 63, 129, 16), 32, METADATA),
    (Ipv4Addr::UNSPECIFIED, 8, "this very machine"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private network"),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "a provider's shared network",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "this very machine"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "the local link"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private network"),
    // With the two anycast addresses that reach a router nearby.
    (Ipv4Addr::new(192, 0, 0, 0), 24, PROTOCOLS),
    (Ipv4Addr::new(192, 0, 2, 0), 24, DOCUMENTATION),
    (
        Ipv4Addr::new(192, 88, 99, 0),
        24,
        "a relay of 6to4, which was given up",
    ),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private network"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "reserved for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, DOCUMENTATION),
    (Ipv4Addr::new(203, 0, 113, 0), 24, DOCUMENTATION),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    // With the broadcast address.
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// What is assigned to anybody is here (RFC 4291).
const IPV6_UNICAST: Block<Ipv6Addr> = (
    Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0),
    3,
    "not assigned to the public internet",
);

/// Translates to the IPv4 address in its last 32 bits (RFC 6052).
const NAT64: Block<Ipv6Addr> = (
    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0),
    96,
    "a translation to IPv4",
);

/// Blocks outside [`IPV6_UNICAST`] would be refused without a line of their own: it is there to say
/// what they are.
const IPV6: &[Block<Ipv6Addr>] = &[
    (
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        128,
        METADATA,
    ),
    (
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
        128,
        METADATA,
    ),
    (Ipv6Addr::LOCALHOST, 128, "this very machine"),
    (Ipv6Addr::UNSPECIFIED, 128, "this very machine"),
    (
        Ipv6Addr::UNSPECIFIED,
        96,
        "an IPv4 address in a form that was given up",
    ),
    (
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0),
        48,
        "a private network",
    ),
    (
        Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0),
        48,
        "where packets are thrown away",
    ),
    // With Teredo, which hides an IPv4 address, and the benchmarking block.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, PROTOCOLS),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        DOCUMENTATION,
    ),
    // Hides an IPv4 address.
    (
        Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),
        16,
        "6to4, which was given up",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        DOCUMENTATION,
    ),
    (
        Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0),
        16,
        "the inside of a provider's network",
    ),
    (
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),
        7,
        "a private network",
    ),
    (
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
        10,
        "the local link",
    ),
    (
        Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0),
        10,
        "a private network",
    ),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// What a special address is; nothing where it is a public one.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let same = |block: &&Block<Ipv4Addr>| {
        let differing = block.0.to_bits() ^ address.to_bits();
        differing.leading_zeros() >= block.1
    };
    IPV4.iter().find(same).map(|block| block.2)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    // The system connects to the IPv4 address that is mapped.
    if let Some(mapped) = address.to_ipv4_mapped() {
        return special_v4(mapped);
    }
    let within = |block: &Block<Ipv6Addr>| {
        let differing = block.0.to_bits() ^ address.to_bits();
        differing.leading_zeros() >= block.1
    };
    if within(&NAT64) {
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    let listed = IPV6.iter().find(|block| within(block));
    let unassigned = || (!within(&IPV6_UNICAST)).then_some(IPV6_UNICAST.2);
    listed.map(|block| block.2).or_else(unassigned)
}

#[cfg(test)]
mod tests;
