//! A blob opens where it was made, with the key and the header it was made with.

use super::*;

#[test]
fn another_key_vault_or_store_does_not_open_it() {
    for suite in Suite::ALL {
        let file = sealed(suite, b"content");
        let vault = VaultId::from_bytes([0xB1; 16]);
        let refused = Some(EnvelopeError::NotAuthentic);
        assert_eq!(opened_by(&data_key(2), &ADDRESS, &file).err(), refused);
        for address in [
            BlobAddress { vault, ..ADDRESS },
            BlobAddress {
                store: b"storeid9",
                ..ADDRESS
            },
            BlobAddress {
                store: b"",
                ..ADDRESS
            },
        ] {
            assert_eq!(opened_by(&data_key(1), &address, &file).err(), refused);
        }
    }
}

#[test]
fn another_key_id_is_named() {
    let header = keys(Suite::Aes256Gcm).header().clone();
    let expected = KeyId::from_bytes([0xA1; 8]);
    let found = KEY_ID;
    let refused = StreamKeys::open(&data_key(1), expected, &ADDRESS, header);
    assert_eq!(
        refused.err(),
        Some(EnvelopeError::OtherKey { found, expected })
    );
}

#[test]
fn chunk_and_trailer_keys_are_not_those_of_the_other_suite() {
    let [one, other] = Suite::ALL
        .map(|suite| StreamKeys::with_salt(&data_key(1), KEY_ID, &ADDRESS, suite, &[7; SALT_LEN]));
    assert_ne!(one.header().commitment(), other.header().commitment());
}

/// The files were made from the layout in this module's documentation by a second implementation,
/// in another language. They open for ever.
#[test]
fn format_1_opens() {
    let files: [(Suite, &[u8]); 2] = [
        (
            Suite::XChaCha20Poly1305,
            include_bytes!("../../../tests/fixtures/blob-v1-xchacha20.bin"),
        ),
        (
            Suite::Aes256Gcm,
            include_bytes!("../../../tests/fixtures/blob-v1-aes-gcm.bin"),
        ),
    ];
    let key: Vec<u8> = (0..32).collect();
    let key = DataKey::from_bytes(&key).expect("32 bytes");
    let key_id = KeyId::from_bytes([0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7]);
    let mut vault = [0; 16];
    for (byte, value) in vault.iter_mut().zip(0xB0..) {
        *byte = value;
    }
    let address = BlobAddress {
        vault: VaultId::from_bytes(vault),
        store: &[0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
    };
    let content: Vec<u8> = (0..CHUNK + 10)
        .map(|at| (7 * at + 3).to_le_bytes()[0])
        .collect();
    for (suite, file) in files {
        let header = BlobHeader::parse(file).expect("a header");
        assert_eq!((header.suite(), header.key_id()), (suite, key_id));
        assert_eq!(content_len(file.len() as u64), Some(content.len() as u64));
        let keys = StreamKeys::open(&key, key_id, &address, header).expect("this key");
        let (first, rest) = file[HEADER_LEN..].split_at(SEALED_CHUNK);
        let (last, end) = rest.split_last_chunk().expect("a trailer");
        let mut back = Vec::new();
        keys.open_chunk(position(0, false), first, &mut back)
            .expect("the first chunk");
        keys.open_chunk(position(1, true), last, &mut back)
            .expect("the last chunk");
        assert!(back == content, "{suite:?}");
        assert_eq!(keys.open_trailer(end), Ok(trailer(&content)));
    }
}
