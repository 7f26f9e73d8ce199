//! Registrations: what the authenticator is asked, and whose answer counts.

use std::thread;

use serde_json::json;

use super::{
    browser::{Browser, HERE, edited, nobody, page, pair, read, sign_in, signed_in},
    world::{MINUTE, NOW, World},
};
use crate::{AuthError, AuthResult, Challenge, Change, Credential, Passkey, Standing, WebRequest};

/// How long an answer is awaited.
const LIFETIME: i64 = 5 * MINUTE;

/// The user's own page over a loopback that was verified.
fn owned() -> WebRequest {
    WebRequest {
        owned: true,
        ..page(HERE)
    }
}

fn begin(auth: &crate::Auth, request: &WebRequest) -> AuthResult<Challenge> {
    auth.begin_registration(request, &nobody(auth, request), "", "")
}

fn finish(
    auth: &crate::Auth,
    request: &WebRequest,
    begun: &Challenge,
    answer: &[u8],
) -> AuthResult<Passkey> {
    let by = nobody(auth, request);
    let done = auth.finish_registration(request, &by, &begun.ceremony, answer);
    done.map(|(passkey, _)| passkey)
}

#[test]
fn a_first_passkey_is_labelled_and_signs_in() {
    let world = World::new();
    let auth = &world.open().auth;
    let (passkey, session) = pair(auth, &mut Browser::new(), HERE);
    assert_eq!(passkey.label, "Firefox on Linux");
    assert_eq!((passkey.created_ms, passkey.last_used_ms), (NOW, None));
    assert_eq!(auth.tables().passkeys(None).len(), 1);
    let admitted = signed_in(auth, &page(HERE), &session);
    assert_eq!(admitted.standing, Standing::Session(session.id));
    assert!(
        auth.tables().hosts().is_empty(),
        "the loopback is admitted always"
    );
}

#[test]
fn what_the_authenticator_is_asked() {
    let world = World::new();
    let auth = &world.open().auth;
    let (first, session) = pair(auth, &mut Browser::new(), HERE);
    let request = page(HERE);
    let by = signed_in(auth, &request, &session);
    let ask = || {
        let begun = auth.begin_registration(&request, &by, "", "Key ring");
        read(&begun.expect("begun").options)["publicKey"].clone()
    };
    let (asked, again) = (ask(), ask());
    let selection = &asked["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["requireResidentKey"], true);
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(asked["rp"]["id"], "localhost");
    assert_eq!(asked["timeout"], LIFETIME);
    assert_eq!(asked["excludeCredentials"][0]["id"], first.id);
    assert_eq!(
        asked["excludeCredentials"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(asked["user"]["id"], again["user"]["id"]);
    assert_ne!(asked["challenge"], again["challenge"]);
}

#[test]
fn a_session_registers_more_and_begins_no_other() {
    let world = World::new();
    let auth = &world.open().auth;
    let (first, session) = pair(auth, &mut Browser::new(), HERE);
    let request = page(HERE);
    let by = signed_in(auth, &request, &session);
    let begun = auth.begin_registration(&request, &by, "", " Key ring ");
    let begun = begun.expect("begun");
    let mut second = Browser::new();
    let answer = second.create(HERE, &begun.options);
    let done = auth.finish_registration(&request, &by, &begun.ceremony, &answer);
    let (passkey, session) = done.expect("registered");
    assert_eq!(passkey.label, "Key ring");
    assert_eq!(passkey.user_handle, first.user_handle);
    assert!(session.is_none());
    assert_eq!(auth.tables().sessions().len(), 1);
    assert!(sign_in(auth, &mut second, HERE).is_ok());
}

#[test]
fn the_person_keeps_one_name_and_another_in_another_vault() {
    let handle = |world: &World| {
        let auth = &world.open().auth;
        auth.tables()
            .change(Change::RemovePasskeys { rp_id: None })
            .expect("none left");
        pair(auth, &mut Browser::new(), HERE).0.user_handle
    };
    let (one, other) = (World::new(), World::new());
    let first = handle(&one);
    assert_eq!(handle(&one), first, "even after all passkeys went");
    assert_ne!(handle(&other), first);
}

#[test]
fn who_may_begin() {
    let world = World::new();
    let auth = &world.open().auth;
    assert!(matches!(
        begin(auth, &page(HERE)),
        Err(AuthError::PairingRequired)
    ));
    assert!(
        begin(auth, &owned()).is_ok(),
        "the user over loopback needs no code"
    );
    let unlisted = begin(auth, &page("https://vault.example"));
    assert!(matches!(unlisted, Err(AuthError::HostNotAdmitted(host)) if host == "vault.example"));
    pair(auth, &mut Browser::new(), HERE);
    assert!(matches!(
        begin(auth, &page(HERE)),
        Err(AuthError::Unauthenticated)
    ));

    let (_, secret) = super::world::admin_token(auth, None);
    let request = page(HERE);
    let credential = Credential {
        bearer: Some(secret.0.to_string()),
        ..Credential::default()
    };
    let by = auth.judge(&request, &credential).expect("a token");
    let refused = auth.begin_registration(&request, &by, "", "");
    assert!(matches!(refused, Err(AuthError::Denied(_))));
}

#[test]
fn an_answer_counts_once() {
    let world = World::new();
    let auth = &world.open().auth;
    let begun = begin(auth, &owned()).expect("begun");
    let answer = Browser::new().create(HERE, &begun.options);
    assert!(finish(auth, &owned(), &begun, &answer).is_ok());
    let replayed = finish(auth, &owned(), &begun, &answer);
    assert!(matches!(replayed, Err(AuthError::CeremonyEnded)));
    assert_eq!(auth.tables().passkeys(None).len(), 1);
}

#[test]
fn an_answer_counts_in_its_time() {
    let world = World::new();
    let auth = &world.open().auth;
    let at = |after: i64| {
        world.clock.set(NOW);
        auth.tables()
            .change(Change::RemovePasskeys { rp_id: None })
            .expect("none left");
        let begun = begin(auth, &owned()).expect("begun");
        let answer = Browser::new().create(HERE, &begun.options);
        world.clock.set(NOW + after);
        finish(auth, &owned(), &begun, &answer)
    };
    assert!(at(LIFETIME - 1).is_ok());
    assert!(matches!(at(LIFETIME), Err(AuthError::CeremonyEnded)));
}

#[test]
fn an_answer_of_somebody_else_ends_the_ceremony() {
    let world = World::new();
    let auth = &world.open().auth;
    let begun = begin(auth, &owned()).expect("begun");
    let answer = Browser::new().create(HERE, &begun.options);
    for request in [page(HERE), owned()] {
        let refused = finish(auth, &request, &begun, &answer);
        assert!(matches!(refused, Err(AuthError::CeremonyEnded)));
    }
    let (_, session) = pair(auth, &mut Browser::new(), HERE);
    let request = page(HERE);
    let by = signed_in(auth, &request, &session);
    let begun = auth
        .begin_registration(&request, &by, "", "")
        .expect("begun");
    let answer = Browser::new().create(HERE, &begun.options);
    let swapped = finish(auth, &owned(), &begun, &answer);
    assert!(matches!(swapped, Err(AuthError::CeremonyEnded)));
}

#[test]
fn a_login_is_no_registration() {
    let world = World::new();
    let auth = &world.open().auth;
    let mut browser = Browser::new();
    pair(auth, &mut browser, HERE);
    let begun = super::browser::begin(auth, HERE);
    let answer = browser.get(HERE, &begun.options);
    let refused = finish(auth, &page(HERE), &begun, &answer);
    assert!(matches!(refused, Err(AuthError::CeremonyEnded)));
    let begun = begin(auth, &owned()).expect("begun");
    let by = nobody(auth, &owned());
    let refused = auth.finish_login(&owned(), &by, &begun.ceremony, &answer);
    assert!(matches!(refused, Err(AuthError::CeremonyEnded)));
}

#[test]
fn another_page_or_relying_party_is_refused() {
    let world = World::new();
    let auth = &world.open().auth;
    for origin in [
        "http://localhost:7788",
        "http://localhost",
        "https://localhost:7787",
    ] {
        let begun = begin(auth, &owned()).expect("begun");
        let answer = Browser::new().create(origin, &begun.options);
        let refused = finish(auth, &owned(), &begun, &answer);
        assert!(
            matches!(refused, Err(AuthError::PasskeyRefused(_))),
            "{origin}"
        );
    }
    let begun = begin(auth, &owned()).expect("begun");
    let elsewhere = edited(&begun.options, |options| {
        options["publicKey"]["rp"]["id"] = json!("evil.example");
    });
    let answer = Browser::new().create(HERE, &elsewhere);
    let refused = finish(auth, &owned(), &begun, &answer);
    assert!(matches!(refused, Err(AuthError::PasskeyRefused(_))));
    assert!(auth.tables().passkeys(None).is_empty());
}

#[test]
fn without_verification_of_the_user_nothing_is_registered() {
    let world = World::new();
    let auth = &world.open().auth;
    let begun = begin(auth, &owned()).expect("begun");
    let mut browser = Browser::new();
    browser.stop_verifying();
    let answer = browser.create(HERE, &begun.options);
    let refused = finish(auth, &owned(), &begun, &answer);
    assert!(matches!(refused, Err(AuthError::PasskeyRefused(_))));
    assert!(auth.tables().passkeys(None).is_empty());
}

#[test]
fn of_many_first_passkeys_one_wins() {
    const BROWSERS: usize = 4;
    let world = World::new();
    let auth = &world.open().auth;
    let code = auth.create_pairing(None).expect("a code").code;
    let answers: Vec<_> = (0..BROWSERS)
        .map(|number| {
            // By a code, and by the user over loopback.
            let (request, code) = if number % 2 == 0 {
                (page(HERE), &*code)
            } else {
                (owned(), "")
            };
            let by = nobody(auth, &request);
            let begun = auth.begin_registration(&request, &by, code, "");
            let begun = begun.expect("begun");
            let answer = Browser::new().create(HERE, &begun.options);
            (request, begun, answer)
        })
        .collect();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let finishing: Vec<_> = answers
            .iter()
            .map(|(request, begun, answer)| scope.spawn(|| finish(auth, request, begun, answer)))
            .collect();
        let outcomes = finishing
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        outcomes.collect()
    });
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let late = |outcome: &&AuthResult<Passkey>| matches!(outcome, Err(AuthError::AlreadyPaired));
    assert_eq!(
        (won, outcomes.iter().filter(late).count()),
        (1, BROWSERS - 1),
        "{outcomes:?}"
    );
    assert_eq!(auth.tables().passkeys(None).len(), 1);
    assert_eq!(
        auth.tables().sessions().len(),
        1,
        "whoever lost has no session either"
    );
}

#[test]
fn no_passkeys_where_browsers_have_none() {
    let world = World::new();
    let auth = &world.open().auth;
    let at = |origin: &str| {
        let request = page(origin);
        match auth.begin_registration(&request, &nobody(auth, &request), "", "") {
            Err(AuthError::OriginUnfit { instead, .. }) => instead,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{origin}"),
        }
    };
    assert_eq!(at("http://127.0.0.1:7787").as_deref(), Some(HERE));
    assert_eq!(at("http://[::1]:7787").as_deref(), Some(HERE));
    assert_eq!(at("https://192.168.1.5"), None);
    assert_eq!(
        at("http://nas.lan:7787").as_deref(),
        Some("https://nas.lan")
    );
    for host in ["192.168.1.5", "vault.example"] {
        let host = host.to_owned();
        let admitted = auth.tables().change(Change::AddHost { host });
        admitted.expect("admitted");
    }
    assert_eq!(
        at("https://192.168.1.5").as_deref(),
        Some("https://vault.example")
    );
    assert_eq!(
        at("https://192.168.1.6"),
        None,
        "strangers are told nothing"
    );
}
