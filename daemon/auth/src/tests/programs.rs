//! How programs get their tokens: codes that are typed, and codes that are handed over.

use data_encoding::BASE64URL_NOPAD;
use vault_crypto::credential;

use super::world::{DAY, MINUTE, NOW, World, scope};
use crate::{
    Access, Auth, AuthError, AuthResult, Authorization, Change, DeviceLogin, Exchange,
    LoginRequest, Permission, SettingsChange, StoreScope, Token, TokenSecret,
};

const SECOND: i64 = 1000;
const LISTENER: &str = "http://127.0.0.1:5000/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Of the verifier, as in RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn request(scopes: Vec<StoreScope>) -> LoginRequest {
    LoginRequest {
        label: "vaultctl on laptop".to_owned(),
        scopes,
        address: "192.0.2.1".to_owned(),
        begun_ms: NOW,
    }
}

fn chats() -> Vec<StoreScope> {
    vec![scope("chat/*", Permission::Write)]
}

fn begin(auth: &Auth) -> DeviceLogin {
    auth.begin_device(request(chats())).expect("begun")
}

fn poll(auth: &Auth, begun: &DeviceLogin) -> AuthResult<(Token, TokenSecret)> {
    let device_code = &begun.device_code;
    auth.exchange_login(&Exchange::Device { device_code })
}

fn authorize(auth: &Auth) -> String {
    let code = auth.authorize_login(&Access::Full, authorization(chats()));
    code.expect("a code")
}

fn authorization(scopes: Vec<StoreScope>) -> Authorization {
    Authorization {
        request: request(scopes),
        code_challenge: CHALLENGE.to_owned(),
        redirect_uri: LISTENER.to_owned(),
    }
}

fn trade(
    auth: &Auth,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
) -> AuthResult<(Token, TokenSecret)> {
    auth.exchange_login(&Exchange::Authorization {
        code,
        verifier,
        redirect_uri,
    })
}

fn refused<T>(outcome: &AuthResult<T>) -> bool {
    matches!(outcome, Err(AuthError::LoginRefused))
}

fn pending<T>(outcome: &AuthResult<T>) -> Option<(&'static str, u32)> {
    match outcome {
        Err(AuthError::AuthorizationPending(interval)) => Some(("pending", *interval)),
        Err(AuthError::RateLimited(interval)) => Some(("slow down", *interval)),
        _ => None,
    }
}

/// Reaches what was asked for, for as long as a session lives, and is in the tables once.
fn is_the_token(auth: &Auth, (token, secret): &(Token, TokenSecret)) {
    assert_eq!(token.label, "vaultctl on laptop");
    assert_eq!(token.scopes, chats());
    assert_eq!(token.expires_ms, Some(token.created_ms + 90 * DAY));
    let admitted = auth.judge_token(&secret.0).expect("it counts");
    let access = admitted.access.expect("some");
    assert!(access.allows("chat/old", Permission::Write));
    assert!(!access.allows("chat/old", Permission::Admin));
    assert!(!access.allows("profiles", Permission::Read));
    assert_eq!(auth.tables().tokens().len(), 1);
}

#[test]
fn a_typed_code_becomes_a_token_once() {
    let world = World::new();
    let auth = &world.open().auth;
    let begun = begin(auth);
    assert_eq!((begun.interval, begun.expires_ms), (5, NOW + 10 * MINUTE));
    assert_eq!(pending(&poll(auth, &begun)), Some(("pending", 5)));
    let typed = begun.user_code.to_lowercase().replace('-', "");
    let asks = auth.describe_login(&typed).expect("known");
    assert_eq!(
        (&*asks.label, &*asks.address, asks.begun_ms),
        ("vaultctl on laptop", "192.0.2.1", NOW)
    );
    assert_eq!(asks.scopes, chats());
    auth.decide_login(&Access::Full, &typed, true)
        .expect("approved");
    is_the_token(auth, &poll(auth, &begun).expect("a token"));
    assert!(refused(&poll(auth, &begun)), "once");
}

#[test]
fn a_program_that_hurries_is_told_to_slow_down() {
    let world = World::new();
    let auth = &world.open().auth;
    let begun = begin(auth);
    let at = |seconds: i64| {
        world.clock.set(NOW + seconds * SECOND);
        pending(&poll(auth, &begun))
    };
    assert_eq!(at(0), Some(("pending", 5)));
    assert_eq!(at(5), Some(("pending", 5)));
    assert_eq!(at(9), Some(("slow down", 10)));
    assert_eq!(at(18), Some(("slow down", 15)));
    assert_eq!(at(33), Some(("pending", 15)));
    auth.decide_login(&Access::Full, &begun.user_code, true)
        .expect("approved");
    assert!(
        poll(auth, &begun).is_ok(),
        "an answer that is there does not wait"
    );
}

#[test]
fn a_typed_code_that_is_refused_old_or_unknown_gives_nothing() {
    let world = World::new();
    let auth = &world.open().auth;
    let begun = begin(auth);
    auth.decide_login(&Access::Full, &begun.user_code, false)
        .expect("refused");
    assert!(
        refused(&auth.decide_login(&Access::Full, &begun.user_code, true)),
        "decided"
    );
    assert!(refused(&auth.describe_login(&begun.user_code)));
    assert!(refused(&poll(auth, &begun)));

    let begun = begin(auth);
    auth.decide_login(&Access::Full, &begun.user_code, true)
        .expect("approved");
    world.clock.set(NOW + 10 * MINUTE);
    assert!(refused(&poll(auth, &begun)));
    world.clock.set(NOW);
    let begun = begin(auth);
    world.clock.set(NOW + 10 * MINUTE);
    assert!(refused(&auth.describe_login(&begun.user_code)));
    assert!(refused(&auth.decide_login(
        &Access::Full,
        &begun.user_code,
        true
    )));

    for typed in ["AAAA-AAAA", "", "no code"] {
        assert!(refused(&auth.describe_login(typed)), "{typed}");
    }
    for device_code in ["", "unknown", &*begun.user_code] {
        let outcome = auth.exchange_login(&Exchange::Device { device_code });
        assert!(refused(&outcome), "{device_code}");
    }
    assert!(auth.tables().tokens().is_empty());
}

#[test]
fn nobody_approves_more_than_he_reaches() {
    let world = World::new();
    let auth = &world.open().auth;
    let reader = Access::Scoped(vec![scope("chat/*", Permission::Read)]);
    let begun = begin(auth);
    let denied = auth.decide_login(&reader, &begun.user_code, true);
    assert!(matches!(denied, Err(AuthError::Denied(_))));
    assert_eq!(
        pending(&poll(auth, &begun)),
        Some(("pending", 5)),
        "somebody else may"
    );
    auth.decide_login(&reader, &begun.user_code, false)
        .expect("refusing is for anybody");
    let denied = auth.authorize_login(&reader, authorization(chats()));
    assert!(matches!(denied, Err(AuthError::Denied(_))));
    let read = authorization(vec![scope("chat/old", Permission::Read)]);
    assert!(auth.authorize_login(&reader, read).is_ok());
}

#[test]
fn what_cannot_become_a_token_is_asked_of_nobody() {
    let world = World::new();
    let auth = &world.open().auth;
    let many = vec![scope("chat/*", Permission::Read); 17];
    for asked in [
        request(Vec::new()),
        request(many),
        LoginRequest {
            label: String::new(),
            ..request(chats())
        },
        LoginRequest {
            label: "x".repeat(65),
            ..request(chats())
        },
        LoginRequest {
            label: "a\u{1b}[2Jb".to_owned(),
            ..request(chats())
        },
    ] {
        let device = auth.begin_device(asked.clone()).map(drop);
        assert!(matches!(device, Err(AuthError::Invalid(_))), "{asked:?}");
        let handed = Authorization {
            request: asked.clone(),
            ..authorization(chats())
        };
        let handed = auth.authorize_login(&Access::Full, handed);
        assert!(matches!(handed, Err(AuthError::Invalid(_))), "{asked:?}");
    }
}

#[test]
fn a_code_that_is_handed_over_becomes_a_token_once() {
    let world = World::new();
    let auth = &world.open().auth;
    assert_eq!(
        BASE64URL_NOPAD.encode(&credential::hash(VERIFIER.as_bytes())),
        CHALLENGE
    );
    let code = authorize(auth);
    world.clock.set(NOW + 60 * SECOND - 1);
    is_the_token(
        auth,
        &trade(auth, &code, VERIFIER, LISTENER).expect("a token"),
    );
    assert!(refused(&trade(auth, &code, VERIFIER, LISTENER)), "once");
}

#[test]
fn one_wrong_word_burns_a_code_that_is_handed_over() {
    let world = World::new();
    let auth = &world.open().auth;
    let other = VERIFIER.replace('d', "e");
    for (verifier, listener) in [
        (&*other, LISTENER),
        (CHALLENGE, LISTENER),
        ("", LISTENER),
        (VERIFIER, "http://127.0.0.1:5001/callback"),
        (VERIFIER, ""),
    ] {
        let code = authorize(auth);
        assert!(
            refused(&trade(auth, &code, verifier, listener)),
            "{verifier} {listener}"
        );
        assert!(
            refused(&trade(auth, &code, VERIFIER, LISTENER)),
            "burnt: {verifier} {listener}"
        );
    }
    let code = authorize(auth);
    world.clock.set(NOW + 60 * SECOND);
    assert!(refused(&trade(auth, &code, VERIFIER, LISTENER)), "too old");
    assert!(refused(&trade(auth, "unknown", VERIFIER, LISTENER)));
    assert!(auth.tables().tokens().is_empty());
}

#[test]
fn a_code_goes_to_a_listener_and_under_a_challenge_only() {
    let world = World::new();
    let auth = &world.open().auth;
    let elsewhere = Authorization {
        redirect_uri: "https://evil.example/".to_owned(),
        ..authorization(chats())
    };
    let outcome = auth.authorize_login(&Access::Full, elsewhere);
    assert!(matches!(outcome, Err(AuthError::Invalid(_))));
    let padded = format!("{CHALLENGE}=");
    for challenge in [
        "",
        "plain",
        &CHALLENGE[1..],
        &*padded,
        VERIFIER.get(..40).unwrap_or(""),
    ] {
        let unfit = Authorization {
            code_challenge: challenge.to_owned(),
            ..authorization(chats())
        };
        let outcome = auth.authorize_login(&Access::Full, unfit);
        assert!(matches!(outcome, Err(AuthError::Invalid(_))), "{challenge}");
    }
}

#[test]
fn whoever_begins_many_drives_out_his_own_only() {
    let world = World::new();
    let auth = &world.open().auth;
    let mine = begin(auth);
    let flood = || {
        auth.begin_device(LoginRequest {
            address: "192.0.2.9".to_owned(),
            ..request(chats())
        })
    };
    let first = flood().expect("begun");
    (0..40).for_each(|_| drop(flood().expect("begun")));
    assert!(refused(&auth.describe_login(&first.user_code)));
    assert!(auth.describe_login(&mine.user_code).is_ok());
}

/// Whoever approved it may be the one that was revoked, and all tokens are all.
#[test]
fn what_was_approved_before_a_revocation_becomes_no_token() {
    for revoke in [
        |auth: &Auth| auth.reset_sessions().map(drop),
        |auth: &Auth| auth.reset_tokens().map(drop),
        |auth: &Auth| {
            let every = Change::RemovePasskeys { rp_id: None };
            auth.tables().change(every).map(drop)
        },
        |auth: &Auth| {
            let off = SettingsChange {
                loopback_bypass: Some(false),
                ..SettingsChange::default()
            };
            auth.configure(&off).map(drop)
        },
    ] {
        let world = World::new();
        let auth = &world.open().auth;
        let (open, begun, code) = (begin(auth), begin(auth), authorize(auth));
        auth.decide_login(&Access::Full, &begun.user_code, true)
            .expect("approved");
        revoke(auth).expect("revoked");
        assert!(refused(&poll(auth, &begun)));
        assert!(refused(&trade(auth, &code, VERIFIER, LISTENER)));
        assert!(auth.tables().tokens().is_empty());
        // Nobody had decided about this one.
        auth.decide_login(&Access::Full, &open.user_code, true)
            .expect("approved");
        is_the_token(auth, &poll(auth, &open).expect("a token"));
    }
}
