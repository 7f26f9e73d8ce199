//! Under which name an object stands in an archive.
//!
//! A document: the full path of its store, and its id, escaped. A database: the full path of its
//! store, as the name of a file. A blob: the full path of its store, its ref, and `~blob`; one that
//! is seen or heard has the suffix by which programs know it, too. A file: its own name, in a folder
//! named after its store. The name of a store has no part that ends in `.json` or holds a `~`, so no
//! object stands where another store's folder does; and what ends in `~.sqlite3` or `~files` is
//! neither a document nor a blob.

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

/// The path of an object, in ASCII but for the names of files.
pub(super) fn path(kind: Kind, store: &StoreName, id: &str, content_type: &str) -> String {
    match kind {
        Kind::Documents => document(store, id, content_type),
        // It has but one object.
        Kind::Database => format!("stores/{store}~.sqlite3"),
        Kind::Blobs => format!("stores/{store}/{id}~blob{}", suffix(content_type)),
        // Whatever its name, it is in nobody's way there.
        Kind::Files => format!("stores/{store}~files/{id}"),
        Kind::Secrets => format!("stores/{store}/{}~secret", escape(id)),
    }
}

/// `.png` for `image/png`; nothing for what is no picture, sound or film, or has no simple name. Part
/// of the format: an archive is refused where a path is another one.
fn suffix(content_type: &str) -> String {
    match content_type.split_once('/') {
        Some(("image" | "audio" | "video", name))
            if (1..=8).contains(&name.len())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) =>
        {
            format!(".{name}")
        }
        _ => String::new(),
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
    use std::collections::{BTreeMap, HashSet};

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
    fn files_keep_their_names_in_a_folder_of_their_store() {
        let store = StoreName::parse("chat/models").expect("a good name");
        let path = path(Kind::Files, &store, "llama/café.gguf", "");
        assert_eq!(path, "stores/chat/models~files/llama/café.gguf");
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

    #[test]
    fn a_blob_has_its_ref_for_a_name() {
        let store = StoreName::parse("media").expect("a good name");
        let reference = ContentHash::of(b"a").to_string();
        for (content_type, suffix) in [
            ("image/png", ".png"),
            ("video/mp4", ".mp4"),
            ("image/svg+xml", ""),
            ("image/../../x", ""),
            ("image/PNG", ""),
            ("application/exe", ""),
            (SQLITE, ""),
            ("", ""),
        ] {
            let path = path(Kind::Blobs, &store, &reference, content_type);
            assert_eq!(path, format!("stores/media/{reference}~blob{suffix}"));
        }
    }

    /// Where any object of a vault stands: a store that may be of any kind, and what is in it.
    fn paths(stores: &BTreeMap<String, Kind>, ids: &[String], files: &[String]) -> Vec<String> {
        let types = [JSON, "text/plain", SQLITE, "image/json"];
        let mut paths = Vec::new();
        for (store, kind) in stores {
            let store = StoreName::parse(store).expect("a good name");
            let object = |(number, id): (usize, &String)| {
                let content_type = types[number % types.len()];
                let reference = ContentHash::of(id.as_bytes()).to_string();
                let id = if *kind == Kind::Blobs { &reference } else { id };
                path(*kind, &store, id, content_type)
            };
            match kind {
                Kind::Database => paths.push(path(*kind, &store, "database", SQLITE)),
                Kind::Files => paths.extend(files.iter().enumerate().map(object)),
                Kind::Documents | Kind::Blobs | Kind::Secrets => {
                    paths.extend(ids.iter().enumerate().map(object));
                }
            }
        }
        paths
    }

    /// Parts and ids that look like what is added to them.
    const PART: &str = "[ab]{1,2}|[ab](.sqlite3|sqlite3|.json~|[.]){0,2}b\
        |ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    const FILE: &str = "[ab~]{1,2}|[ab](~|~files|~.sqlite3|.json|~blob)";
    const ID: &str = "[ab~./]{1,3}|[ab](~|.sqlite3|.json|/){1,3}|[a~]{240}(.sqlite3)?";

    const KINDS: [Kind; 5] = [
        Kind::Documents,
        Kind::Database,
        Kind::Blobs,
        Kind::Files,
        Kind::Secrets,
    ];

    /// Of these names those that can be in one store: none is the folder of another one.
    fn as_on_disk(names: Vec<String>) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        for name in names {
            let inside =
                |one: &str, other: &str| format!("{one}/").starts_with(&format!("{other}/"));
            if !kept
                .iter()
                .any(|there| inside(there, &name) || inside(&name, there))
            {
                kept.push(name);
            }
        }
        kept
    }

    proptest! {
        /// Neither under the same name, nor one where the folder of another must be.
        #[test]
        fn no_two_objects_of_a_vault_are_in_each_others_way(
            names in prop::collection::btree_map(
                prop::collection::vec(PART, 1..4).prop_map(|parts| parts.join("/")),
                prop::sample::select(&KINDS[..]),
                1..6,
            ),
            ids in prop::collection::btree_set(ID, 0..6),
            files in prop::collection::vec(
                prop::collection::vec(FILE, 1..4).prop_map(|parts| parts.join("/")),
                0..6,
            ),
        ) {
            let names = names.into_iter().filter(|(name, _)| StoreName::parse(name).is_ok());
            let ids: Vec<_> = ids.into_iter().collect();
            let paths = paths(&names.collect(), &ids, &as_on_disk(files));
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
