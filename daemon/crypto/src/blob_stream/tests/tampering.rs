//! Nothing of a file can be changed, moved, added or left out.

use super::*;

/// Three chunks, the last of them short.
fn content() -> Vec<u8> {
    (0..=255).cycle().take(2 * CHUNK + 100).collect()
}

#[test]
fn no_bit_of_header_and_trailer_can_be_flipped() {
    let content = b"short";
    for suite in Suite::ALL {
        let file = sealed(suite, content);
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1 << (at % 8);
            let error = opened(&changed).expect_err("refused");
            let expected = match at {
                0..4 => matches!(error, EnvelopeError::NotSealed),
                4 => matches!(error, EnvelopeError::UnknownFormat { .. }),
                5 => matches!(
                    error,
                    EnvelopeError::UnknownFormat { .. } | EnvelopeError::NotAuthentic
                ),
                6..8 => error == EnvelopeError::Malformed,
                8..16 => matches!(error, EnvelopeError::OtherKey { .. }),
                _ => error == EnvelopeError::NotAuthentic,
            };
            assert!(expected, "{suite:?} {at}: {error:?}");
        }
    }
}

#[test]
fn no_region_of_a_chunk_can_be_changed() {
    for suite in Suite::ALL {
        let file = sealed(suite, &content());
        for chunk in 0..3 {
            let start = HEADER_LEN + chunk * SEALED_CHUNK;
            let end = (start + SEALED_CHUNK).min(file.len() - TRAILER_LEN);
            for at in [start, start + 11, start + 12, start + 60, end - 16, end - 1] {
                let mut changed = file.clone();
                changed[at] ^= 0x80;
                assert_eq!(opened(&changed).err(), Some(EnvelopeError::NotAuthentic));
            }
        }
    }
}

/// The parts of a file: header, chunks, trailer.
fn parts(file: &[u8]) -> Vec<Vec<u8>> {
    let (header, rest) = file.split_at(HEADER_LEN);
    let (chunks, trailer) = rest.split_at(rest.len() - TRAILER_LEN);
    let chunks = chunks.chunks(SEALED_CHUNK);
    let all = std::iter::once(header).chain(chunks).chain([trailer]);
    all.map(<[u8]>::to_vec).collect()
}

#[test]
fn chunks_cannot_be_dropped_doubled_moved_added_or_cut_off() {
    type Change = fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change); 9] = [
        ("the first dropped", |parts| drop(parts.remove(1))),
        ("one in the middle dropped", |parts| drop(parts.remove(2))),
        ("the last dropped", |parts| drop(parts.remove(3))),
        ("one doubled", |parts| parts.insert(2, parts[1].clone())),
        ("the last doubled", |parts| {
            parts.insert(4, parts[3].clone());
        }),
        ("two swapped", |parts| parts.swap(1, 2)),
        ("a whole one added", |parts| {
            parts.insert(3, parts[2].clone());
        }),
        ("the last cut short", |parts| parts[3].truncate(60)),
        ("all but the last dropped", |parts| drop(parts.drain(1..3))),
    ];
    for suite in Suite::ALL {
        let file = sealed(suite, &content());
        for (what, change) in changes {
            let mut parts = parts(&file);
            change(&mut parts);
            assert!(opened(&parts.concat()).is_err(), "{suite:?}: {what}");
        }
        for len in 0..file.len().min(2000) {
            assert!(opened(&file[..len]).is_err(), "{suite:?}: {len} bytes");
        }
        assert!(opened(&[&file[..], &[0]].concat()).is_err());
    }
}

#[test]
fn parts_of_another_file_do_not_fit() {
    for suite in Suite::ALL {
        let (one, other) = (sealed(suite, &content()), sealed(suite, &content()));
        for part in 0..5 {
            let mut parts = parts(&one);
            parts[part].clone_from(&self::parts(&other)[part]);
            assert_eq!(
                opened(&parts.concat()).err(),
                Some(EnvelopeError::NotAuthentic),
                "{suite:?}: part {part}"
            );
        }
    }
}
