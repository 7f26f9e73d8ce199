//! The Host of a request: there is one, and it can be one. Whether it is admitted, the daemon says.

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header, request::Parts, uri::Authority};

use crate::{failure::Failure, ingress::Ingress};

/// Finds the Host; without one that can be one, nothing below is asked.
pub async fn layer(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(host) = host(&parts) else {
        let message = "the request needs one Host header, such as `localhost:7787`";
        return Failure::new(StatusCode::BAD_REQUEST, "HOST_INVALID", message).into_response();
    };
    if let Some(ingress) = parts.extensions.get_mut::<Ingress>() {
        ingress.host = Some(host);
    }
    next.run(Request::from_parts(parts, body)).await
}

/// The one host that a request names.
fn host(parts: &Parts) -> Option<String> {
    let said = parts.extensions.get::<Ingress>()?.host.clone();
    if let Some(said) = said {
        return well_formed(&said).then_some(said);
    }
    // HTTP/2 has it in the address, as has HTTP/1 in the form for proxies.
    let in_address = parts.uri.authority().map(Authority::as_str);
    let in_headers = parts.headers.get_all(header::HOST).iter();
    let mut hosts = in_headers
        .map(|value| value.to_str().ok())
        .chain(in_address.map(Some));
    let first = hosts.next()??;
    // Two that differ are seen as one host here and as another elsewhere.
    let one = hosts.all(|other| other.is_some_and(|other| other.eq_ignore_ascii_case(first)));
    let repeated = parts.headers.get_all(header::HOST).iter().nth(1).is_some();
    (one && !repeated && well_formed(first)).then(|| first.to_owned())
}

/// A name or address, with or without a port. Nobody's name and password before it.
fn well_formed(host: &str) -> bool {
    let parsed = host.parse::<Authority>();
    !host.contains('@') && parsed.is_ok_and(|authority| !authority.host().is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request, uri::Scheme};

    use super::*;

    fn read(address: &str, hosts: &[&'static str], forwarded: Option<&str>) -> Option<String> {
        let request = Request::builder().uri(address).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        for host in hosts {
            parts
                .headers
                .append(header::HOST, HeaderValue::from_static(host));
        }
        parts.extensions.insert(Ingress {
            peer: ([127, 0, 0, 1], 50000).into(),
            local: ([127, 0, 0, 1], 7787).into(),
            scheme: Scheme::HTTP,
            host: forwarded.map(str::to_owned),
            forwarded: forwarded.is_some(),
        });
        host(&parts)
    }

    #[test]
    fn one_host_is_named_once() {
        assert_eq!(
            read("/", &["localhost:7787"], None).as_deref(),
            Some("localhost:7787")
        );
        assert_eq!(
            read("/", &["[::1]:7787"], None).as_deref(),
            Some("[::1]:7787")
        );
        assert_eq!(
            read("http://localhost/", &[], None).as_deref(),
            Some("localhost")
        );
        assert!(read("http://localhost/", &["LOCALHOST"], None).is_some());
    }

    #[test]
    fn none_several_and_what_is_none_are_refused() {
        for hosts in [
            &[][..],
            &["localhost", "localhost"],
            &["localhost", "example.org"],
            &[""],
            &["user@localhost"],
            &["local host"],
            &["localhost/path"],
            &[":80"],
        ] {
            assert_eq!(read("/", hosts, None), None, "{hosts:?}");
        }
        assert_eq!(read("http://localhost/", &["example.org"], None), None);
        assert_eq!(read("/", &["localhost"], Some("a@b")), None);
    }

    #[test]
    fn a_trusted_proxy_has_the_last_word() {
        let said = read("/", &["10.0.0.1:7787"], Some("vault.example.org"));
        assert_eq!(said.as_deref(), Some("vault.example.org"));
    }
}
