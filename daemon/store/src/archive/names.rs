//! Under which name an object stands in an archive.
//!
//! A document: the full path of its store, and its id, escaped. A database: the full path of its
//! store, as the name of a file. The name of a store has no part that ends in `.json` or holds a
//! `~`, so no object stands where another store's folder does; and what ends in `~.sqlite3` is no
//! document.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use vault_crypto::ContentHash;

use crate::{
    catalogue::Kind,
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
pub(super) fn path(kind: Kind, store: &StoreName, id: &str, content_type: &str) -> String {
    match kind {
        Kind::Documents => document(store, id, content_type),
        // It has but one object.
        Kind::Database => format!("stores/{store}~.sqlite3"),
    }
}

fn document(store: &StoreName, id: &str, content_type: &str) -> String {
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
    use std::collections::{BTreeSet, HashSet};

    use proptest::prelude::*;

    use super::*;

    const SQLITE: &str = "application/vnd.sqlite3";

    fn name(id: &str, content_type: &str) -> String {
        path(
            Kind::Documents,
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
    fn a_database_is_a_file_beside_the_folder_of_its_name() {
        let store = StoreName::parse("chat/history.sqlite3").expect("a good name");
        let path = path(Kind::Database, &store, "database", SQLITE);
        assert_eq!(path, "stores/chat/history.sqlite3~.sqlite3");
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

    /// Where any object of a vault stands: a store that may be of either kind, and documents.
    fn paths(stores: &BTreeSet<(String, bool)>, ids: &[String]) -> Vec<String> {
        let mut paths = Vec::new();
        for (store, database) in stores {
            let store = StoreName::parse(store).expect("a good name");
            if *database {
                paths.push(path(Kind::Database, &store, "database", SQLITE));
                continue;
            }
            let types = [JSON, "text/plain", SQLITE];
            let document = |id: &String, of: usize| path(Kind::Documents, &store, id, types[of]);
            let ids = ids.iter().enumerate();
            paths.extend(ids.map(|(number, id)| document(id, number % types.len())));
        }
        paths
    }

    /// Parts and ids that look like what is added to them.
    const PART: &str = "[ab]{1,2}|[ab](.sqlite3|sqlite3|.json~|[.]){0,2}b";
    const ID: &str = "[ab~./]{1,3}|[ab](~|.sqlite3|.json|/){1,3}|[a~]{240}(.sqlite3)?";

    proptest! {
        /// Neither under the same name, nor one where the folder of another must be.
        #[test]
        fn no_two_objects_of_a_vault_are_in_each_others_way(
            names in prop::collection::btree_map(
                prop::collection::vec(PART, 1..4).prop_map(|parts| parts.join("/")),
                any::<bool>(),
                1..6,
            ),
            ids in prop::collection::btree_set(ID, 0..6),
        ) {
            let names = names.into_iter().filter(|(name, _)| StoreName::parse(name).is_ok());
            let ids: Vec<_> = ids.into_iter().collect();
            let paths = paths(&names.collect(), &ids);
            let distinct: HashSet<_> = paths.iter().map(String::as_str).collect();
            prop_assert_eq!(distinct.len(), paths.len(), "{:?}", paths);
            for path in &paths {
                let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
                for folder in folders {
                    prop_assert!(!distinct.contains(folder), "{folder} in {paths:?}");
                }
            }
        }

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
