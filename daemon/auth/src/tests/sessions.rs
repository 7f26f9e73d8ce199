//! Cookies: forged, old, of another address.

use super::world::{DAY, MINUTE, NOW, Opened, World, contents, passkey, request, rp_id};
use crate::{Change, Credential, NewSession, Scheme, Standing};

/// Signs in at this address.
fn sign_in(opened: &Opened, host: &str) -> NewSession {
    let tables = opened.auth.tables();
    let id = format!("at {host}");
    let (row, begun) = opened
        .auth
        .begin_session(&request("POST", host), rp_id(host), &id, "Firefox on Linux")
        .expect("a session");
    let change = match tables.passkeys(Some(&rp_id(host))).pop() {
        Some(passkey) => Change::AddSession {
            session: row,
            passkey,
            replaces: None,
        },
        None => Change::AddPasskey {
            passkey: passkey(&id, host),
            first: true,
            session: Some(row),
            host: Some(host.to_owned()),
        },
    };
    tables.change(change).expect("signed in");
    begun
}

/// The session that a cookie counts as.
fn judged(opened: &Opened, host: &str, cookie: &str) -> Option<String> {
    let credential = Credential {
        cookie: Some(cookie.to_owned()),
        ..Credential::default()
    };
    let judged = opened.auth.judge(&request("GET", host), &credential);
    match judged.expect("a verdict").standing {
        Standing::Session(id) => Some(id),
        Standing::Nobody => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cookie_counts_as_its_session_until_that_is_revoked() {
    let world = World::new();
    let opened = world.open();
    let begun = sign_in(&opened, "localhost");
    let other = sign_in(&opened, "localhost");
    assert_eq!(
        judged(&opened, "localhost", &begun.cookie),
        Some(begun.id.clone())
    );
    opened.auth.revoke_session(&begun.id).expect("revoked");
    assert_eq!(judged(&opened, "localhost", &begun.cookie), None);
    assert_eq!(
        judged(&opened, "localhost", &other.cookie),
        Some(other.id.clone())
    );
    assert_eq!(opened.auth.reset_sessions().expect("reset"), 1);
    assert_eq!(judged(&opened, "localhost", &other.cookie), None);
    assert_eq!(opened.auth.tables().passkeys(None).len(), 1);
}

#[test]
fn a_cookie_outlives_a_restart() {
    let world = World::new();
    let begun = sign_in(&world.open(), "localhost");
    assert_eq!(
        judged(&world.open(), "localhost", &begun.cookie),
        Some(begun.id)
    );
}

#[test]
fn a_cookie_that_differs_anywhere_is_none() {
    let world = World::new();
    let opened = world.open();
    let begun = sign_in(&opened, "localhost");
    let other = sign_in(&opened, "localhost");
    for at in 0..begun.cookie.len() {
        for by in [1, 2, 32] {
            let mut forged = begun.cookie.clone().into_bytes();
            forged[at] ^= by;
            if let Ok(forged) = String::from_utf8(forged) {
                assert_eq!(judged(&opened, "localhost", &forged), None, "{at} by {by}");
            }
        }
        assert_eq!(
            judged(&opened, "localhost", &begun.cookie[..at]),
            None,
            "{at} bytes"
        );
    }
    let [id, secret, signature] =
        <[&str; 3]>::try_from(begun.cookie.split('.').collect::<Vec<_>>()).expect("three parts");
    for forged in [
        format!("{}.{secret}.{signature}", other.id),
        format!("{id}.{secret}"),
        format!("{id}.{secret}."),
        format!("{id}..{signature}"),
        format!("{}.", begun.cookie),
        format!("{}=", begun.cookie),
        format!(" {}", begun.cookie),
        "..".to_owned(),
    ] {
        assert_eq!(judged(&opened, "localhost", &forged), None, "{forged}");
    }
}

#[test]
fn a_cookie_counts_where_it_was_begun() {
    let world = World::new();
    let opened = world.open();
    let here = sign_in(&opened, "a.alice.ts.net");
    sign_in(&opened, "localhost");
    opened
        .auth
        .tables()
        .change(Change::AddHost {
            host: "b.alice.ts.net".to_owned(),
        })
        .expect("admitted");
    for (host, counts) in [
        ("a.alice.ts.net", true),
        ("b.alice.ts.net", true),
        ("localhost", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(
            judged(&opened, host, &here.cookie).is_some(),
            counts,
            "{host}"
        );
    }
}

#[test]
fn a_session_ends_after_30_days_without_use_and_after_90_at_all() {
    let world = World::new();
    let opened = world.open();
    let begun = sign_in(&opened, "localhost");
    let counts = |now_ms| {
        world.clock.set(now_ms);
        judged(&opened, "localhost", &begun.cookie).is_some()
    };
    let minute = NOW - NOW % MINUTE;
    assert!(counts(minute + 30 * DAY - 1));
    // From the minute of that use on.
    let used = minute + 30 * DAY - MINUTE;
    assert!(!counts(used + 30 * DAY));
    assert!(counts(used + 30 * DAY - 1) && counts(NOW + 80 * DAY));
    assert!(counts(NOW + 90 * DAY - 1));
    assert!(!counts(NOW + 90 * DAY));
    assert!(opened.auth.tables().sessions().is_empty());
}

#[test]
fn a_use_is_kept_to_the_minute_and_grants_nothing() {
    let world = World::new();
    let opened = world.open();
    let begun = sign_in(&opened, "localhost");
    let tables = opened.auth.tables();
    let before = contents(tables);
    judged(&opened, "localhost", &begun.cookie).expect("it counts");
    assert_eq!(contents(tables), before, "within the same minute");
    world.clock.set(NOW + 10 * MINUTE);
    judged(&opened, "localhost", &begun.cookie).expect("it counts");
    let [session] = tables.sessions().try_into().expect("one");
    let minute = NOW - NOW % MINUTE + 10 * MINUTE;
    assert_eq!(
        (session.last_used_ms, session.address.as_str()),
        (minute, "127.0.0.1")
    );
    assert_eq!(tables.generation(), before["generation"]);
    tables.write_uses().expect("written");
    let held = contents(tables);
    drop(opened);
    assert_eq!(world.reopened(), held);
}

#[test]
fn the_cookie_has_the_name_and_the_time_that_the_address_calls_for() {
    let world = World::new();
    let opened = world.open();
    let begun = sign_in(&opened, "localhost");
    assert_eq!(
        (begun.cookie_name, begun.max_age),
        ("vaultd_sess", 90 * 24 * 60 * 60)
    );
    let mut over_tls = request("POST", "nas.lan");
    over_tls.scheme = Scheme::Https;
    let begun = opened
        .auth
        .begin_session(&over_tls, rp_id("nas.lan"), "a", "Firefox");
    assert_eq!(
        begun.expect("a session").1.cookie_name,
        "__Host-vaultd_sess"
    );
}
