//! Which stores a preset creates.

use vault_client::{Preset, PresetChoice, PresetError};

use crate::built_in;

const AGENT: &str = "018f4e7a-5c1b-7d42-9e60-3a1f0b9c2d84";

fn names(preset: &Preset, values: &[(&str, &str)], with: &[&str]) -> Result<Vec<String>, String> {
    let choice = PresetChoice {
        values: values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        with: with.iter().map(|name| (*name).to_owned()).collect(),
    };
    match preset.choose(&choice) {
        Ok(chosen) => Ok(chosen.into_iter().map(|chosen| chosen.name).collect()),
        Err(PresetError::Choice(text)) => Err(text),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_store_with_a_placeholder_is_created_for_each_value() {
    let assistant = built_in("assistant");
    let without = names(&assistant, &[], &[]).expect("fit");
    assert_eq!(without.len(), 15);
    assert!(without.iter().all(|name| name.starts_with("assistant/")));
    let values = [
        ("plugin", "com.example.b"),
        ("agent", AGENT),
        ("plugin", "com.example.a"),
        ("plugin", "com.example.a"),
    ];
    let mut with = names(&assistant, &values, &[]).expect("fit");
    with.retain(|name| !without.contains(name));
    let agent = format!("agents/{AGENT}");
    assert_eq!(
        with,
        ["plugins/com.example.a", "plugins/com.example.b", &agent]
    );
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let assistant = built_in("assistant");
    for (key, value, told) in [
        ("agent", "helper", "a UUID"),
        ("plugin", "../secrets", "1 to 64 letters"),
        ("plugin", "", "1 to 64 letters"),
        ("plug-in", "x", "it has `agent`, `plugin`"),
    ] {
        let refused = names(&assistant, &[(key, value)], &[]).expect_err("unfit");
        assert!(refused.contains(told), "{key}={value}: {refused}");
    }
    let refused = names(&built_in("chat"), &[("plugin", "x")], &[]).expect_err("unfit");
    assert!(refused.contains("it has none"), "{refused}");
}

#[test]
fn an_optional_store_is_created_where_it_is_asked_for() {
    let preset = Preset::parse(
        r#"
        name = "own"
        description = "A preset"
        [placeholders.x]
        form = "name"
        description = "anything"
        [[store]]
        name = "a/always"
        kind = "documents"
        [[store]]
        name = "a/sometimes"
        kind = "documents"
        optional = true
        [[store]]
        name = "a/{x}"
        kind = "documents"
        "#,
    )
    .expect("fit");
    assert_eq!(names(&preset, &[], &[]).expect("fit"), ["a/always"]);
    let both = names(&preset, &[], &["a/sometimes"]).expect("fit");
    assert_eq!(both, ["a/always", "a/sometimes"]);
    let refused = names(&preset, &[], &["a/always"]).expect_err("not optional");
    assert!(refused.contains("it has `a/sometimes`"), "{refused}");
    let refused = names(&preset, &[("x", "always")], &[]).expect_err("one name for two");
    assert!(refused.contains("two stores named `a/always`"), "{refused}");
}
