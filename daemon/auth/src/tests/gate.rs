//! As whom requests count, condition by condition.

use super::world::{Opened, World, admin_token, passkey, request, rp_id};
use crate::{
    AuthError, AuthResult, Change, Credential, FetchSite, FirstPair, Origin, SettingsChange,
    Standing, WebRequest,
};

pub(super) const NO_CREDENTIAL: Credential = Credential {
    bearer: None,
    cookie: None,
    query_token: None,
};

/// From this machine's own user, proven.
pub(super) fn owned(method: &str) -> WebRequest {
    WebRequest {
        owned: true,
        ..request(method, "localhost:7787")
    }
}

pub(super) fn standing(
    opened: &Opened,
    request: &WebRequest,
    credential: &Credential,
) -> AuthResult<Standing> {
    let judged = opened.auth.judge(request, credential)?;
    let counts = judged.standing != Standing::Nobody;
    assert_eq!(judged.access.is_some(), counts, "nobody reaches anything");
    Ok(judged.standing)
}

fn is_cross_origin(opened: &Opened, request: &WebRequest, credential: &Credential) -> bool {
    matches!(
        standing(opened, request, credential),
        Err(AuthError::CrossOrigin)
    )
}

pub(super) fn configure(opened: &Opened, change: SettingsChange) {
    opened.auth.configure(&change).expect("configured");
}

pub(super) fn admit(opened: &Opened, host: &str) {
    let host = host.to_owned();
    opened
        .auth
        .tables()
        .change(Change::AddHost { host })
        .expect("admitted");
}

pub(super) fn origin(text: &str) -> Origin {
    Origin(text.to_owned())
}

fn bearer(text: &str) -> Credential {
    Credential {
        bearer: Some(text.to_owned()),
        ..NO_CREDENTIAL
    }
}

#[test]
fn a_host_that_nobody_admitted_gets_nowhere_with_any_credential() {
    let world = World::new();
    let opened = world.open();
    let (_, secret) = admin_token(&opened.auth, None);
    let unsafe_settings = SettingsChange {
        require_auth: Some(false),
        first_pair: Some(FirstPair::Open),
        ..SettingsChange::default()
    };
    configure(&opened, unsafe_settings);
    for host in ["rebound.example", "192.168.1.5:7787", "[fe80::1]"] {
        let request = WebRequest {
            owned: true,
            ..request("GET", host)
        };
        for credential in [NO_CREDENTIAL, bearer(&secret.0), bearer("wrong")] {
            let judged = opened.auth.judge(&request, &credential).expect("a verdict");
            assert_eq!(judged.standing, Standing::Nobody, "{host}");
            assert!(!judged.host_admitted && judged.access.is_none());
        }
    }
    admit(&opened, "192.168.1.5");
    let judged = opened
        .auth
        .judge(&request("GET", "192.168.1.5:7787"), &bearer(&secret.0));
    assert!(matches!(
        judged.expect("a verdict").standing,
        Standing::Token(_)
    ));
}

#[test]
fn a_bearer_that_does_not_count_is_refused_even_where_a_bypass_would_do() {
    let world = World::new();
    let opened = world.open();
    let (token, secret) = admin_token(&opened.auth, None);
    let judged = standing(&opened, &owned("POST"), &bearer(&secret.0));
    assert_eq!(
        judged.expect("it counts"),
        Standing::Token(token.id.clone())
    );
    opened.auth.revoke_token(&token.id).expect("revoked");
    let refused = standing(&opened, &owned("POST"), &bearer(&secret.0));
    assert!(
        matches!(refused, Err(AuthError::Unauthenticated)),
        "{refused:?}"
    );
    let refused = standing(&opened, &owned("POST"), &bearer("vaultd_nonsense"));
    assert!(
        matches!(refused, Err(AuthError::TokenMalformed)),
        "{refused:?}"
    );
    assert!(!opened.auth.needs_peer(&owned("POST"), &bearer(&secret.0)));
}

#[test]
fn a_token_in_the_address_counts_where_it_was_turned_on_and_for_get() {
    let world = World::new();
    let opened = world.open();
    let (token, secret) = admin_token(&opened.auth, None);
    let in_address = Credential {
        query_token: Some(secret.0.to_string()),
        ..NO_CREDENTIAL
    };
    let get = request("GET", "localhost");
    let judged =
        |request: &WebRequest, credential: &Credential| standing(&opened, request, credential);
    assert_eq!(
        judged(&get, &in_address).expect("passed over"),
        Standing::Nobody
    );
    let on = SettingsChange {
        query_tokens: Some(true),
        ..SettingsChange::default()
    };
    configure(&opened, on);
    assert_eq!(
        judged(&get, &in_address).expect("it counts"),
        Standing::Token(token.id)
    );
    for other in [
        request("POST", "localhost"),
        WebRequest {
            safe: true,
            ..request("HEAD", "localhost")
        },
    ] {
        assert_eq!(
            judged(&other, &in_address).expect("passed over"),
            Standing::Nobody
        );
    }
    let both = Credential {
        bearer: Some("vaultd_nonsense".to_owned()),
        ..in_address.clone()
    };
    assert!(judged(&get, &both).is_err(), "the header goes first");
}

#[test]
fn a_change_that_another_origin_asked_for_is_refused_whatever_it_carries() {
    let world = World::new();
    let opened = world.open();
    let (_, secret) = admin_token(&opened.auth, None);
    for credential in [NO_CREDENTIAL, bearer(&secret.0)] {
        for foreign in [
            "http://evil.example",
            "https://localhost:7787",
            "http://localhost",
            "null",
        ] {
            let request = WebRequest {
                origin: Some(origin(foreign)),
                ..owned("POST")
            };
            assert!(is_cross_origin(&opened, &request, &credential), "{foreign}");
        }
        for site in [FetchSite::CrossSite, FetchSite::SameSite] {
            let request = WebRequest {
                fetch_site: Some(site),
                ..owned("POST")
            };
            assert!(is_cross_origin(&opened, &request, &credential), "{site:?}");
        }
    }
}

#[test]
fn a_cookie_changes_something_only_where_a_page_of_this_origin_asked() {
    let world = World::new();
    let opened = world.open();
    let (row, begun) = opened
        .auth
        .begin_session(
            &request("POST", "localhost:7787"),
            rp_id("localhost"),
            "a",
            "Firefox",
        )
        .expect("a session");
    let paired = Change::AddPasskey {
        passkey: passkey("a", "localhost"),
        first: true,
        session: Some(row),
        host: None,
    };
    opened.auth.tables().change(paired).expect("paired");
    let cookie = Credential {
        cookie: Some(begun.cookie),
        ..NO_CREDENTIAL
    };
    let session = Standing::Session(begun.id);
    let post = || request("POST", "localhost:7787");
    for request in [
        request("GET", "localhost:7787"),
        WebRequest {
            origin: Some(origin("http://localhost:7787")),
            ..post()
        },
        WebRequest {
            fetch_site: Some(FetchSite::SameOrigin),
            ..post()
        },
        WebRequest {
            fetch_site: Some(FetchSite::CrossSite),
            ..request("GET", "localhost:7787")
        },
    ] {
        let judged = standing(&opened, &request, &cookie);
        assert_eq!(judged.expect("it counts"), session, "{request:?}");
    }
    for request in [
        post(),
        WebRequest {
            fetch_site: Some(FetchSite::None),
            ..post()
        },
        WebRequest {
            origin: Some(origin("http://evil.example")),
            ..post()
        },
        owned("POST"),
    ] {
        assert!(is_cross_origin(&opened, &request, &cookie), "{request:?}");
    }
    // One that does not count is passed over.
    let stale = Credential {
        cookie: Some("a.b.c".to_owned()),
        ..NO_CREDENTIAL
    };
    let judged = standing(&opened, &owned("POST"), &stale);
    assert_eq!(judged.expect("a verdict"), Standing::Loopback);
}
