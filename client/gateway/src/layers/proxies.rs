//! Proxies: what they say of a request is believed where they are trusted, and only then.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, header, uri::Scheme};
use ipnet::IpNet;

use super::forwarded::{self, Said};
use crate::{
    app::App,
    failure::Failure,
    ingress::{Connection, Ingress},
};

/// Headers that only a proxy writes, besides those that begin with a prefix of [`PREFIXES`].
const NAMES: [HeaderName; 2] = [header::FORWARDED, header::VIA];
const PREFIXES: [&str; 2] = ["x-forwarded-", "tailscale-"];

/// Finds out how the request came in.
pub async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(connection) = request.extensions().get::<Connection>() else {
        return Failure::internal().into_response();
    };
    let ingress = ingress(connection, request.headers(), &app.config.trusted_proxies);
    request.extensions_mut().insert(ingress);
    next.run(request).await
}

/// How a request over `connection` came in.
pub fn ingress(connection: &Connection, headers: &HeaderMap, trusted: &[IpNet]) -> Ingress {
    let peer = connection.peer_ip();
    let direct = Ingress {
        peer: SocketAddr::new(peer, connection.peer.port()),
        local: connection.local,
        scheme: connection.scheme.clone(),
        host: None,
        forwarded: headers.keys().any(only_a_proxy_writes),
    };
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    if !is_trusted(peer) {
        return direct;
    }
    let Some(said) = forwarded::read(headers) else {
        return direct;
    };
    believe(direct, said, is_trusted)
}

fn only_a_proxy_writes(name: &HeaderName) -> bool {
    NAMES.contains(name)
        || PREFIXES
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
}

/// `ingress`, as a trusted proxy describes it.
fn believe(mut ingress: Ingress, said: Said, is_trusted: impl Fn(IpAddr) -> bool) -> Ingress {
    // From the right: each hop was written down by the one after it. What stands to the left of the
    // first that is not trusted, it may have made up.
    for hop in said.hops.into_iter().rev() {
        let Some(address) = hop else { break };
        ingress.peer = SocketAddr::new(address, 0);
        if !is_trusted(address) {
            break;
        }
    }
    match said.scheme.as_deref() {
        Some("https") => ingress.scheme = Scheme::HTTPS,
        Some("http") => ingress.scheme = Scheme::HTTP,
        _ => {}
    }
    ingress.host = said.host;
    ingress
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(peer: &str, headers: &[(&str, &str)]) -> Ingress {
        let connection = Connection {
            peer: peer.parse().expect("an address"),
            local: ([127, 0, 0, 1], 7787).into(),
            scheme: Scheme::HTTP,
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network"));
        ingress(&connection, &map, &trusted)
    }

    fn peer(peer: &str, headers: &[(&str, &str)]) -> String {
        came(peer, headers).peer.to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        let forged = came(
            "192.0.2.7:4000",
            &[
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "localhost"),
                ("forwarded", "for=127.0.0.1;proto=https;host=localhost"),
            ],
        );
        assert_eq!(forged.peer.to_string(), "192.0.2.7:4000");
        assert_eq!(forged.scheme, Scheme::HTTP);
        assert_eq!(forged.host, None);
        assert!(forged.forwarded);
    }

    #[test]
    fn the_rightmost_hop_that_is_not_trusted_asks() {
        let made_up_before = [("x-forwarded-for", "127.0.0.1, 192.0.2.7, 10.0.0.2")];
        assert_eq!(peer("10.0.0.1:99", &made_up_before), "192.0.2.7:0");
        let over_two_lines = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "192.0.2.7"),
        ];
        assert_eq!(peer("10.0.0.1:99", &over_two_lines), "192.0.2.7:0");
        let all_trusted = [("x-forwarded-for", "10.0.0.3, 10.0.0.2")];
        assert_eq!(peer("10.0.0.1:99", &all_trusted), "10.0.0.3:0");
    }

    #[test]
    fn what_is_no_address_ends_what_is_believed() {
        let unknown = [("x-forwarded-for", "127.0.0.1, unknown, 10.0.0.2")];
        assert_eq!(peer("10.0.0.1:99", &unknown), "10.0.0.2:0");
        assert_eq!(
            peer("10.0.0.1:99", &[("x-forwarded-for", "")]),
            "10.0.0.1:99"
        );
        assert_eq!(peer("10.0.0.1:99", &[]), "10.0.0.1:99");
    }

    #[test]
    fn two_ways_of_saying_it_must_say_the_same() {
        let passed_on = [
            ("x-forwarded-for", "192.0.2.7"),
            ("forwarded", "for=127.0.0.1"),
        ];
        assert_eq!(peer("10.0.0.1:99", &passed_on), "10.0.0.1:99");
        let agreed = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=\"192.0.2.7:1234\";proto=https"),
        ];
        assert_eq!(peer("10.0.0.1:99", &agreed), "192.0.2.7:0");
        // Of the same hops, the kind that whoever asked made up must not say how and for which host.
        for made_up in [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "localhost"),
        ] {
            let standard = (
                "forwarded",
                "for=192.0.2.7;proto=http;host=vault.example.org",
            );
            let headers = [("x-forwarded-for", "192.0.2.7"), standard, made_up];
            let direct = came("10.0.0.1:99", &headers);
            assert_eq!(direct.peer.to_string(), "10.0.0.1:99");
            assert_eq!(direct.scheme, Scheme::HTTP);
            assert_eq!(direct.host, None);
        }
    }

    #[test]
    fn a_trusted_proxy_says_how_it_was_asked() {
        let proxied = came(
            "[::ffff:10.0.0.1]:99",
            &[
                ("x-forwarded-for", "[2001:db8::1]:443"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "vault.example.org"),
            ],
        );
        assert_eq!(proxied.peer.to_string(), "[2001:db8::1]:0");
        assert_eq!(proxied.scheme, Scheme::HTTPS);
        assert_eq!(proxied.host.as_deref(), Some("vault.example.org"));
    }

    #[test]
    fn traces_of_any_proxy_are_seen() {
        for name in [
            "forwarded",
            "via",
            "x-forwarded-server",
            "tailscale-user-login",
        ] {
            assert!(came("127.0.0.1:99", &[(name, "x")]).forwarded, "{name}");
        }
        assert!(!came("127.0.0.1:99", &[("x-request-id", "x")]).forwarded);
    }
}
