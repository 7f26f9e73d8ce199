//! Blobs: what is put comes back, once, whole and durable.

mod crashes;
mod faults;
mod model;
mod tampering;
mod uploads;

use std::sync::Arc;

use vault_store::{
    StoreError, Vault,
    blobs::{BlobRef, BlobStore, NewBlob},
    catalogue::Kind,
    vault::NewStore,
};

use crate::support::fixture::{Fixture, name};

const STORE: &str = "blobs";

/// A new vault with an empty store of blobs.
pub(crate) fn store_of(fixture: &Fixture) -> (Vault, Arc<BlobStore>) {
    let vault = fixture.create().expect("a new vault");
    vault
        .create_store(NewStore::new(name(STORE), Kind::Blobs))
        .expect("a new store");
    let store = vault.blobs(&name(STORE)).expect("open");
    (vault, store)
}

/// Content of that many bytes, each of which tells where it stands.
pub(crate) fn content(len: usize) -> Vec<u8> {
    let words = (0..len.div_ceil(4)).flat_map(|word| {
        let word = u32::try_from(word)
            .expect("small")
            .wrapping_mul(0x9E37_79B1);
        word.to_le_bytes()
    });
    words.take(len).collect()
}

/// The content of a blob, or of a range of it.
pub(crate) fn read(
    store: &BlobStore,
    reference: &BlobRef,
    range: Option<(u64, Option<u64>)>,
) -> Result<Vec<u8>, StoreError> {
    let mut reader = store.open_blob(reference)?;
    if let Some((offset, length)) = range {
        reader.range(offset, length)?;
    }
    let (mut content, mut piece) = (Vec::new(), Vec::new());
    loop {
        reader.next(&mut piece)?;
        assert!(piece.len() <= 256 << 10);
        if piece.is_empty() {
            return Ok(content);
        }
        content.extend_from_slice(&piece);
    }
}

const CHUNK: usize = 64 << 10;

/// Lengths at the borders of chunks and batches.
const LENGTHS: [usize; 10] = [
    0,
    1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    4 * CHUNK,
    8 * CHUNK - 1,
    8 * CHUNK,
    17 * CHUNK + 3,
    40 * CHUNK,
];

#[test]
fn content_of_every_length_comes_back_in_whole_and_in_part() {
    let (_vault, store) = store_of(&Fixture::new());
    for len in LENGTHS {
        let content = content(len);
        let stored = store.put("image/png", &content).expect("put");
        let reference = stored.info.reference;
        assert!(!stored.existed);
        assert_eq!(stored.info.size, len as u64);
        assert_eq!(store.stat(&reference).expect("there"), stored.info);
        assert!(store.contains(&reference).expect("known"));
        assert_eq!(read(&store, &reference, None).expect("whole"), content);
        for (offset, length) in [
            (0, 1),
            (1, CHUNK),
            (CHUNK - 1, 2),
            (len / 2, 5 * CHUNK),
            (len, 9),
        ] {
            let offset = offset.min(len);
            let end = (offset + length).min(len);
            let range = (offset as u64, Some(length as u64));
            let part = read(&store, &reference, Some(range)).expect("in part");
            assert_eq!(part, content[offset..end], "{len}: {range:?}");
        }
        let behind = read(&store, &reference, Some((len as u64 + 1, None)));
        assert!(matches!(behind, Err(StoreError::InvalidArgument(_))));
        assert!(store.put("", &content).expect("put").existed);
    }
}

#[test]
fn an_upload_is_taken_up_again_where_it_broke_off() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture);
    let content = content(21 * CHUNK + 5);
    let new = || NewBlob {
        content_type: "video/mp4".to_owned(),
        size: None,
        resume_key: Some(b"film".to_vec()),
    };
    let mut upload = store.begin(new()).expect("begin");
    assert_eq!(upload.kept().0, 0);
    upload.write(&content[..12 * CHUNK + 99]).expect("written");
    drop(upload);
    drop(store);
    drop(vault);
    let vault = fixture.open().expect("open");
    let store = vault.blobs(&name(STORE)).expect("open");
    let mut upload = store.begin(new()).expect("begin");
    let (kept, hash) = upload.kept();
    assert_eq!(kept, 12 * CHUNK as u64);
    assert_eq!(
        hash,
        *vault_crypto::ContentHash::of(&content[..12 * CHUNK]).as_bytes()
    );
    upload.write(&content[12 * CHUNK..]).expect("written");
    let stored = upload.finish(None).expect("stored");
    assert_eq!(
        read(&store, &stored.info.reference, None).expect("whole"),
        content
    );
    assert_eq!(store.begin(new()).expect("begin").kept().0, 0);
}
