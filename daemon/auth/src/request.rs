//! A request over HTTP, as the gateway describes it.

use std::{fmt, net::SocketAddr};

use url::Url;

use crate::{AuthError, AuthResult, Host, RpId};

/// How it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// Parses `http` or `https`.
    pub fn parse(text: &str) -> AuthResult<Self> {
        match text {
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            _ => Err(AuthError::Invalid(format!("{text:?} is no scheme"))),
        }
    }

    /// The port it uses where none is named.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// `scheme://host[:port]`, as browsers write it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(pub String);

impl Origin {
    /// Parses an Origin header. What is none of the web, `null` among it, becomes an origin that equals
    /// that of no request: it was sent, so it counts as foreign and not as absent.
    pub fn parse(text: &str) -> Self {
        let foreign = || Self("null".to_owned());
        let Ok(url) = Url::parse(text) else {
            return foreign();
        };
        let origin = url.origin().ascii_serialization();
        let of_web = matches!(url.scheme(), "http" | "https");
        // Browsers write nothing behind the port, and no user before the host.
        let bare = text.trim_end_matches('/').eq_ignore_ascii_case(&origin);
        if of_web && bare {
            Self(origin)
        } else {
            foreign()
        }
    }

    /// Of a host asked over a scheme.
    fn of(scheme: Scheme, host: &Host) -> Self {
        Self(format!("{scheme}://{host}"))
    }
}

/// Sec-Fetch-Site: how a page's origin relates to the one it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchSite {
    /// The same.
    SameOrigin,
    /// Another host of the same site.
    SameSite,
    /// Another site; or a word that nobody has defined yet.
    CrossSite,
    /// No page: typed, or a bookmark.
    None,
}

impl FetchSite {
    fn parse(text: &str) -> Self {
        match text {
            "same-origin" => Self::SameOrigin,
            "same-site" => Self::SameSite,
            "none" => Self::None,
            _ => Self::CrossSite,
        }
    }
}

/// A request in words, before it is parsed.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// `GET`
    pub method: &'a str,
    /// `http` or `https`
    pub scheme: &'a str,
    /// The Host header, or `:authority`, as it came.
    pub host: &'a str,
    /// Origin, where it was sent.
    pub origin: Option<&'a str>,
    /// Sec-Fetch-Site, where it was sent.
    pub fetch_site: Option<&'a str>,
    /// Address and port of who asks.
    pub peer: &'a str,
    /// Whether a header was there that only a proxy writes.
    pub forwarded: bool,
    /// User-Agent, where it was sent.
    pub user_agent: Option<&'a str>,
}

/// A request, as far as who sent it matters.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and none is an argument of anything"
)]
pub struct WebRequest {
    /// How it reached the gateway, or a trusted proxy before it.
    pub scheme: Scheme,
    /// Whom it asked for.
    pub host: Host,
    /// Origin, where it was sent.
    pub origin: Option<Origin>,
    /// Sec-Fetch-Site, where it was sent.
    pub fetch_site: Option<FetchSite>,
    /// Whether its method changes nothing: GET, HEAD, OPTIONS.
    pub safe: bool,
    /// Whether it is a GET.
    pub get: bool,
    /// Who asks.
    pub peer: SocketAddr,
    /// Whether a header was there that only a proxy writes.
    pub forwarded: bool,
    /// Whether the socket at the other end belongs to the daemon's user, proven just now. Asked for
    /// only where it matters.
    pub owned: bool,
    /// User-Agent.
    pub user_agent: Option<String>,
}

impl WebRequest {
    /// Parses what the gateway says. Nothing is proven of the peer's socket yet.
    pub fn parse(parts: &RequestParts<'_>) -> AuthResult<Self> {
        let scheme = Scheme::parse(parts.scheme)?;
        let peer = parts.peer.parse::<SocketAddr>();
        let peer = peer
            .map_err(|_| AuthError::Invalid(format!("{:?} is no address with port", parts.peer)))?;
        Ok(Self {
            scheme,
            host: Host::parse(parts.host, scheme)?,
            origin: parts.origin.map(Origin::parse),
            fetch_site: parts.fetch_site.map(FetchSite::parse),
            safe: matches!(parts.method, "GET" | "HEAD" | "OPTIONS"),
            get: parts.method == "GET",
            peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            forwarded: parts.forwarded,
            owned: false,
            user_agent: parts.user_agent.map(str::to_owned),
        })
    }

    /// The origin it was sent to.
    pub fn own_origin(&self) -> Origin {
        Origin::of(self.scheme, &self.host)
    }

    /// Whether a page of another origin sent it, by either header that tells. Without both it comes
    /// from no page: browsers send Origin with every change.
    pub fn is_cross_origin(&self) -> bool {
        let foreign = |origin: &Origin| *origin != self.own_origin();
        let other_site = matches!(
            self.fetch_site,
            Some(FetchSite::SameSite | FetchSite::CrossSite)
        );
        other_site || self.origin.as_ref().is_some_and(foreign)
    }

    /// The relying party of a ceremony here. Beside what [`RpId::of`] asks for, browsers offer passkeys
    /// only where nobody on the way can read along: over TLS, and to this machine itself.
    pub fn relying_party(&self) -> AuthResult<RpId> {
        let relying_party = RpId::at(self.scheme, &self.host)?;
        if self.scheme == Scheme::Http && !self.host.is_loopback() {
            return Err(AuthError::OriginUnfit {
                text: format!(
                    "browsers use passkeys over HTTPS only, and {} was asked over HTTP: give the gateway \
                     a certificate, or put a proxy with one before it",
                    self.host
                ),
                instead: Some(format!("https://{}", self.host.name)),
            });
        }
        Ok(relying_party)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARTS: RequestParts<'_> = RequestParts {
        method: "POST",
        scheme: "http",
        host: "localhost:7787",
        origin: None,
        fetch_site: None,
        peer: "127.0.0.1:50000",
        forwarded: false,
        user_agent: None,
    };

    fn parse(parts: RequestParts<'_>) -> WebRequest {
        WebRequest::parse(&parts).expect("a request")
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for parts in [
            RequestParts {
                scheme: "ws",
                ..PARTS
            },
            RequestParts { host: "", ..PARTS },
            RequestParts {
                host: "a@b",
                ..PARTS
            },
            RequestParts {
                peer: "127.0.0.1",
                ..PARTS
            },
            RequestParts { peer: "", ..PARTS },
        ] {
            assert!(
                matches!(WebRequest::parse(&parts), Err(AuthError::Invalid(_))),
                "{parts:?}"
            );
        }
    }

    #[test]
    fn methods_that_change_nothing_are_safe() {
        let of = |method| parse(RequestParts { method, ..PARTS });
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(of(method).safe, "{method}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "get", "TRACE", ""] {
            assert!(!of(method).safe, "{method}");
        }
        assert!(of("GET").get && !of("HEAD").get);
    }

    #[test]
    fn a_mapped_peer_is_the_ipv4_address_it_stands_for() {
        let request = parse(RequestParts {
            peer: "[::ffff:127.0.0.1]:5",
            ..PARTS
        });
        assert_eq!(request.peer, SocketAddr::from(([127, 0, 0, 1], 5)));
        assert!(!request.owned);
    }

    #[test]
    fn either_header_can_show_another_origin() {
        let cross = |origin, fetch_site| {
            parse(RequestParts {
                origin,
                fetch_site,
                ..PARTS
            })
            .is_cross_origin()
        };
        assert!(!cross(None, None));
        assert!(!cross(Some("http://localhost:7787"), None));
        assert!(!cross(Some("http://localhost:7787"), Some("same-origin")));
        assert!(!cross(None, Some("none")));
        for origin in [
            "http://localhost",
            "https://localhost:7787",
            "http://localhost:7788",
            "null",
            "",
            "http://a.localhost:7787",
            "http://localhost:7787@evil.example",
            "file://",
            "garbage",
            "http://localhost:7787/path",
            "http://user@localhost:7787",
            "chrome-extension://localhost:7787",
        ] {
            assert!(cross(Some(origin), None), "{origin}");
            assert!(cross(Some(origin), Some("same-origin")), "{origin}");
        }
        for site in ["same-site", "cross-site", "anything"] {
            assert!(cross(None, Some(site)), "{site}");
            assert!(cross(Some("http://localhost:7787"), Some(site)), "{site}");
        }
    }

    #[test]
    fn the_port_of_the_scheme_is_not_written() {
        let own = |scheme, host| {
            parse(RequestParts {
                scheme,
                host,
                ..PARTS
            })
            .own_origin()
            .0
        };
        assert_eq!(own("https", "Vault.example:443"), "https://vault.example");
        assert_eq!(own("http", "vault.example:443"), "http://vault.example:443");
        assert_eq!(own("http", "[::1]:7787"), "http://[::1]:7787");
    }

    #[test]
    fn passkeys_need_tls_or_the_loopback() {
        let at = |scheme, host| {
            parse(RequestParts {
                scheme,
                host,
                ..PARTS
            })
            .relying_party()
        };
        assert_eq!(
            at("http", "localhost:7787").expect("one").as_str(),
            "localhost"
        );
        assert_eq!(at("https", "nas.lan").expect("one").as_str(), "nas.lan");
        let refused = at("http", "nas.lan:7787");
        let Err(AuthError::OriginUnfit { instead, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(instead.as_deref(), Some("https://nas.lan"));
    }

    proptest! {
        /// What a browser sends as the origin of a page it got from here is the request's own.
        #[test]
        fn a_page_of_the_same_address_is_of_the_same_origin(
            host in prop_oneof![
                "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}",
                any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
                any::<std::net::Ipv6Addr>().prop_map(|address| format!("[{address}]")),
            ],
            port in prop::option::of(1u16..),
            tls in any::<bool>(),
        ) {
            let scheme = if tls { "https" } else { "http" };
            let host = port.map_or(host.clone(), |port| format!("{host}:{port}"));
            let page = Url::parse(&format!("{scheme}://{host}/page")).expect("an address");
            let origin = page.origin().ascii_serialization();
            let request = parse(RequestParts {
                scheme,
                host: &host,
                origin: Some(&origin),
                ..PARTS
            });
            prop_assert!(!request.is_cross_origin(), "{} and {origin}", request.own_origin().0);
        }

        #[test]
        fn no_text_is_too_strange_to_be_an_origin(text in any::<String>()) {
            let origin = Origin::parse(&text);
            prop_assert_eq!(Origin::parse(&origin.0), origin);
        }
    }
}
