//! Values as text.

use data_encoding::{BASE64, HEXLOWER};
use vault_client::Value;

use crate::output;

/// Characters of a cell that is drawn; the rest is left out.
const LONGEST_TEXT: usize = 1000;
/// Bytes of a blob that is drawn; the rest is left out.
const LONGEST_BLOB: usize = 16;

/// Whether a character changes how a terminal shows what stands around it: control characters, and
/// those that turn the direction of writing, which can make a text look like another.
fn is_unsafe(c: char) -> bool {
    let turns = matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

fn escape_into(text: &mut String, c: char) {
    match c {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        c => text.extend(c.escape_unicode()),
    }
}

/// Text from a database with nothing in it that a terminal acts on.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            escape_into(&mut safe, c);
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A real with a point or an exponent, so that it is not taken for an integer.
fn real(real: f64) -> String {
    if real.is_infinite() {
        // What SQLite reads as infinity again.
        return if real > 0.0 { "9.0e+999" } else { "-9.0e+999" }.to_owned();
    }
    format!("{real:?}")
}

fn blob(bytes: &[u8]) -> String {
    format!("x'{}'", HEXLOWER.encode(bytes))
}

/// For a table that is drawn: long ones shortened.
pub(super) fn drawn(value: &Value) -> String {
    match value {
        Value::Text(text) => shortened(text),
        Value::InvalidText(bytes) => shortened(&String::from_utf8_lossy(bytes)),
        Value::Blob(bytes) if bytes.len() > LONGEST_BLOB => {
            let start = HEXLOWER.encode(&bytes[..LONGEST_BLOB]);
            format!("x'{start}…' {}", output::size(bytes.len() as u64))
        }
        other => whole(other),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", escaped(&text[..end])),
        None => escaped(text),
    }
}

/// Whole, as SQL writes it but for text, which has no quotes.
fn whole(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(number) => real(*number),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => blob(bytes),
        Value::InvalidText(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// For a field between tabs: whole, with `\` before what would end it.
pub(super) fn field(value: &Value) -> String {
    let (Value::Text(_) | Value::InvalidText(_)) = value else {
        return whole(value);
    };
    let mut field = String::new();
    for c in whole(value).chars() {
        match c {
            '\\' => field.push_str("\\\\"),
            c if is_unsafe(c) => escape_into(&mut field, c),
            c => field.push(c),
        }
    }
    field
}

/// For CSV: whole, NULL as nothing. What is there is the text itself: RFC 4180 quotes it.
pub(super) fn csv(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Text(text) => text.clone().into_bytes(),
        Value::InvalidText(bytes) => bytes.clone(),
        other => whole(other).into_bytes(),
    }
}

/// Adds a value to a line of JSON. Integers stay whole, whatever a reader makes of them; what JSON
/// has no form for is an object that names its own.
pub(super) fn json(value: &Value, line: &mut String) {
    match value {
        Value::Null => line.push_str("null"),
        Value::Integer(integer) => line.push_str(&integer.to_string()),
        Value::Real(number) => line.push_str(&real(*number)),
        Value::Text(text) => json_string(text, line),
        Value::Blob(bytes) => json_bytes("base64", bytes, line),
        Value::InvalidText(bytes) => json_bytes("text_base64", bytes, line),
    }
}

fn json_bytes(form: &str, bytes: &[u8], line: &mut String) {
    line.push_str("{\"");
    line.push_str(form);
    line.push_str("\":\"");
    BASE64.encode_append(bytes, line);
    line.push_str("\"}");
}

/// Adds a string to a line of JSON.
pub(super) fn json_string(text: &str, line: &mut String) {
    // A string always has a form in JSON.
    line.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_json(value: &Value) -> String {
        let mut line = String::new();
        json(value, &mut line);
        line
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_reaches_it() {
        let hostile = "a\x1b[31mb\u{9b}2Jc\u{202e}d\x07\n\t\r\u{7f}\0";
        for shown in [
            escaped(hostile),
            drawn(&Value::from(hostile)),
            field(&Value::from(hostile)),
            drawn(&Value::InvalidText(hostile.as_bytes().to_vec())),
        ] {
            assert!(!shown.chars().any(is_unsafe), "{shown:?}");
            assert!(shown.starts_with("a\\u{1b}[31mb\\u{9b}2Jc\\u{202e}d"));
            assert!(shown.contains("\\n\\t\\r"));
        }
        assert!(!as_json(&Value::from(hostile)).contains('\x1b'));
        assert_eq!(escaped("Grüße, 世界 🙂"), "Grüße, 世界 🙂");
    }

    #[test]
    fn long_values_are_shortened_only_where_they_are_drawn() {
        let long = "ü".repeat(LONGEST_TEXT + 1);
        assert_eq!(drawn(&Value::from(long.as_str())).chars().count(), 1001);
        assert_eq!(field(&Value::from(long.as_str())), long);
        let blob = Value::Blob(vec![0xAB; 17]);
        assert_eq!(drawn(&blob), format!("x'{}…' 17 B", "ab".repeat(16)));
        assert_eq!(field(&blob), format!("x'{}'", "ab".repeat(17)));
    }

    #[test]
    fn fields_can_be_told_apart() {
        assert_eq!(field(&Value::from("a\\tb\tc")), "a\\\\tb\\tc");
        assert_eq!(field(&Value::Null), "NULL");
        assert!(csv(&Value::Null).is_empty());
        assert_eq!(csv(&Value::InvalidText(vec![0xFF])), [0xFF]);
    }

    #[test]
    fn json_keeps_what_numbers_and_bytes_are() {
        assert_eq!(as_json(&Value::Integer(i64::MAX)), "9223372036854775807");
        assert_eq!(as_json(&Value::Real(1.0)), "1.0");
        assert_eq!(as_json(&Value::Real(1e300)), "1e300");
        assert_eq!(as_json(&Value::Real(f64::INFINITY)), "9.0e+999");
        assert_eq!(as_json(&Value::Blob(vec![0, 255])), r#"{"base64":"AP8="}"#);
        assert_eq!(
            as_json(&Value::InvalidText(vec![255])),
            r#"{"text_base64":"/w=="}"#
        );
        assert_eq!(as_json(&Value::from("a\"\n")), r#""a\"\n""#);
        assert_eq!(as_json(&Value::Null), "null");
    }
}
