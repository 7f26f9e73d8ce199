//! Random histories against a model that fits on a page.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value, json};
use vault_store::{
    Revision, StoreError, Vault,
    catalogue::Protection,
    documents::{Change, Content, DocumentStore, Outcome, Precondition, Write},
};

use crate::support::{
    fixture::{Fixture, id, name, new_store},
    world::observe_store,
};

#[derive(Clone, Copy, Debug)]
enum Condition {
    None,
    Absent,
    Present,
    /// The current revision, or one that cannot be.
    Current,
    Stale,
}

#[derive(Clone, Debug)]
enum Edit {
    Put(u8),
    PutIfChanged(u8),
    Delete,
}

#[derive(Clone, Debug)]
enum Action {
    Batch(Vec<(u8, Edit, Condition)>),
    Patch(u8, u8, Condition),
    Changes(u64),
    Checkpoint,
    Reopen,
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        4 => Just(Condition::None),
        1 => Just(Condition::Absent),
        1 => Just(Condition::Present),
        2 => Just(Condition::Current),
        1 => Just(Condition::Stale),
    ]
}

fn write() -> impl Strategy<Value = (u8, Edit, Condition)> {
    let edit = prop_oneof![
        3 => (0..3_u8).prop_map(Edit::Put),
        2 => (0..3_u8).prop_map(Edit::PutIfChanged),
        2 => Just(Edit::Delete),
    ];
    (0..4_u8, edit, condition())
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => write().prop_map(|one| Action::Batch(vec![one])),
        3 => prop::collection::vec(write(), 0..5).prop_map(Action::Batch),
        2 => (0..4_u8, 0..3_u8, condition()).prop_map(|(id, n, when)| Action::Patch(id, n, when)),
        1 => (0..40_u64).prop_map(Action::Changes),
        1 => Just(Action::Checkpoint),
        1 => Just(Action::Reopen),
    ]
}

/// What there ought to be.
#[derive(Clone, Default)]
struct Model {
    last: u64,
    documents: BTreeMap<String, (u64, Value)>,
    tombstones: BTreeMap<String, u64>,
}

impl Model {
    fn precondition(&self, id: &str, condition: Condition) -> Precondition {
        let current = self.documents.get(id).map_or(0, |(revision, _)| *revision);
        match condition {
            Condition::None => Precondition::None,
            Condition::Absent => Precondition::Absent,
            Condition::Present => Precondition::Present,
            Condition::Current => Precondition::Revision(Revision(current)),
            Condition::Stale => Precondition::Revision(Revision(current + 1000)),
        }
    }

    /// Whether a write holds, with what it leaves behind.
    fn write(
        &mut self,
        id: &str,
        change: Option<(Value, bool)>,
        precondition: Precondition,
    ) -> Option<u64> {
        let current = self.documents.get(id);
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Absent => current.is_none(),
            Precondition::Present => current.is_some(),
            Precondition::Revision(wanted) => {
                current.is_some_and(|(revision, _)| *revision == wanted.0)
            }
        };
        if !holds {
            return None;
        }
        match (change, current) {
            (None, None) => return None,
            (Some((body, true)), Some((revision, known))) if body == *known => {
                return Some(*revision);
            }
            (Some((body, _)), _) => {
                self.last += 1;
                self.documents.insert(id.to_owned(), (self.last, body));
                self.tombstones.remove(id);
            }
            (None, Some(_)) => {
                self.last += 1;
                self.documents.remove(id);
                self.tombstones.insert(id.to_owned(), self.last);
            }
        }
        Some(self.last)
    }
}

struct Subject {
    fixture: Fixture,
    vault: Vault,
    store: Arc<DocumentStore>,
}

impl Subject {
    fn new(protection: Protection) -> Self {
        let fixture = Fixture::new();
        let vault = fixture.create().expect("a new vault");
        vault
            .create_store(new_store("notes", protection))
            .expect("a new store");
        let store = vault.documents(&name("notes")).expect("open");
        Self {
            fixture,
            vault,
            store,
        }
    }

    fn reopen(&mut self) {
        self.vault.close();
        self.vault = self.fixture.open().expect("open");
        self.store = self.vault.documents(&name("notes")).expect("open");
    }

    fn check(&self, model: &Model) {
        let seen = observe_store(&self.store).expect("whole");
        let parse = |body: &str| serde_json::from_str::<Value>(body).expect("JSON");
        let documents = seen.documents.into_iter();
        let documents: BTreeMap<_, _> = documents
            .map(|(id, seen)| (id, (seen.revision, parse(&seen.body))))
            .collect();
        assert_eq!(documents, model.documents);
        assert_eq!(seen.tombstones, model.tombstones);
    }
}

fn document(number: u8) -> String {
    format!("document {number}")
}

fn batch(subject: &Subject, model: &mut Model, edits: Vec<(u8, Edit, Condition)>) {
    let mut after = model.clone();
    let mut expected = Some(Vec::new());
    let mut writes = Vec::new();
    for (number, edit, condition) in edits {
        let target = document(number);
        // Conditions name what was in force before the batch.
        let precondition = model.precondition(&target, condition);
        let body = |n: &u8| json!({ "n": n });
        let content = |n: &u8| Content::json(body(n).to_string());
        let (change, value) = match &edit {
            Edit::Put(n) => (Change::Put(content(n)), Some((body(n), false))),
            Edit::PutIfChanged(n) => (Change::PutIfChanged(content(n)), Some((body(n), true))),
            Edit::Delete => (Change::Delete, None),
        };
        writes.push(Write {
            id: id(&target),
            change,
            precondition,
        });
        if let Some(revisions) = &mut expected {
            match after.write(&target, value, precondition) {
                Some(revision) => revisions.push(revision),
                None => expected = None,
            }
        }
    }
    let result = subject.store.write(writes);
    match (result, expected) {
        (Ok(outcomes), Some(expected)) => {
            let revisions: Vec<_> = outcomes
                .iter()
                .map(Outcome::head)
                .map(|head| head.revision().0)
                .collect();
            assert_eq!(revisions, expected);
            *model = after;
        }
        (Err(StoreError::RevisionConflict { .. } | StoreError::NoSuchDocument { .. }), None) => {}
        (result, expected) => panic!("{result:?}, not {expected:?}"),
    }
}

fn patch(subject: &Subject, model: &mut Model, number: u8, n: u8, condition: Condition) {
    let target = document(number);
    let if_revision = match model.precondition(&target, condition) {
        Precondition::Revision(revision) => Some(revision),
        _ => None,
    };
    let result = subject.store.patch(
        &id(&target),
        json!({ "patched": n }).to_string().as_bytes(),
        if_revision,
    );
    let expected = model
        .documents
        .get(&target)
        .cloned()
        .filter(|(revision, _)| if_revision.is_none_or(|wanted| wanted.0 == *revision));
    match (result, expected) {
        (Ok(head), Some((_, mut body))) => {
            body["patched"] = json!(n);
            model.write(&target, Some((body, false)), Precondition::None);
            assert_eq!(head.revision().0, model.last);
        }
        (Err(StoreError::RevisionConflict { .. } | StoreError::NoSuchDocument { .. }), None) => {}
        (result, expected) => panic!("{result:?}, not {expected:?}"),
    }
}

fn run(protection: Protection, actions: Vec<Action>) {
    let mut subject = Subject::new(protection);
    let mut model = Model::default();
    for action in actions {
        match action {
            Action::Batch(edits) => batch(&subject, &mut model, edits),
            Action::Patch(number, n, condition) => {
                patch(&subject, &mut model, number, n, condition);
            }
            Action::Changes(since) => {
                let changes = subject
                    .store
                    .changes(Revision(since), usize::MAX)
                    .expect("changes");
                let seen: Vec<_> = changes.iter().map(|head| head.revision().0).collect();
                let documents = model.documents.values().map(|(revision, _)| *revision);
                let mut expected: Vec<_> = documents
                    .chain(model.tombstones.values().copied())
                    .filter(|one| *one > since)
                    .collect();
                expected.sort_unstable();
                assert_eq!(seen, expected);
            }
            Action::Checkpoint => subject.store.checkpoint().expect("checkpoint"),
            Action::Reopen => subject.reopen(),
        }
        subject.check(&model);
    }
    subject.reopen();
    subject.check(&model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn protected_stores_do_as_the_model(actions in prop::collection::vec(action(), 1..40)) {
        run(Protection::Protected, actions);
    }

    #[test]
    fn plain_stores_do_as_the_model(actions in prop::collection::vec(action(), 1..40)) {
        run(Protection::Plain, actions);
    }
}
