use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> StorePattern {
    StorePattern::parse(text).expect("a pattern")
}

/// Names that are below one another.
const NAME: &str = "[ab](/[ab]){0,2}";

fn any_pattern() -> impl Strategy<Value = StorePattern> {
    prop_oneof![
        Just("*".to_owned()),
        NAME.prop_map(|name: String| name),
        NAME.prop_map(|name: String| format!("{name}/*")),
    ]
    .prop_map(|text| pattern(&text))
}

fn any_permission() -> impl Strategy<Value = Permission> {
    prop::sample::select(vec![Permission::Read, Permission::Write, Permission::Admin])
}

fn any_scopes() -> impl Strategy<Value = Vec<StoreScope>> {
    let scope = (any_pattern(), any_permission());
    let scope = scope.prop_map(|(stores, permission)| StoreScope { stores, permission });
    prop::collection::vec(scope, 0..4)
}

#[test]
fn a_pattern_is_a_name_or_all_below_one_or_every_store() {
    for (text, inside, outside) in [
        ("*", vec!["a", "a/b/c"], vec![]),
        ("chat", vec!["chat"], vec!["chat/a", "chats", "Chat"]),
        (
            "chat/*",
            vec!["chat/a", "chat/a/b"],
            vec!["chat", "chats/a", "achat/a"],
        ),
    ] {
        let pattern = pattern(text);
        for store in inside {
            assert!(pattern.covers(store), "{text} {store}");
        }
        for store in outside {
            assert!(!pattern.covers(store), "{text} {store}");
        }
    }
    for bad in [
        "", "/*", "*/*", "**", "a*", "a/*/b", "a/*/*", "chat/", ".auth", ".auth/*", "a b",
    ] {
        assert_eq!(StorePattern::parse(bad), Err(ScopeError(bad.to_owned())));
    }
}

#[test]
fn the_vault_as_a_whole_takes_a_scope_on_every_store() {
    let scoped = |text, permission| {
        let stores = pattern(text);
        Access::Scoped(vec![StoreScope { stores, permission }])
    };
    assert!(scoped("*", Permission::Admin).allows_all(Permission::Admin));
    assert!(!scoped("*", Permission::Write).allows_all(Permission::Admin));
    assert!(!scoped("chat/*", Permission::Admin).allows_all(Permission::Read));
    assert!(scoped("chat/*", Permission::Write).allows_any(Permission::Write));
    assert!(!scoped("chat/*", Permission::Write).allows_any(Permission::Admin));
    assert!(Access::Full.allows_all(Permission::Admin));
    assert!(!Access::Scoped(Vec::new()).allows_any(Permission::Read));
}

proptest! {
    #[test]
    fn a_pattern_is_read_back_as_it_was_written(pattern in any_pattern()) {
        let text = pattern.to_string();
        prop_assert_eq!(StorePattern::parse(&text), Ok(pattern.clone()));
        let json = serde_json::to_string(&pattern).expect("text");
        prop_assert_eq!(serde_json::from_str::<StorePattern>(&json).expect("a pattern"), pattern);
    }

    #[test]
    fn no_text_is_too_strange_to_be_refused(text in any::<String>()) {
        if let Ok(pattern) = StorePattern::parse(&text) {
            prop_assert_eq!(pattern.to_string(), text);
        }
    }

    /// Whoever is given what somebody has reaches nothing that he does not.
    #[test]
    fn what_is_included_reaches_no_further(
        own in any_scopes(), given in any_scopes(), store in NAME, needed in any_permission(),
    ) {
        let (own, other) = (Access::Scoped(own), Access::Scoped(given.clone()));
        if own.includes(&given) {
            prop_assert!(!other.allows(&store, needed) || own.allows(&store, needed));
            prop_assert!(!other.allows_all(needed) || own.allows_all(needed));
            prop_assert!(!other.allows_any(needed) || own.allows_any(needed));
        }
        prop_assert!(Access::Full.includes(&given) && other.includes(&given));
    }

    #[test]
    fn a_permission_includes_those_before_it(
        scopes in any_scopes(), store in NAME, needed in any_permission(),
    ) {
        let access = Access::Scoped(scopes);
        if access.allows(&store, needed) {
            for less in [Permission::Read, Permission::Write, Permission::Admin] {
                prop_assert!(less > needed || access.allows(&store, less));
            }
            prop_assert!(access.allows_any(needed));
        }
        prop_assert!(!access.allows_all(needed) || access.allows(&store, needed));
    }
}
