//! Whatever is done to any record is found: while the daemon runs, and after a restart.

use std::ops::Range;

use vault_crypto::{Header, envelope};
use vault_store::audit::FindingKind;

use super::world::{MANY, Subject, append, kinds, verify};

/// Where a record lies in its segment.
type Span = Range<usize>;

/// A log of several segments whose newest record is anchored.
fn anchored() -> Subject {
    let subject = Subject::new(MANY);
    for number in 0..6 {
        append(
            &subject.log,
            &[&format!("a{number}"), &format!("b{number}")],
        );
    }
    subject.log.upkeep().expect("anchored");
    assert!(subject.log.status().segments >= 3);
    subject
}

fn spans(bytes: &[u8]) -> Vec<Span> {
    let (mut spans, mut start) = (Vec::new(), 0);
    while start < bytes.len() {
        let header = Header::parse(&bytes[start..]).expect("a record");
        let len = usize::try_from(header.envelope_len()).expect("small");
        spans.push(start..start + len);
        start += len;
    }
    spans
}

/// The classes of bytes of a record, each by its first and last byte.
fn classes(bytes: &[u8], span: &Span) -> Vec<(&'static str, usize)> {
    let header = Header::parse(&bytes[span.clone()]).expect("a record");
    let head = header.head_len();
    let len = span.len();
    let body = envelope::HEADER_LEN..head;
    [
        ("magic", 0..4),
        ("format", 4..5),
        ("suite", 5..6),
        ("reserved", 6..8),
        ("key id", 8..16),
        ("number", 16..24),
        ("nonce", 24..48),
        ("commitment", 48..80),
        ("length of the hash", 80..84),
        ("length of the text", 84..92),
        ("hash", body.start..body.end - 16),
        ("tag of the hash", body.end - 16..body.end),
        ("text", head..len - 16),
        ("tag of the text", len - 16..len),
    ]
    .into_iter()
    .flat_map(|(class, part)| [(class, part.start), (class, part.end - 1)])
    .map(|(class, at)| (class, span.start + at))
    .collect()
}

/// Whether this is found by the log that is open, and by one that is opened afterwards.
fn is_found(subject: &Subject, what: &str) {
    let verified = verify(&subject.log);
    assert!(!verified.is_sound(), "{what} is not found");
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    let verified = verify(&later.log);
    assert!(!verified.is_sound(), "{what} is not found after a restart");
    // It is not forgotten either, however long the log goes on.
    append(&later.log, &["later"]);
    later.log.upkeep().expect("anchored");
    let verified = verify(&later.reopened().log);
    assert!(!verified.is_sound(), "{what} is forgotten");
}

#[test]
fn every_class_of_bytes_of_every_record_counts() {
    let subject = anchored();
    let mut changed = 0;
    for (name, bytes) in subject.segments() {
        for span in spans(&bytes) {
            for (class, at) in classes(&bytes, &span) {
                let mut other = bytes.clone();
                other[at] ^= 0x10;
                subject.plant(&name, &other);
                is_found(&subject, &format!("{name}: {class} at {at}"));
                changed += 1;
            }
        }
        subject.plant(&name, &bytes);
    }
    assert!(changed > 300, "{changed}");
    assert!(verify(&subject.log).is_sound(), "as it was");
}

#[test]
fn every_bit_of_a_log_counts() {
    let subject = Subject::new(MANY);
    append(&subject.log, &["one", "two"]);
    for (name, bytes) in subject.segments() {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                subject.plant(&name, &other);
                let verified = verify(&subject.log);
                assert!(!verified.is_sound(), "{name}: bit {bit} of byte {at}");
            }
        }
        subject.plant(&name, &bytes);
    }
    assert!(verify(&subject.log).is_sound(), "as it was");
}

#[test]
fn a_changed_record_is_told_and_no_other() {
    let subject = anchored();
    let mut number = 0;
    for (name, bytes) in subject.segments() {
        for span in spans(&bytes) {
            number += 1;
            let mut other = bytes.clone();
            other[span.end - 1] ^= 1;
            subject.plant(&name, &other);
            let verified = verify(&subject.log);
            assert_eq!(kinds(&verified), [FindingKind::RecordDamaged], "{number}");
            let place = verified.findings[0].place;
            assert_eq!(place.records, Some((number, number)));
        }
        subject.plant(&name, &bytes);
    }
}

#[test]
fn a_record_that_is_dropped_or_doubled_or_out_of_place_is_found() {
    let subject = anchored();
    for (name, bytes) in subject.segments() {
        let spans = spans(&bytes);
        for (index, span) in spans.iter().enumerate() {
            let record = &bytes[span.clone()];
            let (before, behind) = (&bytes[..span.start], &bytes[span.end..]);
            let plant = |parts: &[&[u8]], what: &str| {
                subject.plant(&name, &parts.concat());
                is_found(&subject, &format!("{name}: record {index} {what}"));
            };
            plant(&[before, behind], "dropped");
            plant(&[before, record, record, behind], "doubled");
            plant(&[&bytes, record], "added at the end");
            if let Some(next) = spans.get(index + 1) {
                let (second, rest) = (&bytes[next.clone()], &bytes[next.end..]);
                plant(&[before, second, record, rest], "behind its successor");
                plant(&[before, second, second, rest], "replaced by its successor");
            }
        }
        subject.plant(&name, &bytes);
    }
}

#[test]
fn a_segment_that_is_cut_short_anywhere_is_found() {
    let subject = anchored();
    for (name, bytes) in subject.segments() {
        let ends = spans(&bytes).into_iter().flat_map(|span| {
            let middle = span.start + span.len() / 2;
            [span.start, span.start + 1, middle, span.end - 1]
        });
        for end in ends {
            subject.plant(&name, &bytes[..end]);
            is_found(&subject, &format!("{name} cut at {end}"));
        }
        subject.plant(&name, &bytes);
    }
}

#[test]
fn bytes_that_are_added_are_found() {
    let subject = anchored();
    for (name, bytes) in subject.segments() {
        for added in [&b"x"[..], &[0; 200]] {
            subject.plant(&name, &[&bytes, added].concat());
            let verified = verify(&subject.log);
            let found = kinds(&verified);
            assert!(
                found.contains(&FindingKind::EndChanged),
                "{name}: {found:?}"
            );
        }
        subject.plant(&name, &bytes);
    }
}
