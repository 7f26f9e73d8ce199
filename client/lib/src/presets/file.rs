//! The file of a preset.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::{
    NamePattern, Placeholder, PlaceholderForm, Preset, PresetContent, PresetDatabase, PresetError,
    PresetStore, name::is_identifier,
};
use crate::{BlobColumn, SizeClass};

/// Longest description, in characters: it is shown in a column.
const DESCRIPTION_LIMIT: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetFile {
    name: Spanned<String>,
    description: Spanned<String>,
    #[serde(default)]
    placeholders: BTreeMap<String, Spanned<PlaceholderEntry>>,
    store: Vec<Spanned<StoreEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceholderEntry {
    form: PlaceholderForm,
    description: Spanned<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Documents,
    Database,
    Blobs,
    Files,
    Secrets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreEntry {
    name: Spanned<String>,
    kind: Kind,
    #[serde(default)]
    description: Option<Spanned<String>>,
    #[serde(default)]
    plain: Option<Spanned<bool>>,
    #[serde(default)]
    size_class: Option<SizeClass>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    steps: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    extensible: Option<Spanned<bool>>,
    #[serde(default)]
    maintenance: Option<Spanned<bool>>,
    #[serde(default)]
    blob_columns: Option<Spanned<Vec<Spanned<String>>>>,
}

/// What is wrong, and from which byte of the file.
struct Unfit {
    at: usize,
    message: String,
}

fn unfit<T, V>(place: &Spanned<T>, message: impl Into<String>) -> Result<V, Unfit> {
    Err(Unfit {
        at: place.span().start,
        message: message.into(),
    })
}

/// Reads a preset from the text of its file.
pub(super) fn parse(text: &str) -> Result<Preset, PresetError> {
    let parsed = toml::from_str(text)
        .map_err(|error: toml::de::Error| Unfit {
            at: error.span().map_or(0, |span| span.start),
            message: error.message().to_owned(),
        })
        .and_then(|file| preset(file, text));
    parsed.map_err(|Unfit { at, message }| {
        let before = text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        PresetError::Unfit { line, message }
    })
}

fn preset(file: PresetFile, text: &str) -> Result<Preset, Unfit> {
    if !is_preset_name(file.name.get_ref()) {
        let rule = "the name of a preset is 1 to 64 lower-case letters, digits or `-`";
        return unfit(&file.name, rule);
    }
    let description = line(&file.description)?;
    if file.store.is_empty() {
        return unfit(&file.name, "a preset has at least one [[store]]");
    }
    let placeholders = placeholders(&file)?;
    let mut stores: Vec<PresetStore> = Vec::new();
    let mut names = BTreeSet::new();
    for entry in file.store {
        let place = entry.get_ref().name.clone();
        if !names.insert(place.get_ref().clone()) {
            return unfit(&place, format!("store `{}` stands twice", place.get_ref()));
        }
        let store = store(entry.into_inner())?;
        if let Some(used) = store.name.placeholder()
            && !placeholders.iter().any(|known| known.name == used)
        {
            let text = format!("placeholder `{used}` is not declared: add [placeholders.{used}]");
            return unfit(&place, text);
        }
        stores.push(store);
    }
    Ok(Preset {
        description,
        name: file.name.into_inner(),
        placeholders,
        stores,
        text: text.to_owned(),
    })
}

fn is_preset_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What is declared to stand in names, each of it in use.
fn placeholders(file: &PresetFile) -> Result<Vec<Placeholder>, Unfit> {
    let names: Vec<&str> = file
        .store
        .iter()
        .map(|entry| entry.get_ref().name.get_ref().as_str())
        .collect();
    let mut placeholders = Vec::new();
    for (name, entry) in &file.placeholders {
        if !is_identifier(name) {
            return unfit(
                entry,
                "a placeholder is a letter, then letters, digits or `_`",
            );
        }
        let part = format!("{{{name}}}");
        if !names
            .iter()
            .any(|name| name.split('/').any(|other| other == part))
        {
            return unfit(entry, format!("no store has `{part}` in its name"));
        }
        placeholders.push(Placeholder {
            name: name.clone(),
            form: entry.get_ref().form,
            description: line(&entry.get_ref().description)?,
        });
    }
    Ok(placeholders)
}

/// Text for people, of one line.
fn line(text: &Spanned<String>) -> Result<String, Unfit> {
    let fits = text.get_ref().chars().count() <= DESCRIPTION_LIMIT
        && !text.get_ref().chars().any(char::is_control);
    if fits {
        Ok(text.get_ref().clone())
    } else {
        unfit(text, "a description is one line of at most 200 characters")
    }
}

fn store(entry: StoreEntry) -> Result<PresetStore, Unfit> {
    let name = match NamePattern::parse(entry.name.get_ref()) {
        Ok(name) => name,
        Err(message) => return unfit(&entry.name, message),
    };
    let description = entry.description.as_ref().map(line).transpose()?;
    Ok(PresetStore {
        name,
        description: description.unwrap_or_default(),
        optional: entry.optional,
        size_class: entry.size_class,
        content: content(entry)?,
    })
}

fn content(entry: StoreEntry) -> Result<PresetContent, Unfit> {
    let plain = entry.plain.as_ref().is_some_and(|plain| *plain.get_ref());
    if let Some(place) = &entry.plain
        && let Some(rule) = misplaced(entry.kind, plain)
    {
        return unfit(place, rule);
    }
    let content = match entry.kind {
        Kind::Database => return database(entry).map(PresetContent::Database),
        Kind::Documents => PresetContent::Documents { plain },
        Kind::Blobs => PresetContent::Blobs,
        Kind::Files => PresetContent::Files,
        Kind::Secrets => PresetContent::Secrets,
    };
    let places = [
        ("steps", entry.steps.map(|value| value.span())),
        ("extensible", entry.extensible.map(|value| value.span())),
        ("maintenance", entry.maintenance.map(|value| value.span())),
        ("blob_columns", entry.blob_columns.map(|value| value.span())),
    ];
    for (key, place) in places {
        if let Some(span) = place {
            return unfit(&Spanned::new(span, ()), format!("`{key}` is for databases"));
        }
    }
    Ok(content)
}

/// What `plain` cannot say of a kind.
const fn misplaced(kind: Kind, plain: bool) -> Option<&'static str> {
    match (kind, plain) {
        (Kind::Files, false) => Some("files are never encrypted: `plain = false` is not for them"),
        (Kind::Blobs, true) => Some("blobs are always encrypted: `plain` is not for them"),
        (Kind::Secrets, true) => Some("secrets are never plain: `plain` is not for them"),
        _ => None,
    }
}

fn database(entry: StoreEntry) -> Result<PresetDatabase, Unfit> {
    if let Some(plain) = entry.plain.filter(|plain| *plain.get_ref()) {
        return unfit(
            &plain,
            "a database is always encrypted: `plain` is not for it",
        );
    }
    let mut steps = Vec::new();
    for step in entry.steps.map(Spanned::into_inner).unwrap_or_default() {
        if step.get_ref().trim().is_empty() {
            return unfit(&step, "a step without SQL");
        }
        steps.push(step.into_inner());
    }
    let columns = entry.blob_columns.map(Spanned::into_inner);
    let columns = columns.unwrap_or_default();
    Ok(PresetDatabase {
        steps,
        extensible: entry.extensible.is_some_and(Spanned::into_inner),
        maintenance: entry.maintenance.is_none_or(Spanned::into_inner),
        blob_columns: columns.iter().map(column).collect::<Result<_, _>>()?,
    })
}

fn column(text: &Spanned<String>) -> Result<BlobColumn, Unfit> {
    match text.get_ref().split_once('.') {
        Some((table, column)) if is_identifier(table) && is_identifier(column) => Ok(BlobColumn {
            table: table.to_owned(),
            column: column.to_owned(),
        }),
        _ => {
            let rule = "a blob column is `table.column`, of letters, digits and `_`";
            unfit(text, rule)
        }
    }
}
