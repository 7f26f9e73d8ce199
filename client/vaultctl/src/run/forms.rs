//! The forms in which a program may print a secret.

use std::collections::BTreeSet;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Shortest value that is masked, in bytes: a shorter one stands in any text by chance.
pub(super) const SHORTEST: usize = 4;

/// Longest value whose encoded forms are looked for, in bytes: keys and passwords are shorter, and
/// what is longer (a certificate, a key file) would multiply the memory that the search takes.
const LONGEST_ENCODED: usize = 4 << 10;

/// Shortest piece of base64 that is looked for without its ends, in characters.
const SHORTEST_PIECE: usize = 8;

/// What RFC 3986 never encodes in a component of a URL stays as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text to look for. The allocator zeroes it in the end.
pub(super) type Form = Vec<u8>;

/// Every form of a value: itself; without the newline that a shell drops; in base64, alone or amid
/// other bytes (`user:password` of HTTP); percent-encoded; inside a JSON string.
pub(super) fn forms(value: &[u8]) -> BTreeSet<Form> {
    let mut forms = BTreeSet::new();
    for value in [value, value.trim_ascii()] {
        if value.len() < SHORTEST {
            continue;
        }
        forms.insert(value.to_vec());
        if value.len() <= LONGEST_ENCODED {
            base64(value, &BASE64_NOPAD, &mut forms);
            base64(value, &BASE64URL_NOPAD, &mut forms);
            percent(value, &mut forms);
            json(value, &mut forms);
        }
    }
    forms
}

fn base64(value: &[u8], alphabet: &Encoding, forms: &mut BTreeSet<Form>) {
    forms.insert(alphabet.encode(value).into_bytes());
    // Amid other bytes it begins at one of three places in a group of four characters; those that
    // hold bits of its neighbours are unknown.
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value);
        let text = alphabet.encode(&bytes);
        let piece = &text[(before * 8).div_ceil(6)..bytes.len() * 8 / 6];
        if piece.len() >= SHORTEST_PIECE {
            forms.insert(piece.as_bytes().to_vec());
        }
    }
}

fn percent(value: &[u8], forms: &mut BTreeSet<Form>) {
    let upper = percent_encode(value, COMPONENT).to_string();
    // Some write the hex digits small.
    let mut lower = Vec::with_capacity(upper.len());
    let mut digits = 0;
    for byte in upper.bytes() {
        lower.push(if digits > 0 {
            byte.to_ascii_lowercase()
        } else {
            byte
        });
        digits = if byte == b'%' { 2 } else { digits.max(1) - 1 };
    }
    forms.insert(lower);
    forms.insert(upper.into_bytes());
}

fn json(value: &[u8], forms: &mut BTreeSet<Form>) {
    let text = str::from_utf8(value).ok();
    let Some(quoted) = text.and_then(|text| serde_json::to_string(text).ok()) else {
        return;
    };
    let inside = quoted.trim_start_matches('"');
    if let Some(inside) = inside.strip_suffix('"') {
        forms.insert(inside.as_bytes().to_vec());
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn found(value: &[u8], text: &[u8]) -> bool {
        let holds = |form: &Form| text.windows(form.len()).any(|window| window == form);
        forms(value).iter().any(holds)
    }

    #[test]
    fn a_value_is_found_in_every_form() {
        let value = b"p\xC3\xA4ss w/rd+\"?";
        let text = str::from_utf8(value).expect("UTF-8");
        assert!(found(value, value));
        assert!(found(value, b"x=p%C3%A4ss%20w%2Frd%2B%22%3F&"));
        assert!(found(value, b"x=p%c3%a4ss%20w%2frd%2b%22%3f&"));
        assert!(found(value, format!("{{\"k\":{text:?}}}").as_bytes()));
        assert!(found(b"a key\n", b"a key"), "what a shell drops");
        assert!(found(b"a\nkey", br"a\nkey"), "a newline in JSON");
    }

    #[test]
    fn base64_is_found_wherever_the_value_stands_in_it() {
        for user in ["", "u", "us", "use", "user"] {
            for after in ["", "a", "ab", "abc"] {
                let text = format!("{user}correct horse?>~{after}");
                assert!(found(
                    b"correct horse?>~",
                    BASE64.encode(text.as_bytes()).as_bytes()
                ));
                let text = data_encoding::BASE64URL.encode(text.as_bytes());
                assert!(found(b"correct horse?>~", text.as_bytes()));
            }
        }
    }

    #[test]
    fn short_values_are_left_alone() {
        assert!(forms(b"abc").is_empty() && forms(b"abc\n  ").len() > 1);
        assert!(forms(b"abc\n  ").iter().all(|form| form.len() >= SHORTEST));
        assert_eq!(forms(&[b'x'; LONGEST_ENCODED + 1]).len(), 1, "itself alone");
    }

    #[test]
    fn any_bytes_have_forms() {
        assert!(found(b"\0\xFF\x80\x01", b"..\0\xFF\x80\x01.."));
        assert!(found(b"\0\xFF\x80\x01", b"AP+AAQ=="));
        assert!(found(b"\"\"\"\"", br#"\"\"\"\""#));
    }
}
