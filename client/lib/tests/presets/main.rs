//! Presets: their files, and their schemas in plain `SQLite`.

mod billing;
mod choice;
mod file;
mod schema;
mod search;

use rusqlite::Connection;
use vault_client::{Preset, PresetContent, PresetDatabase, PresetStore};

/// Steps that use sqlite-vec, which plain `SQLite` does not have; the daemon's tests run them.
fn needs_vectors(step: &str) -> bool {
    step.contains("USING vec0")
}

/// An empty database with a schema.
fn database(design: &PresetDatabase) -> Connection {
    let connection = Connection::open_in_memory().expect("a database");
    connection
        .execute_batch("PRAGMA foreign_keys = ON")
        .expect("set");
    for step in design.steps.iter().filter(|step| !needs_vectors(step)) {
        connection.execute_batch(step).expect("the step runs");
    }
    connection
}

fn built_in(name: &str) -> Preset {
    let mut presets = Preset::built_in().into_iter();
    presets
        .find(|preset| preset.name == name)
        .expect("it is there")
}

fn design(store: &PresetStore) -> Option<&PresetDatabase> {
    match &store.content {
        PresetContent::Database(design) => Some(design),
        _ => None,
    }
}

/// Every database of the presets that come with the crate, by the name of its store.
fn databases() -> Vec<(String, PresetDatabase)> {
    let stores = Preset::built_in()
        .into_iter()
        .flat_map(|preset| preset.stores);
    let named = |store: PresetStore| {
        let design = design(&store)?.clone();
        Some((store.name.as_str().to_owned(), design))
    };
    stores.filter_map(named).collect()
}

/// The database of one store of the assistant, without vectors.
fn assistant(store: &str) -> Connection {
    let databases = databases();
    let (_, design) = databases
        .iter()
        .find(|(name, _)| name == store)
        .expect("it is there");
    database(design)
}
