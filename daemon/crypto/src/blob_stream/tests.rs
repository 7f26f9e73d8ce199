//! What a blob stream promises, one module for each promise. This one: what was sealed comes back.

use super::*;
use crate::{ContentHash, DataKey, VaultId};

mod form;
mod places;
mod tampering;

const KEY_ID: KeyId = KeyId::from_bytes([0xA0; 8]);
const ADDRESS: BlobAddress<'static> = BlobAddress {
    vault: VaultId::from_bytes([0xB0; 16]),
    store: b"storeid8",
};

fn data_key(byte: u8) -> DataKey {
    DataKey::from_bytes(&[byte; 32]).expect("32 bytes")
}

fn keys(suite: Suite) -> StreamKeys {
    StreamKeys::create(&data_key(1), KEY_ID, &ADDRESS, suite).expect("random source")
}

fn trailer(content: &[u8]) -> Trailer {
    Trailer {
        hash: ContentHash::of(content),
        size: content.len() as u64,
        created_ms: 1_700_000_000_000,
        content_type: "image/png".to_owned(),
    }
}

fn position(index: u64, last: bool) -> Position {
    Position { index, last }
}

/// A whole file.
fn sealed(suite: Suite, content: &[u8]) -> Vec<u8> {
    let keys = keys(suite);
    let mut file = keys.header().bytes().to_vec();
    let whole = content.len() / CHUNK;
    for index in 0..=whole {
        let chunk = &content[index * CHUNK..content.len().min((index + 1) * CHUNK)];
        let position = position(index as u64, index == whole);
        keys.seal_chunk(position, chunk, &mut file).expect("short");
    }
    file.extend(keys.seal_trailer(&trailer(content)).expect("short"));
    file
}

/// Opens a whole file as a store does: size by length, trailer, chunks.
fn opened_by(
    key: &DataKey,
    address: &BlobAddress<'_>,
    file: &[u8],
) -> Result<(Vec<u8>, Trailer), EnvelopeError> {
    let header = BlobHeader::parse(file)?;
    let keys = StreamKeys::open(key, KEY_ID, address, header)?;
    let size = content_len(file.len() as u64).ok_or(EnvelopeError::Malformed)?;
    let (chunks, end) = file.split_last_chunk().ok_or(EnvelopeError::Malformed)?;
    let trailer = keys.open_trailer(end)?;
    let last = size / CHUNK as u64;
    let mut content = Vec::new();
    for (index, chunk) in (0..).zip(chunks[HEADER_LEN..].chunks(SEALED_CHUNK)) {
        keys.open_chunk(position(index, index == last), chunk, &mut content)?;
    }
    if trailer.size == size {
        Ok((content, trailer))
    } else {
        Err(EnvelopeError::Malformed)
    }
}

fn opened(file: &[u8]) -> Result<(Vec<u8>, Trailer), EnvelopeError> {
    opened_by(&data_key(1), &ADDRESS, file)
}

#[test]
fn what_was_sealed_comes_back() {
    let content: Vec<u8> = (0..=255).cycle().take(2 * CHUNK + 9).collect();
    for suite in Suite::ALL {
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, content.len()] {
            let content = &content[..len];
            let file = sealed(suite, content);
            assert_eq!(file.len() as u64, file_len(len as u64));
            let header = BlobHeader::parse(&file).expect("a header");
            assert_eq!((header.suite(), header.key_id()), (suite, KEY_ID));
            let (back, found) = opened(&file).expect("authentic");
            assert!(
                back == content && found == trailer(content),
                "{suite:?} {len}"
            );
        }
    }
}

#[test]
fn no_two_seals_are_alike() {
    for suite in Suite::ALL {
        let keys = keys(suite);
        let seal = || {
            let mut out = Vec::new();
            let sealed = keys.seal_chunk(position(0, true), b"content", &mut out);
            sealed.map(|()| out).expect("short")
        };
        assert_ne!(seal(), seal(), "a chunk sealed twice has two nonces");
        assert_ne!(
            self::keys(suite).header(),
            keys.header(),
            "two files have two salts"
        );
    }
}

#[test]
fn no_plaintext_stands_in_the_file() {
    let content = b"a content that would be found";
    for suite in Suite::ALL {
        let file = sealed(suite, content);
        let hash = ContentHash::of(content);
        for plaintext in [&content[..], b"image/png", hash.as_bytes()] {
            let start = &plaintext[..6];
            assert!(!file.windows(6).any(|run| run == start), "{start:?}");
        }
    }
}

#[test]
fn keys_and_trailers_do_not_print_themselves() {
    assert_eq!(
        format!("{:?}", keys(Suite::Aes256Gcm)),
        "StreamKeys(redacted)"
    );
    assert_eq!(format!("{:?}", trailer(b"x")), "Trailer(redacted)");
}
