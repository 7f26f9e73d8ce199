//! Segments and logs in the place of others.

use vault_store::audit::{AnchorReach, FindingKind};

use super::world::{MANY, Subject, actions, append, kinds, verify};

fn filled() -> Subject {
    let subject = Subject::new(MANY);
    for number in 0..8 {
        append(
            &subject.log,
            &[&format!("a{number}"), &format!("b{number}")],
        );
    }
    subject.log.upkeep().expect("anchored");
    subject
}

/// What another process finds that starts with these files.
fn found_later(subject: &Subject) -> Vec<FindingKind> {
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    kinds(&verify(&later.log))
}

#[test]
fn segments_that_change_places_are_found() {
    let subject = filled();
    let files = subject.segments();
    for (one, other) in (0..files.len()).flat_map(|one| (0..one).map(move |other| (one, other))) {
        subject.plant(&files[one].0, &files[other].1);
        subject.plant(&files[other].0, &files[one].1);
        assert!(!verify(&subject.log).is_sound(), "{one} and {other}");
        let found = found_later(&subject);
        assert!(
            found.iter().any(|kind| kind.is_problem()),
            "{one} and {other}"
        );
        subject.plant_all(&files);
    }
    assert!(verify(&subject.log).is_sound(), "as it was");
}

#[test]
fn a_segment_that_is_gone_or_doubled_is_found() {
    let subject = filled();
    let files = subject.segments();
    for (index, (name, bytes)) in files.iter().enumerate() {
        subject.remove(name);
        assert!(!verify(&subject.log).is_sound(), "without {name}");
        let found = found_later(&subject);
        assert!(found.iter().any(|kind| kind.is_problem()), "without {name}");
        subject.plant_all(&files);

        for number in [files.len() + 1, files.len() + 7] {
            subject.plant(&format!("{number:012}"), bytes);
            let verified = verify(&subject.log);
            assert_eq!(
                kinds(&verified),
                [FindingKind::SegmentUnexpected],
                "{index}"
            );
            let found = found_later(&subject);
            assert!(found.contains(&FindingKind::SegmentUnexpected), "{found:?}");
            subject.plant_all(&files);
        }
    }
    subject.plant_all(&[]);
    assert!(!verify(&subject.log).is_sound(), "no file at all");
    let found = found_later(&subject);
    assert!(found.contains(&FindingKind::AnchorMismatch), "{found:?}");
}

#[test]
fn an_older_copy_of_the_whole_log_is_found() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one", "two"]);
    subject.log.upkeep().expect("anchored");
    let older = subject.segments();
    for number in 0..8 {
        append(&subject.log, &[&format!("later {number}")]);
    }
    subject.log.upkeep().expect("anchored");
    subject.plant_all(&older);
    assert!(!verify(&subject.log).is_sound(), "while it is open");
    let found = found_later(&subject);
    assert_eq!(found, [FindingKind::AnchorMismatch]);
}

#[test]
fn an_older_copy_that_has_grown_again_is_found() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one", "two"]);
    subject.log.upkeep().expect("anchored");
    let image = subject.fixture.simulated.image();
    append(&subject.log, &["true"]);
    subject.log.upkeep().expect("anchored");
    // A copy of the vault, put in place and worked with where the keyring cannot be asked.
    let copy = Subject::open(subject.fixture.after(image), MANY);
    copy.anchor.fail(true);
    append(&copy.log, &["false", "false again"]);
    copy.log.upkeep().expect("nothing to compare with");
    subject.plant_all(&copy.segments());
    let found = found_later(&subject);
    assert!(found.contains(&FindingKind::AnchorMismatch), "{found:?}");
}

#[test]
fn a_copy_is_told_even_where_records_came_before_the_keyring_answered() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one"]);
    subject.log.upkeep().expect("anchored");
    let older = subject.segments();
    append(&subject.log, &["two"]);
    subject.log.upkeep().expect("anchored");
    subject.plant_all(&older);
    let later = subject.elsewhere();
    later.anchor.fail(true);
    append(&later.log, &["more", "than", "were", "lost"]);
    later.log.upkeep().expect("nothing to compare with");
    later.anchor.fail(false);
    later.log.upkeep().expect("compared");
    let found = kinds(&verify(&later.log));
    assert_eq!(found, [FindingKind::AnchorMismatch]);
    assert!(later.log.status().mismatch.is_some());
}

/// What the anchor does not reach can be cut off while no daemon runs: the report says how far it
/// reaches.
#[test]
fn a_tail_that_is_cut_is_found_as_far_as_the_anchor_reaches() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one", "two"]);
    let kept = subject.segments();
    append(&subject.log, &["anchored"]);
    subject.log.upkeep().expect("anchored");
    let anchored = subject.segments();
    let reach = subject.log.head().sequence;
    append(&subject.log, &["not anchored"]);

    subject.plant_all(&anchored);
    assert!(
        !verify(&subject.log).is_sound(),
        "the open log knows its end"
    );
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    let verified = verify(&later.log);
    assert!(verified.is_sound(), "{verified:?}");
    match verified.anchor {
        AnchorReach::Record(anchored) => assert_eq!(anchored.sequence, reach),
        other => panic!("{other:?}"),
    }

    subject.plant_all(&kept);
    assert_eq!(found_later(&subject), [FindingKind::AnchorMismatch]);
}

#[test]
fn an_anchor_that_is_lost_is_found() {
    let subject = filled();
    let vault = subject.vault.id();
    let entry = vault_store::KeyEntry::AuditAnchor;
    subject.fixture.keyring.present(vault, entry, None);
    let found = kinds(&verify(&subject.log));
    assert_eq!(found, [FindingKind::AnchorLost], "while it is open");
    assert_eq!(found_later(&subject), [FindingKind::AnchorMismatch]);
    let damaged = Some(&b"no anchor"[..]);
    subject.fixture.keyring.present(vault, entry, damaged);
    assert_eq!(found_later(&subject), [FindingKind::AnchorMismatch]);
}

#[test]
fn what_is_accepted_is_a_note_and_the_next_mismatch_is_none() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one"]);
    subject.log.upkeep().expect("anchored");
    let older = subject.segments();
    append(&subject.log, &["two"]);
    subject.log.upkeep().expect("anchored");
    subject.plant_all(&older);
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    assert!(!verify(&later.log).is_sound());
    later.log.accept().expect("accepted");
    let verified = verify(&later.log);
    assert!(verified.is_sound());
    assert_eq!(kinds(&verified), [FindingKind::AnchorAccepted]);
    assert_eq!(later.log.status().mismatch, None);
    later.log.upkeep().expect("anchored");
    // It is this once that is accepted.
    later.plant_all(&older);
    let again = later.elsewhere();
    again.log.upkeep().expect("compared");
    assert!(!verify(&again.log).is_sound());
}

#[test]
fn a_log_of_another_vault_is_not_taken_for_this_ones() {
    let (subject, other) = (filled(), filled());
    subject.plant_all(&other.segments());
    let later = subject.elsewhere();
    assert!(actions(&later.log).is_empty());
    append(&later.log, &["new"]);
    later.log.upkeep().expect("compared");
    assert!(!verify(&later.log).is_sound());
}
