//! Keys that are brought back, computed anew, destroyed on purpose or handed in from outside.

use std::{ops::ControlFlow, path::Path};

use vault_crypto::{MasterKey, StorageKey, VaultId};
use vault_store::{
    KeyEntry, OpenError,
    rotation::{Depth, RotationOutcome},
    vault::{Evidence, NextKey, RecoveryError, SaltState, recover, rederive, reset},
};

use crate::{
    crash_harness::Stage,
    key_crashes::{PROTECTED, derived, small},
    support::{
        crash::enumerate,
        fixture::{Fixture, ROOT, name, put},
        keyring::Entries,
        rotating::advance,
        world::observe,
    },
};

/// A vault whose key the keyring does not hold, and that key.
fn without_its_key() -> (Fixture, StorageKey) {
    let fixture = Fixture::new();
    let vault = Some(fixture.create().expect("a new vault"));
    small(&mut Stage {
        fixture: fixture.clone(),
        vault,
    });
    let (vault, key) = fixture.keyring.storage_key();
    fixture.keyring.present(vault, KeyEntry::StorageKey, None);
    fixture.simulated.settle();
    (fixture, StorageKey::from_bytes(&key).expect("32 bytes"))
}

/// Looks at every state that a crash amid `work` leaves.
fn after_every_crash(fixture: &Fixture, work: impl FnOnce(), look: impl Fn(Fixture, bool)) {
    let (base, entries) = (fixture.simulated.image(), fixture.keyring.entries());
    work();
    fixture.simulated.acknowledge();
    let log = fixture.simulated.log();
    let mut states = 0;
    let _ = enumerate(&base, &entries, &log, None, &mut |crash| {
        states += 1;
        let fixture = fixture.after_with(crash.image, crash.entries);
        look(fixture, crash.acknowledged > 0);
        ControlFlow::Continue(())
    });
    eprintln!("{states} crash states");
    assert!(states > 1);
}

#[test]
fn a_key_is_brought_back_or_not_yet() {
    let (fixture, key) = without_its_key();
    let bring_back = || {
        recover(&fixture.root(), &fixture.keyring, None, &key).expect("it fits");
    };
    after_every_crash(&fixture, bring_back, |fixture, acknowledged| {
        let opened = fixture.start();
        if let Err(OpenError::KeyMissing(_)) = &opened {
            assert!(!acknowledged);
            recover(&fixture.root(), &fixture.keyring, None, &key).expect("again");
        }
        let vault = fixture.start().expect("open").expect("whole");
        assert_eq!(
            observe(&vault).expect("whole")[PROTECTED].documents.len(),
            1
        );
    });
}

#[test]
fn a_key_that_does_not_fit_replaces_none() {
    let (fixture, key) = without_its_key();
    let wrong = StorageKey::from_bytes(&[9; 32]).expect("32 bytes");
    let refused = recover(&fixture.root(), &fixture.keyring, None, &wrong);
    assert!(matches!(refused, Err(RecoveryError::WrongKey { .. })));
    let other = VaultId::from_bytes([1; 16]);
    let refused = recover(&fixture.root(), &fixture.keyring, Some(other), &key);
    assert!(matches!(refused, Err(RecoveryError::OtherVault { .. })));
    assert!(fixture.keyring.entries().is_empty());
    let empty = Fixture::new();
    let refused = recover(&empty.root(), &empty.keyring, None, &key);
    assert!(matches!(refused, Err(RecoveryError::NoVault)));
}

#[test]
fn a_derived_key_is_computed_anew_beside_its_salt() {
    let fixture = Fixture::new();
    let mut stage = Stage {
        vault: Some(fixture.create().expect("a new vault")),
        fixture: fixture.clone(),
    };
    derived(&mut stage);
    drop(stage);
    let entries = fixture.keyring.entries();
    let master = MasterKey::from_bytes(&[3; 32]).expect("32 bytes");
    // Another device: the data and the sidecar, and an empty keyring.
    let device = fixture.after_with(fixture.simulated.image(), Entries::new());
    let key = rederive(&device.root(), &device.keyring, &master).expect("the right master");
    recover(&device.root(), &device.keyring, None, &key).expect("it fits");
    let vault = device.start().expect("open").expect("whole");
    assert_eq!(vault.salt(), SaltState::Fine);
    assert_eq!(device.keyring.entries(), entries);
    let wrong = MasterKey::from_bytes(&[4; 32]).expect("32 bytes");
    let refused = rederive(&device.root(), &device.keyring, &wrong);
    assert!(matches!(refused, Err(RecoveryError::WrongKey { .. })));
    // Either copy of the salt repairs the other; two that differ are reported.
    let sidecar = Path::new(ROOT).join("derivation.json");
    let image = fixture.simulated.image();
    let lost = fixture.after_with(image.without(&sidecar), entries.clone());
    let vault = lost.open().expect("open");
    assert_eq!(vault.salt(), SaltState::Fine);
    assert!(
        lost.simulated.image().file(&sidecar) == image.file(&sidecar),
        "put back"
    );
    let id = vault.id();
    let other = fixture.after_with(image, entries);
    other.keyring.present(id, KeyEntry::Salt, Some(&[9; 32]));
    let vault = other.open().expect("open");
    assert!(
        matches!(vault.salt(), SaltState::Problem(_)),
        "{:?}",
        vault.salt()
    );
    let bare = device.after_with(device.simulated.image().without(&sidecar), Entries::new());
    let refused = rederive(&bare.root(), &bare.keyring, &master);
    assert!(matches!(refused, Err(RecoveryError::NoSalt)));
}

#[test]
fn a_reset_destroys_the_key_or_leaves_the_vault_as_it_was() {
    let (fixture, key) = without_its_key();
    let vault = recover(&fixture.root(), &fixture.keyring, None, &key).expect("it fits");
    fixture.simulated.settle();
    let destroy = || {
        reset(&fixture.root(), &fixture.keyring, vault, 5).expect("destroyed");
    };
    after_every_crash(&fixture, destroy, |fixture, acknowledged| {
        match fixture.start() {
            Ok(vault) => {
                let vault = vault.expect("whole");
                assert!(!acknowledged, "its key was destroyed");
                assert_eq!(
                    observe(&vault).expect("whole")[PROTECTED].documents.len(),
                    1
                );
            }
            Err(OpenError::KeyMissing(why)) => {
                assert!(fixture.keyring.entries().is_empty());
                assert!(why.contains("on purpose"), "{why}");
            }
            Err(error) => panic!("{error}"),
        }
    });
    // An export of the key undoes it, and nothing is told of the reset any more.
    recover(&fixture.root(), &fixture.keyring, None, &key).expect("it fits");
    fixture.start().expect("open").expect("whole");
    let evidence = Evidence::gather(&fixture.root()).expect("readable");
    assert!(evidence.tombstone().is_none());
}

/// A keyring that cannot be written is given the next key from outside.
#[test]
fn a_rotation_that_is_handed_out_completes_when_it_is_presented() {
    let (fixture, key) = without_its_key();
    let credentials = fixture.keyring.read_only("creds");
    let id = fixture.open_by(&fixture.keyring).err().map(|_| ());
    assert!(id.is_some(), "its key is not in the keyring");
    let evidence = Evidence::gather(&fixture.root()).expect("readable");
    let id = evidence.vault().expect("named");
    credentials.present(id, KeyEntry::StorageKey, Some(key.expose()));
    for depth in [Depth::Rewrap, Depth::Reencrypt] {
        let vault = fixture.open_by(&credentials).expect("open");
        let before = (vault.fingerprint(), observe(&vault).expect("whole"));
        let next = NextKey::Random { drop_salt: false };
        let begun = vault.begin_rotation(&credentials, depth, next);
        let next = begun.expect("staged").expect("handed out");
        let waits = RotationOutcome::AwaitsCredential;
        assert_eq!(advance(&vault, &credentials).expect("staged"), waits);
        put(
            &vault.documents(&name(PROTECTED)).expect("open"),
            "b",
            "amid",
        );
        drop(vault);
        // Presented too late, it waits on; and the vault works.
        let vault = fixture.open_by(&credentials).expect("the old key opens it");
        assert_eq!(advance(&vault, &credentials).expect("staged"), waits);
        assert_eq!(vault.fingerprint(), before.0);
        drop(vault);
        credentials.present(id, KeyEntry::StorageKey, Some(next.expose()));
        let vault = fixture.open_by(&credentials).expect("the new key opens it");
        let done = RotationOutcome::Done { kept: Vec::new() };
        assert_eq!(advance(&vault, &credentials).expect("rotated"), done);
        assert_eq!(vault.fingerprint(), next.fingerprint(id));
        assert_eq!(
            observe(&vault).expect("whole")[PROTECTED].documents.len(),
            2
        );
        drop(vault);
        credentials.present(id, KeyEntry::StorageKey, Some(key.expose()));
        let refused = fixture.open_by(&credentials).err();
        assert!(
            matches!(refused, Some(OpenError::WrongKey { .. })),
            "{refused:?}"
        );
        credentials.present(id, KeyEntry::StorageKey, Some(next.expose()));
    }
    // One that is not presented can be taken back.
    let vault = fixture.open_by(&credentials).expect("open");
    let next = NextKey::Random { drop_salt: false };
    vault
        .begin_rotation(&credentials, Depth::Rewrap, next)
        .expect("staged");
    vault.roll_back_rotation(&credentials).expect("in time");
    let undone = RotationOutcome::RolledBack { kept: Vec::new() };
    assert_eq!(advance(&vault, &credentials).expect("undone"), undone);
    assert!(vault.rotation().is_none());
}

/// The record of a rotation is not trusted: whatever it says, no key goes that is needed.
#[test]
fn a_forged_record_of_a_rotation_destroys_nothing() {
    let (fixture, key) = without_its_key();
    let id = recover(&fixture.root(), &fixture.keyring, None, &key).expect("it fits");
    let idle = (fixture.simulated.image(), fixture.keyring.entries());
    let vault = fixture.open().expect("open");
    let world = observe(&vault).expect("whole");
    let next = NextKey::Random { drop_salt: false };
    vault
        .begin_rotation(&fixture.keyring, Depth::Reencrypt, next)
        .expect("staged");
    let staged = (fixture.simulated.image(), fixture.keyring.entries());
    vault
        .advance_rotation(&fixture.keyring, &mut |_| ControlFlow::Break(()))
        .expect("paused");
    let rewriting = (fixture.simulated.image(), fixture.keyring.entries());
    let record = vault.rotation().expect("under way");
    drop(vault);
    let own = key.fingerprint(id).to_string();
    let (from, to) = (record.from.to_string(), record.to.to_string());
    let other = "00".repeat(8);
    for (image, entries) in [idle, staged, rewriting] {
        for depth in ["rewrap", "reencrypt"] {
            for state in ["staged", "rewriting", "verified", "promoted"] {
                for back in [false, true] {
                    for (from, to) in [(&from, &to), (&own, &other), (&other, &own), (&to, &from)] {
                        let forged = format!(
                            r#"{{"format":1,"depth":"{depth}","state":"{state}","back":{back},
                               "paused":false,"from":"{from}","to":"{to}","salt":"none",
                               "handed_out":false}}"#
                        );
                        let fixture = fixture.after_with(image.clone(), entries.clone());
                        let (fs, folder) = (&fixture.simulated, Path::new(ROOT));
                        vault_store::durable::replace(
                            fs,
                            folder,
                            "rotation.json",
                            &[forged.as_bytes()],
                        )
                        .expect("planted");
                        let vault = fixture.open().expect(&forged);
                        // It may be refused, and it may go on; what it must not do is harm.
                        let _ = fixture.resume(&vault);
                        assert_eq!(observe(&vault).expect("whole"), world, "{forged}");
                        drop(vault);
                        let vault = fixture.open().expect(&forged);
                        assert_eq!(observe(&vault).expect("whole"), world, "{forged}");
                    }
                }
            }
        }
    }
}
