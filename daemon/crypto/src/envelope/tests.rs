//! What an envelope promises, one module for each promise. This one: what was sealed comes back.

use super::*;

mod address;
mod commitment;
mod form;
mod golden;
mod nonces;
mod tampering;

const KEY_ID: KeyId = KeyId::from_bytes([0xA0; 8]);
const ADDRESS: Address<'static> = Address {
    vault: VaultId::from_bytes([0xB0; 16]),
    store: b"store",
    object: b"object",
    revision: 3,
};
const METADATA: &[u8] = b"{\"title\":\"notes\"}";
const BODY: &[u8] = b"a body longer than the metadata, over more than one cipher block of 64 bytes";

fn data_key(byte: u8) -> DataKey {
    DataKey::from_bytes(&[byte; 32]).expect("32 bytes")
}

fn sealed() -> Vec<u8> {
    seal(&data_key(1), KEY_ID, &ADDRESS, METADATA, BODY).expect("within the limits")
}

type Opened = Result<Vec<u8>, EnvelopeError>;

fn open_metadata(key: &DataKey, address: &Address<'_>, bytes: &[u8]) -> Opened {
    let opened = Envelope::new(key, KEY_ID, *address, bytes)?.open_metadata()?;
    Ok(opened.to_vec())
}

fn open_body(key: &DataKey, address: &Address<'_>, bytes: &[u8]) -> Opened {
    let opened = Envelope::new(key, KEY_ID, *address, bytes)?.open_body()?;
    Ok(opened.to_vec())
}

#[test]
fn what_was_sealed_comes_back() {
    let large = vec![0x5A; 1 << 20];
    let key = data_key(1);
    for metadata in [&b""[..], METADATA, &large[..METADATA_LIMIT]] {
        for body in [&b""[..], b"x", BODY, &large] {
            let envelope = seal(&key, KEY_ID, &ADDRESS, metadata, body).expect("within the limits");
            let header = Header::parse(&envelope).expect("an envelope");
            assert_eq!(header.key_id(), KEY_ID);
            assert_eq!(header.revision(), ADDRESS.revision);
            assert_eq!(header.head_len(), HEADER_LEN + metadata.len() + TAG_LEN);
            assert_eq!(header.body_len(), body.len() as u64);
            assert_eq!(header.envelope_len(), envelope.len() as u64);
            assert_eq!(
                open_metadata(&key, &ADDRESS, &envelope).as_deref(),
                Ok(metadata)
            );
            assert_eq!(open_body(&key, &ADDRESS, &envelope).as_deref(), Ok(body));
        }
    }
}

#[test]
fn a_listing_needs_the_head_only() {
    let envelope = sealed();
    let head = &envelope[..Header::parse(&envelope).expect("an envelope").head_len()];
    assert_eq!(
        open_metadata(&data_key(1), &ADDRESS, head).as_deref(),
        Ok(METADATA)
    );
}

#[test]
fn no_plaintext_stands_in_the_envelope() {
    let envelope = sealed();
    for plaintext in [METADATA, BODY, ADDRESS.store, ADDRESS.object] {
        let start = &plaintext[..5];
        assert!(!envelope.windows(5).any(|run| run == start), "{start:?}");
    }
}

#[test]
fn another_key_is_refused_by_its_name_and_by_its_bytes() {
    let envelope = sealed();
    let other_id = KeyId::from_bytes([0xA1; 8]);
    let key = data_key(1);
    let error = Envelope::new(&key, other_id, ADDRESS, &envelope).expect_err("another key id");
    assert_eq!(
        error,
        EnvelopeError::OtherKey {
            found: KEY_ID,
            expected: other_id
        }
    );
    let refused = Err(EnvelopeError::NotAuthentic);
    assert_eq!(open_metadata(&data_key(2), &ADDRESS, &envelope), refused);
    assert_eq!(open_body(&data_key(2), &ADDRESS, &envelope), refused);
}
