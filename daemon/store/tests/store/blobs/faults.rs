//! Every call to the disk goes wrong once while something is done to blobs.

use std::sync::Arc;

use vault_store::{
    StoreResult, Vault,
    blobs::{BlobRef, BlobStore, NewBlob},
    catalogue::Kind,
    vault::NewStore,
};

use super::{CHUNK, content, read};
use crate::{
    fault_works::{STORE, Work, reencrypt},
    faults::disturb,
    support::{
        faulty::{Fault, FaultyFileSystem, Struck},
        fixture::{Fixture, body, name},
        keyring::Keyring,
    },
};

fn store(vault: &Vault) -> StoreResult<Arc<BlobStore>> {
    vault.blobs(&name(STORE))
}

fn filled(vault: &Vault) {
    vault
        .create_store(NewStore::new(name(STORE), Kind::Blobs))
        .expect("a new store");
    for text in ["before", "another", "a third"] {
        put(vault, text).expect("put");
    }
}

fn put(vault: &Vault, text: &str) -> StoreResult<BlobRef> {
    let stored = store(vault)?.put("text/plain", &body(text))?;
    Ok(stored.info.reference)
}

fn begun(vault: &Vault) {
    filled(vault);
    let mut upload = store(vault)
        .expect("open")
        .begin(resumable())
        .expect("begin");
    upload.write(&long()[..CHUNK + 9]).expect("written");
}

fn long() -> Vec<u8> {
    let mut content = body("long");
    content.resize(2 * CHUNK + 500, b'.');
    content
}

fn resumable() -> NewBlob {
    NewBlob {
        resume_key: Some(b"source".to_vec()),
        ..NewBlob::default()
    }
}

fn put_new(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    put(vault, "new").map(|_| ())
}

fn put_again(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    put(vault, "before").map(|_| ())
}

fn go_on(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    let mut upload = store(vault)?.begin(resumable())?;
    let kept = usize::try_from(upload.kept().0).expect("small");
    upload.write(&long()[kept..])?;
    upload.finish(None).map(|_| ())
}

fn remove(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    let reference = BlobRef::new(vault_crypto::ContentHash::of(&body("before")));
    store(vault)?.remove(&reference)
}

const WORKS: &[Work] = &[
    Work {
        name: "put a blob",
        before: filled,
        run: put_new,
    },
    Work {
        name: "put a blob that is there",
        before: filled,
        run: put_again,
    },
    Work {
        name: "go on with an upload",
        before: begun,
        run: go_on,
    },
    Work {
        name: "remove a blob",
        before: filled,
        run: remove,
    },
    Work {
        name: "seal blobs anew",
        before: filled,
        run: reencrypt,
    },
];

#[test]
fn faults_lose_no_blob() {
    disturb(WORKS);
}

/// A vault with an upload that was broken off, over a disk that will fail.
fn failing() -> (Fixture, FaultyFileSystem, Vault) {
    let mut fixture = Fixture::new();
    begun(&fixture.create().expect("a new vault"));
    let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), Some(fixture.simulated.clone()));
    fixture.fs = Arc::new(faulty.clone());
    let vault = fixture.open().expect("open");
    (fixture, faulty, vault)
}

/// Whatever goes wrong with an upload, it can be taken up again; nothing is acknowledged that a sync
/// was to make durable that failed.
#[test]
fn an_upload_goes_on_after_a_fault() {
    for fault in Fault::ALL {
        for call in 0.. {
            let (fixture, faulty, vault) = failing();
            faulty.strike(call, fault);
            let _ = go_on(&vault, &fixture.keyring);
            if faulty.heal() == Struck::Never {
                break;
            }
            let context = format!("{fault:?} at call {call}");
            go_on(&vault, &fixture.keyring).unwrap_or_else(|error| panic!("{context}: {error}"));
            let reference = BlobRef::new(vault_crypto::ContentHash::of(&long()));
            let stored = read(&store(&vault).expect("open"), &reference, None);
            assert_eq!(stored.expect("whole"), long(), "{context}");
            assert!(faulty.retried_syncs().is_empty(), "{context}");
        }
    }
}

/// The sync of a large file's beginning fails on its own thread, when its client has gone already.
#[test]
fn a_sync_ahead_that_fails_unseen_spoils_the_upload() {
    // A little more than is synced at once.
    let large = content(33 << 20);
    let (_fixture, faulty, vault) = failing();
    let store = store(&vault).expect("open");
    for fails in [false, true] {
        let mut upload = store.begin(resumable()).expect("begin");
        upload.restart().expect("begun anew");
        faulty.fail_syncs(fails);
        // That the disk fails may be noticed at once, or not.
        assert!(upload.write(&large).is_ok() || fails);
        drop(upload);
        faulty.fail_syncs(false);
        let kept = store.begin(resumable()).expect("begin").kept().0;
        assert_eq!(kept == 0, fails, "{kept} bytes are kept");
    }
    assert!(faulty.retried_syncs().is_empty());
}
