//! Secrets: what a client relies on, wherever the values lie.

use vault_crypto::{SecretBytes, SecretName};
use vault_store::{
    StoreError, Vault,
    archive::{Contents, Form, RestoreOptions, export, restore},
    catalogue::{Kind, Protection},
    secrets::{Inspection, NewSecret, SecretPlace},
    vault::NewStore,
};

use crate::support::{
    fixture::{Fixture, name},
    rotating::reencrypt,
};

pub(crate) const PLACES: [SecretPlace; 2] = [SecretPlace::Keyring, SecretPlace::Vault];
const VALUE: &[u8] = b"sk-live-nobody-else-is-to-see-this";

pub(crate) fn secret(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

pub(crate) fn new(text: &str, value: &[u8]) -> NewSecret {
    NewSecret {
        name: secret(text),
        value: SecretBytes::new(value.to_vec()),
        label: None,
        create: false,
    }
}

pub(crate) fn create(fixture: &Fixture, place: SecretPlace) -> Vault {
    let options = fixture.options_with(place);
    Vault::create(fixture.root(), &fixture.keyring, options).expect("a new vault")
}

pub(crate) fn open(fixture: &Fixture, place: SecretPlace) -> Vault {
    let options = fixture.options_with(place);
    Vault::open(fixture.root(), &fixture.keyring, options).expect("opens")
}

pub(crate) fn set(vault: &Vault, text: &str, value: &[u8]) {
    let store = vault.secrets_or_create().expect("open");
    store.set(&new(text, value)).expect("set");
}

/// The value of a secret; `None` where there is no such secret.
pub(crate) fn get(vault: &Vault, text: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(store) = vault.secrets()? else {
        return Ok(None);
    };
    match store.get(&secret(text)) {
        Ok((_, value)) => Ok(Some(value.expose().to_vec())),
        Err(StoreError::NoSuchSecret(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn names(vault: &Vault, prefix: &str) -> Vec<String> {
    let store = vault.secrets().expect("open").expect("there");
    let listed = store.list(prefix).expect("listed").into_iter();
    listed.map(|secret| secret.name.to_string()).collect()
}

/// Whether any file holds these bytes.
fn on_disk(fixture: &Fixture, bytes: &[u8]) -> bool {
    let image = fixture.simulated.image();
    let holds = |content: &[u8]| content.windows(bytes.len()).any(|run| run == bytes);
    image.contents.iter().any(|content| holds(content))
}

#[test]
fn any_bytes_come_back_as_they_were() {
    let all: Vec<u8> = (0..=u8::MAX).cycle().take(8 << 10).collect();
    let largest = vec![0xA5; 64 << 10];
    for place in PLACES {
        let fixture = Fixture::new();
        let vault = create(&fixture, place);
        for value in [&b"\0"[..], b"a\nb\r\n\n", b"\xFF\xFE", &all, &largest] {
            set(&vault, "connection:one", value);
            let back = get(&vault, "connection:one").expect("read");
            assert_eq!(back.as_deref(), Some(value), "{place:?}");
        }
        vault.close();
        let back = get(&open(&fixture, place), "connection:one").expect("read");
        assert_eq!(back, Some(largest.clone()), "{place:?}");
        let held = fixture.keyring.held_secrets().len();
        assert_eq!(held, usize::from(place == SecretPlace::Keyring));
    }
}

#[test]
fn values_have_bounds_and_names_are_not_taken_twice_by_create() {
    let vault = create(&Fixture::new(), SecretPlace::Keyring);
    let store = vault.secrets_or_create().expect("open");
    let refused = store.set(&new("a:b", b"")).expect_err("empty");
    assert!(
        matches!(refused, StoreError::InvalidArgument(_)),
        "{refused}"
    );
    let refused = store.set(&new("a:b", &vec![1; (64 << 10) + 1]));
    assert!(matches!(
        refused,
        Err(StoreError::TooLarge { limit: 65536, .. })
    ));
    let create = || NewSecret {
        create: true,
        ..new("a:b", VALUE)
    };
    store.set(&create()).expect("the first");
    let refused = store.set(&create()).expect_err("the second");
    assert!(matches!(refused, StoreError::ObjectExists(_)), "{refused}");
    for label in ["l".repeat(257), "two\nlines".to_owned()] {
        let label = Some(label);
        let refused = store.set(&NewSecret {
            label,
            ..new("a:b", VALUE)
        });
        assert!(matches!(refused, Err(StoreError::InvalidArgument(_))));
    }
}

#[test]
fn the_list_tells_what_is_known_and_no_file_tells_anything() {
    for place in PLACES {
        let fixture = Fixture::new();
        let vault = create(&fixture, place);
        let label = "the label of a key".to_owned();
        let store = vault.secrets_or_create().expect("open");
        let labelled = NewSecret {
            label: Some(label.clone()),
            ..new("connection:somewhere", VALUE)
        };
        store.set(&labelled).expect("set");
        set(&vault, "image:elsewhere", VALUE);
        // A new value keeps the label.
        set(&vault, "connection:somewhere", VALUE);
        assert_eq!(
            names(&vault, ""),
            ["connection:somewhere", "image:elsewhere"]
        );
        assert_eq!(names(&vault, "image:"), ["image:elsewhere"]);
        let info = store.info(&secret("connection:somewhere")).expect("read");
        let info = info.expect("listed");
        assert_eq!((info.label, info.place), (label.clone(), place));
        assert_eq!(info.last_used_ms, None);
        let (info, _) = store.get(&secret("connection:somewhere")).expect("read");
        assert_eq!(info.last_used_ms, Some(1_699_999_980_000), "to the minute");
        for private in [VALUE, label.as_bytes(), b"connection:somewhere"] {
            assert!(!on_disk(&fixture, private), "{place:?}");
        }
        vault.close();
        let vault = open(&fixture, place);
        let store = vault.secrets().expect("open");
        let info = store.expect("there").info(&secret("connection:somewhere"));
        let info = info.expect("read").expect("listed");
        assert_eq!(info.last_used_ms, Some(1_699_999_980_000), "it was kept");
    }
}

#[test]
fn a_use_is_written_once_a_minute_at_most() {
    let fixture = Fixture::new();
    let vault = create(&fixture, SecretPlace::Keyring);
    set(&vault, "a:b", VALUE);
    get(&vault, "a:b").expect("read");
    let writes = fixture.simulated.log().len();
    get(&vault, "a:b").expect("read");
    assert_eq!(fixture.simulated.log().len(), writes, "nothing was written");
}

#[test]
fn a_vault_has_one_store_of_secrets_and_it_is_never_plain() {
    let vault = create(&Fixture::new(), SecretPlace::Keyring);
    let plain = NewStore {
        protection: Protection::Plain,
        ..NewStore::new(name("keys"), Kind::Secrets)
    };
    let refused = vault.create_store(plain).expect_err("plain");
    assert!(
        matches!(refused, StoreError::InvalidArgument(_)),
        "{refused}"
    );
    let first = NewStore::new(name("keys"), Kind::Secrets);
    vault.create_store(first).expect("the first");
    let second = NewStore::new(name("more"), Kind::Secrets);
    let refused = vault.create_store(second).expect_err("the second");
    assert!(refused.to_string().contains("`keys`"), "{refused}");
    set(&vault, "a:b", VALUE);
    assert_eq!(vault.stores().len(), 1, "in the first");
}

#[test]
fn what_is_deleted_or_removed_with_its_store_is_gone_from_its_place() {
    for place in PLACES {
        let fixture = Fixture::new();
        let vault = create(&fixture, place);
        for text in ["a:one", "a:two"] {
            set(&vault, text, VALUE);
        }
        let store = vault.secrets_or_create().expect("open");
        store.delete(&secret("a:one")).expect("deleted");
        assert_eq!(get(&vault, "a:one").expect("read"), None);
        let again = store.delete(&secret("a:one")).expect_err("twice");
        assert!(matches!(again, StoreError::NoSuchSecret(_)), "{again}");
        assert_eq!(store.inspect().expect("inspected"), Inspection::default());
        vault.remove_store(&name("secrets")).expect("removed");
        assert!(fixture.keyring.held_secrets().is_empty(), "{place:?}");
        assert_eq!(get(&vault, "a:two").expect("read"), None);
    }
}

#[test]
fn what_does_not_fit_together_is_found_and_mended_without_a_loss() {
    let fixture = Fixture::new();
    let vault = create(&fixture, SecretPlace::Keyring);
    for text in ["a:gone", "a:fine"] {
        set(&vault, text, VALUE);
    }
    fixture.keyring.present_secret(&secret("a:gone"), None);
    fixture
        .keyring
        .present_secret(&secret("a:stray"), Some(b"stray"));
    let gone = get(&vault, "a:gone").expect_err("gone");
    assert!(matches!(gone, StoreError::SecretValueMissing(_)), "{gone}");
    let found = vault.inspect_secrets().expect("inspected");
    assert_eq!(found.missing, [secret("a:gone")]);
    assert_eq!(found.unlisted, [secret("a:stray")]);
    vault.mend_secrets(&found).expect("mended");
    assert_eq!(
        get(&vault, "a:stray").expect("read"),
        Some(b"stray".to_vec())
    );
    let found = vault.inspect_secrets().expect("inspected");
    assert!(found.unlisted.is_empty(), "{found:?}");
    assert_eq!(names(&vault, ""), ["a:fine", "a:gone", "a:stray"]);
}

#[test]
fn a_stray_value_can_be_deleted_by_name() {
    let fixture = Fixture::new();
    let vault = create(&fixture, SecretPlace::Keyring);
    set(&vault, "a:b", VALUE);
    fixture
        .keyring
        .present_secret(&secret("a:stray"), Some(b"stray"));
    let store = vault.secrets_or_create().expect("open");
    store.delete(&secret("a:stray")).expect("deleted");
    assert_eq!(fixture.keyring.held_secrets().len(), 1);
}

#[test]
fn new_data_keys_seal_the_list_and_the_values_that_are_sealed() {
    for place in PLACES {
        let fixture = Fixture::new();
        let vault = create(&fixture, place);
        for text in ["a:one", "a:two"] {
            set(&vault, text, text.as_bytes());
        }
        let before = fixture.keyring.held_secrets();
        // Done only if nothing needs the keys before.
        reencrypt(&vault, &fixture.keyring);
        assert_eq!(fixture.keyring.held_secrets(), before, "left alone");
        vault.close();
        let vault = open(&fixture, place);
        for text in ["a:one", "a:two"] {
            let back = get(&vault, text).expect("read");
            assert_eq!(back.as_deref(), Some(text.as_bytes()));
        }
    }
}

#[test]
fn values_leave_the_vault_only_where_that_was_asked_for() {
    for (from, to) in [(PLACES[0], PLACES[1]), (PLACES[1], PLACES[0])] {
        for secrets in [false, true] {
            let source = create(&Fixture::new(), from);
            set(&source, "a:b", VALUE);
            let contents = Contents {
                only: None,
                secrets,
            };
            let mut go_on =
                |_: vault_store::archive::Progress<'_>| std::ops::ControlFlow::Continue(());
            let mut tar = Vec::new();
            let summary = export(&source, &mut tar, &Form::Tar, &contents, &mut go_on);
            let summary = summary.expect("exported");
            assert_eq!(summary.secrets_left_out, u64::from(!secrets));
            let inside = tar.windows(VALUE.len()).any(|run| run == VALUE);
            assert_eq!(inside, secrets, "the value is in it");

            let fixture = Fixture::new();
            let vault = create(&fixture, to);
            let options = RestoreOptions {
                merge: true,
                manifest: summary.manifest,
            };
            restore(&vault, &tar[..], None, &options, &mut go_on).expect("restored");
            assert_eq!(names(&vault, ""), ["a:b"]);
            let back = get(&vault, "a:b");
            if secrets {
                assert_eq!(back.expect("read"), Some(VALUE.to_vec()));
            } else {
                let missing = matches!(back, Err(StoreError::SecretValueMissing(_)));
                assert!(missing, "{back:?}");
                assert_eq!(
                    vault.inspect_secrets().expect("read").missing,
                    [secret("a:b")]
                );
                // Set anew, it is whole; the archive does not undo that.
                set(&vault, "a:b", b"anew");
            }
            let again = restore(&vault, &tar[..], None, &options, &mut go_on);
            assert_eq!(again.expect("restored").unchanged, 1);
            let expected = if secrets { VALUE } else { b"anew" };
            assert_eq!(get(&vault, "a:b").expect("read").as_deref(), Some(expected));
        }
    }
}
