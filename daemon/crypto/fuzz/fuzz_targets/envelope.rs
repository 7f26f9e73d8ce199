//! The endless twin of `tests/parser.rs`: no input panics, and only what was sealed opens.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vault_crypto::{
    Address, DataKey, Envelope, Header, KeyId, KeyTable, StorageKey, VaultId, key_table::TableInfo,
};

// The golden fixtures, with the keys and the address that open them.
const ENVELOPE: &[u8] = include_bytes!("../../tests/fixtures/envelope-v1.bin");
const KEY_TABLE: &[u8] = include_bytes!("../../tests/fixtures/key-table-v1.bin");

static STORAGE_KEY: LazyLock<StorageKey> = LazyLock::new(|| {
    let bytes: Vec<u8> = (0x40..0x60).collect();
    StorageKey::from_bytes(&bytes).expect("32 bytes")
});
static DATA_KEY: LazyLock<DataKey> = LazyLock::new(|| {
    let bytes: Vec<u8> = (0x00..0x20).collect();
    DataKey::from_bytes(&bytes).expect("32 bytes")
});

const KEY_ID: KeyId = KeyId::from_bytes([0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7]);
const ADDRESS: Address<'static> = Address {
    vault: VaultId::from_bytes([
        0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xBB, 0xBC, 0xBD, 0xBE,
        0xBF,
    ]),
    store: b"0011223344556677",
    object: b"golden",
    revision: 3,
};

/// `original` with `mask` over its first bytes; what is left of the mask is appended.
fn masked(original: &[u8], mask: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    bytes.resize(original.len().max(mask.len()), 0);
    for (byte, flip) in bytes.iter_mut().zip(mask) {
        *byte ^= flip;
    }
    bytes
}

fn check_envelope(bytes: &[u8]) {
    let _ = Header::parse(bytes);
    let Ok(envelope) = Envelope::new(&DATA_KEY, KEY_ID, ADDRESS, bytes) else {
        return;
    };
    let head = envelope.header().head_len();
    if envelope.open_metadata().is_ok() {
        assert_eq!(bytes[..head], ENVELOPE[..head]);
    }
    if envelope.open_body().is_ok() {
        assert_eq!(bytes.len(), ENVELOPE.len());
        assert_eq!(bytes[head..], ENVELOPE[head..]);
    }
}

fn check_key_table(bytes: &[u8]) {
    let _ = TableInfo::parse(bytes);
    if KeyTable::unwrap(&STORAGE_KEY, bytes).is_ok() {
        assert_eq!(bytes, KEY_TABLE);
    }
}

// The passphrase file is left out: its scrypt would leave no time for anything else.
fuzz_target!(|data: &[u8]| {
    check_envelope(data);
    check_envelope(&masked(ENVELOPE, data));
    check_key_table(data);
    check_key_table(&masked(KEY_TABLE, data));
});
