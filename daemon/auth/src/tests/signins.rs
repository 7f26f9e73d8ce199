//! Logins: whose signature counts, where, and how often.

use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::{Value, json};
use webauthn_rs::prelude::Credential as Internals;

use super::{
    browser::{
        Browser, HERE, begin, edited, finish, nobody, page, page_from, pair, read, sign_in,
        signed_in,
    },
    world::{MINUTE, NOW, World},
};
use crate::{Auth, AuthError, AuthResult, CeremonyId, Change, NewSession, Passkey, Standing};

pub(super) fn refused(outcome: &AuthResult<NewSession>) -> bool {
    matches!(outcome, Err(AuthError::PasskeyRefused(_)))
}

fn ended(outcome: &AuthResult<NewSession>) -> bool {
    matches!(outcome, Err(AuthError::CeremonyEnded))
}

/// A vault whose address has a passkey, and the browser that has it too.
fn paired() -> (World, super::world::Opened, Browser) {
    let world = World::new();
    let opened = world.open();
    let mut browser = Browser::new();
    pair(&opened.auth, &mut browser, HERE);
    (world, opened, browser)
}

fn counter(passkey: &Passkey) -> u32 {
    Internals::from(passkey.credential.clone()).counter
}

/// Makes the row remember this counter, as a login does that was verified.
fn remember(auth: &Auth, counter: u32) -> AuthResult<u32> {
    let mut passkey = auth.tables().passkeys(None).remove(0);
    let mut internals = Internals::from(passkey.credential);
    internals.counter = counter;
    passkey.credential = internals.into();
    let id = passkey.id.clone();
    let change = Change::AddSession {
        session: super::world::session("raised", &id, "localhost"),
        passkey,
        replaces: None,
    };
    auth.tables().change(change)
}

#[test]
fn a_passkey_signs_in_and_its_row_tells_when() {
    let (world, opened, mut browser) = paired();
    let auth = &opened.auth;
    let before = auth.tables().passkeys(None).remove(0);
    world.clock.set(NOW + MINUTE);
    let session = sign_in(auth, &mut browser, HERE).expect("signed in");
    let after = auth.tables().passkeys(None).remove(0);
    assert_eq!(after.last_used_ms, Some(NOW + MINUTE));
    assert!(counter(&after) > counter(&before));
    let standing = signed_in(auth, &page(HERE), &session).standing;
    assert_eq!(standing, Standing::Session(session.id));
    assert_eq!(
        auth.tables().sessions().len(),
        2,
        "another browser's session goes on"
    );
}

#[test]
fn what_the_authenticator_is_asked() {
    let (_world, opened, _browser) = paired();
    let request = page(HERE);
    let by = nobody(&opened.auth, &request);
    let ask = |conditional| {
        let begun = opened.auth.begin_login(&request, &by, conditional);
        read(&begun.expect("begun").options)
    };
    let asked = ask(false);
    assert_eq!(asked["publicKey"]["rpId"], "localhost");
    assert_eq!(asked["publicKey"]["userVerification"], "required");
    assert_eq!(
        asked["publicKey"]["allowCredentials"],
        json!([]),
        "any that it finds"
    );
    assert!(asked["mediation"].is_null());
    let autofill = ask(true);
    assert_eq!(autofill["mediation"], "conditional");
    assert_ne!(
        asked["publicKey"]["challenge"],
        autofill["publicKey"]["challenge"]
    );
}

#[test]
fn the_session_of_the_browser_is_replaced() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    let session = sign_in(auth, &mut browser, HERE).expect("signed in");
    let before = auth.tables().sessions().len();
    let request = page(HERE);
    let by = signed_in(auth, &request, &session);
    let begun = auth.begin_login(&request, &by, false).expect("begun");
    let answer = browser.get(HERE, &begun.options);
    let next = auth.finish_login(&request, &by, &begun.ceremony, &answer);
    assert_ne!(next.expect("signed in").id, session.id);
    assert_eq!(auth.tables().sessions().len(), before);
    assert_eq!(
        signed_in(auth, &request, &session).standing,
        Standing::Nobody
    );
}

#[test]
fn an_answer_counts_once_and_in_its_time() {
    let (world, opened, mut browser) = paired();
    let auth = &opened.auth;
    let begun = begin(auth, HERE);
    let answer = browser.get(HERE, &begun.options);
    assert!(finish(auth, HERE, &begun, &answer).is_ok());
    assert!(ended(&finish(auth, HERE, &begun, &answer)));
    let begun = begin(auth, HERE);
    assert!(
        refused(&finish(auth, HERE, &begun, &answer)),
        "it answers another challenge"
    );
    let honest = browser.get(HERE, &begun.options);
    assert!(
        ended(&finish(auth, HERE, &begun, &honest)),
        "one try, also a failed one"
    );
    let begun = begin(auth, HERE);
    let answer = browser.get(HERE, &begun.options);
    world.clock.set(NOW + 5 * MINUTE);
    assert!(ended(&finish(auth, HERE, &begun, &answer)));
}

#[test]
fn an_answer_belongs_to_the_session_that_asked() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    let [one, other] = [(); 2].map(|()| sign_in(auth, &mut browser, HERE).expect("signed in"));
    let request = page(HERE);
    let by = signed_in(auth, &request, &one);
    for thief in [signed_in(auth, &request, &other), nobody(auth, &request)] {
        let begun = auth.begin_login(&request, &by, false).expect("begun");
        let answer = browser.get(HERE, &begun.options);
        let swapped = auth.finish_login(&request, &thief, &begun.ceremony, &answer);
        assert!(ended(&swapped));
        let late = auth.finish_login(&request, &by, &begun.ceremony, &answer);
        assert!(ended(&late));
    }
    let unknown = CeremonyId("unknown".to_owned());
    assert!(ended(&auth.finish_login(&request, &by, &unknown, b"{}")));
}

#[test]
fn another_page_or_relying_party_is_refused() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    for origin in [
        "http://localhost:7788",
        "http://localhost",
        "https://localhost:7787",
    ] {
        let begun = begin(auth, HERE);
        let answer = browser.get(origin, &begun.options);
        assert!(refused(&finish(auth, HERE, &begun, &answer)), "{origin}");
    }
    let begun = begin(auth, HERE);
    let elsewhere = edited(&begun.options, |options| {
        options["publicKey"]["rpId"] = json!("evil.example");
    });
    let answer = browser.get(HERE, &elsewhere);
    assert!(refused(&finish(auth, HERE, &begun, &answer)));
    let begun = begin(auth, HERE);
    let answer = browser.get(HERE, &begun.options);
    assert!(ended(&finish(
        auth,
        "http://localhost:7788",
        &begun,
        &answer
    )));
}

#[test]
fn without_verification_of_the_user_nobody_signs_in() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    browser.stop_verifying();
    assert!(refused(&sign_in(auth, &mut browser, HERE)));
    assert_eq!(auth.tables().sessions().len(), 1);
}

#[test]
fn a_counter_only_goes_up() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    sign_in(auth, &mut browser, HERE).expect("signed in");
    let next = counter(&auth.tables().passkeys(None)[0]) + 1;
    remember(auth, next).expect("raised");
    assert!(refused(&sign_in(auth, &mut browser, HERE)), "the same");
    assert_eq!(counter(&auth.tables().passkeys(None)[0]), next);
    remember(auth, next + 1000).expect("raised");
    let sessions = auth.tables().sessions().len();
    assert!(refused(&sign_in(auth, &mut browser, HERE)), "a lower one");
    assert_eq!(
        counter(&auth.tables().passkeys(None)[0]),
        next + 1000,
        "the higher one stays"
    );
    assert_eq!(auth.tables().sessions().len(), sessions);
    // Of two logins at once, the second to be written has the lower one.
    for late in [next + 1000, next, 0] {
        let outcome = remember(auth, late);
        assert!(
            matches!(outcome, Err(AuthError::PasskeyRefused(_))),
            "{late}"
        );
    }
}

#[test]
fn strangers_and_the_revoked_are_refused() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    let mut stranger = Browser::new();
    pair(&World::new().open().auth, &mut stranger, HERE);
    assert!(
        refused(&sign_in(auth, &mut stranger, HERE)),
        "another vault's passkey"
    );

    let begun = begin(auth, HERE);
    let answer = browser.get(HERE, &begun.options);
    let renamed = edited(&answer, |answer| {
        answer["response"]["userHandle"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    });
    assert!(
        refused(&finish(auth, HERE, &begun, &renamed)),
        "another person's"
    );
    let begun = begin(auth, HERE);
    let nameless = edited(&answer, |answer| {
        answer["response"]["userHandle"] = json!(null);
    });
    assert!(refused(&finish(auth, HERE, &begun, &nameless)));

    let begun = begin(auth, HERE);
    let answer = browser.get(HERE, &begun.options);
    let (_, session) = pair_again(auth);
    let id = auth.tables().passkeys(None)[0].id.clone();
    auth.revoke_passkey(&id).expect("revoked");
    assert!(
        refused(&finish(auth, HERE, &begun, &answer)),
        "revoked during the login"
    );
    assert_ne!(
        signed_in(auth, &page(HERE), &session).standing,
        Standing::Nobody
    );
}

/// A second passkey, so that the address stays paired.
fn pair_again(auth: &Auth) -> (Passkey, NewSession) {
    let request = crate::WebRequest {
        owned: true,
        ..page(HERE)
    };
    let by = nobody(auth, &request);
    let begun = auth
        .begin_registration(&request, &by, "", "")
        .expect("begun");
    let answer = Browser::new().create(HERE, &begun.options);
    let done = auth.finish_registration(&request, &by, &begun.ceremony, &answer);
    let (passkey, session) = done.expect("registered");
    (passkey, session.expect("a session"))
}

#[test]
fn whoever_begins_many_drives_out_his_own_only() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    let begin_from = |peer: &str| {
        let request = page_from(HERE, peer);
        auth.begin_login(&request, &nobody(auth, &request), false)
            .expect("begun")
    };
    let mine = begin_from("192.0.2.1:1");
    // All of them are one customer's addresses.
    let neighbour = |host: usize| format!("[2001:db8:1:2::{host}]:1");
    let his: Vec<_> = (0..40).map(|host| begin_from(&neighbour(host))).collect();
    let answer = browser.get(HERE, &his[0].options);
    assert!(ended(&finish(auth, HERE, &his[0], &answer)));
    let answer = browser.get(HERE, &his[39].options);
    assert!(finish(auth, HERE, &his[39], &answer).is_ok());
    let answer = browser.get(HERE, &mine.options);
    assert!(finish(auth, HERE, &mine, &answer).is_ok());
}

#[test]
fn a_stranger_at_the_same_address_keeps_nobody_out() {
    let (_world, opened, mut browser) = paired();
    let auth = &opened.auth;
    let mut stranger = Browser::new();
    pair(&World::new().open().auth, &mut stranger, HERE);
    let begin_from = |peer: &str| {
        let request = page_from(HERE, peer);
        auth.begin_login(&request, &nobody(auth, &request), false)
    };
    for _ in 0..20 {
        let begun = begin_from("127.0.0.1:1").expect("begun");
        let answer = stranger.get(HERE, &begun.options);
        assert!(refused(&finish(auth, HERE, &begun, &answer)));
    }
    sign_in(auth, &mut browser, HERE).expect("signed in");
    // Only whoever begins more than anybody would has to wait for a minute.
    let waits = (0..200).any(|_| match begin_from("127.0.0.1:1") {
        Err(AuthError::RateLimited(seconds)) => seconds > 0,
        begun => begun.is_err(),
    });
    assert!(waits);
    assert!(begin_from("192.0.2.1:1").is_ok());
}

/// Bytes of an honest answer that are not as they were sign nobody in, and panic nowhere.
#[test]
fn a_damaged_answer_is_refused() {
    let (_world, opened, browser) = paired();
    let auth = &opened.auth;
    let browser = RefCell::new(browser);
    let damages = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    proptest!(ProptestConfig::with_cases(64), |(damage in damages)| {
        let begun = begin(auth, HERE);
        let honest = browser.borrow_mut().get(HERE, &begun.options);
        let mut answer = honest.clone();
        for (at, byte) in damage {
            let at = at.index(answer.len());
            answer[at] = byte;
        }
        let outcome = finish(auth, HERE, &begun, &answer);
        let parsed = serde_json::from_slice::<Value>(&answer).unwrap_or_default();
        let same = ["authenticatorData", "clientDataJSON", "signature", "userHandle"]
            .iter()
            .all(|field| parsed["response"][field] == read(&honest)["response"][field]);
        prop_assert!(outcome.is_err() || same, "{}", String::from_utf8_lossy(&answer));
    });
}
