//! Pairing codes: how often, how long and from where they count.

use super::{
    browser::{Browser, HERE, nobody, page, page_from, pair, sign_in},
    world::{MINUTE, NOW, World},
};
use crate::{Auth, AuthError, AuthResult, Challenge, Passkey, WebRequest};

/// A host that is not admitted.
const UNLISTED: &str = "https://vault.example";
/// Can be typed, and is not drawn by chance.
const WRONG: &str = "AAAA-AAAA";

/// Tries a code, each time from another address: waits are another matter.
fn try_code(auth: &Auth, origin: &str, code: &str) -> AuthResult<Challenge> {
    let begun = begin(auth, &page(origin), code);
    auth.attempts.succeeded(page(origin).peer.ip());
    begun
}

fn begin(auth: &Auth, request: &WebRequest, code: &str) -> AuthResult<Challenge> {
    auth.begin_registration(request, &nobody(auth, request), code, "")
}

fn finish(auth: &Auth, origin: &str, begun: &Challenge) -> AuthResult<Passkey> {
    let request = page(origin);
    let answer = Browser::new().create(origin, &begun.options);
    let by = nobody(auth, &request);
    let done = auth.finish_registration(&request, &by, &begun.ceremony, &answer);
    done.map(|(passkey, _)| passkey)
}

fn left(outcome: &AuthResult<Challenge>) -> Option<u32> {
    match outcome {
        Err(AuthError::PairingCodeWrong(left)) => Some(*left),
        _ => None,
    }
}

#[test]
fn a_code_is_read_as_people_type_it_and_counts_for_one_passkey() {
    let world = World::new();
    let auth = &world.open().auth;
    let made = auth.create_pairing(None).expect("a code");
    assert_eq!((made.tries, made.expires_ms), (5, NOW + 10 * MINUTE));
    let typed = made.code.to_lowercase().replace('-', " ");
    let begun = try_code(auth, HERE, &typed).expect("begun");
    assert!(
        try_code(auth, HERE, &made.code).is_ok(),
        "it is not used up yet"
    );
    finish(auth, HERE, &begun).expect("registered");
    assert_eq!(left(&try_code(auth, HERE, &made.code)), Some(0));
}

#[test]
fn a_registration_that_fails_leaves_the_code() {
    let world = World::new();
    let auth = &world.open().auth;
    let code = auth.create_pairing(None).expect("a code").code;
    let begun = try_code(auth, HERE, &code).expect("begun");
    let request = page(HERE);
    let by = nobody(auth, &request);
    let failed = auth.finish_registration(&request, &by, &begun.ceremony, b"{}");
    assert!(matches!(failed, Err(AuthError::Invalid(_))));
    let begun = try_code(auth, HERE, &code).expect("begun");
    finish(auth, HERE, &begun).expect("registered");
}

#[test]
fn after_five_wrong_tries_the_right_one_is_wrong_too() {
    let world = World::new();
    let auth = &world.open().auth;
    let code = auth.create_pairing(None).expect("a code").code;
    let begun = try_code(auth, HERE, &code).expect("begun");
    for expected in (0..5).rev() {
        let wrong = if expected % 2 == 0 {
            WRONG
        } else {
            "no code at all"
        };
        assert_eq!(left(&try_code(auth, HERE, wrong)), Some(expected));
    }
    assert_eq!(left(&try_code(auth, HERE, &code)), Some(0));
    // Whoever guesses does not stop the one who had the right code before.
    finish(auth, HERE, &begun).expect("registered");
}

#[test]
fn tries_from_hosts_that_are_not_admitted_tell_nothing_and_use_up_none() {
    let world = World::new();
    let auth = &world.open().auth;
    let code = auth
        .create_pairing(Some("other.example"))
        .expect("a code")
        .code;
    for typed in [WRONG, &code, WRONG, &code, WRONG, WRONG] {
        let refused = try_code(auth, UNLISTED, typed);
        let host = |host: &str| host == "vault.example";
        assert!(matches!(refused, Err(AuthError::HostNotAdmitted(of)) if host(&of)));
    }
    assert!(try_code(auth, "https://other.example", &code).is_ok());
    // The address that they come from waits nevertheless.
    let waits = (0..20).any(|_| {
        let outcome = begin(auth, &page(UNLISTED), WRONG);
        matches!(outcome, Err(AuthError::RateLimited(_)))
    });
    assert!(waits);
}

#[test]
fn a_code_counts_for_ten_minutes() {
    let world = World::new();
    let auth = &world.open().auth;
    assert_eq!(left(&try_code(auth, HERE, WRONG)), Some(0), "there is none");
    let code = auth.create_pairing(None).expect("a code").code;
    world.clock.set(NOW + 10 * MINUTE - 1);
    let begun = try_code(auth, HERE, &code).expect("begun");
    world.clock.set(NOW + 10 * MINUTE);
    assert_eq!(left(&try_code(auth, HERE, &code)), Some(0));
    finish(auth, HERE, &begun).expect("begun in time, it may end a little later");
}

#[test]
fn a_code_that_is_taken_back_or_replaced_ends_what_it_began() {
    let world = World::new();
    let auth = &world.open().auth;
    let end: [fn(&Auth); 2] = [Auth::cancel_pairing, |auth| {
        auth.create_pairing(None).expect("another code");
    }];
    for end in end {
        let code = auth.create_pairing(None).expect("a code").code;
        let begun = try_code(auth, HERE, &code).expect("begun");
        end(auth);
        assert!(left(&try_code(auth, HERE, &code)).is_some());
        assert!(matches!(
            finish(auth, HERE, &begun),
            Err(AuthError::CeremonyEnded)
        ));
    }
    assert!(auth.tables().passkeys(None).is_empty());
}

#[test]
fn a_host_is_admitted_when_its_passkey_comes() {
    let world = World::new();
    let auth = &world.open().auth;
    let code = auth
        .create_pairing(Some("Vault.Example."))
        .expect("a code")
        .code;
    let begun = try_code(auth, UNLISTED, &code).expect("begun");
    assert!(auth.tables().hosts().is_empty(), "not before");
    let passkey = finish(auth, UNLISTED, &begun).expect("registered");
    assert_eq!(passkey.rp_id.as_str(), "vault.example");
    assert_eq!(auth.tables().hosts(), ["vault.example"]);
}

#[test]
fn one_code_lets_in_one_passkey_wherever_it_was_typed() {
    let world = World::new();
    let auth = &world.open().auth;
    let code = auth
        .create_pairing(Some("vault.example"))
        .expect("a code")
        .code;
    let there = try_code(auth, UNLISTED, &code).expect("begun");
    let here = try_code(auth, HERE, &code).expect("begun");
    finish(auth, HERE, &here).expect("registered");
    assert!(matches!(
        finish(auth, UNLISTED, &there),
        Err(AuthError::CeremonyEnded)
    ));
    assert!(auth.tables().hosts().is_empty());
}

#[test]
fn where_there_is_a_passkey_a_code_admits_the_host_and_no_second_one() {
    let world = World::new();
    let auth = &world.open().auth;
    let mut browser = Browser::new();
    pair(auth, &mut browser, "https://a.alice.ts.net");
    let code = auth
        .create_pairing(Some("b.alice.ts.net"))
        .expect("a code")
        .code;
    let paired = try_code(auth, "https://b.alice.ts.net", &code);
    assert!(matches!(paired, Err(AuthError::AlreadyPaired)));
    assert_eq!(auth.tables().hosts(), ["a.alice.ts.net", "b.alice.ts.net"]);
    assert!(sign_in(auth, &mut browser, "https://b.alice.ts.net").is_ok());
    assert_eq!(
        left(&try_code(auth, "https://b.alice.ts.net", &code)),
        Some(0)
    );

    let code = auth.create_pairing(None).expect("a code").code;
    let paired = try_code(auth, "https://a.alice.ts.net", &code);
    assert!(matches!(paired, Err(AuthError::AlreadyPaired)));
    assert_eq!(auth.tables().passkeys(None).len(), 1);
}

#[test]
fn a_code_is_made_for_hosts_that_can_have_passkeys() {
    let world = World::new();
    let auth = &world.open().auth;
    for host in ["192.168.1.5", "::1", "ts.net"] {
        let refused = auth.create_pairing(Some(host));
        assert!(
            matches!(refused, Err(AuthError::OriginUnfit { .. })),
            "{host}"
        );
    }
    for host in ["", "https://vault.example", "vault.example:443", "a b"] {
        let refused = auth.create_pairing(Some(host));
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{host}");
    }
}

#[test]
fn whoever_guesses_waits() {
    let world = World::new();
    let auth = &world.open().auth;
    let request = page_from(HERE, "192.0.2.1:1");
    let waits = (0..20).any(|_| {
        auth.create_pairing(None).expect("a code");
        let outcome = begin(auth, &request, WRONG);
        matches!(outcome, Err(AuthError::RateLimited(seconds)) if seconds > 0)
    });
    assert!(waits);
    let code = auth.create_pairing(None).expect("a code").code;
    let right = begin(auth, &request, &code);
    assert!(
        matches!(right, Err(AuthError::RateLimited(_))),
        "the right one waits as well"
    );
    assert!(begin(auth, &page_from(HERE, "192.0.2.2:1"), &code).is_ok());
}
