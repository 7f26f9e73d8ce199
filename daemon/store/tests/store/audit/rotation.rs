//! A rotation seals the log anew; the chain stays what it was.

use vault_store::{
    catalogue::Protection,
    rotation::{Depth, RotationOutcome},
};

use super::world::{MANY, Subject, actions, append, verify};
use crate::support::{
    fixture::{new_store, put},
    rotating::{reencrypt, rotate},
};

fn filled() -> Subject {
    let subject = Subject::new(MANY);
    for number in 0..9 {
        append(&subject.log, &[&format!("event {number}")]);
    }
    subject.log.upkeep().expect("anchored");
    subject
}

#[test]
fn every_record_is_sealed_anew_and_the_chain_stays() {
    let subject = filled();
    let (before, head) = (subject.segments(), subject.log.head());
    reencrypt(&subject.vault, &subject.fixture.keyring);
    assert_eq!(subject.log.head(), head);
    let after = subject.segments();
    assert_eq!(before.len(), after.len());
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        assert_eq!(before.len(), after.len(), "{name}");
        assert_ne!(before, after, "{name}");
    }
    assert!(verify(&subject.log).is_sound());
    append(&subject.log, &["after"]);
    let later = subject.elsewhere();
    later.log.upkeep().expect("compared");
    assert_eq!(later.log.status().mismatch, None);
    let verified = verify(&later.log);
    assert!(verified.is_sound(), "{verified:?}");
    assert_eq!(actions(&later.log).len(), 10);
}

#[test]
fn a_log_that_nobody_opened_is_sealed_anew_too() {
    let subject = filled();
    subject.vault.close();
    let vault = subject.fixture.open().expect("the vault opens");
    reencrypt(&vault, &subject.fixture.keyring);
    let later = Subject::over(subject.fixture, vault, MANY, true);
    later.log.upkeep().expect("compared");
    assert_eq!(actions(&later.log).len(), 9);
    assert!(verify(&later.log).is_sound());
}

#[test]
fn what_is_appended_amid_a_rotation_counts() {
    let subject = filled();
    let store = new_store("notes", Protection::Protected);
    subject.vault.create_store(store).expect("a new store");
    let name = vault_store::StoreName::parse("notes").expect("a name");
    put(&subject.vault.documents(&name).expect("open"), "a", "x");
    let keyring = &subject.fixture.keyring;
    let next = vault_store::vault::NextKey::Random { drop_salt: false };
    let begun = subject
        .vault
        .begin_rotation(keyring, Depth::Reencrypt, next);
    begun.expect("begun");
    let mut amid = 0;
    let outcome = subject.vault.advance_rotation(keyring, &mut |_| {
        append(&subject.log, &[&format!("amid {amid}")]);
        amid += 1;
        std::ops::ControlFlow::Continue(())
    });
    let done = RotationOutcome::Done { kept: Vec::new() };
    assert_eq!(outcome.expect("rotated"), done);
    assert!(amid > 3, "{amid}");
    assert_eq!(actions(&subject.log).len(), 9 + amid);
    let later = subject.elsewhere();
    assert!(verify(&later.log).is_sound());
    assert_eq!(actions(&later.log).len(), 9 + amid);
}

#[test]
fn a_record_that_cannot_be_read_keeps_its_key_and_stays_as_it_is() {
    let subject = filled();
    let files = subject.segments();
    let (name, bytes) = &files[0];
    let mut damaged = bytes.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    subject.plant(name, &damaged);
    let outcome = rotate(&subject.vault, &subject.fixture.keyring, Depth::Reencrypt);
    match outcome.expect("rotated") {
        RotationOutcome::Done { kept } => assert_eq!(kept.len(), 1, "{kept:?}"),
        other => panic!("{other:?}"),
    }
    assert!(!verify(&subject.log).is_sound());
    // Mended, it is read again.
    let now = &subject.segments()[0].1;
    let mut mended = now.clone();
    mended[last] ^= 1;
    subject.plant(name, &mended);
    let verified = verify(&subject.log);
    assert!(verified.is_sound(), "{verified:?}");
    assert_eq!(actions(&subject.log).len(), 9);
}
