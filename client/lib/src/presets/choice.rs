//! Which stores of a preset are wanted.

use std::collections::BTreeSet;

use super::{Placeholder, Preset, PresetError, PresetStore};

/// What is asked of a preset besides the stores it always creates.
#[derive(Clone, Debug, Default)]
pub struct PresetChoice {
    /// Placeholders with a value: each creates the stores that hold the placeholder. One
    /// placeholder may come with several values.
    pub values: Vec<(String, String)>,
    /// Optional stores, by name.
    pub with: Vec<String>,
}

/// A store of a preset, under the name it gets.
#[derive(Clone, Debug)]
pub struct ChosenStore {
    /// Its name.
    pub name: String,
    /// How it is to be.
    pub store: PresetStore,
}

impl Preset {
    /// The stores to create: those always wanted and those asked for.
    pub fn choose(&self, choice: &PresetChoice) -> Result<Vec<ChosenStore>, PresetError> {
        let values = self.accepted(choice)?;
        self.check_optional(choice)?;
        let mut chosen = Vec::new();
        for store in &self.stores {
            let names = match store.name.placeholder() {
                Some(placeholder) => values
                    .iter()
                    .filter(|(name, _)| *name == placeholder)
                    .map(|(_, value)| store.name.filled(value))
                    .collect(),
                None if wanted(store, choice) => vec![store.name.as_str().to_owned()],
                None => Vec::new(),
            };
            let store = names.into_iter().map(|name| ChosenStore {
                name,
                store: store.clone(),
            });
            chosen.extend(store);
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = chosen.iter().find(|chosen| !seen.insert(&chosen.name)) {
            let text = format!("the values given make two stores named `{}`", twice.name);
            return Err(PresetError::Choice(text));
        }
        Ok(chosen)
    }

    /// The values given, each made sure to fit its placeholder.
    fn accepted<'a>(
        &self,
        choice: &'a PresetChoice,
    ) -> Result<BTreeSet<(&'a str, String)>, PresetError> {
        let accept = |(name, value): &'a (String, String)| {
            let placeholder = self.placeholder(name)?;
            let value = placeholder.accept(value).map_err(PresetError::Choice)?;
            Ok((name.as_str(), value))
        };
        choice.values.iter().map(accept).collect()
    }

    fn placeholder(&self, name: &str) -> Result<&Placeholder, PresetError> {
        let mut placeholders = self.placeholders.iter();
        placeholders
            .find(|placeholder| placeholder.name == name)
            .ok_or_else(|| {
                let known = self.placeholders.iter().map(|known| known.name.as_str());
                self.unknown("placeholder", name, &known.collect::<Vec<_>>())
            })
    }

    fn check_optional(&self, choice: &PresetChoice) -> Result<(), PresetError> {
        let optional = self.stores.iter().filter(|store| asked_by_name(store));
        let optional: Vec<&str> = optional.map(|store| store.name.as_str()).collect();
        match choice
            .with
            .iter()
            .find(|name| !optional.contains(&name.as_str()))
        {
            Some(name) => Err(self.unknown("optional store", name, &optional)),
            None => Ok(()),
        }
    }

    fn unknown(&self, what: &str, name: &str, known: &[&str]) -> PresetError {
        let there = match known {
            [] => "it has none".to_owned(),
            known => format!("it has `{}`", known.join("`, `")),
        };
        PresetError::Choice(format!(
            "preset `{}` has no {what} `{name}`; {there}",
            self.name
        ))
    }
}

/// Whether a store is one that is asked for by its name; those with a placeholder are by its value.
fn asked_by_name(store: &PresetStore) -> bool {
    store.optional && store.name.placeholder().is_none()
}

fn wanted(store: &PresetStore, choice: &PresetChoice) -> bool {
    !store.optional || choice.with.iter().any(|name| name == store.name.as_str())
}
