//! Reading the files of presets, fit and unfit.

use vault_client::{Preset, PresetError, SizeClass};

use crate::{built_in, design};

#[test]
fn the_presets_that_come_along_hold_what_they_promise() {
    let names: Vec<String> = Preset::built_in()
        .into_iter()
        .map(|preset| preset.name)
        .collect();
    assert_eq!(names, ["assistant", "chat"]);
    let assistant = built_in("assistant");
    for store in &assistant.stores {
        let name = store.name.as_str();
        // Of what it keeps under refs and in tables nothing is plain; of the rest everything.
        let protected = matches!(store.content.kind(), "database" | "blobs");
        assert_eq!(store.content.plain(), !protected, "{name}");
        let of_a_plugin = name.starts_with("plugins/");
        if let Some(design) = design(store) {
            assert_eq!(design.maintenance, !of_a_plugin, "{name}");
            assert_eq!(design.extensible, of_a_plugin, "{name}");
        }
        assert_eq!(store.optional, name.starts_with("agents/"), "{name}");
    }
    let chat = built_in("chat");
    let stores = chat.stores.iter().map(|store| {
        let name = store.name.as_str().trim_start_matches("chat/");
        let kind = store.content.kind();
        // What people browse is plain, and nothing else.
        assert_eq!(store.content.plain(), kind == "files", "{name}");
        (name, kind, store.size_class)
    });
    assert_eq!(
        stores.collect::<Vec<_>>(),
        [
            ("conversations", "documents", Some(SizeClass::Chat)),
            ("drafts", "documents", Some(SizeClass::Card)),
            ("connections", "documents", Some(SizeClass::Auth)),
            ("image-connections", "documents", Some(SizeClass::Auth)),
            ("generated-images", "blobs", Some(SizeClass::Image)),
            ("voice-samples", "blobs", Some(SizeClass::Voice)),
            ("characters", "files", Some(SizeClass::Card)),
            ("personas", "files", Some(SizeClass::Card)),
            ("attachments", "files", Some(SizeClass::Image)),
            ("models", "files", Some(SizeClass::Download)),
        ]
    );
}

#[test]
fn the_example_of_the_reference_is_a_preset() {
    let readme = include_str!("../../presets/README.md");
    let (_, rest) = readme.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let preset = Preset::parse(example).expect("fit");
    assert_eq!(preset.text(), example);
    assert_eq!(preset.stores.len(), 3);
}

#[test]
fn kinds_to_come_are_known_by_name() {
    for kind in ["blobs", "files", "secrets"] {
        let preset = Preset::parse(&store(&format!("kind = '{kind}'"))).expect("fit");
        let content = &preset.stores[0].content;
        assert_eq!((content.kind(), content.plain()), (kind, kind == "files"));
        let plain = kind != "files";
        let text = store(&format!("kind = '{kind}'\nplain = {plain}"));
        assert_unfit(&text, 6, "`plain");
    }
}

fn assert_unfit(text: &str, expected: usize, told: &str) {
    match Preset::parse(text) {
        Err(PresetError::Unfit { line, message }) => {
            assert_eq!(line, expected, "{text}\n{message}");
            assert!(message.contains(told), "{text}\n{message}");
        }
        other => panic!("{text}\n{other:?}"),
    }
}

/// A preset of one store with these lines in it, from line 5 on.
fn store(lines: &str) -> String {
    format!("name = 'a'\ndescription = ''\n[[store]]\nname = 'x'\n{lines}\n")
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line() {
    let long = format!(
        "name = 'a'\ndescription = '{}'\nstore = []",
        "x".repeat(201)
    );
    let deep = format!("name = 'a'\ndescription = ''\nstore = {}", "[".repeat(5000));
    for (text, line, told) in [
        ("", 1, "missing field"),
        ("name = ", 1, ""),
        ("\u{feff}\0", 1, ""),
        (&deep, 3, ""),
        (&long, 2, "one line"),
        (
            "name = 'a'\ndescription = \"\\u001b\"\nstore = []",
            2,
            "one line",
        ),
        (
            "name = 'A b'\ndescription = ''\nstore = []",
            1,
            "lower-case",
        ),
        (
            "\nname = 'a'\ndescription = ''\nstore = []",
            2,
            "at least one",
        ),
        ("name = 'a'\nauthor = 'b'\n", 2, "unknown field `author`"),
    ] {
        assert_unfit(text, line, told);
    }
    let placeholder = "name = 'a'\ndescription = ''\n[placeholders.p]\nform = 'name'\n";
    let other = "[[store]]\nname = 'x'\nkind = 'documents'";
    let unused = format!("{placeholder}description = ''\n{other}");
    assert_unfit(&unused, 3, "no store has `{p}`");
    let short = format!("{placeholder}{other}");
    assert_unfit(&short, 3, "missing field `description`");
}

#[test]
fn what_is_wrong_with_a_store_is_told_with_its_line() {
    for (lines, line, told) in [
        ("kind = 'tables'", 5, "unknown variant `tables`"),
        (
            "kind = 'documents'\nplian = true",
            6,
            "unknown field `plian`",
        ),
        ("kind = 'documents'\nplain = 1", 6, "invalid type"),
        ("kind = 'documents'\nkind = 'files'", 6, "duplicate key"),
        (
            "kind = 'files'\nsize_class = 'huge'",
            6,
            "unknown variant `huge`",
        ),
        ("kind = 'documents'\nsteps = ['x']", 6, "for databases"),
        ("kind = 'documents'\nmaintenance = true", 6, "for databases"),
        ("kind = 'files'\nblob_columns = []", 6, "for databases"),
    ] {
        assert_unfit(&store(lines), line, told);
    }
    for (name, told) in [
        ("x", "stands twice"),
        ("../x", "each part"),
        ("{p}", "not declared"),
    ] {
        let lines = format!("kind = 'files'\n[[store]]\nname = '{name}'\nkind = 'files'");
        assert_unfit(&store(&lines), 7, told);
    }
}

#[test]
fn what_is_wrong_with_a_database_is_told_with_its_line() {
    for (lines, line, told) in [
        ("plain = true", 6, "always encrypted"),
        ("steps = ['CREATE TABLE t (a)', ' ']", 6, "without SQL"),
        ("steps = 'CREATE TABLE t (a)'", 6, "invalid type"),
        ("blob_columns = ['a.b',\n 'c']", 7, "table.column"),
        ("blob_columns = ['a.b.c']", 6, "table.column"),
        ("blob_columns = ['a.b\"; DROP TABLE a']", 6, "table.column"),
    ] {
        assert_unfit(&store(&format!("kind = 'database'\n{lines}")), line, told);
    }
}
