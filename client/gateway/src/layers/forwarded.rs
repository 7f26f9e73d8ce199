//! Forwarding headers: `X-Forwarded-*`, and RFC 7239.
//!
//! A proxy that is trusted speaks for whoever asked. So it sets `X-Forwarded-Proto` and
//! `X-Forwarded-Host` itself, whatever came; sets or continues `X-Forwarded-For`; and takes away
//! `Forwarded`. One that writes `Forwarded` puts `for`, `proto` and `host` into its element, and takes
//! away the others. What it leaves, whoever asked may have made up.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What a proxy says of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Who asked whom, the first on the left. None where it is not an address.
    pub hops: Vec<Option<IpAddr>>,
    /// "http" or "https"
    pub scheme: Option<String>,
    /// The host that was asked for.
    pub host: Option<String>,
}

/// What the headers say. Nothing, where both kinds are there and differ in anything: a proxy writes one
/// kind, and passes on the other as whoever asked made it up.
pub fn read(headers: &HeaderMap) -> Option<Said> {
    let standard = standard(headers);
    let customary = customary(headers);
    match (standard, customary) {
        (Some(standard), Some(customary)) => (standard == customary).then_some(customary),
        (standard, customary) => standard.or(customary),
    }
}

/// `X-Forwarded-For`, `-Proto`, `-Host`.
fn customary(headers: &HeaderMap) -> Option<Said> {
    let any = [&FOR, &PROTO, &HOST]
        .into_iter()
        .any(|name| headers.contains_key(name));
    any.then(|| Said {
        hops: items(headers, &FOR).map(address).collect(),
        scheme: items(headers, &PROTO).last().map(str::to_ascii_lowercase),
        host: items(headers, &HOST).last().map(str::to_owned),
    })
}

/// `Forwarded: for=192.0.2.7;proto=https;host=vault.example.org`
fn standard(headers: &HeaderMap) -> Option<Said> {
    if !headers.contains_key(header::FORWARDED) {
        return None;
    }
    let mut said = Said::default();
    for element in items(headers, &header::FORWARDED) {
        let mut hop = None;
        // Those of the last element count: the proxy before this one wrote it.
        (said.scheme, said.host) = (None, None);
        for pair in element.split(';') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop = address(value),
                "proto" => said.scheme = Some(value.to_ascii_lowercase()),
                "host" => said.host = Some(value.to_owned()),
                _ => {}
            }
        }
        said.hops.push(hop);
    }
    Some(said)
}

/// The items of a list, over all lines of that name. A line that is not text is one that says nothing.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter();
    let texts = lines.map(|line| line.to_str().unwrap_or_default());
    texts.flat_map(|line| line.split(',')).map(str::trim)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|both| both.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_however_proxies_write_them() {
        for (written, meant) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:80", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(address(written), meant.parse().ok(), "{written}");
        }
        for other in ["", "unknown", "_hidden", "localhost", "192.0.2.7, ", "1"] {
            assert_eq!(address(other), None, "{other}");
        }
    }

    #[test]
    fn the_standard_header_is_read_by_element() {
        let mut headers = HeaderMap::new();
        let first = "For=\"[2001:db8::1]:80\"; Proto=http; host=made.up, for=_hidden";
        headers.append(header::FORWARDED, first.parse().expect("a value"));
        let second = "for=192.0.2.7;PROTO=HTTPS;host=vault.example.org";
        headers.append(header::FORWARDED, second.parse().expect("a value"));
        let said = read(&headers).expect("something");
        let hops = [Some("2001:db8::1"), None, Some("192.0.2.7")];
        let hops = hops.map(|hop| hop.map(|text| text.parse().expect("an address")));
        assert_eq!(said.hops, hops);
        assert_eq!(said.scheme.as_deref(), Some("https"));
        assert_eq!(said.host.as_deref(), Some("vault.example.org"));
    }

    #[test]
    fn what_stands_before_the_last_element_is_not_the_proxys() {
        let mut headers = HeaderMap::new();
        let made_up = "for=127.0.0.1;proto=https;host=localhost, for=192.0.2.7";
        headers.append(header::FORWARDED, made_up.parse().expect("a value"));
        let said = read(&headers).expect("something");
        assert_eq!((said.scheme, said.host), (None, None));
    }

    #[test]
    fn nothing_is_said_where_nothing_stands() {
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
