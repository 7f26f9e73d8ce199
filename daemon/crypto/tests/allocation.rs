//! A length in a header is a claim. Nothing is allocated for it before the bytes are there. And a
//! stream costs the same memory whatever its length.

use std::io::{self, Read as _};

use allocation_counter::measure;
use vault_crypto::{
    Address, DataKey, Envelope, EnvelopeError, Header, Identities, KeyId, Recipients, SecretBytes,
    VaultId, envelope,
    sealed_stream::{open_stream, seal_stream},
};

const KEY_ID: KeyId = KeyId::from_bytes([1; 8]);
const ADDRESS: Address<'static> = Address {
    vault: VaultId::from_bytes([2; 16]),
    store: b"store",
    object: b"object",
    revision: 1,
};

fn key() -> DataKey {
    DataKey::from_bytes(&[3; 32]).expect("32 bytes")
}

fn head_claiming(metadata: u32, body: u64) -> Vec<u8> {
    let mut head = envelope::seal(&key(), KEY_ID, &ADDRESS, b"", b"").expect("within the limits");
    head.truncate(envelope::HEADER_LEN);
    head[80..84].copy_from_slice(&metadata.to_le_bytes());
    head[84..92].copy_from_slice(&body.to_le_bytes());
    head
}

#[test]
fn parsing_a_header_allocates_nothing() {
    for (metadata, body) in [
        (16, 16),
        (u32::MAX, 16),
        (16, u64::MAX),
        (u32::MAX, u64::MAX),
    ] {
        let head = head_claiming(metadata, body);
        let allocated = measure(|| {
            let parsed = Header::parse(&head);
            assert_eq!(parsed.is_ok(), (metadata, body) == (16, 16));
        });
        assert_eq!(allocated.count_total, 0, "{metadata}, {body}");
    }
}

#[test]
fn the_largest_claim_allocates_nothing_without_its_bytes() {
    let head = head_claiming(16 + (64 << 10), 16 + envelope::BODY_LIMIT);
    let key = key();
    let allocated = measure(|| {
        let claim = Envelope::new(&key, KEY_ID, ADDRESS, &head).expect("well formed");
        assert_eq!(claim.open_metadata().err(), Some(EnvelopeError::Malformed));
        assert_eq!(claim.open_body().err(), Some(EnvelopeError::Malformed));
    });
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn a_long_stream_is_written_and_read_in_flat_memory() {
    const LEN: u64 = 16 << 20;
    const FLAT: u64 = 1 << 20;
    let passphrase = SecretBytes::new(b"correct horse".to_vec());
    let recipients = Recipients::Passphrase {
        passphrase: &passphrase,
        work_factor: Some(1),
    };
    // scrypt takes megabytes of its own, so only what follows it is measured.
    let mut sealed = Vec::with_capacity(17 << 20);
    let mut writer = seal_stream(&mut sealed, &recipients).expect("a vector");
    let written = measure(|| {
        io::copy(&mut io::repeat(7).take(LEN), &mut writer).expect("a vector");
    });
    writer.finish().expect("a vector");

    let identities = Identities::Passphrase(&passphrase);
    let mut reader = open_stream(&sealed[..], &identities).expect("opened");
    let read = measure(|| {
        let len = io::copy(&mut reader, &mut io::sink()).expect("whole");
        assert_eq!(len, LEN);
    });
    assert!(written.bytes_max < FLAT, "{written:?}");
    assert!(read.bytes_max < FLAT, "{read:?}");
}
