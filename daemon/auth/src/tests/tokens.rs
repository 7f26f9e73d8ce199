//! Bearer tokens: mistyped, unknown, over, revoked.

use super::world::{DAY, MINUTE, NOW, World, admin_token, contents, scope};
use crate::{Access, AuthError, NewToken, Permission, Standing};

#[test]
fn a_token_counts_until_it_is_revoked() {
    let world = World::new();
    let opened = world.open();
    let auth = &opened.auth;
    let (token, secret) = admin_token(auth, None);
    let judged = auth.judge_token(&secret.0).expect("it counts");
    assert_eq!(judged.standing, Standing::Token(token.id.clone()));
    assert_eq!(judged.label, "admin");
    assert!(judged.access.expect("some").allows_all(Permission::Admin));
    auth.revoke_token(&token.id).expect("revoked");
    let refused = auth.judge_token(&secret.0).err();
    assert!(
        matches!(refused, Some(AuthError::Unauthenticated)),
        "{refused:?}"
    );
    let (_, other) = admin_token(auth, None);
    assert_eq!(auth.reset_tokens().expect("reset"), 1);
    assert!(auth.judge_token(&other.0).is_err());
}

#[test]
fn a_token_is_over_at_its_time() {
    let world = World::new();
    let opened = world.open();
    let (_, secret) = admin_token(&opened.auth, Some(10 * MINUTE));
    world.clock.set(NOW + 10 * MINUTE - 1);
    assert!(opened.auth.judge_token(&secret.0).is_ok());
    world.clock.set(NOW + 10 * MINUTE);
    let refused = opened.auth.judge_token(&secret.0).err();
    assert!(
        matches!(refused, Some(AuthError::Unauthenticated)),
        "{refused:?}"
    );
    assert_eq!(opened.auth.tables().tokens().len(), 1, "it is still listed");
}

#[test]
fn a_slip_in_copying_is_told_from_an_unknown_token() {
    let world = World::new();
    let opened = world.open();
    let (_, secret) = admin_token(&opened.auth, None);
    let of_another_vault = admin_token(&World::new().open().auth, None).1;
    let refused = opened.auth.judge_token(&of_another_vault.0).err();
    assert!(
        matches!(refused, Some(AuthError::Unauthenticated)),
        "{refused:?}"
    );
    let malformed = |text: &str| {
        let refused = opened.auth.judge_token(text).err();
        assert!(
            matches!(refused, Some(AuthError::TokenMalformed)),
            "{text}: {refused:?}"
        );
    };
    for at in 0..secret.0.len() {
        let mut mistyped = secret.0.to_string();
        let other = if &mistyped[at..=at] == "a" { "b" } else { "a" };
        mistyped.replace_range(at..=at, other);
        malformed(&mistyped);
        malformed(&secret.0[..at]);
    }
    for text in ["", "vaultd_", "Bearer", &format!("{}a", *secret.0)] {
        malformed(text);
    }
    // Pasted with a line end, or set in capitals by a form.
    let body = secret.0.strip_prefix("vaultd_").expect("the prefix");
    for same in [
        format!(" {}\n", *secret.0),
        format!("vaultd_{}", body.to_uppercase()),
    ] {
        assert!(opened.auth.judge_token(&same).is_ok(), "{same}");
    }
}

#[test]
fn only_the_hash_is_kept() {
    let world = World::new();
    let opened = world.open();
    let (token, secret) = admin_token(&opened.auth, None);
    let body = secret.0.strip_prefix("vaultd_").expect("the prefix");
    assert_eq!(body.len(), 58);
    assert!(body.starts_with(&token.id) && token.id.len() == 8);
    let kept = contents(opened.auth.tables()).to_string();
    assert!(kept.contains(&token.id) && !kept.contains(&body[..12]));
}

#[test]
fn a_token_reaches_no_further_than_its_maker_and_says_what_it_is_for() {
    let world = World::new();
    let opened = world.open();
    let new = |label: &str, scopes: Vec<_>, lifetime_ms| NewToken {
        label: label.to_owned(),
        scopes,
        lifetime_ms,
    };
    let notes = || vec![scope("notes/*", Permission::Write)];
    let by = Access::Scoped(notes());
    let create = |by: &Access, new: NewToken| opened.auth.create_token(by, new).map(drop);
    assert!(create(&by, new("a", notes(), None)).is_ok());
    let further = create(&by, new("a", vec![scope("*", Permission::Read)], None));
    assert!(matches!(further, Err(AuthError::Denied(_))), "{further:?}");
    let many = vec![scope("notes/a", Permission::Read); 17];
    for unfit in [
        new("", notes(), None),
        new("  ", notes(), None),
        new(&"x".repeat(65), notes(), None),
        new("a\nb", notes(), None),
        new("a", Vec::new(), None),
        new("a", many, None),
        new("a", notes(), Some(0)),
        new("a", notes(), Some(-1)),
    ] {
        let refused = create(&Access::Full, unfit);
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(opened.auth.tables().tokens().len(), 1);
}

#[test]
fn a_use_is_kept_to_the_minute() {
    let world = World::new();
    let opened = world.open();
    let (_, secret) = admin_token(&opened.auth, None);
    opened.auth.judge_token(&secret.0).expect("it counts");
    let tables = opened.auth.tables();
    tables.write_uses().expect("written");
    let held = contents(tables);
    assert_eq!(held["tokens"][0]["last_used_ms"], NOW - NOW % MINUTE);
    drop(opened);
    assert_eq!(world.reopened(), held);
}

#[test]
fn tokens_that_expired_long_ago_go() {
    let world = World::new();
    let auth = &world.open().auth;
    let short = || admin_token(auth, Some(DAY)).0.id;
    let ids = || -> Vec<_> {
        let tokens = auth.tables().tokens().into_iter();
        tokens.map(|token| token.id).collect()
    };
    let over = short();
    world.clock.set(NOW + 30 * DAY);
    let shown = short();
    assert_eq!(ids(), [shown.clone(), over], "for people to see");
    world.clock.set(NOW + 31 * DAY);
    let last = short();
    assert_eq!(ids(), [last, shown]);
}
