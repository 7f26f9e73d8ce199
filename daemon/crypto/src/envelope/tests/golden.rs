//! Format 1 is written byte for byte as the golden fixture, which `tests/golden.rs` opens.

use super::*;

/// `N` bytes counting up from `first`.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        let byte = next;
        next += 1;
        byte
    })
}

#[test]
fn format_1_is_written_as_it_always_was() {
    let fixture = include_bytes!("../../../tests/fixtures/envelope-v1.bin");
    let key = DataKey::from_bytes(&counting::<32>(0x00)).expect("32 bytes");
    let address = Address {
        vault: VaultId::from_bytes(counting(0xB0)),
        store: b"0011223344556677",
        object: b"golden",
        revision: 3,
    };
    let key_id = KeyId::from_bytes(counting(0xA0));
    let nonce = counting(0xC0);
    let mut body = b"This envelope opens for ever.\n".to_vec();
    body.extend(0..=u8::MAX);
    let metadata = br#"{"format":1,"title":"golden fixture"}"#;
    let written = seal_with_nonce(&key, key_id, &address, &nonce, metadata, &body);
    assert_eq!(written.as_deref(), Ok(&fixture[..]));
}
