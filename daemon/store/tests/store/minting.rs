//! When a key is made, and when never: every answer of the keyring over every kind of data root.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use vault_store::{KeySourceError, OpenError, Vault, catalogue::Protection, header::Header};

use crate::support::{
    fixture::{Fixture, ROOT, name, new_store, put},
    scripted::{ANSWERS, Answer, Saving, Scripted},
    simulated::{Image, SimulatedFileSystem},
    world::observe,
};

/// A vault with a store and a document, and its key.
fn whole() -> (Image, Vec<u8>) {
    let fixture = Fixture::new();
    let vault = fixture.create().expect("a new vault");
    vault
        .create_store(new_store("notes", Protection::Protected))
        .expect("a new store");
    put(&vault.documents(&name("notes")).expect("open"), "a", "text");
    let (_, key) = fixture.keyring.storage_key();
    (fixture.simulated.image(), key)
}

fn path(file: &str) -> PathBuf {
    Path::new(ROOT).join(file)
}

fn without(image: &Image, files: &[&str]) -> Image {
    files
        .iter()
        .fold(image.clone(), |image, file| image.without(&path(file)))
}

/// The image with `change` made to a file.
fn changed(image: &Image, file: &str, change: impl Fn(&mut Vec<u8>)) -> Image {
    let fs = SimulatedFileSystem::of(image.clone());
    let mut bytes = image.file(&path(file)).expect("there").to_vec();
    change(&mut bytes);
    replace(&fs, file, &bytes)
}

fn replace(fs: &SimulatedFileSystem, file: &str, bytes: &[u8]) -> Image {
    vault_store::durable::replace(fs, Path::new(ROOT), file, &[bytes]).expect("replace");
    fs.image()
}

fn empty() -> Image {
    SimulatedFileSystem::new(Path::new(ROOT)).image()
}

fn header_only(image: &Image) -> Image {
    replace(
        &SimulatedFileSystem::of(empty()),
        "vault.json",
        image.file(&path("vault.json")).expect("there"),
    )
}

fn open(image: &Image, source: &Scripted) -> (Result<Vault, OpenError>, Fixture) {
    let fixture = Fixture::over(SimulatedFileSystem::of(image.clone()));
    (
        Vault::open(fixture.root(), source, fixture.options()),
        fixture,
    )
}

/// The outcome in one word.
fn outcome<T>(result: &Result<T, OpenError>) -> &'static str {
    match result {
        Ok(_) => "open",
        Err(OpenError::Uninitialized) => "none",
        Err(OpenError::AlreadyInitialized) => "there",
        Err(OpenError::KeyMissing(_)) => "missing",
        Err(OpenError::WrongKey { .. }) => "wrong",
        Err(OpenError::Damaged(_)) => "damaged",
        Err(OpenError::Store(_)) => "store",
        Err(OpenError::KeySource(error)) => match error {
            KeySourceError::Locked(_) => "locked",
            KeySourceError::Unreachable(_) => "unreachable",
            KeySourceError::Denied(_) => "denied",
            KeySourceError::TimedOut(_) => "timed out",
            KeySourceError::Damaged(_) => "bad entry",
            KeySourceError::WrongPassphrase => "passphrase",
            KeySourceError::Unsupported(_) => "unsupported",
        },
    }
}

/// Root, then what opening it comes to for each of [`ANSWERS`], then the same of creating.
fn table(image: &Image) -> Vec<(&'static str, Image, [&'static str; 7], [&'static str; 7])> {
    let silent = ["locked", "unreachable", "denied", "timed out"];
    let with = |right, wrong, absent| {
        let [locked, unreachable, denied, late] = silent;
        [right, wrong, absent, locked, unreachable, denied, late]
    };
    vec![
        (
            "empty",
            empty(),
            ["none"; 7],
            with("bad entry", "bad entry", "open"),
        ),
        (
            "whole",
            image.clone(),
            with("open", "wrong", "missing"),
            ["there"; 7],
        ),
        (
            "header only",
            header_only(image),
            with("damaged", "wrong", "missing"),
            ["there"; 7],
        ),
        (
            "header lost",
            without(image, &["vault.json"]),
            with("open", "wrong", "missing"),
            ["there"; 7],
        ),
        (
            "sealed files only",
            without(image, &["vault.json", "keys.a", "keys.b"]),
            ["missing"; 7],
            ["there"; 7],
        ),
        (
            "header damaged",
            changed(image, "vault.json", |bytes| bytes.truncate(20)),
            with("open", "wrong", "missing"),
            ["there"; 7],
        ),
        (
            "tables and catalogue lost",
            without(image, &["keys.a", "keys.b", "catalogue"]),
            with("damaged", "wrong", "missing"),
            ["there"; 7],
        ),
        (
            "catalogue lost",
            without(image, &["catalogue"]),
            with("damaged", "wrong", "missing"),
            ["there"; 7],
        ),
    ]
}

#[test]
fn opening_never_makes_a_key() {
    let (image, key) = whole();
    for (root, image, expected, _) in table(&image) {
        for (answer, expected) in ANSWERS.into_iter().zip(expected) {
            let source = Scripted::new(answer, Saving::Kept, &key);
            let (result, fixture) = open(&image, &source);
            assert_eq!(outcome(&result), expected, "{root}, {answer:?}");
            assert_eq!(
                source.saves.load(Ordering::Relaxed),
                0,
                "{root}, {answer:?}"
            );
            let asked = source.loads.load(Ordering::Relaxed) > 0;
            assert_eq!(
                asked,
                !matches!(root, "empty" | "sealed files only"),
                "{root}, {answer:?}"
            );
            match result {
                Ok(vault) => {
                    assert_eq!(observe(&vault).expect("whole")["notes"].documents.len(), 1);
                }
                Err(_) => assert!(fixture.simulated.image() == image, "{root}, {answer:?}"),
            }
        }
    }
}

#[test]
fn creating_makes_a_key_only_over_nothing_and_for_a_keyring_without_one() {
    let (image, key) = whole();
    for (root, image, _, expected) in table(&image) {
        for (answer, expected) in ANSWERS.into_iter().zip(expected) {
            let source = Scripted::new(answer, Saving::Kept, &key);
            let fixture = Fixture::over(SimulatedFileSystem::of(image.clone()));
            let result = Vault::create(fixture.root(), &source, fixture.options());
            assert_eq!(outcome(&result), expected, "{root}, {answer:?}");
            let saves = source.saves.load(Ordering::Relaxed);
            assert_eq!(saves, usize::from(result.is_ok()), "{root}, {answer:?}");
            if result.is_err() {
                assert!(fixture.simulated.image() == image, "{root}, {answer:?}");
            }
        }
    }
}

#[test]
fn a_key_counts_only_once_it_was_read_back() {
    for (saving, expected) in [
        (Saving::Refused, "locked"),
        (Saving::Lost, "bad entry"),
        (Saving::Changed, "bad entry"),
        (Saving::LockedAfterwards, "locked"),
    ] {
        let source = Scripted::new(Answer::Absent, saving, &[1; 32]);
        let fixture = Fixture::new();
        let result = Vault::create(fixture.root(), &source, fixture.options());
        assert_eq!(outcome(&result), expected, "{saving:?}");
        assert!(fixture.simulated.image() == empty(), "{saving:?}");
    }
}

#[test]
fn one_bad_copy_of_the_key_table_is_mended() {
    let (image, key) = whole();
    let older = {
        // The table as it was before one more store was created.
        let source = Scripted::new(Answer::Right, Saving::Kept, &key);
        let (vault, fixture) = open(&image, &source);
        let vault = vault.expect("open");
        vault
            .create_store(new_store("later", Protection::Protected))
            .expect("a new store");
        let fs = fixture.simulated.clone();
        (
            fs.image(),
            image.file(&path("keys.a")).expect("there").to_vec(),
        )
    };
    let (newer, old_table) = older;
    for file in ["keys.a", "keys.b"] {
        let cases = BTreeMap::from([
            ("lost", without(&newer, &[file])),
            ("cut", changed(&newer, file, |bytes| bytes.truncate(70))),
            ("empty", changed(&newer, file, Vec::clear)),
            ("flipped", changed(&newer, file, |bytes| bytes[80] ^= 1)),
            (
                "wrong fingerprint",
                changed(&newer, file, |bytes| bytes[33] ^= 1),
            ),
            ("other vault", changed(&newer, file, |bytes| bytes[9] ^= 1)),
            (
                "older",
                changed(&newer, file, |bytes| bytes.clone_from(&old_table)),
            ),
        ]);
        for (what, image) in cases {
            let source = Scripted::new(Answer::Right, Saving::Kept, &key);
            let (vault, fixture) = open(&image, &source);
            let vault = vault.unwrap_or_else(|error| panic!("{file} {what}: {error}"));
            assert_eq!(observe(&vault).expect("whole").len(), 2, "{file} {what}");
            let mended = fixture.simulated.image();
            let copies =
                ["keys.a", "keys.b"].map(|file| mended.file(&path(file)).map(<[u8]>::to_vec));
            assert!(
                copies[0].is_some() && copies[0] == copies[1],
                "{file} {what}"
            );
        }
    }
}

#[test]
fn damage_and_a_wrong_key_are_told_apart() {
    let (image, key) = whole();
    let flip = |image: &Image, at: usize| {
        let image = changed(image, "keys.a", |bytes| bytes[at] ^= 1);
        changed(&image, "keys.b", |bytes| bytes[at] ^= 1)
    };
    // Nonce, sealed entries, fingerprint, magic: whatever is damaged, the key is not to blame.
    for at in [45, 70, 33, 0] {
        let source = Scripted::new(Answer::Right, Saving::Kept, &key);
        assert_eq!(
            outcome(&open(&flip(&image, at), &source).0),
            "damaged",
            "byte {at}"
        );
        let source = Scripted::new(Answer::Wrong, Saving::Kept, &key);
        assert_eq!(
            outcome(&open(&flip(&image, at), &source).0),
            "wrong",
            "byte {at}"
        );
    }
    let catalogue = changed(&image, "catalogue", |bytes| bytes[100] ^= 1);
    let source = Scripted::new(Answer::Right, Saving::Kept, &key);
    assert_eq!(outcome(&open(&catalogue, &source).0), "damaged");
}

#[test]
fn a_lost_or_damaged_header_is_rebuilt() {
    let (image, key) = whole();
    let (other, _) = whole();
    let foreign = other.file(&path("vault.json")).expect("there").to_vec();
    let original = Header::read(&Fixture::over(SimulatedFileSystem::of(image.clone())).root());
    let original = original.expect("readable").expect("there");
    for damaged in [
        without(&image, &["vault.json"]),
        changed(&image, "vault.json", Vec::clear),
        changed(&image, "vault.json", |bytes| bytes[5] ^= 0x80),
        changed(&image, "vault.json", |bytes| bytes.clone_from(&foreign)),
    ] {
        let source = Scripted::new(Answer::Right, Saving::Kept, &key);
        let (vault, fixture) = open(&damaged, &source);
        vault.expect("the key table says all of it");
        let rebuilt = Header::read(&fixture.root())
            .expect("readable")
            .expect("there");
        assert_eq!(rebuilt, original);
    }
}
