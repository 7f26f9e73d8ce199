//! Blobs out of the reach of whoever writes a document.

use vault_store::{
    StoreError,
    catalogue::Kind,
    documents::{Content, Precondition},
    vault::NewStore,
};

use crate::support::{
    blob_world::{BlobWorld, with_refs},
    fixture::{id, name},
};

#[test]
fn a_caller_names_no_blob_out_of_its_reach() {
    let world = BlobWorld::new();
    let stored = |store: &str, content: &[u8]| {
        let name = name(store);
        let created = world
            .vault
            .create_store(NewStore::new(name.clone(), Kind::Blobs));
        created.expect("created");
        let blobs = world.vault.blobs(&name).expect("open");
        blobs.put("image/png", content).expect("put").info.reference
    };
    let (near, far) = (stored("near", b"near"), stored("far", b"far"));
    let notes = world.vault.documents(&name("notes")).expect("open");
    let store = notes.within(|name| name.as_str() == "near");
    let put =
        |document: &str, content: Content| store.put(id(document), content, Precondition::None);
    let refused = |result: Result<_, StoreError>| match result.map(drop) {
        Err(StoreError::BlobMissing(found)) => assert_eq!(found, far),
        other => panic!("{other:?}"),
    };
    put("a", Content::json(with_refs(&[near]))).expect("it is reached");
    refused(put("a", Content::json(with_refs(&[near, far]))));
    let escaped = with_refs(&[far]).replace("attachments", r"\u0061ttachments");
    refused(store.patch(&id("a"), escaped.as_bytes(), None));

    // What was not looked at when it was written is no way round.
    put("b", Content::json(format!(r#"{{"ref":"{far}"}}"#))).expect("no attachment");
    refused(put("b", Content::json(with_refs(&[far]))));
    let text = Content {
        content_type: "text/plain".to_owned(),
        ..Content::json(with_refs(&[far]))
    };
    put("c", text).expect("no JSON");
    refused(put("c", Content::json(with_refs(&[far]))));

    // What its owner attached is put back as it was.
    world.put("d", &with_refs(&[far])).expect("put");
    put("d", Content::json(with_refs(&[far, near]))).expect("it was there");
    store.patch(&id("d"), br#"{"n":2}"#, None).expect("patched");
}
