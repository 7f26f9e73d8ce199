use std::{fs, path::Path};

use vault_crypto::VaultId;

use super::*;

const FAST: Option<u8> = Some(2);
const KEY: [u8; 32] = [0xA5; 32];
const NEXT: [u8; 32] = [0x5A; 32];

fn backend(folder: &Path) -> PassphraseBackend {
    PassphraseBackend::new(folder.to_owned(), FAST)
}

fn text(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

fn account(name: EntryName) -> Account {
    Account {
        vault: VaultId::from_bytes([1; 16]),
        name,
    }
}

fn get(backend: &mut PassphraseBackend, name: EntryName) -> Result<Vec<u8>, KeyringError> {
    let secret = backend.get(&account(name), Interaction::Forbidden)?;
    Ok(secret.expose().to_vec())
}

fn set(backend: &mut PassphraseBackend, name: EntryName, key: &[u8]) -> Result<(), KeyringError> {
    backend.set(&account(name), key, Interaction::Forbidden)
}

/// A folder with a key sealed under "correct horse".
fn sealed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = backend(folder.path());
    first
        .unlock(Some(&text("correct horse")))
        .expect("first run");
    set(&mut first, EntryName::StorageKey, &KEY).expect("written");
    folder
}

#[test]
fn the_first_run_remembers_the_passphrase_and_seals_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut fresh = backend(&folder.path().join("created/on/demand"));
    assert_eq!(
        get(&mut fresh, EntryName::StorageKey),
        Err(KeyringError::NoEntry)
    );
    assert_eq!(
        set(&mut fresh, EntryName::StorageKey, &KEY),
        Err(passphrase_needed()),
        "nothing is written without a passphrase"
    );
    assert_eq!(fresh.probe(), Ok(Probe::Works));
    fresh
        .unlock(Some(&text("correct horse")))
        .expect("remembered");
    assert_eq!(
        get(&mut fresh, EntryName::StorageKey),
        Err(KeyringError::NoEntry)
    );
    set(&mut fresh, EntryName::StorageKey, &KEY).expect("written");
    assert_eq!(get(&mut fresh, EntryName::StorageKey), Ok(KEY.to_vec()));
}

#[test]
fn a_key_survives_reopening_and_locking() {
    let folder = sealed();
    let mut again = backend(folder.path());
    assert_eq!(
        get(&mut again, EntryName::StorageKey),
        Err(passphrase_needed())
    );
    assert_eq!(again.unlock(None), Err(passphrase_needed()));
    assert_eq!(again.probe(), Ok(Probe::Locked));
    again
        .unlock(Some(&text("correct horse")))
        .expect("unlocked");
    assert_eq!(again.probe(), Ok(Probe::Works));
    assert_eq!(get(&mut again, EntryName::StorageKey), Ok(KEY.to_vec()));
    again.lock();
    assert_eq!(
        get(&mut again, EntryName::StorageKey),
        Err(passphrase_needed())
    );
    assert_eq!(
        get(&mut again, EntryName::StorageKeyNext),
        Err(KeyringError::NoEntry),
        "an absent file is absent while locked too"
    );
}

#[test]
fn a_wrong_passphrase_is_named_and_changes_nothing() {
    let folder = sealed();
    let mut locked = backend(folder.path());
    let wrong = text("battery staple");
    assert_eq!(
        locked.unlock(Some(&wrong)),
        Err(KeyringError::WrongPassphrase)
    );
    assert_eq!(
        get(&mut locked, EntryName::StorageKey),
        Err(passphrase_needed())
    );
    assert_eq!(
        set(&mut locked, EntryName::StorageKey, &NEXT),
        Err(passphrase_needed())
    );
    locked
        .unlock(Some(&text("correct horse")))
        .expect("unlocked");
    assert_eq!(
        locked.unlock(Some(&wrong)),
        Err(KeyringError::WrongPassphrase)
    );
    assert_eq!(get(&mut locked, EntryName::StorageKey), Ok(KEY.to_vec()));
}

#[test]
fn empty_and_binary_passphrases_are_refused() {
    let folder = sealed();
    let mut locked = backend(folder.path());
    for bad in [text(""), SecretBytes::new(vec![0xFF, 0xFE])] {
        let error = locked.unlock(Some(&bad)).expect_err("refused");
        assert!(matches!(error, KeyringError::Unsupported(_)), "{error}");
    }
}

#[test]
fn a_damaged_file_is_damaged_and_never_absent() {
    let folder = sealed();
    let path = folder.path().join("storage-key.age");
    let whole = fs::read(&path).expect("the file");
    let mut open = backend(folder.path());
    open.unlock(Some(&text("correct horse"))).expect("unlocked");
    let oversize = vec![b'x'; 65 * 1024];
    for broken in [
        &whole[..whole.len() - 1],
        b"",
        b"not an age file",
        &oversize,
    ] {
        fs::write(&path, broken).expect("damaged");
        let error = get(&mut open, EntryName::StorageKey).expect_err("noticed while unlocked");
        assert!(matches!(error, KeyringError::Damaged(_)), "{error}");
        let error = backend(folder.path())
            .unlock(Some(&text("correct horse")))
            .expect_err("noticed on unlocking");
        assert!(matches!(error, KeyringError::Damaged(_)), "{error}");
    }
    fs::write(&path, &whole).expect("repaired");
    assert_eq!(get(&mut open, EntryName::StorageKey), Ok(KEY.to_vec()));
}

#[test]
fn a_staged_key_opens_although_the_one_in_force_is_damaged() {
    let folder = sealed();
    let mut open = backend(folder.path());
    open.unlock(Some(&text("correct horse"))).expect("unlocked");
    set(&mut open, EntryName::StorageKeyNext, &NEXT).expect("staged");
    fs::write(folder.path().join("storage-key.age"), b"broken").expect("damaged");
    let mut again = backend(folder.path());
    assert!(again.unlock(Some(&text("wrong"))).is_err());
    again
        .unlock(Some(&text("correct horse")))
        .expect("by the staged key");
    assert_eq!(
        get(&mut again, EntryName::StorageKeyNext),
        Ok(NEXT.to_vec())
    );
    let error = get(&mut again, EntryName::StorageKey).expect_err("still damaged");
    assert!(matches!(error, KeyringError::Damaged(_)), "{error}");
}

#[test]
fn keys_are_replaced_and_deleted_one_by_one() {
    let folder = sealed();
    let mut open = backend(folder.path());
    open.unlock(Some(&text("correct horse"))).expect("unlocked");
    set(&mut open, EntryName::StorageKeyNext, &NEXT).expect("staged");
    // A second name for the old file shows that the new one did not overwrite it in place.
    let (path, old) = (
        folder.path().join("storage-key.age"),
        folder.path().join("old"),
    );
    fs::hard_link(&path, &old).expect("a second name");
    let before = fs::read(&path).expect("the old file");
    set(&mut open, EntryName::StorageKey, &NEXT).expect("promoted");
    assert_eq!(fs::read(&old).expect("the old file"), before);
    fs::remove_file(&old).expect("removed");
    let next = account(EntryName::StorageKeyNext);
    open.delete(&next, Interaction::Forbidden).expect("deleted");
    assert_eq!(
        open.delete(&next, Interaction::Forbidden),
        Err(KeyringError::NoEntry)
    );
    assert_eq!(
        get(&mut open, EntryName::StorageKeyNext),
        Err(KeyringError::NoEntry)
    );
    let mut again = backend(folder.path());
    again
        .unlock(Some(&text("correct horse")))
        .expect("unlocked");
    assert_eq!(get(&mut again, EntryName::StorageKey), Ok(NEXT.to_vec()));
    assert_eq!(
        names(folder.path()),
        ["storage-key.age"],
        "no temporary file stays"
    );
}

#[test]
fn only_storage_keys_fit() {
    let folder = sealed();
    let mut open = backend(folder.path());
    open.unlock(Some(&text("correct horse"))).expect("unlocked");
    for (name, secret) in [
        (EntryName::Probe, &KEY[..]),
        (EntryName::StorageKey, b"short"),
    ] {
        let error = set(&mut open, name, secret).expect_err("refused");
        assert!(matches!(error, KeyringError::Unsupported(_)), "{error}");
    }
    assert_eq!(get(&mut open, EntryName::StorageKey), Ok(KEY.to_vec()));
}

#[test]
fn neither_file_nor_debug_output_holds_a_secret() {
    let folder = sealed();
    let file = fs::read(folder.path().join("storage-key.age")).expect("the file");
    assert!(
        !file.windows(8).any(|part| part == &KEY[..8]),
        "plaintext key"
    );
    let mut open = backend(folder.path());
    open.unlock(Some(&text("correct horse"))).expect("unlocked");
    let shown = format!("{open:?}");
    assert!(shown.contains("redacted"), "{shown}");
    let key = format!("{:?}", &KEY[..4]);
    assert!(!shown.contains(key.trim_matches(['[', ']'])), "{shown}");
    assert!(!shown.contains("horse"), "{shown}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_file_and_its_folder() {
    use std::os::unix::fs::PermissionsExt as _;

    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("keys");
    let mut fresh = backend(&folder);
    fresh
        .unlock(Some(&text("correct horse")))
        .expect("first run");
    set(&mut fresh, EntryName::StorageKey, &KEY).expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("it").permissions().mode() & 0o7777;
    assert_eq!(mode(&folder.join("storage-key.age")), 0o600);
    assert_eq!(mode(&folder), 0o700);
}

#[test]
fn a_folder_that_cannot_be_written_is_not_probed_as_working() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let file = outer.path().join("file");
    fs::write(&file, b"in the way").expect("written");
    let mut blocked = backend(&file);
    assert!(blocked.probe().is_err());
    let error = get(&mut blocked, EntryName::StorageKey).expect_err("unreadable");
    assert_ne!(
        error,
        KeyringError::NoEntry,
        "what cannot be read is not absent"
    );
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}
