//! A keyring that is not there, goes away, or does not answer.

use std::time::Duration;

use vault_keyring::{Interaction::Forbidden, KeyringError, Probe};

use super::{
    KEY, LONG, OTHER, account, get,
    session::{Session, poll, scenario},
};

/// Shorter than a stopped process takes.
const SHORT: Duration = Duration::from_millis(300);

#[track_caller]
fn assert_unreachable<T>(answer: Result<T, KeyringError>) {
    let error = answer.err().expect("unreachable");
    assert!(matches!(error, KeyringError::Unreachable(_)), "{error}");
    println!("unreachable: {error}");
}

#[test]
fn a_keyring_object_made_before_the_bus_comes_to_life() {
    scenario(|session| {
        let keyring = Session::keyring(LONG);
        assert_unreachable(get(&keyring, 1));
        assert_unreachable(keyring.set(&account(1), &KEY, Forbidden));
        assert_unreachable(keyring.probe());
        assert_unreachable(keyring.unlock(None));
        session.start_bus();
        assert_unreachable(get(&keyring, 1));
        session.start_keyring();
        assert_eq!(keyring.probe(), Ok(Probe::Works));
    });
}

#[test]
fn restarts_of_keyring_and_bus_are_survived() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        keyring.set(&account(1), &KEY, Forbidden).expect("set");
        session.kill_keyring();
        assert_unreachable(get(&keyring, 1));
        session.start_keyring();
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
        // Unnoticed this time: no call fails in between.
        session.kill_keyring();
        session.start_keyring();
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
        session.kill_keyring();
        session.kill_bus();
        assert_unreachable(get(&keyring, 1));
        session.start_bus();
        session.start_keyring();
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
    });
}

#[test]
fn a_hung_keyring_times_out_and_recovers() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(SHORT);
        let patient = Session::keyring(LONG);
        patient.set(&account(1), &KEY, Forbidden).expect("set");
        session.pause_keyring();
        assert_eq!(get(&keyring, 1), Err(KeyringError::TimedOut(SHORT)));
        let abandoned = keyring.set(&account(2), &OTHER, Forbidden);
        assert_eq!(abandoned, Err(KeyringError::TimedOut(SHORT)));
        session.resume_keyring();
        assert_eq!(poll(|| get(&keyring, 1).ok()), Some(KEY.to_vec()));
        assert_eq!(get(&patient, 2), Err(KeyringError::NoEntry), "never began");
        // Killed while it hangs: the bus ends the call that still waits.
        session.pause_keyring();
        assert_eq!(get(&keyring, 1), Err(KeyringError::TimedOut(SHORT)));
        session.kill_keyring();
        session.start_keyring();
        assert_eq!(poll(|| get(&keyring, 1).ok()), Some(KEY.to_vec()));
        // And the bus itself, while a call waits.
        session.pause_keyring();
        assert_eq!(get(&keyring, 1), Err(KeyringError::TimedOut(SHORT)));
        session.kill_bus();
        session.kill_keyring();
        session.start_bus();
        session.start_keyring();
        assert_eq!(poll(|| get(&keyring, 1).ok()), Some(KEY.to_vec()));
    });
}
