//! An envelope opens at its own vault, store, object and revision, and nowhere else.

use super::*;

const VAULTS: [VaultId; 2] = [VaultId::from_bytes([1; 16]), VaultId::from_bytes([2; 16])];
/// Names that run into each other where their lengths are not bound: ("ab", "c") and ("a", "bc").
const STORES: [&[u8]; 4] = [b"", b"a", b"ab", b"abc"];
const OBJECTS: [&[u8]; 5] = [b"", b"c", b"bc", b"abc", b"c\0"];
const REVISIONS: [u64; 3] = [0, 1, u64::MAX];

fn grid() -> Vec<Address<'static>> {
    let mut grid = Vec::new();
    for vault in VAULTS {
        for store in STORES {
            for object in OBJECTS {
                for revision in REVISIONS {
                    grid.push(Address {
                        vault,
                        store,
                        object,
                        revision,
                    });
                }
            }
        }
    }
    grid
}

#[test]
fn an_envelope_opens_at_its_own_address_only() {
    let key = data_key(1);
    let grid = grid();
    for (home, address) in grid.iter().enumerate() {
        let envelope = seal(&key, KEY_ID, address, METADATA, BODY).expect("within the limits");
        for (place, other) in grid.iter().enumerate() {
            let metadata = open_metadata(&key, other, &envelope);
            let body = open_body(&key, other, &envelope);
            if place == home {
                assert_eq!(metadata.as_deref(), Ok(METADATA), "{other:?}");
                assert_eq!(body.as_deref(), Ok(BODY), "{other:?}");
            } else {
                assert_eq!(
                    metadata,
                    Err(EnvelopeError::NotAuthentic),
                    "{address:?} at {other:?}"
                );
                assert_eq!(
                    body,
                    Err(EnvelopeError::NotAuthentic),
                    "{address:?} at {other:?}"
                );
            }
        }
    }
}

/// The grid's own premise: no two places share their associated data under one header.
#[test]
fn associated_data_of_two_addresses_differ() {
    let header = Header::parse(&sealed()).expect("an envelope");
    let grid = grid();
    let distinct: std::collections::HashSet<_> = grid
        .iter()
        .map(|address| header.associated_data(address, PART_BODY))
        .collect();
    assert_eq!(distinct.len(), grid.len());
}

#[test]
fn an_old_revision_is_not_taken_for_a_new_one() {
    let key = data_key(1);
    let mut old = sealed();
    let new = Address {
        revision: ADDRESS.revision + 1,
        ..ADDRESS
    };
    assert_eq!(
        open_metadata(&key, &new, &old),
        Err(EnvelopeError::NotAuthentic)
    );
    assert_eq!(
        open_body(&key, &new, &old),
        Err(EnvelopeError::NotAuthentic)
    );

    // Before any key is derived, as the header says so itself.
    let replayed = Envelope::new(&key, KEY_ID, new, &old);
    assert_eq!(replayed.err(), Some(EnvelopeError::NotAuthentic));

    // With the revision in the header rewritten, form alone says nothing against it.
    old[16..24].copy_from_slice(&new.revision.to_le_bytes());
    assert!(Envelope::new(&key, KEY_ID, new, &old).is_ok());
    assert_eq!(
        open_metadata(&key, &new, &old),
        Err(EnvelopeError::NotAuthentic)
    );
    assert_eq!(
        open_body(&key, &new, &old),
        Err(EnvelopeError::NotAuthentic)
    );
}
