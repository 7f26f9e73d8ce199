//! What clients ask for while the disk fails.

use std::sync::Arc;

use vault_store::{
    StoreResult, Vault,
    catalogue::Protection,
    documents::{AdoptedFile, DocumentStore, Precondition},
    rotation::{Depth, RotationError},
};

use crate::support::{
    fixture::{body, content, id, name, new_store, put, write_delete, write_put},
    keyring::Keyring,
    rotating::rotate,
};

pub(crate) const STORE: &str = "chat/conversations";

/// Something a client asks for.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) before: fn(&Vault),
    pub(crate) run: fn(&Vault, &Keyring) -> StoreResult<()>,
}

pub(crate) fn documents(vault: &Vault) -> StoreResult<Arc<DocumentStore>> {
    vault.documents(&name(STORE))
}

pub(crate) fn fill(vault: &Vault, protection: Protection) {
    vault
        .create_store(new_store(STORE, protection))
        .expect("a new store");
    let store = documents(vault).expect("open");
    for document in ["a", "b", "c"] {
        put(&store, document, "before");
    }
}

pub(crate) fn protected(vault: &Vault) {
    fill(vault, Protection::Protected);
}

pub(crate) fn plain(vault: &Vault) {
    fill(vault, Protection::Plain);
}

pub(crate) fn with_journal(vault: &Vault) {
    protected(vault);
    batch(vault, &Keyring::default()).expect("batch");
}

pub(crate) fn empty(vault: &Vault) {
    vault
        .create_store(new_store(STORE, Protection::Protected))
        .expect("a new store");
}

pub(crate) fn adopted(vault: &Vault) {
    empty(vault);
    adopt(vault, &Keyring::default()).expect("adopt");
}

pub(crate) fn put_new(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    documents(vault)?
        .put(id("new"), content("new"), Precondition::Absent)
        .map(|_| ())
}

pub(crate) fn overwrite(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    documents(vault)?
        .put(id("a"), content("after"), Precondition::None)
        .map(|_| ())
}

pub(crate) fn delete(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    documents(vault)?
        .delete(&id("a"), Precondition::Present)
        .map(|_| ())
}

pub(crate) fn batch(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    let writes = vec![
        write_put("a", "batch"),
        write_delete("b"),
        write_put("new", "batch"),
    ];
    documents(vault)?.write(writes).map(|_| ())
}

pub(crate) fn checkpoint(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    documents(vault)?.checkpoint()
}

pub(crate) fn adopt(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    let store = documents(vault)?;
    let mut adoption = store.adopt()?;
    for document in ["a", "sub/y"] {
        let path = format!("{document}.json");
        adoption.add(&AdoptedFile {
            path,
            body: body(document),
        })?;
    }
    adoption.finish().map(|_| ())
}

pub(crate) fn migrate(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    // A file that could not be read is reported, and awaits migration as before.
    documents(vault)?.migrate(|_| ())
}

pub(crate) fn patch(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    documents(vault)?
        .patch(&id("a"), br#"{"patched":true}"#, None)
        .map(|_| ())
}

pub(crate) fn create_store(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    vault
        .create_store(new_store("second", Protection::Protected))
        .map(|_| ())
}

pub(crate) fn remove_store(vault: &Vault, _: &Keyring) -> StoreResult<()> {
    vault.remove_store(&name(STORE))
}

pub(crate) fn reencrypt(vault: &Vault, keyring: &Keyring) -> StoreResult<()> {
    match rotate(vault, keyring, Depth::Reencrypt) {
        Err(RotationError::Store(error)) => Err(error),
        other => {
            other.expect("the keyring works");
            Ok(())
        }
    }
}

pub(crate) const WORKS: &[Work] = &[
    Work {
        name: "put",
        before: protected,
        run: put_new,
    },
    Work {
        name: "overwrite",
        before: protected,
        run: overwrite,
    },
    Work {
        name: "delete",
        before: protected,
        run: delete,
    },
    Work {
        name: "batch",
        before: protected,
        run: batch,
    },
    Work {
        name: "checkpoint",
        before: with_journal,
        run: checkpoint,
    },
    Work {
        name: "overwrite what is in a journal",
        before: with_journal,
        run: overwrite,
    },
    Work {
        name: "adopt",
        before: empty,
        run: adopt,
    },
    Work {
        name: "migrate",
        before: adopted,
        run: migrate,
    },
    Work {
        name: "overwrite what was adopted",
        before: adopted,
        run: overwrite,
    },
    Work {
        name: "patch",
        before: protected,
        run: patch,
    },
    Work {
        name: "create store",
        before: protected,
        run: create_store,
    },
    Work {
        name: "remove store",
        before: protected,
        run: remove_store,
    },
    Work {
        name: "reencrypt",
        before: with_journal,
        run: reencrypt,
    },
    Work {
        name: "plain overwrite",
        before: plain,
        run: overwrite,
    },
    Work {
        name: "plain delete",
        before: plain,
        run: delete,
    },
    Work {
        name: "plain batch",
        before: plain,
        run: batch,
    },
];
