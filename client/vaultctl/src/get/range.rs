//! A range of bytes, written as in HTTP.

use std::str::FromStr;

use vault_client::ContentRange;

/// Some of a blob's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// `A-B`, both included, or `A-` for all from there on.
    From(ContentRange),
    /// `-N`: the last so many.
    Last(u64),
}

impl Range {
    /// The bytes meant, of `size` in all.
    pub(crate) fn of(self, size: u64) -> ContentRange {
        match self {
            Self::From(range) => range,
            Self::Last(count) => ContentRange {
                offset: size.saturating_sub(count),
                length: None,
            },
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a range is A-B (from byte 0 on, both included), A- or -N".to_owned();
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        match text.split_once('-').ok_or_else(wrong)? {
            ("", last) => match number(last)? {
                0 => Err("the last 0 bytes are none".to_owned()),
                count => Ok(Self::Last(count)),
            },
            (first, "") => Ok(Self::From(ContentRange {
                offset: number(first)?,
                length: None,
            })),
            (first, last) => {
                let (offset, last) = (number(first)?, number(last)?);
                let beyond = last.checked_sub(offset).ok_or("it ends before it begins")?;
                Ok(Self::From(ContentRange {
                    offset,
                    length: Some(beyond.saturating_add(1)),
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        let parse = |text: &str| text.parse::<Range>().map(|range| range.of(100));
        let range = |offset, length| Ok(ContentRange { offset, length });
        assert_eq!(parse("0-0"), range(0, Some(1)));
        assert_eq!(parse("10-19"), range(10, Some(10)));
        assert_eq!(parse("10-"), range(10, None));
        assert_eq!(parse("-30"), range(70, None));
        assert_eq!(parse("-300"), range(0, None));
        let widest = format!("0-{}", u64::MAX);
        assert_eq!(parse(&widest), range(0, Some(u64::MAX)));
        for bad in ["", "-", "7", "a-b", "2-1", "-0", "1-2-3", "--3", " 1-2"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
