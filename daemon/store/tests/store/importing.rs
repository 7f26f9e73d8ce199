//! Objects that enter a store keep their place in the count of changes.

use proptest::prelude::*;
use vault_store::{
    Revision,
    catalogue::Protection,
    documents::{Content, Precondition},
    kind::{Exported, Store as _},
};

use crate::support::{
    disk::OnDisk,
    fixture::{Fixture, body, content, id, name, new_store},
};

const BOTH: [Protection; 2] = [Protection::Protected, Protection::Plain];

fn exported(number: usize, revision: u64, text: &str) -> Exported {
    let metadata = serde_json::json!({
        "id": "", "type": "application/json", "size": 0, "sha256": "", "created": 1, "modified": 2,
    });
    Exported {
        id: number.to_string(),
        revision: Revision(revision),
        metadata: metadata.to_string().into_bytes(),
        body: body(text).into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever gaps there are between them, objects keep their revisions, and every journal that
    /// is written can be read again.
    #[test]
    fn revisions_are_kept_across_gaps(
        steps in prop::collection::vec(0_u64..4, 1..12),
        plain in any::<bool>(),
        existing in 0_usize..4,
    ) {
        let fixture = Fixture::new();
        let vault = fixture.create().expect("a new vault");
        let protection = BOTH[usize::from(plain)];
        vault.create_store(new_store("notes", protection)).expect("a new store");
        let store = vault.documents(&name("notes")).expect("open");
        for number in 0..existing {
            store
                .put(id(&format!("old-{number}")), content("old"), Precondition::None)
                .expect("put");
        }
        let (mut wanted, mut last) = (0, existing as u64);
        let mut group = Vec::new();
        let mut revisions = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            wanted += step;
            last = wanted.max(last + 1);
            group.push(exported(number, wanted, "x"));
            revisions.push(last);
        }
        prop_assert_eq!(store.import(group).expect("imported"), 0);
        for again in [false, true] {
            if again {
                store.checkpoint().expect("checkpoint");
            }
            let reopened = fixture.after(fixture.simulated.image());
            let vault = reopened.open().expect("open");
            let store = vault.documents(&name("notes")).expect("open");
            for (number, revision) in revisions.iter().enumerate() {
                let document = store.get(&id(&number.to_string())).expect("there");
                prop_assert_eq!(document.head.revision(), Revision(*revision));
                prop_assert_eq!(&**document.body, &body("x"));
            }
            let next = store.put(id("next"), Content::json(body("n")), Precondition::None);
            prop_assert_eq!(next.expect("put").revision(), Revision(last + 1));
        }
    }
}

/// By content, type and labels; and no revision goes back.
#[test]
fn equal_objects_are_left_alone() {
    for protection in BOTH {
        let disk = OnDisk::new();
        let store = disk.store("notes", protection);
        let import = |objects| store.import(objects).expect("imported");
        assert_eq!(import(vec![exported(1, 5, "x"), exported(2, 9, "x")]), 0);
        assert_eq!(import(vec![exported(1, 5, "x"), exported(2, 9, "y")]), 1);
        let revision = |document: &str| store.head(&id(document)).expect("there").revision();
        assert_eq!((revision("1"), revision("2")), (Revision(5), Revision(10)));
        store.delete(&id("1"), Precondition::None).expect("delete");
        assert_eq!(import(vec![exported(1, 5, "x")]), 0);
        assert_eq!(revision("1"), Revision(12), "5 is long past");
        let absurd = import(vec![exported(3, u64::MAX, "x")]);
        assert_eq!((absurd, revision("3")), (0, Revision(13)));
    }
}
