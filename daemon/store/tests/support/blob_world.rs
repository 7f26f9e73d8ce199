//! A vault with documents that have attachments, and a clock that the test moves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use data_encoding::BASE64;
use vault_store::{
    Clock, DataRoot, StoreError, StoreResult, Vault,
    blobs::{BlobRef, BlobStore, DEFAULT_STORE},
    catalogue::Protection,
    collection::{Collected, Collection},
    documents::{Content, DocumentStore, Head, Listed, Precondition},
    vault::VaultOptions,
};

use super::fixture::{Fixture, id, name, new_store};

pub(crate) const BEGIN: i64 = 1_700_000_000_000;

/// Moved by the test alone.
#[derive(Clone)]
pub(crate) struct MovedClock(Arc<AtomicI64>);

impl Clock for MovedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A vault with a store of documents, `notes`.
pub(crate) struct BlobWorld {
    pub(crate) fixture: Fixture,
    pub(crate) clock: MovedClock,
    pub(crate) vault: Vault,
}

impl BlobWorld {
    pub(crate) fn new() -> Self {
        Self::over(Fixture::new())
    }

    pub(crate) fn over(fixture: Fixture) -> Self {
        let clock = MovedClock(Arc::new(AtomicI64::new(BEGIN)));
        let (root, options) = (fixture.root(), Self::options(&fixture, &clock));
        let vault = Vault::create(root, &fixture.keyring, options).expect("a new vault");
        vault
            .create_store(new_store("notes", Protection::Protected))
            .expect("a store");
        Self {
            fixture,
            clock,
            vault,
        }
    }

    fn options(fixture: &Fixture, clock: &MovedClock) -> VaultOptions {
        VaultOptions {
            clock: Arc::new(clock.clone()),
            ..fixture.options()
        }
    }

    /// Closes the vault and opens it again, over a file system of one's own.
    pub(crate) fn reopen(&mut self) {
        self.vault.close();
        let root: DataRoot = self.fixture.root();
        let options = Self::options(&self.fixture, &self.clock);
        self.vault = Vault::open(root, &self.fixture.keyring, options).expect("open the vault");
    }

    pub(crate) fn pass(&self, time: Duration) {
        let time = i64::try_from(time.as_millis()).expect("short");
        self.clock.0.fetch_add(time, Ordering::Relaxed);
    }

    pub(crate) fn set_back(&self, time: Duration) {
        let time = i64::try_from(time.as_millis()).expect("short");
        self.clock.0.fetch_sub(time, Ordering::Relaxed);
    }

    pub(crate) fn notes(&self) -> Arc<DocumentStore> {
        self.vault.documents(&name("notes")).expect("open")
    }

    pub(crate) fn blobs(&self) -> Arc<BlobStore> {
        let blobs = self.vault.blobs_or_create(&name(DEFAULT_STORE));
        blobs.expect("open")
    }

    pub(crate) fn put(&self, document: &str, body: &str) -> StoreResult<Arc<Head>> {
        put(&self.notes(), document, body)
    }

    pub(crate) fn body(&self, document: &str) -> String {
        body_of(&self.notes(), document)
    }

    /// Collects in all stores.
    pub(crate) fn collect(&self, grace: Duration) -> Collected {
        self.try_to_collect(grace).expect("collected")
    }

    pub(crate) fn try_to_collect(&self, grace: Duration) -> StoreResult<Collected> {
        collect(&self.vault, grace)
    }

    pub(crate) fn holds(&self, reference: &BlobRef) -> bool {
        self.blobs().contains(reference).expect("looked up")
    }
}

pub(crate) fn collect(vault: &Vault, grace: Duration) -> StoreResult<Collected> {
    let collection = Collection {
        store: None,
        dry_run: false,
        grace,
    };
    vault.collect(&collection, &mut |_, _| std::ops::ControlFlow::Continue(()))
}

pub(crate) fn put(store: &DocumentStore, document: &str, body: &str) -> StoreResult<Arc<Head>> {
    store.put(id(document), Content::json(body), Precondition::None)
}

pub(crate) fn body_of(store: &DocumentStore, document: &str) -> String {
    let document = store.get(&id(document)).expect("there");
    String::from_utf8_lossy(&document.body).into_owned()
}

/// Content of this size that is like no other.
pub(crate) fn content(seed: u8, size: usize) -> Vec<u8> {
    let line = |start: u8| (0..=250).map(move |at: u8| at ^ start.wrapping_add(seed));
    let lines = (0..=u8::MAX).cycle().flat_map(line);
    lines.take(size).collect()
}

pub(crate) fn reference(content: &[u8]) -> BlobRef {
    BlobRef::new(vault_crypto::ContentHash::of(content))
}

/// A body with one attachment in it.
pub(crate) fn with_data(content_type: &str, content: &[u8]) -> String {
    let data = BASE64.encode(content);
    format!(r#"{{"n":1.0,"attachments":[{{"content_type":"{content_type}","data":"{data}"}}]}}"#)
}

/// A body that names blobs.
pub(crate) fn with_refs(refs: &[BlobRef]) -> String {
    let refs: Vec<String> = refs
        .iter()
        .map(|one| format!(r#"{{"ref":"{one}"}}"#))
        .collect();
    format!(r#"{{"attachments":[{}]}}"#, refs.join(","))
}

pub(crate) fn read(store: &BlobStore, reference: &BlobRef) -> StoreResult<Vec<u8>> {
    let mut reader = store.open_blob(reference)?;
    let (mut content, mut piece) = (Vec::new(), Vec::new());
    loop {
        reader.next(&mut piece)?;
        if piece.is_empty() {
            return Ok(content);
        }
        content.extend_from_slice(&piece);
    }
}

/// Reads every document, and every blob that one names; answers how many blobs.
pub(crate) fn every_name_holds(vault: &Vault) -> Result<usize, String> {
    let store = vault.documents(&name("notes")).map_err(|e| e.to_string())?;
    let mut names = 0;
    for listed in store.list("").map_err(|error| error.to_string())? {
        let Listed::Head(head) = listed else {
            return Err("a document is damaged".to_owned());
        };
        let document = match store.get(head.id()) {
            Ok(document) => document,
            Err(StoreError::NoSuchDocument { .. }) => continue,
            Err(error) => return Err(error.to_string()),
        };
        let body = String::from_utf8_lossy(&document.body).into_owned();
        for text in body.split("\"ref\":\"").skip(1) {
            let text = BlobRef::parse(&text[..64]).map_err(|error| error.to_string())?;
            let found = vault
                .blobs(&name(DEFAULT_STORE))
                .and_then(|blobs| read(&blobs, &text));
            let found = found.map_err(|error| format!("{} names {text}: {error}", head.id()))?;
            if reference(&found) != text {
                return Err(format!("{text} is another one"));
            }
            names += 1;
        }
    }
    Ok(names)
}
