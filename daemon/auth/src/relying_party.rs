//! The relying party of an address.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AuthError, AuthResult, Host, HostName, Scheme};

/// Below this the first label is a tailnet, and the hosts of one tailnet are one person's or team's.
const TAILNETS: &str = "ts.net";
/// Below this each name is a public suffix of its own, according to the Public Suffix List.
const NO_TAILNET: &str = "c";

/// The id of a relying party: a host name, or the parent that the hosts of one tailnet share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RpId(String);

impl RpId {
    /// The relying party of a host; an address has none, and the error says why.
    pub fn of(host: &Host) -> AuthResult<Self> {
        match &host.name {
            HostName::Dns(name) => Self::of_name(name),
            HostName::Ip(address) => Err(unfit(
                format!(
                    "passkeys belong to a name, and {address} is an address: use the name that this \
                     machine has in its network"
                ),
                None,
            )),
        }
    }

    /// The same, where the scheme is known too: the error then names an address to use instead.
    pub(crate) fn at(scheme: Scheme, host: &Host) -> AuthResult<Self> {
        match &host.name {
            HostName::Ip(address) if host.is_loopback() => {
                let port = host.port.map(|port| format!(":{port}")).unwrap_or_default();
                let instead = format!("{scheme}://localhost{port}");
                Err(unfit(
                    format!(
                        "passkeys belong to a name, and {address} is an address: use {instead}"
                    ),
                    Some(instead),
                ))
            }
            _ => Self::of(host),
        }
    }

    /// One that was given by its text.
    pub fn parse(text: &str) -> AuthResult<Self> {
        match HostName::parse(text)? {
            HostName::Dns(name) => Ok(Self(name)),
            HostName::Ip(_) => Err(AuthError::Invalid(format!(
                "{text:?} is an address, which has no passkeys"
            ))),
        }
    }

    fn of_name(name: &str) -> AuthResult<Self> {
        let whole = || Ok(Self(name.to_owned()));
        if name == TAILNETS {
            return Err(unfit(
                format!(
                    "{TAILNETS} is common to all tailnets: use the name of this machine in yours"
                ),
                None,
            ));
        }
        let Some(below) = name
            .strip_suffix(TAILNETS)
            .and_then(|rest| rest.strip_suffix('.'))
        else {
            return whole();
        };
        // The last label before `ts.net`: all of it, for the tailnet's own name.
        match below.rsplit('.').next() {
            None | Some(NO_TAILNET) => whole(),
            Some(tailnet) => Ok(Self(format!("{tailnet}.{TAILNETS}"))),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unfit(text: String, instead: Option<String>) -> AuthError {
    AuthError::OriginUnfit { text, instead }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> AuthResult<RpId> {
        let host = Host::parse(text, Scheme::Http)?;
        RpId::at(Scheme::Http, &host)
    }

    fn id(text: &str) -> String {
        at(text).expect("a relying party").0
    }

    #[test]
    fn the_hosts_of_a_tailnet_share_one() {
        assert_eq!(id("a.alice.ts.net"), "alice.ts.net");
        assert_eq!(id("b.alice.ts.net:8443"), "alice.ts.net");
        assert_eq!(id("deep.a.ALICE.ts.net."), "alice.ts.net");
        assert_eq!(id("alice.ts.net"), "alice.ts.net");
        assert_eq!(id("a.bob.ts.net"), "bob.ts.net");
    }

    #[test]
    fn what_strangers_share_is_none() {
        assert!(matches!(at("ts.net"), Err(AuthError::OriginUnfit { .. })));
        assert_eq!(id("a.b.c.ts.net"), "a.b.c.ts.net");
        assert_eq!(id("c.ts.net"), "c.ts.net");
    }

    #[test]
    fn elsewhere_it_is_the_whole_host() {
        for host in [
            "localhost",
            "vault.localhost",
            "nas",
            "nas.lan",
            "vault.home.arpa",
            "a.example.org",
            "alice.ts.net.example.org",
            "ants.net",
            "a.ants.net",
        ] {
            assert_eq!(id(host), host);
        }
    }

    #[test]
    fn an_address_has_none_and_the_loopback_another_name() {
        let instead = |text: &str| match at(text) {
            Err(AuthError::OriginUnfit { text, instead }) => {
                assert!(text.contains("address"), "{text}");
                instead
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            instead("127.0.0.1:7787").as_deref(),
            Some("http://localhost:7787")
        );
        assert_eq!(instead("127.0.0.1").as_deref(), Some("http://localhost"));
        assert_eq!(
            instead("[::1]:7787").as_deref(),
            Some("http://localhost:7787")
        );
        assert_eq!(instead("192.168.1.5:7787"), None);
        assert_eq!(instead("[fe80::1]"), None);
    }

    #[test]
    fn a_text_is_one_where_it_is_a_name() {
        assert_eq!(
            RpId::parse("Alice.ts.net").expect("one").as_str(),
            "alice.ts.net"
        );
        for text in ["", "127.0.0.1", "a b", "a:1"] {
            assert!(RpId::parse(text).is_err(), "{text:?}");
        }
    }
}
