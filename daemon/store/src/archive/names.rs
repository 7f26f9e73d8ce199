//! Under which name an object stands in an archive.
//!
//! The full path of its store, and its id, escaped: the name of a store has no part that ends in
//! `.json` or holds a `~`, so no object stands where another store's folder does.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use vault_crypto::ContentHash;

use crate::{
    documents::{self, JSON},
    id::StoreName,
};

/// What stands for itself in no file name, and `~`, which marks what is added to an id.
const ESCAPED: &AsciiSet = &documents::ESCAPED.add(b'~');

/// Longest file name, in bytes: 255 is the bound of most systems.
const LIMIT: usize = 240;
/// How much of a longer one stays legible.
const LEGIBLE: usize = 160;

/// The path of an object, in ASCII.
pub(super) fn path(store: &StoreName, id: &str, content_type: &str) -> String {
    let mut name = escape(id);
    let suffix = if content_type == JSON { ".json" } else { "~" };
    if name.len() + suffix.len() > LIMIT {
        let mut legible = id;
        while escape(legible).len() > LEGIBLE {
            let shorter = legible.char_indices().next_back();
            legible = &legible[..shorter.map_or(0, |(end, _)| end)];
        }
        name = format!("{}~{}", escape(legible), ContentHash::of(id.as_bytes()));
    }
    format!("stores/{store}/{name}{suffix}")
}

fn escape(id: &str) -> String {
    let name = utf8_percent_encode(id, ESCAPED).to_string();
    match name.strip_prefix('.') {
        // It would be hidden, or be no file at all.
        Some(rest) => format!("%2E{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn name(id: &str, content_type: &str) -> String {
        path(
            &StoreName::parse("chat/notes").expect("a good name"),
            id,
            content_type,
        )
    }

    #[test]
    fn ids_become_names_that_stay_in_their_folder() {
        for (id, expected) in [
            ("a", "stores/chat/notes/a.json"),
            ("a/b", "stores/chat/notes/a%2Fb.json"),
            ("..", "stores/chat/notes/%2E..json"),
            (".hidden", "stores/chat/notes/%2Ehidden.json"),
            ("50%", "stores/chat/notes/50%25.json"),
            ("é", "stores/chat/notes/%C3%A9.json"),
            ("a~", "stores/chat/notes/a%7E.json"),
        ] {
            assert_eq!(name(id, JSON), expected);
        }
        assert_eq!(name("a.json", "text/plain"), "stores/chat/notes/a.json~");
    }

    #[test]
    fn long_names_are_shortened_and_differ() {
        let long = |tail: &str| format!("{}{tail}", "é".repeat(95));
        let names = [
            name(&long("a"), JSON),
            name(&long("b"), JSON),
            name(&long("a"), "text/plain"),
            name(&"x".repeat(200), JSON),
        ];
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for name in &names[..3] {
            let file = name.rsplit('/').next().expect("a name");
            assert!(file.len() <= LIMIT && file.contains("%A9~"), "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_two_ids_share_a_name(
            left in "[a%~./é]{1,8}|[é~%a]{90}", right in "[a%~./é]{1,8}|[é~%a]{90}",
        ) {
            let types = [JSON, "text/plain"];
            let names: HashSet<String> = [&left, &right]
                .into_iter()
                .flat_map(|id| types.map(|content_type| name(id, content_type)))
                .collect();
            prop_assert_eq!(names.len(), if left == right { 2 } else { 4 });
            for name in &names {
                let parts: Vec<_> = name.split('/').collect();
                prop_assert_eq!(parts.len(), 4);
                prop_assert!(parts[3].len() <= LIMIT && !parts[3].starts_with('.'));
            }
        }
    }
}
