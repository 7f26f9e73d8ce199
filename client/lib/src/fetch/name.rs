//! A file name from what a server says, fit to be shown and to be written.

use http::{HeaderMap, header::CONTENT_DISPOSITION};
use percent_encoding::percent_decode_str;

use super::{exchange::field, target::Target};

/// Longest name, in bytes: file systems take 255, and some room is left for an ending.
const NAME_LIMIT: usize = 200;

/// The name that `Content-Disposition` gives (RFC 6266), else the end of the path.
pub(super) fn file_name(fields: &HeaderMap, target: &Target) -> Option<String> {
    let given = field(fields, &CONTENT_DISPOSITION).and_then(disposition);
    let decoded = || percent_decode_str(target.last_segment()).decode_utf8_lossy();
    given
        .and_then(|name| clean(&name))
        .or_else(|| clean(&decoded()))
}

/// The parameter `filename*` of a `Content-Disposition`, else `filename`.
fn disposition(value: &str) -> Option<String> {
    let mut plain = None;
    let mut rest = value.split_once(';')?.1;
    while let Some((name, after)) = rest.split_once('=') {
        let (text, after) = parameter(after.trim_start());
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let (charset, encoded) = text.split_once('\'')?;
                let (_language, encoded) = encoded.split_once('\'')?;
                if charset.eq_ignore_ascii_case("utf-8") {
                    return Some(percent_decode_str(encoded).decode_utf8_lossy().into_owned());
                }
            }
            "filename" => plain = Some(text),
            _ => {}
        }
        rest = after;
    }
    plain
}

/// A parameter's value, in quotes or not, and what comes after its semicolon.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), after);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => {
                let after = &quoted[place + 1..];
                return (value, after.split_once(';').map_or("", |(_, after)| after));
            }
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

/// The last part of a path, without what some system takes for more than a name.
fn clean(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = last.chars().map(|letter| match letter {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        letter if letter.is_control() || turns_text(letter) => '_',
        letter => letter,
    });
    let shown: String = shown.collect();
    // A leading dot hides a file, and Windows takes no dot or space at the end.
    let trimmed = shown
        .trim()
        .trim_start_matches('.')
        .trim_end_matches(['.', ' ']);
    let mut end = trimmed.len().min(NAME_LIMIT);
    while !trimmed.is_char_boundary(end) {
        end -= 1;
    }
    let name = trimmed[..end].trim();
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let name = if is_device(stem) {
        format!("_{name}")
    } else {
        name.to_owned()
    };
    (!name.is_empty()).then_some(name)
}

/// Changes the direction of the text around it: `gpj.exe` would be shown as `exe.jpg`.
fn turns_text(letter: char) -> bool {
    matches!(letter, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A name that Windows opens as a device.
fn is_device(stem: &str) -> bool {
    let upper = stem.to_ascii_uppercase();
    if matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL") {
        return true;
    }
    let port = upper
        .strip_prefix("COM")
        .or_else(|| upper.strip_prefix("LPT"));
    port.is_some_and(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_names_its_file() {
        for (value, expected) in [
            ("attachment; filename=a.png", Some("a.png")),
            (
                "attachment; filename=\"a; b.png\"; size=3",
                Some("a; b.png"),
            ),
            ("attachment; filename=\"a\\\"b.png\"", Some("a\"b.png")),
            (
                "attachment; filename=\"x\"; filename*=UTF-8''%e2%82%ac.png",
                Some("€.png"),
            ),
            (
                "attachment; filename*=KOI8-R''%c1; FileName = x.png",
                Some("x.png"),
            ),
            ("attachment; filename=\"unclosed", Some("unclosed")),
            ("attachment; filename*=nonsense", None),
            ("attachment", None),
            ("inline; a", None),
        ] {
            assert_eq!(disposition(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn no_name_is_more_than_a_name() {
        for (given, expected) in [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Windows\\a.dll", Some("a.dll")),
            ("..", None),
            ("/", None),
            ("", None),
            (".bashrc", Some("bashrc")),
            ("a\nb\0c", Some("a_b_c")),
            ("a:b|c", Some("a_b_c")),
            ("\u{202E}gpj.exe", Some("_gpj.exe")),
            ("con.txt", Some("_con.txt")),
            ("COM1", Some("_COM1")),
            ("common.txt", Some("common.txt")),
            ("end. . ", Some("end")),
        ] {
            assert_eq!(clean(given).as_deref(), expected, "{given:?}");
        }
        let long = "ä".repeat(300);
        assert_eq!(clean(&long), Some("ä".repeat(NAME_LIMIT / 2)));
    }
}
