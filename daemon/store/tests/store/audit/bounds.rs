//! A log stays within its bound, and what goes is recorded first.

use vault_store::audit::{Bounds, Entry, FindingKind};

use super::world::{Subject, actions, append, kinds, verify};

const BOUNDS: Bounds = Bounds {
    segment: 1500,
    total: 6000,
};

fn fill(subject: &Subject, rounds: usize) {
    for number in 0..rounds {
        append(&subject.log, &[&format!("event {number}")]);
        subject.log.upkeep().expect("kept");
    }
}

#[test]
fn the_oldest_segment_goes_and_a_record_says_so() {
    let subject = Subject::new(BOUNDS);
    fill(&subject, 60);
    let status = subject.log.status();
    assert!(status.bytes <= BOUNDS.total + BOUNDS.segment, "{status:?}");
    assert!(status.first > 1 && status.segments > 2);
    assert_eq!(subject.segments().len() as u64, status.segments);
    let verified = verify(&subject.log);
    assert!(verified.is_sound(), "{verified:?}");
    let records = subject.records(0);
    let dropped = records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Dropped(dropped) => Some(dropped.last),
            _ => None,
        })
        .max();
    assert_eq!(dropped, Some(status.first - 1));
    assert_eq!(actions(&subject.log).last().expect("some"), "event 59");
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    assert!(verify(&later.log).is_sound());
    assert_eq!(later.log.head().sequence, status.last);
}

#[test]
fn what_goes_without_a_record_is_a_hole() {
    let subject = Subject::new(BOUNDS);
    fill(&subject, 60);
    let oldest = subject.segments()[0].0.clone();
    subject.remove(&oldest);
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    let found = kinds(&verify(&later.log));
    assert!(found.contains(&FindingKind::SegmentMissing), "{found:?}");
}

#[test]
fn a_keyring_that_does_not_answer_puts_it_off_up_to_twice_the_bound() {
    let subject = Subject::new(BOUNDS);
    append(&subject.log, &["first"]);
    subject.log.upkeep().expect("anchored");
    subject.anchor.fail(true);
    let mut longest = 0;
    for number in 0..120 {
        append(&subject.log, &[&format!("event {number}")]);
        subject.log.upkeep().expect("kept");
        let bytes: usize = subject
            .segments()
            .iter()
            .map(|(_, bytes)| bytes.len())
            .sum();
        longest = longest.max(bytes as u64);
    }
    assert!(
        longest > BOUNDS.total + BOUNDS.segment,
        "put off: {longest}"
    );
    assert!(longest <= 2 * (BOUNDS.total + BOUNDS.segment), "{longest}");
    subject.anchor.fail(false);
    subject.log.upkeep().expect("anchored");
    assert!(verify(&subject.log).is_sound());
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    assert!(verify(&later.log).is_sound());
}
