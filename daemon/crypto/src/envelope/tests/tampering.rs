//! A changed, cut or lengthened envelope does not open.

use super::*;

const MASKS: [u8; 5] = [0x01, 0x02, 0x40, 0x80, 0xFF];

/// Every envelope that differs from `envelope` in some bits of the byte at `at`.
fn flipped(envelope: &[u8], at: usize) -> impl Iterator<Item = Vec<u8>> {
    MASKS.into_iter().map(move |mask| {
        let mut changed = envelope.to_vec();
        changed[at] ^= mask;
        changed
    })
}

#[test]
fn every_header_byte_is_bound_into_metadata_and_body() {
    let (key, envelope) = (data_key(1), sealed());
    for at in 0..HEADER_LEN {
        for changed in flipped(&envelope, at) {
            assert!(
                open_metadata(&key, &ADDRESS, &changed).is_err(),
                "metadata, byte {at}"
            );
            assert!(
                open_body(&key, &ADDRESS, &changed).is_err(),
                "body, byte {at}"
            );
        }
    }
}

/// The caller's key id and revision usually come from a catalogue. Here they follow the forged
/// header, so that only the associated data can refuse it.
#[test]
fn a_header_byte_is_bound_even_where_the_caller_believes_it() {
    let (key, envelope) = (data_key(1), sealed());
    for at in 8..24 {
        for changed in flipped(&envelope, at) {
            let header = Header::parse(&changed).expect("still well formed");
            let address = Address {
                revision: header.revision(),
                ..ADDRESS
            };
            let forged = Envelope::new(&key, header.key_id(), address, &changed);
            let forged = forged.expect("it matches what the caller asks for");
            assert_eq!(
                forged.open_metadata().err(),
                Some(EnvelopeError::NotAuthentic),
                "byte {at}"
            );
            assert_eq!(
                forged.open_body().err(),
                Some(EnvelopeError::NotAuthentic),
                "byte {at}"
            );
        }
    }
}

#[test]
fn every_sealed_byte_is_authenticated_by_its_part() {
    let (key, envelope) = (data_key(1), sealed());
    let head = Header::parse(&envelope).expect("an envelope").head_len();
    for at in HEADER_LEN..envelope.len() {
        for changed in flipped(&envelope, at) {
            let covering = if at < head { open_metadata } else { open_body };
            assert_eq!(
                covering(&key, &ADDRESS, &changed),
                Err(EnvelopeError::NotAuthentic),
                "byte {at}"
            );
        }
    }
}

#[test]
fn a_truncated_envelope_does_not_open() {
    let (key, envelope) = (data_key(1), sealed());
    let head = Header::parse(&envelope).expect("an envelope").head_len();
    for end in 0..envelope.len() {
        let expected = if end == 0 {
            EnvelopeError::NotSealed
        } else {
            EnvelopeError::Malformed
        };
        let cut = &envelope[..end];
        assert_eq!(
            open_body(&key, &ADDRESS, cut),
            Err(expected.clone()),
            "cut at {end}"
        );
        if end < head {
            assert_eq!(
                open_metadata(&key, &ADDRESS, cut),
                Err(expected),
                "cut at {end}"
            );
        }
    }
}

#[test]
fn a_lengthened_envelope_does_not_open() {
    let (key, envelope) = (data_key(1), sealed());
    for extra in [1, TAG_LEN, HEADER_LEN, envelope.len()] {
        let mut longer = envelope.clone();
        longer.extend(envelope.iter().take(extra));
        assert_eq!(
            open_body(&key, &ADDRESS, &longer),
            Err(EnvelopeError::Malformed)
        );
    }
}

/// Lengths rewritten so that the form is consistent again: only the associated data refuses.
#[test]
fn a_boundary_moved_between_metadata_and_body_is_refused() {
    let (key, envelope) = (data_key(1), sealed());
    let header = Header::parse(&envelope).expect("an envelope");
    let mut moved = envelope.clone();
    moved[80..84].copy_from_slice(&(header.sealed_metadata_len() + 1).to_le_bytes());
    moved[84..92].copy_from_slice(&(header.sealed_body_len() - 1).to_le_bytes());
    assert_eq!(
        open_metadata(&key, &ADDRESS, &moved),
        Err(EnvelopeError::NotAuthentic)
    );
    assert_eq!(
        open_body(&key, &ADDRESS, &moved),
        Err(EnvelopeError::NotAuthentic)
    );

    let mut shortened = envelope[..envelope.len() - 1].to_vec();
    shortened[84..92].copy_from_slice(&(header.sealed_body_len() - 1).to_le_bytes());
    assert_eq!(
        open_body(&key, &ADDRESS, &shortened),
        Err(EnvelopeError::NotAuthentic)
    );
    assert_eq!(
        open_metadata(&key, &ADDRESS, &shortened),
        Err(EnvelopeError::NotAuthentic)
    );
}

#[test]
fn metadata_and_body_do_not_stand_in_for_each_other() {
    let key = data_key(1);
    let text = b"the same text in both parts";
    let envelope = seal(&key, KEY_ID, &ADDRESS, text, text).expect("within the limits");
    let head = Header::parse(&envelope).expect("an envelope").head_len();
    let (metadata, body) = (&envelope[HEADER_LEN..head], &envelope[head..]);
    assert_ne!(metadata, body);
    for (first, second) in [(body, metadata), (metadata, metadata), (body, body)] {
        let changed = [&envelope[..HEADER_LEN], first, second].concat();
        let own = [
            (first, metadata, open_metadata as fn(_, _, _) -> _),
            (second, body, open_body),
        ];
        for (given, sealed, open) in own {
            let opened: Opened = open(&key, &ADDRESS, &changed);
            if given == sealed {
                assert_eq!(opened.as_deref(), Ok(&text[..]));
            } else {
                assert_eq!(opened, Err(EnvelopeError::NotAuthentic));
            }
        }
    }
}

/// The keys differ already; this shows that the part is bound into the associated data as well.
#[test]
fn the_associated_data_names_the_part() {
    let header = Header::parse(&sealed()).expect("an envelope");
    assert_ne!(
        header.associated_data(&ADDRESS, PART_METADATA),
        header.associated_data(&ADDRESS, PART_BODY)
    );
}

#[test]
fn parts_of_two_envelopes_do_not_mix() {
    let (key, one, two) = (data_key(1), sealed(), sealed());
    let head = Header::parse(&one).expect("an envelope").head_len();
    let mixed = [&one[..head], &two[head..]].concat();
    assert_eq!(
        open_metadata(&key, &ADDRESS, &mixed).as_deref(),
        Ok(METADATA)
    );
    assert_eq!(
        open_body(&key, &ADDRESS, &mixed),
        Err(EnvelopeError::NotAuthentic)
    );
    let mixed = [&one[..HEADER_LEN], &two[HEADER_LEN..]].concat();
    assert_eq!(
        open_metadata(&key, &ADDRESS, &mixed),
        Err(EnvelopeError::NotAuthentic)
    );
}
