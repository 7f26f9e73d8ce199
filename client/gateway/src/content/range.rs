//! `Range` (RFC 9110, section 14): a part of what is there.

use axum::response::{IntoResponse as _, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_RANGE, IF_RANGE, RANGE},
};
use vault_client::ContentRange;

use crate::failure::Failure;

/// What is asked for of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them. Several ranges at once, or another unit, ask for no less.
    Whole,
    /// From the first to the last, both included.
    Range(u64, u64),
    /// Nothing that is there.
    Nowhere,
}

impl Part {
    /// Whether anything but all may be asked for: only then must the size be known first.
    pub fn may_be_asked(headers: &HeaderMap) -> bool {
        headers.contains_key(RANGE)
    }

    /// What the headers ask for of `size` bytes, whose strong entity tag is `tag`.
    pub fn asked(headers: &HeaderMap, size: u64, tag: Option<&str>) -> Self {
        let unchanged = match headers.get(IF_RANGE) {
            Some(seen) => seen.to_str().is_ok_and(|seen| Some(seen) == tag),
            None => true,
        };
        let mut ranges = headers.get_all(RANGE).iter();
        match (
            ranges.next().and_then(|range| range.to_str().ok()),
            ranges.next(),
        ) {
            (Some(range), None) if unchanged => Self::parse(range, size).unwrap_or(Self::Whole),
            _ => Self::Whole,
        }
    }

    /// `None` for what is no single range of bytes.
    fn parse(range: &str, size: u64) -> Option<Self> {
        let (unit, range) = range.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // More digits than a number has are still further than the end.
            digits.then(|| text.parse().unwrap_or(u64::MAX))
        };
        let end = size.checked_sub(1);
        let (first, last) = match (first, last) {
            ("", last) => (size.saturating_sub(number(last)?), end),
            (first, "") => (number(first)?, end),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                (first, end.map(|end| last.min(end)))
            }
        };
        Some(match last {
            Some(last) if first <= last => Self::Range(first, last),
            _ => Self::Nowhere,
        })
    }

    /// As the client library has it.
    pub fn content(self) -> ContentRange {
        match self {
            Self::Range(first, last) => ContentRange {
                offset: first,
                length: Some((last - first).saturating_add(1)),
            },
            Self::Whole | Self::Nowhere => ContentRange::default(),
        }
    }

    /// Says on an answer which part of `size` bytes it has.
    pub fn mark(self, response: &mut Response, size: u64) {
        if let Self::Range(first, last) = self {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            insert(response, &format!("bytes {first}-{last}/{size}"));
        }
    }

    /// The answer where there is nothing of what was asked for.
    pub fn nowhere(size: u64) -> Response {
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        let message = format!("there are {size} bytes, and the range begins behind them");
        let failure = Failure::new(status, "INVALID_ARGUMENT", message).with("size", size);
        let mut response = failure.into_response();
        insert(&mut response, &format!("bytes */{size}"));
        response
    }
}

fn insert(response: &mut Response, range: &str) {
    if let Ok(value) = HeaderValue::from_str(range) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &'static str, size: u64) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        Part::asked(&headers, size, Some("\"t\""))
    }

    #[test]
    fn ranges_are_those_of_http() {
        for (range, part) in [
            ("bytes=0-0", Part::Range(0, 0)),
            ("bytes=10-19", Part::Range(10, 19)),
            ("bytes=10-", Part::Range(10, 99)),
            ("bytes=-30", Part::Range(70, 99)),
            ("bytes=-300", Part::Range(0, 99)),
            ("Bytes=90-99999999999999999999", Part::Range(90, 99)),
            ("bytes=100-", Part::Nowhere),
            ("bytes=100-200", Part::Nowhere),
            ("bytes=-0", Part::Nowhere),
            ("bytes=2-1", Part::Whole),
            ("bytes=1-2,4-5", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("items=1-2", Part::Whole),
            ("bytes=-", Part::Whole),
        ] {
            assert_eq!(asked(range, 100), part, "{range}");
        }
        assert_eq!(asked("bytes=0-", 0), Part::Nowhere);
        assert_eq!(asked("bytes=-1", 0), Part::Nowhere);
    }

    #[test]
    fn a_range_of_something_else_is_none() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=1-2"));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"t\""));
        assert_eq!(Part::asked(&headers, 9, Some("\"t\"")), Part::Range(1, 2));
        assert_eq!(Part::asked(&headers, 9, Some("\"u\"")), Part::Whole);
        assert_eq!(Part::asked(&headers, 9, None), Part::Whole);
    }
}
