//! What must be so after a crash, besides what is to be seen.

use vault_store::{
    Vault,
    catalogue::{Kind, Protection, StoreRecord},
    documents::{Content, Precondition},
};

use crate::support::{
    fixture::{Fixture, MARKER, body, id, new_store},
    world::{StoreWorld, World, observe, observe_store},
};

/// No plaintext anywhere but in plain stores and in files that await migration.
pub(crate) fn check_plaintext(
    fixture: &Fixture,
    vault: &Vault,
    seen: &World,
) -> Result<(), String> {
    let plain = vault
        .stores()
        .iter()
        .any(|record| record.protection == Protection::Plain);
    let mut documents = seen.values().flat_map(|store| store.documents.values());
    if plain || documents.any(|document| document.awaits_migration) {
        return Ok(());
    }
    // Files that an interrupted adoption left are swept by whoever adopts again.
    let adopted_before = seen.values().any(|store| store.documents.is_empty());
    let image = fixture.simulated.image();
    for (directory, entries) in &image.tree {
        for entry in entries.keys() {
            let path = directory.join(entry);
            let content = image.file(&path).unwrap_or_default();
            let found = content
                .windows(MARKER.len())
                .any(|run| run == MARKER.as_bytes());
            if found && !adopted_before {
                return Err(format!("{} holds plaintext", path.display()));
            }
        }
    }
    Ok(())
}

/// Writes on, reads back, and opens once more.
pub(crate) fn go_on(
    fixture: &Fixture,
    vault: &Vault,
    mut expected: World,
    acknowledged: &World,
) -> Result<(), String> {
    for record in vault.stores() {
        let world = expected.entry(record.name.to_string()).or_default();
        if record.kind == Kind::Blobs {
            put_blob(vault, &record, world)?;
            continue;
        }
        let known = acknowledged.get(record.name.as_str());
        let last = known.map_or(0, StoreWorld::last).max(world.last());
        put_documents(vault, &record, world, last)?;
    }
    vault
        .create_store(new_store("afterwards", Protection::Protected))
        .map_err(|error| format!("create a store afterwards: {error}"))?;
    expected.insert("afterwards".to_owned(), StoreWorld::default());
    let again = fixture.after(fixture.simulated.image()).open();
    let again = observe(&again.map_err(|error| format!("open again: {error}"))?)?;
    if again == expected {
        Ok(())
    } else {
        Err(format!("opened again: {again:?}, not {expected:?}"))
    }
}

fn put_blob(vault: &Vault, record: &StoreRecord, world: &mut StoreWorld) -> Result<(), String> {
    let store = vault
        .blobs(&record.name)
        .map_err(|error| error.to_string())?;
    let stored = store
        .put("text/plain", &body("afterwards"))
        .map_err(|error| format!("put afterwards: {error}"))?;
    let info = stored.info;
    world
        .blobs
        .insert(info.reference.to_string(), info.content_type);
    Ok(())
}

fn put_documents(
    vault: &Vault,
    record: &StoreRecord,
    world: &mut StoreWorld,
    last: u64,
) -> Result<(), String> {
    let store = vault
        .documents(&record.name)
        .map_err(|error| error.to_string())?;
    for document in ["a", "fresh"] {
        let content = Content::json(body("afterwards"));
        let head = store
            .put(id(document), content, Precondition::None)
            .map_err(|error| format!("put afterwards: {error}"))?;
        if head.revision().0 <= last {
            return Err(format!("revision {} after {last}", head.revision()));
        }
    }
    let seen = observe_store(&store)?;
    let written = ["a", "fresh"].map(|document| seen.documents.get(document));
    if written
        .iter()
        .any(|seen| seen.is_none_or(|seen| seen.body.as_bytes() != body("afterwards")))
    {
        return Err("what was put afterwards is not there".to_owned());
    }
    for (document, before) in &world.documents {
        if document != "a" && seen.documents.get(document) != Some(before) {
            return Err(format!("{document} changed afterwards"));
        }
    }
    *world = seen;

    Ok(())
}
