//! Names of files that every operating system takes, and takes for the same.

use std::{borrow::Cow, fmt};

use unicase::UniCase;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::{blobs::OCTET_STREAM, id::InvalidId};

/// The name of a file within its store: 1 to 16 parts joined by `/`, each of 1 to 255 bytes.
///
/// A part is in Unicode's normalization form C and is nothing that Windows refuses, so that a
/// store can be copied to any system and back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileName(String);

impl FileName {
    /// Most parts of a name.
    pub const PARTS: usize = 16;
    /// Longest part, in bytes: the bound of most systems.
    pub const PART_BYTES: usize = 255;

    /// Parses a name. The error says what is wrong with it.
    pub fn parse(name: &str) -> Result<Self, InvalidId> {
        let refuse = |why: Cow<'static, str>| InvalidId::new("file name", name, why);
        if name.split('/').count() > Self::PARTS {
            return Err(refuse("it has more than 16 parts".into()));
        }
        name.split('/').try_for_each(check_part).map_err(refuse)?;
        Ok(Self(name.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What lies between the `/`.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// MIME type by the ending of the name.
    pub fn content_type(&self) -> &'static str {
        let guess = mime_guess::from_path(&self.0);
        guess.first_raw().unwrap_or(OCTET_STREAM)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a part of a name is not acceptable.
pub(super) fn check_part(part: &str) -> Result<(), Cow<'static, str>> {
    let refuse = |why: &'static str| Err(why.into());
    if part.is_empty() {
        return refuse("it is empty, begins or ends with `/`, or holds `//`");
    }
    if part.len() > FileName::PART_BYTES {
        return refuse("a part of it is longer than 255 bytes");
    }
    if part == "." || part == ".." {
        return refuse("`.` and `..` are no names");
    }
    if part.starts_with('.') {
        return refuse("a part of it begins with `.`");
    }
    if part.chars().any(char::is_control) {
        return refuse("it holds a control character");
    }
    if part.contains(char::REPLACEMENT_CHARACTER) {
        return refuse("it is no UTF-8, or holds U+FFFD, which stands for what is none");
    }
    if let Some(found) = part.chars().find(|c| r#"\<>:"|?*"#.contains(*c)) {
        return Err(format!("it holds `{found}`, which not every system takes").into());
    }
    if part.ends_with(['.', ' ']) {
        return refuse("a part of it ends with `.` or a space, which Windows drops");
    }
    if is_device(part) {
        return refuse("it names a device on Windows");
    }
    if !is_nfc(part) {
        let composed: String = part.nfc().collect();
        return Err(format!("it is not in Unicode's form NFC, which is `{composed}`").into());
    }
    Ok(())
}

/// Whether Windows takes it for a device, whatever its ending.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$"
    ) {
        return true;
    }
    let number = stem.strip_prefix("COM").or(stem.strip_prefix("LPT"));
    // The superscripts count as digits there.
    number.is_some_and(|number| {
        let mut digits = number.chars();
        let digit = digits.next();
        digit.is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && digits.next().is_none()
    })
}

/// What two parts have in common that some system takes for the same (Unicode, section 3.13, D146:
/// canonical caseless matching).
pub(super) fn folded(part: &str) -> String {
    if part.is_ascii() {
        return part.to_ascii_lowercase();
    }
    let decomposed: String = part.nfd().collect();
    let folded = UniCase::unicode(decomposed).to_folded_case();
    folded.nfd().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(name: &str) -> String {
        let error = FileName::parse(name).expect_err(name);
        error.to_string()
    }

    #[test]
    fn ordinary_names_are_taken() {
        let (deep, long) = (["a"; 16].join("/"), "é".repeat(127) + "x");
        for good in [
            "a",
            "Seraphina.card.png",
            "models/llama 3/weights-00001-of-00002.safetensors",
            "日本語/ファイル.txt",
            "é",
            "a..b",
            "console.txt",
            "COM10",
            "COM",
            "aux-",
            "~",
            " leading",
            "{a}[b](c)#%&'+,;=@!$`^",
            &deep,
            &long,
        ] {
            let parsed = FileName::parse(good).expect(good);
            assert_eq!(parsed.as_str(), good);
            assert_eq!(parsed.parts().collect::<Vec<_>>().join("/"), good);
        }
    }

    #[test]
    fn others_are_refused_and_the_reason_is_said() {
        let (deep, long) = (["a"; 17].join("/"), "é".repeat(128));
        for (bad, why) in [
            ("", "empty"),
            ("/etc/passwd", "begins or ends with `/`"),
            ("a/", "begins or ends with `/`"),
            ("a//b", "`//`"),
            ("..", "no names"),
            ("a/../b", "no names"),
            ("./a", "no names"),
            (".tmp-1", "begins with `.`"),
            ("a/.hidden", "begins with `.`"),
            ("a\0", "control"),
            ("a\nb", "control"),
            ("a\u{85}b", "control"),
            ("a\\b", "`\\`"),
            ("C:", "`:`"),
            ("a?", "`?`"),
            ("a.", "Windows drops"),
            ("a /b", "Windows drops"),
            ("NUL", "device"),
            ("a/con.tar.gz", "device"),
            ("Com1.txt", "device"),
            ("lpt².x", "device"),
            ("nul .txt", "device"),
            ("a\u{fffd}", "UTF-8"),
            ("e\u{301}.txt", "which is `é.txt`"),
            (&deep, "16 parts"),
            (&long, "255 bytes"),
        ] {
            let said = refused(bad);
            assert!(said.contains(why), "{bad:?}: {said}");
            assert!(!said.contains(char::is_control), "{said:?}");
        }
    }

    #[test]
    fn what_some_system_takes_for_the_same_is_the_same() {
        for (one, other) in [
            ("Photo.PNG", "photo.png"),
            ("straße", "STRASSE"),
            ("É", "e\u{301}"),
            ("Σας", "ΣΑΣ"),
            ("K", "\u{212a}"),
            ("ﬁle", "FILE"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} and {other}");
        }
        assert_ne!(folded("a"), folded("á"));
        assert_ne!(folded("a.png"), folded("a.jpg"));
    }

    #[test]
    fn the_ending_tells_the_type() {
        for (name, expected) in [
            ("a/Card.PNG", "image/png"),
            ("model.gguf", OCTET_STREAM),
            ("a.png/b", OCTET_STREAM),
            ("notes.json", "application/json"),
        ] {
            let name = FileName::parse(name).expect("a good name");
            assert_eq!(name.content_type(), expected, "{name}");
        }
    }

    proptest! {
        /// Joined to a folder, a name stays below it and means itself.
        #[test]
        fn a_name_that_is_taken_stays_in_its_folder(name in r"[a.A/\\:é\x{301} ~\x00]{0,12}|\PC{0,12}") {
            if let Ok(parsed) = FileName::parse(&name) {
                prop_assert_eq!(parsed.as_str(), &name);
                let path = std::path::Path::new(&name);
                let normal = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(path.components().all(normal));
                prop_assert_eq!(path.components().count(), parsed.parts().count());
                prop_assert!(is_nfc(&name));
            }
        }

        #[test]
        fn folding_twice_changes_nothing(part in r"\PC{0,8}") {
            let once = folded(&part);
            prop_assert_eq!(folded(&once), once.clone());
            prop_assert_eq!(folded(&part.nfc().collect::<String>()), once);
        }
    }
}
