//! An older copy of the database put back, and a keyring that fails at each step.

use super::world::{World, admin_token, contents, passkey, scope, session, token};
use crate::{
    AnchorError, AuthError, Change, Credential, Permission, SettingsChange, Standing, Tables,
};

/// A world with something to revoke: the passkey "a", its session "s", the token "t".
fn world() -> World {
    let world = World::new();
    let opened = world.open();
    let tables = opened.auth.tables();
    let paired = Change::AddPasskey {
        passkey: passkey("a", "localhost"),
        first: true,
        session: Some(session("s", "a", "localhost")),
        host: Some("nas.lan".to_owned()),
    };
    tables.change(paired).expect("paired");
    let token = token("t", vec![scope("*", Permission::Read)]);
    tables.change(Change::AddToken { token }).expect("a token");
    drop(opened);
    world
}

fn revocations() -> Vec<Change> {
    let id = |id: &str| id.to_owned();
    let closed = SettingsChange {
        loopback_bypass: Some(false),
        ..SettingsChange::default()
    };
    vec![
        Change::RemovePasskey { id: id("a") },
        Change::RemoveSession { id: id("s") },
        Change::RemoveSessions,
        Change::RemoveToken { id: id("t") },
        Change::RemoveTokens,
        Change::RemoveHost {
            host: id("nas.lan"),
        },
        Change::Configure { settings: closed },
    ]
}

fn revoke_token() -> Change {
    Change::RemoveToken { id: "t".to_owned() }
}

#[test]
fn an_older_copy_brings_nothing_back() {
    for change in revocations() {
        let text = format!("{change:?}");
        let world = world();
        let before = world.anchor.generation().expect("anchored");
        let copy = world.copy_files();
        world.open().auth.tables().change(change).expect(&text);
        world.put_back(&copy);
        let refused = world.try_open().err();
        assert!(
            matches!(
                refused,
                Some(AuthError::RolledBack { found, anchored })
                    if found == before && anchored == before + 1
            ),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn a_database_made_anew_is_older_than_any() {
    let world = World::new();
    let vault = world.vault();
    drop(vault.auth_database().expect("made"));
    vault.close();
    let empty = world.copy_files();
    admin_token(&world.open().auth, None);
    world.put_back(&empty);
    let refused = world.try_open().err();
    assert!(
        matches!(
            refused,
            Some(AuthError::RolledBack {
                found: 0,
                anchored: 1
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn an_older_copy_is_accepted_on_purpose_without_its_sessions_and_tokens() {
    let world = world();
    let (copy, before) = (world.copy_files(), world.reopened());
    world
        .open()
        .auth
        .tables()
        .change(revoke_token())
        .expect("revoked");
    world.put_back(&copy);
    let highest = world.anchor.generation().expect("anchored");
    let told = world.older();
    assert_eq!((told.sessions, told.tokens), (1, 1));
    assert_eq!(count(&before, "passkeys"), told.passkeys.len());
    assert_eq!(count(&before, "hosts"), told.hosts.len());
    assert!(!told.passkeys.is_empty() && !told.hosts.is_empty());
    assert!(world.try_open().is_err(), "nothing was accepted");
    assert_eq!(world.accept().expect("accepted"), (1, 1));
    let after = world.reopened();
    for kept in ["passkeys", "hosts", "settings"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    for gone in ["sessions", "tokens"] {
        assert_eq!(after[gone].as_array().map(Vec::len), Some(0), "{gone}");
    }
    assert_ne!(after["signing_key"], before["signing_key"]);
    assert_eq!(after["generation"], highest + 1);
    world.put_back(&copy);
    let refused = world.try_open().err();
    assert!(
        matches!(refused, Some(AuthError::RolledBack { .. })),
        "{refused:?}"
    );
}

fn count(contents: &serde_json::Value, table: &str) -> usize {
    contents[table].as_array().map_or(0, Vec::len)
}

#[test]
fn whoever_accepts_with_strict_on_is_not_locked_out() {
    let world = World::new();
    let opened = world.open();
    admin_token(&opened.auth, None);
    let strict = SettingsChange {
        strict: Some(true),
        ..SettingsChange::default()
    };
    opened.auth.configure(&strict).expect("on");
    drop(opened);
    let copy = world.copy_files();
    admin_token(&world.open().auth, None);
    world.put_back(&copy);
    assert_eq!(world.accept().expect("accepted"), (0, 1));
    assert!(!world.open().auth.tables().settings().strict);
}

#[test]
fn a_keyring_that_does_not_answer_lets_nobody_in() {
    let world = world();
    world.anchor.fail(true);
    let refused = world.try_open().err();
    assert!(
        matches!(
            refused,
            Some(AuthError::Anchor(AnchorError::Unreachable(_)))
        ),
        "{refused:?}"
    );
    let refused = world.accept();
    assert!(matches!(refused, Err(AuthError::Anchor(_))), "{refused:?}");
    world.anchor.fail(false);
    let opened = world.open();
    assert_eq!(
        opened.auth.tables().tokens().len(),
        1,
        "nothing was accepted"
    );
}

#[test]
fn a_change_that_was_not_anchored_is_in_force_and_anchored_by_the_next_one() {
    let world = world();
    let opened = world.open();
    let (auth, tables) = (&opened.auth, opened.auth.tables());
    let anchored = world.anchor.generation();
    world.anchor.fail(true);
    let failed = tables.change(revoke_token());
    assert!(matches!(failed, Err(AuthError::Anchor(_))), "{failed:?}");
    assert!(
        tables.tokens().is_empty(),
        "what was revoked counts no more"
    );
    assert_eq!(world.anchor.generation(), anchored);
    world.anchor.fail(false);
    let again = auth.revoke_token("t");
    assert!(
        matches!(again, Err(AuthError::NotFound("token"))),
        "{again:?}"
    );
    assert_eq!(world.anchor.generation(), Some(tables.generation()));
}

#[test]
fn tables_ahead_of_the_anchor_are_sound_and_anchored_at_the_next_opening() {
    for change in revocations() {
        let text = format!("{change:?}");
        let world = world();
        let opened = world.open();
        // As after a crash between the two.
        world.anchor.fail(true);
        opened.auth.tables().change(change).expect_err(&text);
        let held = contents(opened.auth.tables());
        drop(opened);
        world.anchor.fail(false);
        assert_eq!(world.reopened(), held, "{text}");
        assert_eq!(
            held["generation"].as_u64(),
            world.anchor.generation(),
            "{text}"
        );
    }
}

#[test]
fn a_use_that_is_written_makes_good_on_the_anchor() {
    let world = world();
    let opened = world.open();
    let tables = opened.auth.tables();
    world.anchor.fail(true);
    tables.change(revoke_token()).expect_err("not anchored");
    tables.write_uses().expect_err("not anchored yet");
    world.anchor.fail(false);
    tables.write_uses().expect("anchored");
    assert_eq!(world.anchor.generation(), Some(tables.generation()));
}

#[test]
fn a_backend_that_keeps_nothing_is_not_asked() {
    let world = World::new();
    world.anchor.keep_nothing(true);
    let opened = world.open();
    assert!(!opened.auth.tables().is_anchored());
    let (_, secret) = admin_token(&opened.auth, None);
    let credential = Credential {
        bearer: Some(secret.0.to_string()),
        ..Credential::default()
    };
    drop(opened);
    let opened = world.open();
    let request = super::world::request("GET", "localhost");
    let judged = opened.auth.judge(&request, &credential).expect("it counts");
    assert!(matches!(judged.standing, Standing::Token(_)));
    drop(opened);
    world.accept().expect("accepted");
}

#[test]
fn an_anchor_that_is_gone_lets_nobody_in_until_the_tables_are_accepted() {
    let world = world();
    let held = world.anchor.generation().expect("anchored");
    world.anchor.hold(None);
    let refused = world.try_open().err();
    assert!(
        matches!(refused, Some(AuthError::AnchorLost(found)) if found == held),
        "{refused:?}"
    );
    assert_eq!(world.anchor.generation(), None, "nothing was made good");
    assert_eq!(world.accept().expect("accepted"), (1, 1));
    assert_eq!(world.anchor.generation(), Some(held + 1));
    assert_eq!(world.reopened()["generation"], held + 1);
}

#[test]
fn there_is_an_anchor_before_there_is_anything_to_lose() {
    let world = World::new();
    world.anchor.only_read(true);
    let opened = world.open();
    let tables = opened.auth.tables();
    let grant = || {
        let token = token("t", vec![scope("*", Permission::Read)]);
        Change::AddToken { token }
    };
    let refused = tables.change(grant());
    assert!(matches!(refused, Err(AuthError::Anchor(_))), "{refused:?}");
    assert!(tables.tokens().is_empty(), "it is not in force either");
    drop(opened);
    // As after a crash between the first change and its anchor.
    world.anchor.only_read(false);
    drop(world.open());
    world.anchor.only_read(true);
    world
        .open()
        .auth
        .tables()
        .change(grant())
        .expect_err("behind");
    world.anchor.only_read(false);
    assert_eq!(world.open().auth.tables().tokens().len(), 1);
    assert_eq!(world.anchor.generation(), Some(1));
}

#[test]
fn a_damaged_anchor_is_written_anew_by_whoever_accepts() {
    let world = world();
    let held = world.anchor.generation().expect("anchored");
    world.anchor.damage();
    let refused = world.try_open().err();
    assert!(
        matches!(refused, Some(AuthError::Anchor(AnchorError::Damaged(_)))),
        "{refused:?}"
    );
    assert_eq!(world.accept().expect("accepted"), (1, 1));
    assert_eq!(world.reopened()["generation"], held + 1);
    // A number that no generation reaches is damage as well.
    for impossible in [i64::MAX.unsigned_abs(), u64::MAX] {
        world.anchor.hold(Some(impossible));
        let refused = world.try_open().err();
        assert!(
            matches!(refused, Some(AuthError::RolledBack { .. })),
            "{refused:?}"
        );
        world.accept().expect("accepted");
        drop(world.open());
    }
}

#[test]
fn what_a_keyring_could_not_remember_is_carried_to_one_that_can() {
    let world = World::new();
    world.anchor.keep_nothing(true);
    admin_token(&world.open().auth, None);
    let vault = world.vault();
    let database = vault.auth_database().expect("the database");
    let generation = Tables::generation_in(&database).expect("read");
    assert_eq!(generation, Some(1));
    drop(database);
    vault.close();
    world.anchor.keep_nothing(false);
    world.anchor.hold(generation);
    assert_eq!(world.open().auth.tables().tokens().len(), 1);
}
