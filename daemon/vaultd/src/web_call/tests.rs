//! Metadata, well-formed and not.

use http::HeaderValue;
use tonic_types::StatusExt as _;

use super::*;

fn request() -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        scheme: "http".into(),
        host: "localhost:7787".into(),
        origin: Some("http://localhost:7787".into()),
        peer: "127.0.0.1:50000".into(),
        local: "127.0.0.1:7787".into(),
        ..HttpRequest::default()
    }
}

fn headers(values: &[(&'static str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        let value = HeaderValue::from_str(value).expect("a value");
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

fn encoded(request: &HttpRequest) -> (&'static str, String) {
    (
        "vaultd-http-bin",
        BASE64_NOPAD.encode(&request.encode_to_vec()),
    )
}

fn web(values: &[(&'static str, String)]) -> WebCall {
    match read(&headers(values)) {
        Ok(Sent::Web(call)) => *call,
        _ => panic!("it is no call of the gateway"),
    }
}

fn assert_refused(values: &[(&'static str, String)]) {
    let Err(status) = read(&headers(values)) else {
        panic!("{} was taken", values[0].1)
    };
    let details = status.get_error_details();
    let reason = &details.error_info().expect("a reason").reason;
    assert_eq!(reason, "INVALID_ARGUMENT");
}

#[test]
fn a_call_without_metadata_brings_nothing() {
    let none = headers(&[("content-type", "application/grpc".into())]);
    assert!(is_bare(&none) && !is_web(&none));
    assert!(matches!(read(&none), Ok(Sent::Nothing)));
}

#[test]
fn a_bearer_alone_is_a_client_token() {
    for value in ["Bearer vaultd_abc", "bearer  vaultd_abc "] {
        let sent = headers(&[("authorization", value.into())]);
        assert!(!is_bare(&sent) && !is_web(&sent));
        let Ok(Sent::Token(token)) = read(&sent) else {
            panic!("{value} is no token")
        };
        assert_eq!(token, "vaultd_abc");
    }
}

#[test]
fn a_request_comes_with_its_credentials_padded_or_not() {
    let call = web(&[
        encoded(&request()),
        ("authorization", "Bearer t".into()),
        ("vaultd-session", "c".into()),
        ("vaultd-query-token", "q".into()),
    ]);
    let Credential {
        bearer,
        cookie,
        query_token,
    } = &call.credential;
    let all = [bearer, cookie, query_token].map(Option::as_deref);
    assert_eq!(all, [Some("t"), Some("c"), Some("q")]);
    assert_eq!(call.local, "127.0.0.1:7787".parse().expect("an address"));
    assert!(
        call.request.safe && !call.request.owned,
        "nothing is proven yet"
    );

    let (name, mut value) = encoded(&request());
    while !value.len().is_multiple_of(4) {
        value.push('=');
    }
    assert_eq!(web(&[(name, value)]).request.host, call.request.host);
}

#[test]
fn what_is_malformed_is_refused_and_still_the_gateways() {
    let broken = |change: fn(&mut HttpRequest)| {
        let mut request = request();
        change(&mut request);
        encoded(&request)
    };
    for value in [
        ("vaultd-http-bin", "not base64!".to_owned()),
        ("vaultd-http-bin", BASE64_NOPAD.encode(&[0xff; 9])),
        broken(|request| request.scheme = "gopher".into()),
        broken(|request| request.host = "a b".into()),
        broken(|request| request.host.clear()),
        broken(|request| request.peer = "somewhere".into()),
        broken(|request| request.local.clear()),
    ] {
        assert!(is_web(&headers(std::slice::from_ref(&value))));
        assert_refused(&[value]);
    }
    // Which of two would count?
    assert_refused(&[encoded(&request()), encoded(&request())]);
    let twice = ("authorization", "Bearer a".to_owned());
    assert_refused(&[twice.clone(), twice]);
}

#[test]
fn a_browsers_credentials_need_a_browsers_request() {
    assert_refused(&[("vaultd-session", "c".into())]);
    assert_refused(&[("vaultd-query-token", "q".into())]);
    assert_refused(&[("authorization", "Basic dTpw".into())]);
    assert_refused(&[("authorization", "Bearer ".into())]);
}
