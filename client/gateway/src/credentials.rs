//! What says who sent a request, taken out of it.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, Uri, header, uri::PathAndQuery};
use percent_encoding::percent_decode;
use vault_client::Secret;

use crate::failure::Failure;

/// A token from the address.
#[derive(Clone, Debug)]
pub struct QueryToken(pub Arc<Secret>);

/// Takes `api_token` out of an address: it must not stand in what is logged, or passed on. The first
/// one counts.
pub fn take_query_token(uri: &mut Uri) -> Option<QueryToken> {
    let query = uri.query()?;
    let is_token = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_decode(name.as_bytes()).eq(b"api_token".iter().copied())
    };
    let token = query.split('&').find(is_token)?;
    let value = token.split_once('=').map_or("", |(_, value)| value);
    let token = Secret::new(percent_decode(value.as_bytes()).collect());
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_token(pair)).collect();
    let address = if rest.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), rest.join("&"))
    };
    let mut parts = uri.clone().into_parts();
    // It is part of an address that was one. Without it, there is no query at all.
    parts.path_and_query = PathAndQuery::try_from(address).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
    Some(QueryToken(Arc::new(token)))
}

/// `Authorization: Bearer`. Another scheme is somebody else's: a proxy's own, left there.
pub fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, Failure> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    if sent.next().is_some() {
        let message = "the request has several Authorization headers";
        let failure = Failure::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message);
        return Err(failure);
    }
    let mut words = value.as_bytes().splitn(2, |byte| *byte == b' ');
    let scheme = words.next().unwrap_or_default();
    let token = words.next().unwrap_or_default().trim_ascii();
    let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer");
    Ok(is_bearer.then(|| Secret::new(token.to_vec())))
}

/// Neither `Debug` nor compression shows these.
pub fn conceal(headers: &mut HeaderMap) {
    for name in [header::AUTHORIZATION, header::COOKIE] {
        if let header::Entry::Occupied(mut values) = headers.entry(name) {
            for value in values.iter_mut() {
                value.set_sensitive(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(address: &str) -> (String, Option<String>) {
        let mut uri = address.parse().expect("an address");
        let token = take_query_token(&mut uri);
        let text = |token: QueryToken| String::from_utf8(token.0.expose().to_vec()).expect("text");
        (uri.to_string(), token.map(text))
    }

    #[test]
    fn a_token_leaves_the_address_and_the_rest_stays() {
        for (address, rest) in [
            ("/a?api_token=hush", "/a"),
            ("/a?x=1&api_token=hush&y=%20", "/a?x=1&y=%20"),
            ("/a?api_token=hush&api_token=other", "/a"),
            ("/a?api%5Ftoken=hu%73h&x", "/a?x"),
            ("http://localhost/a?api_token=hush", "http://localhost/a"),
        ] {
            let expected = (rest.to_owned(), Some("hush".to_owned()));
            assert_eq!(taken(address), expected, "{address}");
        }
        for other in ["/a", "/a?", "/a?x=api_token", "/a?api_tokens=1"] {
            assert_eq!(taken(other), (other.to_owned(), None));
        }
    }

    fn authorized(values: &[&'static str]) -> Result<Option<Vec<u8>>, Failure> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().expect("a value"));
        }
        let token = bearer(&headers)?;
        Ok(token.map(|token| token.expose().to_vec()))
    }

    #[test]
    fn a_bearer_token_is_one() {
        for written in ["Bearer hush", "bearer  hush", "BEARER hush"] {
            let token = authorized(&[written]).expect("one");
            assert_eq!(token.as_deref(), Some(&b"hush"[..]), "{written}");
        }
        assert_eq!(authorized(&["Basic aHVzaA=="]).expect("fine"), None);
        assert_eq!(authorized(&[]).expect("fine"), None);
        // Whoever sends an empty one means it, and is told that it does not count.
        assert_eq!(authorized(&["Bearer"]).expect("fine"), Some(Vec::new()));
        assert!(authorized(&["Bearer hush", "Bearer other"]).is_err());
    }

    #[test]
    fn no_debug_output_shows_a_credential() {
        let mut headers = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::COOKIE, header::COOKIE] {
            headers.append(name, "hush".parse().expect("a value"));
        }
        conceal(&mut headers);
        assert!(!format!("{headers:?}").contains("hush"));
        let mut uri = "/?api_token=hush".parse().expect("an address");
        let token = take_query_token(&mut uri);
        assert!(!format!("{token:?} {uri:?}").contains("hush"));
    }
}
