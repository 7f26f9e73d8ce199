//! Whatever is done to a store of blobs, in whatever order: it holds what a map would hold.

use std::{collections::BTreeMap, ops::ControlFlow};

use proptest::prelude::*;
use vault_store::{
    Vault,
    blobs::{BlobRef, BlobStore, NewBlob, Upload},
    kind::Store as _,
};

use super::{CHUNK, STORE, content, read, store_of};
use crate::support::{
    fixture::{Fixture, name},
    rotating::reencrypt,
};

#[derive(Clone, Debug)]
enum Action {
    Put(usize),
    /// Writes so much of the content of this length under a resume key, and breaks off.
    BreakOff(usize, usize),
    Finish(usize),
    Remove(usize),
    Range(usize, u64, Option<u64>),
    Reencrypt,
    Reopen,
}

/// Few lengths, so that contents meet again.
const LENGTHS: [usize; 6] = [0, 1, 700, CHUNK, CHUNK + 1, 9 * CHUNK + 11];

fn action() -> impl Strategy<Value = Action> {
    let which = || 0..LENGTHS.len();
    prop_oneof![
        4 => which().prop_map(Action::Put),
        3 => (which(), 0..10 * CHUNK).prop_map(|(one, len)| Action::BreakOff(one, len)),
        3 => which().prop_map(Action::Finish),
        2 => which().prop_map(Action::Remove),
        4 => (which(), 0..(10 * CHUNK as u64), prop::option::of(0..(3 * CHUNK as u64)))
            .prop_map(|(one, offset, length)| Action::Range(one, offset, length)),
        1 => Just(Action::Reencrypt),
        1 => Just(Action::Reopen),
    ]
}

struct Subject {
    fixture: Fixture,
    vault: Vault,
    store: std::sync::Arc<BlobStore>,
    /// Content by ref.
    model: BTreeMap<String, Vec<u8>>,
}

fn reference(content: &[u8]) -> BlobRef {
    BlobRef::new(vault_crypto::ContentHash::of(content))
}

impl Subject {
    fn begin(&self, which: usize) -> (Upload, usize, Vec<u8>) {
        let content = content(LENGTHS[which]);
        let upload = self.store.begin(NewBlob {
            resume_key: Some(vec![u8::try_from(which).expect("few"); 3]),
            ..NewBlob::default()
        });
        let upload = upload.expect("begin");
        let (kept, hash) = upload.kept();
        let kept = usize::try_from(kept).expect("small");
        let expected = vault_crypto::ContentHash::of(&content[..kept]);
        assert_eq!(hash, *expected.as_bytes());
        (upload, kept, content)
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Put(which) => {
                let content = content(LENGTHS[which]);
                let stored = self.store.put("", &content).expect("put");
                let key = stored.info.reference.to_string();
                assert_eq!(stored.existed, self.model.insert(key, content).is_some());
            }
            Action::BreakOff(which, len) => {
                let (mut upload, kept, content) = self.begin(which);
                let end = len.clamp(kept, content.len());
                upload.write(&content[kept..end]).expect("written");
            }
            Action::Finish(which) => {
                let (mut upload, kept, content) = self.begin(which);
                for piece in content[kept..].chunks(50_000) {
                    upload.write(piece).expect("written");
                }
                let expected = reference(&content);
                let stored = upload.finish(Some(&expected)).expect("stored");
                let before = self.model.insert(expected.to_string(), content);
                assert_eq!(stored.existed, before.is_some());
            }
            Action::Remove(which) => {
                let reference = reference(&content(LENGTHS[which]));
                let removed = self.store.remove(&reference).is_ok();
                let there = self.model.remove(&reference.to_string()).is_some();
                assert_eq!(removed, there);
            }
            Action::Range(which, offset, length) => {
                let content = content(LENGTHS[which]);
                let reference = reference(&content);
                let found = read(&self.store, &reference, Some((offset, length)));
                let from = usize::try_from(offset).expect("small");
                let there = self.model.contains_key(&reference.to_string());
                let expected = content.get(from..).filter(|_| there).map(|rest| {
                    let length = length.and_then(|length| usize::try_from(length).ok());
                    &rest[..length.unwrap_or(rest.len()).min(rest.len())]
                });
                assert_eq!(found.ok().as_deref(), expected);
            }
            Action::Reencrypt => reencrypt(&self.vault, &self.fixture.keyring),
            Action::Reopen => {
                self.vault.close();
                self.vault = self.fixture.open().expect("open");
                self.store = self.vault.blobs(&name(STORE)).expect("open");
            }
        }
    }

    fn compare(&self) {
        let mut seen = BTreeMap::new();
        let listed = self.store.list(&mut |listed| {
            let info = listed.expect("whole");
            let content = read(&self.store, &info.reference, None).expect("whole");
            seen.insert(info.reference.to_string(), content);
            ControlFlow::Continue(())
        });
        listed.expect("listed");
        assert!(
            seen == self.model,
            "{:?} {:?}",
            seen.keys(),
            self.model.keys()
        );
        let stats = self.store.stats().expect("open");
        let bytes: usize = self.model.values().map(Vec::len).sum();
        let expected = (self.model.len() as u64, bytes as u64, 0);
        assert_eq!((stats.objects, stats.body_bytes, stats.damaged), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_store_of_blobs_is_a_map(actions in prop::collection::vec(action(), 1..25)) {
        let fixture = Fixture::new();
        let (vault, store) = store_of(&fixture);
        let mut subject = Subject { fixture, vault, store, model: BTreeMap::new() };
        for action in &actions {
            subject.act(action);
        }
        subject.compare();
    }
}
