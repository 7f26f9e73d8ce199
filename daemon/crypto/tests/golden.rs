//! Format 1 opens for ever: the files in `fixtures` are never written again.
//!
//! They were made from the layouts in the documentation of `envelope`, `key_table` and
//! `previous_key` by a second implementation in another language, so they also show that those
//! layouts say enough.

use vault_crypto::{
    Address, Envelope, Header, KeyId, KeyPurpose, KeyTable, StorageKey, VaultId,
    key_table::TableInfo, previous_key::open_previous,
};

const ENVELOPE: &[u8] = include_bytes!("fixtures/envelope-v1.bin");
const KEY_TABLE: &[u8] = include_bytes!("fixtures/key-table-v1.bin");
const PREVIOUS_KEY: &[u8] = include_bytes!("fixtures/previous-key-v1.bin");
const STORE: &str = "0011223344556677";

/// `N` bytes counting up from `first`.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        let byte = next;
        next += 1;
        byte
    })
}

fn storage_key() -> StorageKey {
    StorageKey::from_bytes(&counting::<32>(0x40)).expect("32 bytes")
}

#[test]
fn the_key_table_of_format_1_opens() {
    let vault = VaultId::from_bytes(counting(0xB0));
    let info = TableInfo::parse(KEY_TABLE).expect("a key table");
    assert_eq!(info.vault, vault);
    assert_eq!(info.generation, 2);
    assert_eq!(info.fingerprint, storage_key().fingerprint(vault));
    assert_eq!(info.fingerprint.to_string(), "96116fb10c1f959f");

    let table = KeyTable::unwrap(&storage_key(), KEY_TABLE).expect("the key that wrapped it");
    assert_eq!(table.vault(), vault);
    assert_eq!(table.generation(), 2);
    let (id, key) = table
        .find(&KeyPurpose::catalogue())
        .expect("the first entry");
    assert_eq!(id, KeyId::from_bytes([0x11; 8]));
    assert_eq!(key.expose(), &[0x21; 32]);
    let (id, key) = table
        .find(&KeyPurpose::store(STORE))
        .expect("the second entry");
    assert_eq!(id, KeyId::from_bytes(counting(0xA0)));
    assert_eq!(key.expose(), &counting(0));
}

#[test]
fn the_envelope_of_format_1_opens_with_the_key_from_the_table() {
    let table = KeyTable::unwrap(&storage_key(), KEY_TABLE).expect("the key that wrapped it");
    let header = Header::parse(ENVELOPE).expect("an envelope");
    assert_eq!(header.revision(), 3);
    assert_eq!(header.envelope_len(), ENVELOPE.len() as u64);
    let key = table
        .get(header.key_id())
        .expect("the table has the key the header names");
    let address = Address {
        vault: table.vault(),
        store: STORE.as_bytes(),
        object: b"golden",
        revision: header.revision(),
    };
    let envelope = Envelope::new(key, header.key_id(), address, ENVELOPE).expect("well formed");
    let metadata = envelope.open_metadata().expect("authentic");
    assert_eq!(
        metadata.as_slice(),
        br#"{"format":1,"title":"golden fixture"}"#
    );
    let mut body = b"This envelope opens for ever.\n".to_vec();
    body.extend(0..=u8::MAX);
    assert_eq!(*envelope.open_body().expect("authentic"), body);
}

#[test]
fn the_previous_key_of_format_1_opens() {
    let vault = VaultId::from_bytes(counting(0xB0));
    let old = open_previous(&storage_key(), vault, PREVIOUS_KEY).expect("the key it is under");
    assert_eq!(old.expose(), &counting(0));
}
