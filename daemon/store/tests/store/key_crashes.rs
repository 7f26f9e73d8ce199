//! Every crash amid whatever is done to keys is survived: one start leaves one storage key that opens
//! everything, and no other.

use std::ops::ControlFlow;

use vault_crypto::{MasterKey, Salt, StorageKey};
use vault_store::{
    catalogue::Protection,
    rotation::{Depth, RotationOutcome},
    vault::NextKey,
};

use crate::{
    crash_harness::{Scenario, Stage, Step, Tally},
    crashes::{MANY, adopt, survives},
    support::{
        fixture::{new_store, put, write_delete, write_put},
        keyring::OTHER,
        rotating::{advance, reencrypt, rotate},
    },
};

pub(crate) const PROTECTED: &str = "chat/conversations";

/// Stores of every sort: sealed with a tombstone and a journal, plain, awaiting migration.
fn mixed(stage: &mut Stage) {
    let create = |name, protection| {
        stage
            .vault()
            .create_store(new_store(name, protection))
            .expect("a new store");
    };
    create(PROTECTED, Protection::Protected);
    create("plain", Protection::Plain);
    let store = stage.documents(PROTECTED);
    put(&store, "a", "before");
    put(&store, "gone", "before");
    let batch = vec![write_put("b", "batch"), write_delete("gone")];
    store.write(batch).expect("batch");
    put(&stage.documents("plain"), "a", "before");
}

/// One small store, so that every state is looked at.
pub(crate) fn small(stage: &mut Stage) {
    stage
        .vault()
        .create_store(new_store(PROTECTED, Protection::Protected))
        .expect("a new store");
    put(&stage.documents(PROTECTED), "a", "before");
}

fn adopted(stage: &mut Stage) {
    small(stage);
    stage
        .vault()
        .create_store(new_store("adopted", Protection::Protected))
        .expect("a new store");
    adopt(&stage.documents("adopted"));
}

fn rewrap(stage: &mut Stage) {
    let outcome = rotate(stage.vault(), &stage.fixture.keyring, Depth::Rewrap);
    assert_eq!(
        outcome.expect("rotated"),
        RotationOutcome::Done { kept: Vec::new() }
    );
}

fn reencrypt_all(stage: &mut Stage) {
    reencrypt(stage.vault(), &stage.fixture.keyring);
}

/// Objects are written and removed between two steps of a rotation that was paused.
fn reencrypt_and_write(stage: &mut Stage) {
    let (vault, keyring) = (stage.vault(), &stage.fixture.keyring);
    let next = NextKey::Random { drop_salt: false };
    vault
        .begin_rotation(keyring, Depth::Reencrypt, next)
        .expect("staged");
    let paused = vault.advance_rotation(keyring, &mut |_| ControlFlow::Break(()));
    assert_eq!(paused.expect("stopped"), RotationOutcome::Paused);
}

fn write_amid(stage: &mut Stage) {
    put(&stage.documents(PROTECTED), "a", "amid");
}

fn create_amid(stage: &mut Stage) {
    stage
        .vault()
        .create_store(new_store("amid", Protection::Protected))
        .expect("a new store");
}

fn go_on(stage: &mut Stage) {
    advance(stage.vault(), &stage.fixture.keyring).expect("rotated");
}

fn roll_back(stage: &mut Stage) {
    let (vault, keyring) = (stage.vault(), &stage.fixture.keyring);
    vault.roll_back_rotation(keyring).expect("in time");
    assert_eq!(
        advance(vault, keyring).expect("rolled back"),
        RotationOutcome::RolledBack { kept: Vec::new() }
    );
}

fn derive(stage: &mut Stage) {
    let master = MasterKey::from_bytes(&[3; 32]).expect("32 bytes");
    let salt = Salt::generate().expect("random source");
    let key = StorageKey::derive(&master, &salt);
    let (vault, keyring) = (stage.vault(), &stage.fixture.keyring);
    vault
        .begin_rotation(keyring, Depth::Rewrap, NextKey::Derived { key, salt })
        .expect("staged");
    advance(vault, keyring).expect("rotated");
}

fn drop_salt(stage: &mut Stage) {
    let (vault, keyring) = (stage.vault(), &stage.fixture.keyring);
    let next = NextKey::Random { drop_salt: true };
    vault
        .begin_rotation(keyring, Depth::Rewrap, next)
        .expect("staged");
    advance(vault, keyring).expect("rotated");
}

pub(crate) fn derived(stage: &mut Stage) {
    small(stage);
    derive(stage);
}

fn move_key(stage: &mut Stage) {
    let to = stage.fixture.keyring.backend_named(OTHER);
    let handed_out = stage.vault().begin_move(&to).expect("moved");
    assert!(handed_out.is_none());
    stage
        .vault()
        .finish_move(&stage.fixture.keyring)
        .expect("removed");
}

fn key_scenario(name: &'static str, before: Step, steps: &'static [Step]) -> Scenario {
    Scenario {
        name,
        tombstones: MANY,
        before: Some(before),
        steps,
    }
}

fn scenarios() -> Vec<Scenario> {
    vec![
        key_scenario("rewrap", small, &[rewrap]),
        key_scenario("reencrypt", small, &[reencrypt_all]),
        key_scenario("reencrypt mixed stores", mixed, &[reencrypt_all]),
        key_scenario("reencrypt adopted files", adopted, &[reencrypt_all]),
        key_scenario(
            "write amid a rotation",
            small,
            &[reencrypt_and_write, write_amid, create_amid, go_on],
        ),
        key_scenario(
            "roll back",
            mixed,
            &[reencrypt_and_write, write_amid, roll_back],
        ),
        key_scenario("derive", small, &[derive]),
        key_scenario("derive anew", derived, &[derive]),
        key_scenario("drop the salt", derived, &[drop_salt]),
        key_scenario("move", small, &[move_key]),
        key_scenario("move a derived key", derived, &[move_key]),
    ]
}

#[test]
fn every_crash_amid_a_change_of_keys_is_survived() {
    for scenario in scenarios() {
        survives(&scenario, None);
    }
}

#[test]
fn a_second_crash_amid_the_recovery_of_keys_is_survived() {
    for (scenario, every) in scenarios()
        .iter()
        .zip([1, 3, 19, 29, 29, 31, 2, 2, 2, 2, 2])
    {
        survives(scenario, Some(every));
    }
}

/// A test of the test: were a sync left out, somebody would notice. Not each one: the steps of a
/// rotation sync the same folder again and again, so that of most a later one does the work.
#[test]
fn syncs_of_a_rotation_cannot_be_left_out() {
    for scenario in scenarios().iter().take(2) {
        let run = scenario.run();
        let mut tally = Tally::default();
        let noticed = |number: &usize| run.check(Some(*number), None, &mut tally).is_err();
        let noticed = (0..run.syncs()).filter(noticed).count();
        eprintln!("{}: {noticed} of {} noticed", scenario.name, run.syncs());
        assert!(noticed >= 5, "{}: {noticed}", scenario.name);
    }
}
