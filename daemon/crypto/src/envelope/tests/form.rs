//! What is refused by its form alone, and as what.

use super::*;

/// A header that parses, with the field at `at` replaced.
fn with_field(at: usize, field: &[u8]) -> Vec<u8> {
    let mut bytes = sealed();
    bytes[at..at + field.len()].copy_from_slice(field);
    bytes
}

#[test]
fn plaintext_is_called_plaintext() {
    let json =
        br#"{"id":"0190c5a4","title":"left in the clear by an earlier version","tags":["a","b"]}"#;
    assert!(json.len() < HEADER_LEN);
    let long = [&json[..], json].concat();
    for plaintext in [
        &b""[..],
        b"{",
        b"\n",
        b"VLT",
        b"\x89PNG\r\n\x1a\n",
        json,
        &long,
        &[0; 200],
    ] {
        assert_eq!(
            Header::parse(plaintext),
            Err(EnvelopeError::NotSealed),
            "{plaintext:?}"
        );
    }
    for (at, byte) in MAGIC.into_iter().enumerate() {
        let changed = with_field(at, &[byte ^ 0x20]);
        assert_eq!(
            Header::parse(&changed),
            Err(EnvelopeError::NotSealed),
            "byte {at}"
        );
    }
}

/// A write torn after its first bytes is damage, not plaintext.
#[test]
fn a_beginning_of_the_header_is_called_damage() {
    let envelope = sealed();
    for end in 1..HEADER_LEN {
        assert_eq!(
            Header::parse(&envelope[..end]),
            Err(EnvelopeError::Malformed),
            "{end} bytes"
        );
    }
    assert!(Header::parse(&envelope[..HEADER_LEN]).is_ok());
}

#[test]
fn a_later_format_or_suite_is_called_unknown() {
    for byte in 0..=u8::MAX {
        if byte != FORMAT {
            let expected = EnvelopeError::UnknownFormat {
                format: byte,
                suite: 1,
            };
            assert_eq!(Header::parse(&with_field(4, &[byte])), Err(expected));
        }
        if byte != SUITE_XCHACHA20_POLY1305 {
            let expected = EnvelopeError::UnknownFormat {
                format: 1,
                suite: byte,
            };
            assert_eq!(Header::parse(&with_field(5, &[byte])), Err(expected));
        }
    }
    // A later format may lay out the rest as it likes: it is still unknown, not damaged.
    let later = with_field(4, &[&[2, 9][..], &[0xFF; HEADER_LEN - 6]].concat());
    let expected = EnvelopeError::UnknownFormat {
        format: 2,
        suite: 9,
    };
    assert_eq!(Header::parse(&later), Err(expected));
}

#[test]
fn reserved_bytes_are_zero() {
    for reserved in [[1, 0], [0, 1], [0xFF, 0xFF]] {
        assert_eq!(
            Header::parse(&with_field(6, &reserved)),
            Err(EnvelopeError::Malformed)
        );
    }
}

#[test]
fn impossible_lengths_are_refused() {
    let metadata_limit = u32::try_from(METADATA_LIMIT + TAG_LEN).expect("64 KiB");
    for metadata in [0, 1, 15, metadata_limit + 1, i32::MAX as u32, u32::MAX] {
        let changed = with_field(80, &metadata.to_le_bytes());
        assert_eq!(
            Header::parse(&changed),
            Err(EnvelopeError::Malformed),
            "{metadata}"
        );
    }
    let body_limit = BODY_LIMIT + TAG_LEN as u64;
    for body in [
        0,
        1,
        15,
        body_limit + 1,
        u64::from(u32::MAX),
        i64::MAX as u64,
        u64::MAX,
    ] {
        let changed = with_field(84, &body.to_le_bytes());
        assert_eq!(
            Header::parse(&changed),
            Err(EnvelopeError::Malformed),
            "{body}"
        );
    }
    assert!(Header::parse(&with_field(80, &metadata_limit.to_le_bytes())).is_ok());
    assert!(Header::parse(&with_field(84, &body_limit.to_le_bytes())).is_ok());
}

#[test]
fn what_is_too_large_is_not_sealed() {
    let key = data_key(1);
    let metadata = vec![0; METADATA_LIMIT + 1];
    let refused = seal(&key, KEY_ID, &ADDRESS, &metadata, BODY);
    assert_eq!(refused, Err(EnvelopeError::TooLarge));
    assert!(seal(&key, KEY_ID, &ADDRESS, &metadata[1..], BODY).is_ok());

    // A body at the limit would take a gibibyte, so only the header is asked.
    let limit = usize::try_from(BODY_LIMIT).expect("at least 32 bits");
    let header = |body| Header::new(KEY_ID, 1, &[0; NONCE_LEN], &[0; 32], 0, body);
    assert_eq!(header(limit + 1), Err(EnvelopeError::TooLarge));
    assert_eq!(header(usize::MAX), Err(EnvelopeError::TooLarge));
    let largest = header(limit).expect("at the limit");
    assert_eq!(Header::parse(&largest.bytes), Ok(largest));
}

/// A reader that computes lengths from the header must not be led past the end of its file.
#[test]
fn a_header_alone_that_claims_the_largest_lengths_opens_nothing() {
    let key = data_key(1);
    let mut claim = with_field(84, &(BODY_LIMIT + TAG_LEN as u64).to_le_bytes());
    claim.truncate(HEADER_LEN);
    assert_eq!(
        open_metadata(&key, &ADDRESS, &claim),
        Err(EnvelopeError::Malformed)
    );
    assert_eq!(
        open_body(&key, &ADDRESS, &claim),
        Err(EnvelopeError::Malformed)
    );
}
