//! Lengths and headers.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn sizes_and_lengths_tell_each_other(size in prop_oneof![0..(1_u64 << 48), 0..(4 * CHUNK as u64)]) {
        prop_assert_eq!(content_len(file_len(size)), Some(size));
    }

    #[test]
    fn a_length_is_that_of_one_size_or_of_none(len in 0..(8 * SEALED_CHUNK as u64)) {
        if let Some(size) = content_len(len) {
            prop_assert_eq!(file_len(size), len);
        }
    }

    #[test]
    fn no_header_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = BlobHeader::parse(&bytes);
        let begun = [&MAGIC[..], &bytes].concat();
        let _ = BlobHeader::parse(&begun);
    }
}

#[test]
fn lengths_of_no_blob_are_known() {
    let least = file_len(0);
    for len in [
        0,
        1,
        HEADER_LEN as u64,
        least - 1,
        file_len(CHUNK as u64 - 1) + 1,
    ] {
        assert_eq!(content_len(len), None, "{len}");
    }
    assert_eq!(content_len(least), Some(0));
    assert_eq!(content_len(u64::MAX), None);
}

#[test]
fn what_is_no_blob_of_this_format_is_told_apart() {
    let file = sealed(Suite::Aes256Gcm, b"x");
    let with = |at: usize, byte| {
        let mut bytes = file.clone();
        bytes[at] = byte;
        BlobHeader::parse(&bytes)
    };
    assert_eq!(BlobHeader::parse(b"").err(), Some(EnvelopeError::NotSealed));
    assert_eq!(
        BlobHeader::parse(b"%PDF-1.7").err(),
        Some(EnvelopeError::NotSealed)
    );
    assert_eq!(with(3, b'T').err(), Some(EnvelopeError::NotSealed));
    assert_eq!(
        BlobHeader::parse(&file[..79]).err(),
        Some(EnvelopeError::Malformed)
    );
    assert_eq!(with(6, 1).err(), Some(EnvelopeError::Malformed));
    for (at, format, suite) in [(4, 2, 2), (5, 1, 3), (5, 1, 0)] {
        let expected = EnvelopeError::UnknownFormat { format, suite };
        let byte = if at == 4 { format } else { suite };
        assert_eq!(with(at, byte).err(), Some(expected));
    }
}

#[test]
fn chunks_have_the_length_of_their_place() {
    let keys = keys(Suite::XChaCha20Poly1305);
    let whole = vec![0; CHUNK];
    for (position, content) in [
        (position(0, false), &whole[1..]),
        (position(0, true), &whole[..]),
        (position(1 << 32, false), &whole[..]),
    ] {
        let mut out = Vec::new();
        let refused = keys.seal_chunk(position, content, &mut out);
        assert_eq!((refused, out.len()), (Err(EnvelopeError::TooLarge), 0));
        let refused = keys.open_chunk(position, &vec![0; content.len() + OVERHEAD], &mut out);
        assert_eq!(refused, Err(EnvelopeError::Malformed));
    }
    let long = Trailer {
        content_type: "x".repeat(256),
        ..trailer(b"")
    };
    assert_eq!(keys.seal_trailer(&long), Err(EnvelopeError::TooLarge));
}
