//! The Host header: which name or address a request asked for.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{AuthError, AuthResult, Scheme};

/// Longest name of the DNS, in characters (RFC 1035, written without the dot at its end).
const NAME_LEN: usize = 253;
/// Longest part of a name between two dots (RFC 1035).
const LABEL_LEN: usize = 63;

/// The name and port of a Host header, parsed and in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// Without port, without a dot at the end; an IPv6 address without brackets.
    pub name: HostName,
    /// None where it is the scheme's own.
    pub port: Option<u16>,
}

/// What a Host header names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostName {
    /// A name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl Host {
    /// Parses a Host header, or `:authority`, as it came.
    pub fn parse(text: &str, scheme: Scheme) -> AuthResult<Self> {
        let refused = || AuthError::Invalid(format!("{text:?} is no host"));
        let (name, port) = split_port(text).ok_or_else(refused)?;
        let name = HostName::read(name).ok_or_else(refused)?;
        let port = match port {
            Some(digits) => Some(read_port(digits).ok_or_else(refused)?),
            None => None,
        };
        Ok(Self {
            name,
            port: port.filter(|port| *port != scheme.port()),
        })
    }

    /// Whether it names this machine itself: `localhost`, a name below it, or an address of the
    /// loopback. Nobody else's DNS answers for those (RFC 6761, section 6.3).
    pub fn is_loopback(&self) -> bool {
        self.name.is_loopback()
    }

    /// The same without the names below `localhost`.
    pub(crate) fn is_this_machine(&self) -> bool {
        match &self.name {
            HostName::Dns(name) => name == "localhost",
            HostName::Ip(_) => self.is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    /// As an origin is written: with brackets about an IPv6 address, and with the port where it is not
    /// the scheme's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            HostName::Ip(IpAddr::V6(address)) => write!(f, "[{}]", plain(address))?,
            name => write!(f, "{name}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl HostName {
    /// Parses a name or an address without a port, as it is kept in the list of admitted hosts. An
    /// IPv6 address may stand in brackets.
    pub fn parse(text: &str) -> AuthResult<Self> {
        let bare = text.parse::<Ipv6Addr>().map(|ip| Self::Ip(IpAddr::V6(ip)));
        bare.ok().or_else(|| Self::read(text)).ok_or_else(|| {
            AuthError::Invalid(format!(
                "{text:?} is no host: give a name or an address, without scheme and port"
            ))
        })
    }

    /// See [`Host::is_loopback`].
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Dns(name) => name == "localhost" || name.ends_with(".localhost"),
            Self::Ip(address) => address.to_canonical().is_loopback(),
        }
    }

    /// Only what browsers write after they have parsed an address themselves (WHATWG URL): names in
    /// ASCII, IPv4 as four decimal numbers, IPv6 in brackets. Everything that a later reader could
    /// take for another host, such as `127.1` or `0x7f000001`, is none.
    fn read(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']')?.parse::<Ipv6Addr>();
            return address.ok().map(|address| Self::Ip(IpAddr::V6(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.len() > NAME_LEN || !name.split('.').all(is_label) {
            return None;
        }
        match url::Host::parse(&name).ok()? {
            url::Host::Domain(parsed) => (parsed == name).then_some(Self::Dns(name)),
            url::Host::Ipv4(parsed) => {
                let written = text.parse::<Ipv4Addr>().ok()?;
                (parsed == written).then_some(Self::Ip(IpAddr::V4(written)))
            }
            url::Host::Ipv6(_) => None,
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => f.write_str(&plain(address)),
        }
    }
}

/// As browsers write it, without the dotted form that [`Ipv6Addr`] uses for mapped addresses.
fn plain(address: &Ipv6Addr) -> String {
    let bracketed = url::Host::<String>::Ipv6(*address).to_string();
    bracketed.trim_matches(['[', ']']).to_owned()
}

fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let (name, rest) = text.split_at(text.find(']')? + 1);
        return match rest {
            "" => Some((name, None)),
            _ => rest.strip_prefix(':').map(|port| (name, Some(port))),
        };
    }
    Some(match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    })
}

/// 1 to 65535 in decimal, without sign and leading zero.
fn read_port(digits: &str) -> Option<u16> {
    let decimal = digits.bytes().all(|digit| digit.is_ascii_digit());
    (decimal && !digits.starts_with('0'))
        .then(|| digits.parse().ok())
        .flatten()
}

/// Letters, digits, hyphens (RFC 1123), and underscores, which containers have in their names.
fn is_label(label: &str) -> bool {
    (1..=LABEL_LEN).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn parse(text: &str) -> Option<Host> {
        Host::parse(text, Scheme::Http).ok()
    }

    fn dns(name: &str, port: Option<u16>) -> Host {
        let name = HostName::Dns(name.to_owned());
        Host { name, port }
    }

    #[test]
    fn names_lose_case_final_dot_and_the_port_of_their_scheme() {
        assert_eq!(
            parse("Vault.Example.ORG."),
            Some(dns("vault.example.org", None))
        );
        assert_eq!(parse("nas:80"), Some(dns("nas", None)));
        assert_eq!(parse("nas:443"), Some(dns("nas", Some(443))));
        assert_eq!(
            Host::parse("nas:443", Scheme::Https).ok(),
            Some(dns("nas", None))
        );
        assert_eq!(
            parse("xn--bcher-kva.example"),
            Some(dns("xn--bcher-kva.example", None))
        );
        assert_eq!(
            parse("my_container:7787"),
            Some(dns("my_container", Some(7787)))
        );
    }

    #[test]
    fn addresses_are_recognised() {
        let address = |text: &str| parse(text).map(|host| host.name.to_string());
        assert_eq!(address("127.0.0.1:7787").as_deref(), Some("127.0.0.1"));
        assert_eq!(address("[::1]:7787").as_deref(), Some("::1"));
        assert_eq!(address("[0:0::1]").as_deref(), Some("::1"));
        assert_eq!(
            address("[::ffff:127.0.0.1]").as_deref(),
            Some("::ffff:7f00:1")
        );
        assert_eq!(
            HostName::parse("fe80::1").ok(),
            HostName::parse("[fe80::1]").ok()
        );
        assert_eq!(
            parse("[::1]:7787").expect("a host").to_string(),
            "[::1]:7787"
        );
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a:",
            "a:0",
            "a:080",
            "a:+80",
            "a:65536",
            "a:b",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]7787",
            "[::1%25eth0]",
            "[]",
            "[127.0.0.1]",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "127.0.0.1.",
            "127.0.0.256",
            "127.000.0.1",
            "1.2.3.4.5",
            "a.1",
            "user@host",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a%2eb",
            "a,b",
            "bücher.example",
            "a\u{3002}b",
            "-a",
            "a-",
            "xn--a",
            "a\0",
            " a",
            "a\n",
            "*",
            "*.example.org",
            "http://a",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert!(parse(&"a".repeat(63)).is_some());
        assert!(parse(&"a".repeat(64)).is_none());
        assert!(parse(&["a"; 127].join(".")).is_some());
        assert!(parse(&["a"; 128].join(".")).is_none());
    }

    #[test]
    fn a_host_in_the_list_has_no_port() {
        assert!(HostName::parse("vault.example.org:443").is_err());
        assert!(HostName::parse("https://vault.example.org").is_err());
    }

    #[test]
    fn loopback_is_what_names_this_machine() {
        for text in [
            "localhost",
            "LOCALHOST.",
            "vault.localhost",
            "127.0.0.1",
            "127.255.0.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(parse(text).expect("a host").is_loopback(), "{text}");
        }
        for text in [
            "localhost.example.org",
            "notlocalhost",
            "128.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::2]",
            "127.0.0.1.nip.io",
        ] {
            assert!(!parse(text).expect("a host").is_loopback(), "{text}");
        }
    }

    fn label() -> impl Strategy<Value = String> {
        "[a-z]([a-z0-9_-]{0,8}[a-z0-9])?"
            .prop_filter("no punycode by chance", |label| !label.starts_with("xn--"))
    }

    proptest! {
        /// Whatever is accepted is what a browser would ask for, and stays the same.
        #[test]
        fn what_is_accepted_is_what_a_browser_reads(
            text in prop_oneof![any::<String>(), "[a-zA-Z0-9.:\\[\\]_-]{0,24}", "[0-9.x]{1,16}"],
        ) {
            if let Some(host) = parse(&text) {
                let url = Url::parse(&format!("http://{text}/"));
                let url = url.map_err(|error| TestCaseError::fail(format!("{text:?}: {error}")))?;
                let read = url.host_str().unwrap_or_default();
                prop_assert_eq!(read.strip_suffix('.').unwrap_or(read), Host {
                    port: None,
                    ..host.clone()
                }.to_string());
                prop_assert_eq!(url.port(), host.port);
                prop_assert_eq!(parse(&host.to_string()), Some(host));
            }
        }

        #[test]
        fn a_name_is_the_same_however_it_is_written(
            labels in prop::collection::vec(label(), 1..5),
            port in 1u16..,
            dot in any::<bool>(),
            upper in any::<bool>(),
        ) {
            let name = labels.join(".");
            let written = if upper { name.to_uppercase() } else { name.clone() };
            let written = format!("{written}{}:{port}", if dot { "." } else { "" });
            prop_assert_eq!(parse(&written), Some(dns(&name, Some(port).filter(|port| *port != 80))));
        }

        #[test]
        fn every_address_is_read_as_it_is_written(address in any::<IpAddr>(), port in 1u16..) {
            let written = match address {
                IpAddr::V4(address) => format!("{address}:{port}"),
                IpAddr::V6(address) => format!("[{address}]:{port}"),
            };
            let host = parse(&written);
            prop_assert_eq!(host.map(|host| host.name), Some(HostName::Ip(address)));
            prop_assert_eq!(HostName::parse(&HostName::Ip(address).to_string()).ok(), Some(HostName::Ip(address)));
        }
    }
}
