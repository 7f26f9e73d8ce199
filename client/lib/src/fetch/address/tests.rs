use super::*;

/// IANA's registries as of 2025: block and whether it is globally reachable. What they leave open
/// ("N/A") counts as unreachable.
const REGISTRIES: &[(&str, u32, bool)] = &[
    ("0.0.0.0", 8, false),
    ("0.0.0.0", 32, false),
    ("10.0.0.0", 8, false),
    ("100.64.0.0", 10, false),
    ("127.0.0.0", 8, false),
    ("169.254.0.0", 16, false),
    ("172.16.0.0", 12, false),
    ("192.0.0.0", 24, false),
    ("192.0.0.0", 29, false),
    ("192.0.0.8", 32, false),
    ("192.0.0.170", 32, false),
    ("192.0.0.171", 32, false),
    ("192.0.2.0", 24, false),
    ("192.31.196.0", 24, true),
    ("192.52.193.0", 24, true),
    ("192.88.99.0", 24, false),
    ("192.168.0.0", 16, false),
    ("192.175.48.0", 24, true),
    ("198.18.0.0", 15, false),
    ("198.51.100.0", 24, false),
    ("203.0.113.0", 24, false),
    ("224.0.0.0", 4, false),
    ("240.0.0.0", 4, false),
    ("255.255.255.255", 32, false),
    ("::1", 128, false),
    ("::", 128, false),
    ("100::", 64, false),
    ("100:0:0:1::", 64, false),
    ("64:ff9b:1::", 48, false),
    ("2001::", 23, false),
    ("2001::", 32, false),
    ("2001:2::", 48, false),
    ("2001:10::", 28, false),
    ("2001:db8::", 32, false),
    ("2002::", 16, false),
    ("2620:4f:8000::", 48, true),
    ("3fff::", 20, false),
    ("5f00::", 16, false),
    ("fc00::", 7, false),
    ("fe80::", 10, false),
    ("fec0::", 10, false),
    ("ff00::", 8, false),
];

fn parse(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The first address of a block and the last.
fn ends(first: &str, bits: u32) -> [IpAddr; 2] {
    let last = match parse(first) {
        IpAddr::V4(first) => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            IpAddr::from(Ipv4Addr::from_bits(first.to_bits() | host))
        }
        IpAddr::V6(first) => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            IpAddr::from(Ipv6Addr::from_bits(first.to_bits() | host))
        }
    };
    [parse(first), last]
}

#[test]
fn every_block_of_the_registries_is_judged_from_its_first_address_to_its_last() {
    for (first, bits, reachable) in REGISTRIES {
        for address in ends(first, *bits) {
            assert_eq!(
                special(address).is_none(),
                *reachable,
                "{address} of {first}/{bits}"
            );
        }
    }
}

#[test]
fn the_neighbours_of_special_blocks_are_public() {
    for address in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2000::",
        "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:200::",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2003::",
        "2606:4700:4700::1111",
        "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff:1000::",
    ] {
        assert_eq!(special(parse(address)), None, "{address}");
    }
}

#[test]
fn nothing_outside_of_assigned_unicast_is_public() {
    for address in [
        "::2",
        "1::",
        "200::",
        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "4000::",
        "64:ff9a::808:808",
        "64:ff9b:0:0:0:1::",
        "e000::",
    ] {
        assert!(special(parse(address)).is_some(), "{address}");
    }
}

#[test]
fn an_address_within_an_address_is_found() {
    for (address, public) in [
        ("::ffff:127.0.0.1", false),
        ("::ffff:10.0.0.1", false),
        ("::ffff:169.254.169.254", false),
        ("::ffff:8.8.8.8", true),
        ("64:ff9b::127.0.0.1", false),
        ("64:ff9b::192.168.1.1", false),
        ("64:ff9b::8.8.8.8", true),
        // Forms that were given up are refused whatever they hold.
        ("::127.0.0.1", false),
        ("::8.8.8.8", false),
        ("2002:7f00:1::", false),
        ("2002:808:808::", false),
        ("2001:0:7f00:1::", false),
        ("2001::8000:0:f7f7:f7f7", false),
    ] {
        assert_eq!(special(parse(address)).is_none(), public, "{address}");
    }
}

#[test]
fn metadata_services_are_named() {
    for address in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
    ] {
        assert_eq!(special(parse(address)), Some(METADATA), "{address}");
    }
}
