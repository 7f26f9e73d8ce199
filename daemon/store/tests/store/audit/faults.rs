//! A disk that fails, or is full: what counts is there, and what does not is told.

use std::sync::Arc;

use vault_store::audit::{AuditLog, Bounds};

use super::world::{Subject, actions, append, event, verify};
use crate::support::{
    faulty::{Fault, FaultyFileSystem, Struck},
    fixture::Fixture,
};

const BOUNDS: Bounds = Bounds {
    segment: 900,
    total: 1 << 20,
};

fn faulty() -> (Subject, FaultyFileSystem) {
    let fixture = Fixture::new();
    let simulated = fixture.simulated.clone();
    let fs = FaultyFileSystem::new(Arc::new(simulated.clone()), Some(simulated));
    let fixture = Fixture {
        fs: Arc::new(fs.clone()),
        ..fixture
    };
    let vault = fixture.create().expect("a new vault");
    let subject = Subject::over(fixture, vault, BOUNDS, true);
    append(&subject.log, &["before"]);
    subject.log.upkeep().expect("anchored");
    (subject, fs)
}

/// Appends, and answers with those that count.
fn try_append(log: &AuditLog, count: usize) -> Vec<String> {
    let names = (0..count).map(|number| format!("event {number}"));
    names
        .filter(|name| log.append(&[event(name)]).is_ok())
        .collect()
}

#[test]
fn whatever_fails_no_record_that_counts_is_lost_and_none_that_does_not_is_told() {
    for fault in Fault::ALL {
        for call in 0.. {
            let (subject, fs) = faulty();
            fs.strike(call, fault);
            let counted = try_append(&subject.log, 5);
            let struck = fs.heal();
            if struck == Struck::Never {
                assert!(call > 10, "{fault:?}");
                break;
            }
            let what = format!("{fault:?} at call {call}");
            let mut expected = vec!["before".to_owned()];
            expected.extend(counted);
            assert_eq!(actions(&subject.log), expected, "{what}");
            append(&subject.log, &["healed"]);
            expected.push("healed".to_owned());
            let verified = verify(&subject.log);
            assert!(verified.is_sound(), "{what}: {verified:?}");
            let later = subject.elsewhere();
            later.log.upkeep().expect("compared");
            assert_eq!(actions(&later.log), expected, "{what}, later");
            let verified = verify(&later.log);
            assert!(verified.is_sound(), "{what}, later: {verified:?}");
            assert_eq!(
                fs.retried_syncs(),
                Vec::<std::path::PathBuf>::new(),
                "{what}"
            );
        }
    }
}

#[test]
fn a_full_disk_refuses_records_until_there_is_room() {
    let (subject, fs) = faulty();
    fs.strike(0, Fault::Full);
    assert!(try_append(&subject.log, 3).is_empty());
    assert_eq!(fs.heal(), Struck::There);
    append(&subject.log, &["room"]);
    assert_eq!(actions(&subject.log), ["before", "room"]);
}

#[test]
fn a_process_that_ends_amid_failing_writes_leaves_a_sound_log() {
    for call in 0..12 {
        let (subject, fs) = faulty();
        fs.strike(call, Fault::Broken);
        let counted = try_append(&subject.log, 5);
        let later = subject.elsewhere();
        later.log.upkeep().expect("compared");
        let found = actions(&later.log);
        assert_eq!(found[0], "before");
        assert_eq!(found[1..=counted.len()], counted, "{call}");
        // One more at most: that it counts, nobody was told.
        assert!(found.len() <= counted.len() + 2, "{call}: {found:?}");
        let verified = verify(&later.log);
        assert!(verified.is_sound(), "{call}: {verified:?}");
    }
}
