//! The audit log: what was appended is there, and nothing can be taken from it or changed unnoticed.

mod bounds;
mod copies;
mod crashes;
mod faults;
mod rotation;
mod tampering;
mod world;

use vault_store::{
    StoreError,
    audit::{AnchorReach, Entry, FindingKind},
};

use self::world::{MANY, Subject, actions, append, event, kinds, verify};
use crate::support::fixture::Fixture;

#[test]
fn records_are_numbered_in_the_order_in_which_they_came() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one", "two"]);
    let head = append(&subject.log, &["three"]);
    // The first is that of the segment.
    assert_eq!(head.sequence, 4);
    assert_eq!(actions(&subject.log), ["one", "two", "three"]);
    let verified = verify(&subject.log);
    assert!(verified.is_sound(), "{verified:?}");
    assert_eq!((verified.records, verified.first, verified.last), (4, 1, 4));
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one"]);
    let before = subject.log.head();
    let subject = subject.reopened();
    assert_eq!(subject.log.head(), before);
    append(&subject.log, &["two"]);
    assert_eq!(actions(&subject.log), ["one", "two"]);
    assert_eq!(subject.log.status().segments, 1, "the same segment goes on");
    assert!(verify(&subject.log).is_sound());
}

#[test]
fn reading_begins_after_any_record() {
    let subject = Subject::new(MANY);
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        append(&subject.log, &[name]);
    }
    assert!(subject.log.status().segments > 1, "several segments");
    let all = subject.records(0);
    for after in 0..=subject.log.head().sequence {
        let rest: Vec<u64> = subject
            .records(after)
            .iter()
            .map(|one| one.sequence)
            .collect();
        let expected = all
            .iter()
            .map(|one| one.sequence)
            .filter(|one| *one > after);
        assert!(rest.iter().copied().eq(expected), "after {after}: {rest:?}");
    }
}

#[test]
fn nothing_of_a_record_stands_on_disk_in_the_clear() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["/vault.v1.Secrets/Get"]);
    for (_, bytes) in subject.segments() {
        let found = memchr::memmem::find(&bytes, b"Secrets");
        assert_eq!(found, None);
        assert_eq!(memchr::memmem::find(&bytes, b"event"), None);
    }
}

#[test]
fn the_anchor_reaches_as_far_as_it_was_told() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one"]);
    subject.log.upkeep().expect("anchored");
    append(&subject.log, &["two", "three"]);
    assert_eq!(subject.log.unanchored(), 2);
    match verify(&subject.log).anchor {
        AnchorReach::Record(anchored) => assert_eq!(anchored.sequence, 2),
        other => panic!("{other:?}"),
    }
    subject.log.upkeep().expect("anchored");
    assert_eq!(subject.log.unanchored(), 0);
    let status = subject.log.status();
    assert_eq!(status.anchored.expect("told").sequence, status.last);
}

#[test]
fn a_backend_that_holds_no_anchor_says_so() {
    let subject = Subject::without_anchor(MANY);
    append(&subject.log, &["one"]);
    subject.log.upkeep().expect("nothing to anchor");
    let verified = verify(&subject.log);
    assert_eq!(verified.anchor, AnchorReach::NotKept);
    assert!(verified.is_sound() && !subject.log.status().anchor_kept);
}

#[test]
fn a_keyring_that_does_not_answer_is_told_and_asked_again() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one"]);
    subject.anchor.fail(true);
    subject.log.upkeep().expect("no error of the log");
    assert!(subject.log.status().anchor_failure.is_some());
    assert!(matches!(
        verify(&subject.log).anchor,
        AnchorReach::Unreachable(_)
    ));
    subject.anchor.fail(false);
    subject.log.upkeep().expect("anchored");
    assert_eq!(subject.log.status().anchor_failure, None);
    assert_eq!(subject.log.unanchored(), 0);
}

#[test]
fn a_closed_log_refuses_and_loses_nothing() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one"]);
    subject.vault.close();
    let refused = subject.log.append(&[event("two")]);
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    let subject = subject.reopened();
    assert_eq!(actions(&subject.log), ["one"]);
}

#[test]
fn a_record_of_what_was_lost_is_a_note_and_no_problem() {
    let subject = Subject::new(MANY);
    let lost = vault_store::audit::Lost {
        at_ms: 1,
        count: 3,
        from_ms: 0,
        to_ms: 1,
        reason: "the disk was full".into(),
    };
    subject.log.append(&[Entry::Lost(lost)]).expect("appended");
    let verified = verify(&subject.log);
    assert!(verified.is_sound());
    assert_eq!(kinds(&verified), [FindingKind::RecordsLost]);
}

#[test]
fn a_vault_has_one_log_and_its_key_is_made_once() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one"]);
    let again = subject.vault.audit_log(subject.options()).expect("open");
    assert!(std::sync::Arc::ptr_eq(&again, &subject.log));
    // A log is evidence of a vault: no other is set up over it.
    let image = subject.fixture.simulated.image();
    let mut bare = image.clone();
    for file in ["vault.json", "keys.a", "keys.b", "catalogue"] {
        bare = bare.without(&subject.fixture.root().path().join(file));
    }
    let bare: Fixture = subject.fixture.after(bare);
    assert!(bare.create().is_err());
}
