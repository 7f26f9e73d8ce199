//! What a key table keeps, and what it refuses to open.

use super::*;

fn storage_key(byte: u8) -> StorageKey {
    StorageKey::from_bytes(&[byte; 32]).expect("32 bytes")
}

fn table() -> (KeyTable, KeyId) {
    let mut table = KeyTable::new(VaultId::from_bytes([9; 16]));
    table.add(KeyPurpose::catalogue()).expect("random source");
    let id = table
        .add(KeyPurpose::store("0011223344556677"))
        .expect("random source");
    (table, id)
}

#[test]
fn a_table_round_trips() {
    let (table, id) = table();
    let wrapped = table.wrap(&storage_key(1)).expect("random source");
    let opened = KeyTable::unwrap(&storage_key(1), &wrapped).expect("the right key");
    assert_eq!(opened.vault(), table.vault());
    assert_eq!(opened.generation(), 2);
    assert_eq!(
        opened.get(id).expect("kept").expose(),
        table.get(id).expect("there").expose()
    );
    let (found, _) = opened
        .find(&KeyPurpose::store("0011223344556677"))
        .expect("by purpose");
    assert_eq!(found, id);
    assert!(opened.find(&KeyPurpose::names()).is_none());
}

#[test]
fn no_data_key_stands_in_the_wrapped_form() {
    let (table, id) = table();
    let wrapped = table.wrap(&storage_key(1)).expect("random source");
    let key = table.get(id).expect("there").expose();
    assert!(!wrapped.windows(8).any(|run| run == &key[..8]));
}

#[test]
fn a_wrong_key_is_not_called_damage() {
    let (table, _) = table();
    let wrapped = table.wrap(&storage_key(1)).expect("random source");
    let error = KeyTable::unwrap(&storage_key(2), &wrapped).expect_err("the wrong key");
    assert!(matches!(error, KeyTableError::WrongKey { .. }), "{error}");
}

#[test]
fn every_changed_byte_and_every_truncation_is_refused() {
    let (table, _) = table();
    let wrapped = table.wrap(&storage_key(1)).expect("random source");
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(
            KeyTable::unwrap(&storage_key(1), &changed).is_err(),
            "byte {at}"
        );
        assert!(
            KeyTable::unwrap(&storage_key(1), &wrapped[..at]).is_err(),
            "cut at {at}"
        );
    }
}

/// A table that is written but not read again would lose every key in it.
#[test]
fn whatever_was_wrapped_is_unwrapped() {
    let mut table = KeyTable::new(VaultId::from_bytes([9; 16]));
    for len in [0, 1 << 10, usize::from(u16::MAX) - "store/".len()] {
        table
            .add(KeyPurpose::store(&"x".repeat(len)))
            .expect("random source");
    }
    let wrapped = table.wrap(&storage_key(1)).expect("random source");
    let opened = KeyTable::unwrap(&storage_key(1), &wrapped).expect("the right key");
    assert_eq!(opened.entries.len(), 3);
}

#[test]
fn a_later_format_is_called_unknown() {
    let (table, _) = table();
    let mut later = table.wrap(&storage_key(1)).expect("random source");
    later[4] = 2;
    later[6..8].copy_from_slice(&[1, 1]);
    let error = KeyTable::unwrap(&storage_key(1), &later).expect_err("a later format");
    assert_eq!(error, KeyTableError::UnknownFormat(2));
    later[4] = FORMAT;
    let error = KeyTable::unwrap(&storage_key(1), &later).expect_err("reserved bytes");
    assert_eq!(error, KeyTableError::Damaged);
}

#[test]
fn removing_a_key_is_counted() {
    let (mut table, id) = table();
    assert!(table.remove(id));
    assert!(!table.remove(id));
    assert_eq!(table.generation(), 3);
    assert!(table.get(id).is_none());
}
