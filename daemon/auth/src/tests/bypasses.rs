//! Who needs no credential, and on which conditions.

use std::net::SocketAddr;

use super::{
    browser::{Browser, HERE, page, pair},
    gate::{NO_CREDENTIAL, admit, configure, origin, owned, standing},
    world::{Opened, World, admin_token, passkey, request},
};
use crate::{AuthError, Change, FetchSite, FirstPair, SettingsChange, Standing, WebRequest};

fn is_nobody(opened: &Opened, request: &WebRequest) -> bool {
    standing(opened, request, &NO_CREDENTIAL).expect("a verdict") == Standing::Nobody
}

#[test]
fn the_user_needs_no_credential_on_a_loopback_that_was_verified() {
    let world = World::new();
    let opened = world.open();
    let own = || Some(origin("http://localhost:7787"));
    for request in [
        owned("GET"),
        owned("POST"),
        WebRequest {
            origin: own(),
            ..owned("POST")
        },
        WebRequest {
            fetch_site: Some(FetchSite::SameOrigin),
            ..owned("POST")
        },
        WebRequest {
            fetch_site: Some(FetchSite::None),
            ..owned("GET")
        },
        WebRequest {
            owned: true,
            ..request("POST", "[::1]:7787")
        },
        WebRequest {
            owned: true,
            ..request("POST", "127.0.0.1:7787")
        },
        WebRequest {
            peer: SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 5)),
            ..owned("POST")
        },
    ] {
        let standing = standing(&opened, &request, &NO_CREDENTIAL);
        assert_eq!(
            standing.expect("a verdict"),
            Standing::Loopback,
            "{request:?}"
        );
        let unproven = WebRequest {
            owned: false,
            ..request
        };
        assert!(opened.auth.needs_peer(&unproven, &NO_CREDENTIAL));
    }
}

#[test]
fn each_condition_of_the_bypass_is_needed() {
    let world = World::new();
    let opened = world.open();
    admit(&opened, "nas.lan");
    let elsewhere = SocketAddr::from(([192, 168, 1, 7], 50_000));
    let lacking = [
        WebRequest {
            owned: false,
            ..owned("GET")
        },
        WebRequest {
            peer: elsewhere,
            ..owned("GET")
        },
        WebRequest {
            forwarded: true,
            ..owned("GET")
        },
        WebRequest {
            owned: true,
            ..request("GET", "nas.lan")
        },
        WebRequest {
            owned: true,
            ..request("GET", "a.localhost")
        },
        WebRequest {
            fetch_site: Some(FetchSite::CrossSite),
            ..owned("GET")
        },
        WebRequest {
            fetch_site: Some(FetchSite::SameSite),
            ..owned("GET")
        },
        WebRequest {
            fetch_site: Some(FetchSite::None),
            ..owned("POST")
        },
        WebRequest {
            origin: Some(origin("http://evil.example")),
            ..owned("GET")
        },
        WebRequest {
            origin: Some(origin("null")),
            ..owned("GET")
        },
    ];
    for request in &lacking {
        assert!(is_nobody(&opened, request), "{request:?}");
    }
    for request in &lacking[1..] {
        assert!(
            !opened.auth.needs_peer(request, &NO_CREDENTIAL),
            "{request:?}"
        );
    }
    let off = SettingsChange {
        loopback_bypass: Some(false),
        ..SettingsChange::default()
    };
    configure(&opened, off);
    assert!(is_nobody(&opened, &owned("GET")));
    assert!(!opened.auth.needs_peer(&owned("GET"), &NO_CREDENTIAL));
}

#[test]
fn everything_is_open_until_the_first_passkey_where_that_was_asked_for() {
    let world = World::new();
    let opened = world.open();
    admit(&opened, "nas.lan");
    admit(&opened, "192.168.1.5");
    let from_lan = |method: &str, host: &str| WebRequest {
        peer: SocketAddr::from(([192, 168, 1, 7], 50_000)),
        ..request(method, host)
    };
    assert!(is_nobody(&opened, &from_lan("GET", "nas.lan")));
    let open = SettingsChange {
        first_pair: Some(FirstPair::Open),
        ..SettingsChange::default()
    };
    configure(&opened, open);
    let is_open = |request: &WebRequest| {
        let judged = standing(&opened, request, &NO_CREDENTIAL);
        judged.expect("a verdict") == Standing::Open
    };
    assert!(is_open(&from_lan("GET", "nas.lan")) && is_open(&from_lan("POST", "nas.lan")));
    assert!(is_open(&request("POST", "localhost")));
    let cross_site = WebRequest {
        fetch_site: Some(FetchSite::CrossSite),
        ..from_lan("GET", "nas.lan")
    };
    assert!(!is_open(&cross_site));
    // It would never end there.
    assert!(!is_open(&from_lan("GET", "192.168.1.5")));
    let paired = Change::AddPasskey {
        passkey: passkey("a", "nas.lan"),
        first: true,
        session: None,
        host: None,
    };
    opened.auth.tables().change(paired).expect("paired");
    assert!(!is_open(&from_lan("GET", "nas.lan")));
    // A name without a passkey that only this machine has.
    assert!(!is_open(&from_lan("GET", "localhost")));
    let proxied = WebRequest {
        forwarded: true,
        ..request("GET", "localhost")
    };
    assert!(!is_open(&proxied));
}

#[test]
fn without_authentication_everybody_counts_at_an_admitted_host() {
    let world = World::new();
    let opened = world.open();
    assert!(opened.auth.warnings().is_empty());
    let off = SettingsChange {
        require_auth: Some(false),
        ..SettingsChange::default()
    };
    configure(&opened, off);
    assert_eq!(opened.auth.warnings().len(), 1);
    admit(&opened, "192.168.1.5");
    for host in ["localhost", "192.168.1.5"] {
        let judged = standing(&opened, &request("POST", host), &NO_CREDENTIAL);
        assert_eq!(judged.expect("a verdict"), Standing::Open, "{host}");
    }
    assert!(is_nobody(&opened, &request("GET", "nas.lan")));
}

/// A process of the same user may pass for a gateway, and have both ends of the connection itself.
#[test]
fn strict_lets_nobody_in_without_a_credential() {
    let world = World::new();
    let opened = world.open();
    let auth = &opened.auth;
    let on = Some(true);
    let let_everybody_in = SettingsChange {
        require_auth: Some(false),
        loopback_bypass: on,
        first_pair: Some(FirstPair::Open),
        ..SettingsChange::default()
    };
    for settings in [SettingsChange::default(), let_everybody_in] {
        configure(&opened, settings);
        let forged = owned("POST");
        let admitted = auth.judge(&forged, &NO_CREDENTIAL).expect("a verdict");
        assert_eq!(admitted.standing, Standing::Loopback);
        admin_token(auth, None);
        let strict = |strict| SettingsChange {
            strict: Some(strict),
            ..SettingsChange::default()
        };
        configure(&opened, strict(true));
        assert!(is_nobody(&opened, &forged));
        assert!(is_nobody(&opened, &request("POST", "localhost:7787")));
        assert!(!auth.needs_peer(&request("POST", "localhost:7787"), &NO_CREDENTIAL));
        assert!(
            !auth.still_counts(&admitted, Some(&forged)),
            "nor does a call that lasts"
        );
        assert!(auth.warnings().is_empty(), "nothing is open");
        configure(&opened, strict(false));
    }
}

#[test]
fn what_is_open_to_everybody_makes_no_passkey_that_stays() {
    let world = World::new();
    let opened = world.open();
    let auth = &opened.auth;
    let request = page(HERE);
    let begin = || {
        let by = auth.judge(&request, &NO_CREDENTIAL).expect("a verdict");
        assert_eq!(by.standing, Standing::Open);
        auth.begin_registration(&request, &by, "", "").map(drop)
    };
    configure(
        &opened,
        SettingsChange {
            require_auth: Some(false),
            ..SettingsChange::default()
        },
    );
    let refused = begin();
    assert!(
        matches!(refused, Err(AuthError::PairingRequired)),
        "{refused:?}"
    );
    configure(
        &opened,
        SettingsChange {
            first_pair: Some(FirstPair::Open),
            ..SettingsChange::default()
        },
    );
    begin().expect("the first one ends it");
    pair(auth, &mut Browser::new(), HERE);
    let refused = begin();
    assert!(
        matches!(refused, Err(AuthError::Unauthenticated)),
        "{refused:?}"
    );
}
