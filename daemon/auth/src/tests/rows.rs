//! What changes do: the same to the database as to memory, and to the generation what they should.

use proptest::prelude::*;

use super::world::{DAY, World, contents, passkey, scope, session, token};
use crate::{AuthError, Change, FirstPair, Permission, SettingsChange, Tables};

fn add_passkey(id: &str, host: &str) -> Change {
    Change::AddPasskey {
        passkey: passkey(id, host),
        first: false,
        session: None,
        host: None,
    }
}

fn add_session(id: &str, by: &str) -> Change {
    Change::AddSession {
        session: session(id, by, "localhost"),
        passkey: passkey(by, "localhost"),
        replaces: None,
    }
}

fn add_token(id: &str) -> Change {
    Change::AddToken {
        token: token(id, vec![scope("*", Permission::Admin)]),
    }
}

fn host(host: &str) -> Change {
    Change::AddHost {
        host: host.to_owned(),
    }
}

fn strict(strict: bool) -> Change {
    let settings = SettingsChange {
        strict: Some(strict),
        ..SettingsChange::default()
    };
    Change::Configure { settings }
}

#[test]
fn every_change_is_in_the_database_and_raises_the_generation_where_it_grants_or_revokes() {
    let id = |id: &str| id.to_owned();
    let first = Change::AddPasskey {
        passkey: passkey("first", "vault.example.org"),
        first: true,
        session: Some(session("paired", "first", "vault.example.org")),
        host: Some(id("vault.example.org")),
    };
    let open = SettingsChange {
        first_pair: Some(FirstPair::Open),
        query_tokens: Some(true),
        ..SettingsChange::default()
    };
    let replacing = Change::AddSession {
        session: session("two", "b", "localhost"),
        passkey: passkey("b", "localhost"),
        replaces: Some(id("one")),
    };
    let steps = [
        (first, true),
        (add_passkey("b", "localhost"), true),
        (
            Change::RenamePasskey {
                id: id("b"),
                label: id("key ring"),
            },
            false,
        ),
        (add_session("one", "b"), true),
        (replacing, true),
        (add_token("t"), true),
        (add_token("u"), true),
        (host("nas.lan"), true),
        (host("nas.lan"), false),
        (Change::Configure { settings: open }, true),
        (Change::Configure { settings: open }, false),
        (strict(true), true),
        (Change::RemoveToken { id: id("t") }, true),
        (strict(false), true),
        (Change::RemoveTokens, true),
        (Change::RemoveTokens, false),
        (Change::RemoveSession { id: id("paired") }, true),
        (Change::RemoveSessions, true),
        (Change::RemovePasskey { id: id("b") }, true),
        (
            Change::RemoveHost {
                host: id("nas.lan"),
            },
            true,
        ),
        (Change::RemovePasskeys { rp_id: None }, true),
        (Change::RemovePasskeys { rp_id: None }, false),
    ];
    let world = World::new();
    for (change, raises) in steps {
        let text = format!("{change:?}");
        let opened = world.open();
        let tables = opened.auth.tables();
        let before = tables.generation();
        tables.change(change).expect(&text);
        assert_eq!(tables.generation(), before + u64::from(raises), "{text}");
        assert_eq!(
            world.anchor.generation(),
            Some(tables.generation()),
            "{text}"
        );
        let held = contents(tables);
        drop(opened);
        assert_eq!(world.reopened(), held, "{text}");
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let world = World::new();
    let opened = world.open();
    let tables = opened.auth.tables();
    tables.change(add_passkey("a", "localhost")).expect("added");
    tables.change(add_token("t")).expect("added");
    let before = contents(tables);
    let second = Change::AddPasskey {
        passkey: passkey("b", "localhost"),
        first: true,
        session: Some(session("s", "b", "localhost")),
        host: Some("nas.lan".to_owned()),
    };
    let refused = tables.change(second);
    assert!(
        matches!(refused, Err(AuthError::AlreadyPaired)),
        "{refused:?}"
    );
    let absent = || "absent".to_owned();
    for change in [
        Change::RenamePasskey {
            id: absent(),
            label: absent(),
        },
        Change::RemovePasskey { id: absent() },
        Change::RemoveSession { id: absent() },
        Change::RemoveToken { id: absent() },
        Change::RemoveHost { host: absent() },
    ] {
        let refused = tables.change(change);
        assert!(
            matches!(refused, Err(AuthError::NotFound(_))),
            "{refused:?}"
        );
    }
    let revoked = tables.change(add_session("s", "absent"));
    assert!(
        matches!(revoked, Err(AuthError::PasskeyRefused(_))),
        "{revoked:?}"
    );
    for twice in [add_passkey("a", "nas.lan"), add_token("t")] {
        let refused = tables.change(twice);
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(contents(tables), before);
    drop(opened);
    assert_eq!(world.reopened(), before);
}

#[test]
fn a_change_that_the_database_does_not_keep_changes_nothing() {
    let world = World::new();
    let opened = world.open();
    let tables = opened.auth.tables();
    tables.change(add_token("t")).expect("added");
    let before = contents(tables);
    opened.vault.close();
    let refused = tables.change(Change::RemoveTokens);
    assert!(matches!(refused, Err(AuthError::Store(_))), "{refused:?}");
    assert_eq!(contents(tables), before);
    assert_eq!(world.anchor.generation(), Some(tables.generation()));
    drop(opened);
    assert_eq!(world.reopened(), before);
}

#[test]
fn sessions_end_with_the_passkey_that_began_them() {
    let world = World::new();
    let opened = world.open();
    let tables = opened.auth.tables();
    for id in ["a", "b"] {
        tables.change(add_passkey(id, "localhost")).expect("added");
        tables
            .change(add_session(&format!("of {id}"), id))
            .expect("added");
    }
    let removed = tables.change(Change::RemovePasskey { id: "a".to_owned() });
    assert_eq!(removed.expect("removed"), 1);
    let left: Vec<_> = tables
        .sessions()
        .into_iter()
        .map(|session| session.id)
        .collect();
    assert_eq!(left, ["of b"]);
}

#[test]
fn a_label_given_during_a_login_stays() {
    let world = World::new();
    let opened = world.open();
    let tables = opened.auth.tables();
    tables.change(add_passkey("a", "localhost")).expect("added");
    let renamed = Change::RenamePasskey {
        id: "a".to_owned(),
        label: "key ring".to_owned(),
    };
    tables.change(renamed).expect("renamed");
    let mut used = passkey("a", "localhost");
    used.last_used_ms = Some(1);
    let signed_in = Change::AddSession {
        session: session("s", "a", "localhost"),
        passkey: used,
        replaces: None,
    };
    tables.change(signed_in).expect("signed in");
    let [passkey] = tables.passkeys(None).try_into().expect("one");
    assert_eq!(
        (passkey.label.as_str(), passkey.last_used_ms),
        ("key ring", Some(1))
    );
}

#[test]
fn sessions_are_bounded_and_the_one_that_nobody_used_goes_first() {
    let world = World::new();
    let opened = world.open();
    let tables = opened.auth.tables();
    tables.change(add_passkey("a", "localhost")).expect("added");
    let add = |number: i64| {
        let mut session = session(&number.to_string(), "a", "localhost");
        session.last_used_ms -= number;
        let passkey = passkey("a", "localhost");
        tables
            .change(Change::AddSession {
                session,
                passkey,
                replaces: None,
            })
            .expect("added");
    };
    (0..1001).for_each(add);
    let kept: Vec<_> = tables
        .sessions()
        .into_iter()
        .map(|session| session.id)
        .collect();
    assert_eq!(kept.len(), 1000);
    assert!(!kept.contains(&"999".to_owned()) && kept.contains(&"1000".to_owned()));
}

#[test]
fn strict_never_locks_everybody_out() {
    let world = World::new();
    let opened = world.open();
    let tables = opened.auth.tables();
    let missing = |change: Change| {
        let refused = tables.change(change);
        assert!(
            matches!(refused, Err(AuthError::AdminTokenMissing)),
            "{refused:?}"
        );
    };
    missing(strict(true));
    for (id, stores, permission, expires_ms) in [
        ("reads", "*", Permission::Write, None),
        ("some", "notes/*", Permission::Admin, None),
        (
            "short",
            "*",
            Permission::Admin,
            Some(super::world::NOW + DAY),
        ),
    ] {
        let mut token = token(id, vec![scope(stores, permission)]);
        token.expires_ms = expires_ms;
        tables.change(Change::AddToken { token }).expect("added");
        missing(strict(true));
    }
    tables.change(add_token("admin")).expect("added");
    tables
        .change(strict(true))
        .expect("now it can be turned off again");
    missing(Change::RemoveToken {
        id: "admin".to_owned(),
    });
    missing(Change::RemoveTokens);
    let other = Change::RemoveToken {
        id: "reads".to_owned(),
    };
    tables.change(other).expect("another token");
    tables.change(strict(false)).expect("off");
    assert_eq!(tables.change(Change::RemoveTokens).expect("off"), 3);
}

/// Whatever is done to few rows, so that they meet.
fn any_change() -> impl Strategy<Value = Change> {
    let id = || prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    let at = || prop::sample::select(vec!["localhost", "nas.lan"]);
    prop_oneof![
        (id(), at(), any::<bool>()).prop_map(|(id, at, first)| Change::AddPasskey {
            session: first.then(|| session(&id, &id, at)),
            passkey: passkey(&id, at),
            first,
            host: first.then(|| at.to_owned()),
        }),
        (id(), id()).prop_map(|(id, label)| Change::RenamePasskey { id, label }),
        id().prop_map(|id| Change::RemovePasskey { id }),
        (id(), id()).prop_map(|(id, by)| add_session(&id, &by)),
        id().prop_map(|id| Change::RemoveSession { id }),
        Just(Change::RemoveSessions),
        id().prop_map(|id| add_token(&id)),
        id().prop_map(|id| Change::RemoveToken { id }),
        Just(Change::RemoveTokens),
        any::<bool>().prop_map(strict),
        id().prop_map(|host| Change::AddHost { host }),
        id().prop_map(|host| Change::RemoveHost { host }),
    ]
}

fn without_generation(tables: &Tables) -> serde_json::Value {
    let mut contents = contents(tables);
    contents["generation"].take();
    contents
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_is_done_memory_and_database_agree(
        changes in prop::collection::vec(any_change(), 1..30),
    ) {
        let world = World::new();
        let opened = world.open();
        let tables = opened.auth.tables();
        for change in changes {
            let (before, generation) = (without_generation(tables), tables.generation());
            let grants_nothing = matches!(change, Change::RenamePasskey { .. });
            let done = tables.change(change);
            let is_same = without_generation(tables) == before;
            prop_assert!(done.is_ok() || is_same);
            let raised = tables.generation() - generation;
            // Nothing is granted or revoked unnoticed. Signing in again may leave all rows alike.
            prop_assert!(is_same || grants_nothing || raised == 1);
            prop_assert!(!grants_nothing || raised == 0);
            prop_assert_eq!(world.anchor.generation(), Some(tables.generation()));
        }
        let held = contents(tables);
        drop(opened);
        prop_assert_eq!(world.reopened(), held);
    }
}
