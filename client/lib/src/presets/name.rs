//! Names of stores in presets, and what may stand for a part of one.

/// What the daemon takes for a part of a store's name. Checked here as well, so that a preset is
/// refused as a whole and before its first store is created.
const PART_RULE: &str = "1 to 64 letters, digits, `_`, `-` or `.`, not starting with `.` and not \
                         ending in `.json`";
const MOST_PARTS: usize = 8;

fn is_part(part: &str) -> bool {
    (1..=64).contains(&part.len())
        && part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        && !part.starts_with('.')
        && !part.to_ascii_lowercase().ends_with(".json")
}

/// An identifier as it is written without quotes: of placeholders, tables and columns.
pub(super) fn is_identifier(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The name of a store in a preset: a path of which one part may be a `{placeholder}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamePattern {
    text: String,
    placeholder: Option<String>,
}

impl NamePattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("store name `{text}` is not acceptable: {why}"));
        if text.split('/').count() > MOST_PARTS {
            return refused("use at most 8 parts joined by `/`");
        }
        let mut placeholder = None;
        for part in text.split('/') {
            let inner = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
            match inner {
                Some(name) if !is_identifier(name) => {
                    return refused("a placeholder is a letter, then letters, digits or `_`");
                }
                Some(_) if placeholder.is_some() => {
                    return refused("one placeholder is the most it may hold");
                }
                Some(name) => placeholder = Some(name.to_owned()),
                None if is_part(part) => {}
                None => {
                    return refused(&format!(
                        "each part is a whole {{placeholder}} or {PART_RULE}"
                    ));
                }
            }
        }
        let text = text.to_owned();
        Ok(Self { text, placeholder })
    }

    /// As it stands in the file.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The placeholder in it.
    pub fn placeholder(&self) -> Option<&str> {
        self.placeholder.as_deref()
    }

    /// The name with a value in place of the placeholder.
    pub(super) fn filled(&self, value: &str) -> String {
        let parts = self.text.split('/');
        let parts = parts.map(|part| if part.starts_with('{') { value } else { part });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// What stands for a part of a store's name until a value is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placeholder {
    /// Its name.
    pub name: String,
    /// What fits it.
    pub form: PlaceholderForm,
    /// What to give, in a line.
    pub description: String,
}

/// What values a placeholder takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaceholderForm {
    /// Any part of a store's name.
    Name,
    /// A UUID (RFC 9562), kept in lower case.
    Uuid,
}

impl Placeholder {
    /// The value as it goes into a name.
    pub(super) fn accept(&self, value: &str) -> Result<String, String> {
        let (fits, rule) = match self.form {
            PlaceholderForm::Name => (is_part(value), PART_RULE),
            PlaceholderForm::Uuid => (
                is_uuid(value),
                "a UUID such as 018f4e7a-5c1b-7d42-9e60-3a1f0b9c2d84",
            ),
        };
        match (fits, self.form) {
            (true, PlaceholderForm::Name) => Ok(value.to_owned()),
            // Two spellings of one UUID are one store.
            (true, PlaceholderForm::Uuid) => Ok(value.to_ascii_lowercase()),
            (false, _) => Err(format!(
                "`{value}` does not fit placeholder `{}`: use {rule}",
                self.name
            )),
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(|group| {
        let hexadecimal = group.bytes().all(|b| b.is_ascii_hexdigit());
        hexadecimal.then_some(group.len())
    });
    groups.eq([8, 4, 4, 4, 12].map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_with_at_most_one_placeholder() {
        for good in [
            "a",
            "chat/conversations",
            "plugins/{plugin}",
            "{a}",
            "a/{b}/c",
        ] {
            assert!(NamePattern::parse(good).is_ok(), "{good}");
        }
        let deep = ["a"; 9].join("/");
        for bad in [
            "", "/", "a/", "..", "a b", ".a", "x.json", "{}", "{a b}", "{1}", "a{b}", "{a}/{b}",
            "{a", &deep,
        ] {
            assert!(NamePattern::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_value_takes_the_place_of_the_placeholder() {
        let pattern = NamePattern::parse("a/{b}/c").expect("a name");
        assert_eq!(pattern.filled("x.y"), "a/x.y/c");
    }

    #[test]
    fn values_fit_the_form_of_their_placeholder() {
        let placeholder = |form| Placeholder {
            name: "p".to_owned(),
            form,
            description: String::new(),
        };
        let name = placeholder(PlaceholderForm::Name);
        assert_eq!(name.accept("com.example.X"), Ok("com.example.X".to_owned()));
        for bad in ["", "..", "a/b", ".a", "a b", "x.json", "{plugin}", "a\0"] {
            assert!(name.accept(bad).is_err(), "{bad:?}");
        }
        let uuid = placeholder(PlaceholderForm::Uuid);
        let upper = "018F4E7A-5C1B-7D42-9E60-3A1F0B9C2D84";
        assert_eq!(uuid.accept(upper), Ok(upper.to_lowercase()));
        for bad in [
            "",
            "agent",
            "018f4e7a5c1b7d429e603a1f0b9c2d84",
            "018f4e7a-5c1b-7d42-9e60-3a1f0b9c2d8g",
            "018f4e7a-5c1b-7d42-9e60-3a1f0b9c2d84-",
        ] {
            assert!(uuid.accept(bad).is_err(), "{bad:?}");
        }
    }
}
