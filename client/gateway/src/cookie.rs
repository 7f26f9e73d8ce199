//! The session's cookie.

use http::{HeaderMap, HeaderValue, header, uri::Scheme};
use vault_client::{NewSession, Secret};
use zeroize::Zeroizing;

use crate::{failure::Failure, json};

/// The name the cookie has, by how the request came in. `__Host-` keeps other hosts of the same domain
/// from setting it, and browsers take it over HTTPS only.
fn name(scheme: &Scheme) -> &'static str {
    if *scheme == Scheme::HTTPS {
        "__Host-vaultd_sess"
    } else {
        "vaultd_sess"
    }
}

/// The session that a request names. None where it names several: somebody else's page has set one
/// for a path of its own, and there is no telling which is whose.
pub fn session(scheme: &Scheme, headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(name(scheme).as_bytes())?;
        value.strip_prefix(b"=").filter(|value| !value.is_empty())
    });
    let first = values.next()?;
    values
        .all(|value| value == first)
        .then(|| Secret::new(first.to_vec()))
}

/// `Set-Cookie` for a session that has just begun.
pub fn begin(scheme: &Scheme, session: &NewSession) -> Result<HeaderValue, Failure> {
    let value = json::text(&session.cookie)?;
    write(scheme, &session.cookie_name, value, session.max_age)
}

/// `Set-Cookie` that ends it.
pub fn end(scheme: &Scheme) -> Result<HeaderValue, Failure> {
    write(scheme, name(scheme), "", 0)
}

fn write(scheme: &Scheme, name: &str, value: &str, max_age: u32) -> Result<HeaderValue, Failure> {
    let secure = if *scheme == Scheme::HTTPS {
        "; Secure"
    } else {
        ""
    };
    let text = Zeroizing::new(format!(
        "{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"
    ));
    let mut header = HeaderValue::from_str(&text).map_err(|_| Failure::internal())?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, cookie.parse().expect("a value"));
        }
        headers
    }

    fn read(scheme: &Scheme, cookies: &[&str]) -> Option<Vec<u8>> {
        session(scheme, &sent(cookies)).map(|secret| secret.expose().to_vec())
    }

    fn begun(name: &str) -> NewSession {
        NewSession {
            id: "id".to_owned(),
            cookie: Secret::new(b"id.hush.signature".to_vec()),
            cookie_name: name.to_owned(),
            max_age: 2_592_000,
        }
    }

    #[test]
    fn each_scheme_has_its_own_cookie() {
        let both = ["theme=dark; vaultd_sess=plain", "__Host-vaultd_sess=secure"];
        assert_eq!(read(&Scheme::HTTP, &both).as_deref(), Some(&b"plain"[..]));
        assert_eq!(read(&Scheme::HTTPS, &both).as_deref(), Some(&b"secure"[..]));
        assert_eq!(read(&Scheme::HTTPS, &both[..1]), None);
    }

    #[test]
    fn a_session_that_another_page_has_set_beside_ours_does_not_count() {
        for cookies in [
            &["vaultd_sess=theirs; vaultd_sess=ours"][..],
            &["vaultd_sess=theirs", "vaultd_sess=ours"],
            &["vaultd_sess="],
            &["vaultd_session=x; xvaultd_sess=y"],
        ] {
            assert_eq!(read(&Scheme::HTTP, cookies), None, "{cookies:?}");
        }
        let twice = ["vaultd_sess=ours; vaultd_sess=ours"];
        assert_eq!(read(&Scheme::HTTP, &twice).as_deref(), Some(&b"ours"[..]));
    }

    #[test]
    fn no_script_reads_the_cookie_and_no_other_site_sends_it() {
        let secure = begin(&Scheme::HTTPS, &begun("__Host-vaultd_sess")).expect("a header");
        assert_eq!(
            secure,
            "__Host-vaultd_sess=id.hush.signature; Path=/; Max-Age=2592000; HttpOnly; \
             SameSite=Lax; Secure"
        );
        assert!(secure.is_sensitive());
        let plain = begin(&Scheme::HTTP, &begun("vaultd_sess")).expect("a header");
        assert_eq!(
            plain,
            "vaultd_sess=id.hush.signature; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn signing_out_takes_the_cookie_back() {
        let ended = end(&Scheme::HTTPS).expect("a header");
        assert_eq!(
            ended,
            "__Host-vaultd_sess=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
        );
    }
}
