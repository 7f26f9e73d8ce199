//! `If-Match` and `If-None-Match` (RFC 9110, section 13). A document's entity tag is its revision.

use http::{
    HeaderMap, StatusCode,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use vault_client::Precondition;

use crate::failure::Failure;

/// The entity tag of a revision.
pub fn tag(revision: u64) -> String {
    format!("\"{revision}\"")
}

/// What must hold for a write to happen.
pub fn of_write(headers: &HeaderMap) -> Result<Precondition, Failure> {
    match (value(headers, &IF_MATCH)?, value(headers, &IF_NONE_MATCH)?) {
        (None, None) => Ok(Precondition::None),
        (Some("*"), None) => Ok(Precondition::Present),
        (Some(tag), None) => revision(tag).map(Precondition::Revision),
        (None, Some("*")) => Ok(Precondition::Absent),
        (None, Some(_)) => Err(Failure::invalid(
            "a write takes no other `If-None-Match` than `*`, which means: only create",
        )),
        (Some(_), Some(_)) => Err(Failure::invalid(
            "`If-Match` and `If-None-Match` cannot both hold",
        )),
    }
}

/// Nothing may have to hold: for what has no revision, a condition cannot be kept, and is never passed
/// over.
pub fn none(headers: &HeaderMap) -> Result<(), Failure> {
    match of_write(headers)? {
        Precondition::None => Ok(()),
        _ => Err(Failure::invalid(
            "what is at this address has no revision: a change of it takes no `If-Match` and no \
             `If-None-Match`",
        )),
    }
}

/// The revision that a change is bound to, where it is bound to one. What it changes must be there
/// in any case.
pub fn revision_of_change(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    match of_write(headers)? {
        Precondition::None | Precondition::Present => Ok(None),
        Precondition::Revision(revision) => Ok(Some(revision)),
        Precondition::Absent => Err(Failure::invalid(
            "what is to be changed must be there: `If-None-Match: *` says it is not",
        )),
    }
}

/// Whether the one who reads has what this tag stands for already.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// Whether a write had a condition: a conflict is then 412.
pub fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH)
}

fn value<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Result<Option<&'a str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(str::trim);
    text.filter(|text| values.next().is_none() && !text.contains(','))
        .map(Some)
        .ok_or_else(|| Failure::invalid(format!("`{name}` takes one entity tag")))
}

/// A tag that no revision has, or a weak one, matches nothing.
fn revision(tag: &str) -> Result<u64, Failure> {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = opaque
        .strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        .filter(|inner| !inner.contains('"'))
        .ok_or_else(|| Failure::invalid("`If-Match` is an entity tag in quotes, or `*`"))?;
    let digits = inner.bytes().all(|byte| byte.is_ascii_digit()) && opaque == tag;
    match inner.parse() {
        // To the daemon, 0 is whatever revision there is.
        Ok(revision) if digits && revision > 0 => Ok(revision),
        _ => Err(Failure::new(
            StatusCode::PRECONDITION_FAILED,
            "REVISION_CONFLICT",
            "no revision has the entity tag of `If-Match`: read the document again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        pairs
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_write_is_bound_to_what_was_read() {
        let of = |pairs: &[_]| of_write(&headers(pairs)).map_err(|failure| failure.status());
        assert_eq!(of(&[]), Ok(Precondition::None));
        assert_eq!(of(&[(IF_MATCH, "\"7\"")]), Ok(Precondition::Revision(7)));
        assert_eq!(of(&[(IF_MATCH, "*")]), Ok(Precondition::Present));
        assert_eq!(of(&[(IF_NONE_MATCH, "*")]), Ok(Precondition::Absent));
        for never in [
            "\"0\"",
            "W/\"7\"",
            "\"+7\"",
            "\"\"",
            "\"99999999999999999999\"",
        ] {
            let pairs = [(IF_MATCH, never)];
            assert_eq!(of(&pairs), Err(StatusCode::PRECONDITION_FAILED), "{never}");
        }
        let both = [(IF_MATCH, "*"), (IF_NONE_MATCH, "*")];
        for pairs in [
            &[(IF_NONE_MATCH, "\"7\"")][..],
            &[(IF_MATCH, "\"7\", \"8\"")],
            &[(IF_MATCH, "7")],
            &[(IF_MATCH, "\"7")],
            &[(IF_MATCH, "")],
            &both,
        ] {
            assert_eq!(of(pairs), Err(StatusCode::BAD_REQUEST));
        }
    }

    #[test]
    fn a_reader_may_know_it_already() {
        let known = |value| is_known(&headers(&[(IF_NONE_MATCH, value)]), "\"7\"");
        assert!(known("\"7\"") && known("W/\"7\"") && known("\"6\", \"7\"") && known("*"));
        assert!(!known("\"77\"") && !known("7"));
    }
}
