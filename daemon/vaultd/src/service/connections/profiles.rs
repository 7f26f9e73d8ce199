//! The profiles of a vault with their keys.
//!
//! A key is durable before the profile that needs it: a crash in between leaves a listed secret, or
//! an earlier profile with the new key, and never a profile whose key was lost. On deletion, too,
//! the key goes first: what a crash leaves is a profile that says that it has no key, in sight of
//! whoever wanted it gone, and not a key in the keyring that no profile leads to. The same call
//! again does the rest either way.

use std::sync::Arc;

use vault_crypto::SecretBytes;
use vault_store::{
    SizeClass, StoreError, StoreName, StoreResult, Vault,
    catalogue::Kind,
    documents::{Change, Content, Document, DocumentStore, Head, Listed, Precondition, Write},
    secrets::NewSecret,
    vault::NewStore,
};

use super::profile::{ConnectionId, Profile, secret_name};

/// The store that profiles are documents of.
const STORE: &str = "connections";
/// The label of the active profile. Labels are read without a body.
const ACTIVE: &str = "active";
const YES: &str = "true";

/// Whether a profile is the active one.
pub(super) fn is_active(head: &Head) -> bool {
    head.labels().contains_key(ACTIVE)
}

/// A profile that is to be saved.
pub(super) struct Save {
    pub(super) id: ConnectionId,
    pub(super) profile: Profile,
    /// Goes before the profile. The one stored before stays where there is none.
    pub(super) key: Option<SecretBytes>,
    /// Refused where there is a profile already.
    pub(super) create: bool,
    pub(super) activate: bool,
}

/// A profile as it is stored.
pub(super) struct Found {
    pub(super) head: Arc<Head>,
    pub(super) profile: Profile,
    pub(super) has_secret: bool,
}

/// The profiles of an open vault.
pub(super) struct Profiles<'a> {
    vault: &'a Vault,
    name: StoreName,
}

impl<'a> Profiles<'a> {
    pub(super) fn new(vault: &'a Vault) -> StoreResult<Self> {
        let name = StoreName::parse(STORE)?;
        Ok(Self { vault, name })
    }

    /// Saves key and profile, in this order.
    pub(super) fn save(&self, save: Save) -> StoreResult<Found> {
        let store = self.store_or_create()?;
        let id = &save.id.document;
        let before = find(&store, id)?;
        if save.create && before.is_some() {
            return Err(StoreError::ObjectExists(id.to_string()));
        }
        let mut content = Content::json(save.profile.to_json());
        if let Some(before) = &before {
            content.labels.clone_from(before.labels());
        }
        let mut writes = Vec::new();
        if save.activate {
            content.labels.insert(ACTIVE.to_owned(), YES.to_owned());
            writes = deactivations(&store, &save.id)?;
        }
        writes.push(put(&save.id, before.as_deref(), content));
        // What can be refused is refused before the key is touched.
        writes.iter().try_for_each(|write| store.check(write))?;
        if let Some(value) = save.key {
            let label = Some(save.profile.name).filter(|name| !name.is_empty());
            self.vault.secrets_or_create()?.set(&NewSecret {
                name: save.id.secret.clone(),
                value,
                label,
                create: false,
            })?;
        }
        store.write(writes)?;
        self.found(store.get(id)?)
    }

    /// Makes one profile the active one, and no other, in one write.
    pub(super) fn activate(&self, id: &ConnectionId) -> StoreResult<Found> {
        let store = self.existing(id)?;
        let document = store.get(&id.document)?;
        let mut writes = deactivations(&store, id)?;
        if !is_active(&document.head) {
            let mut content = content_of(&document);
            content.labels.insert(ACTIVE.to_owned(), YES.to_owned());
            writes.push(put(id, Some(&document.head), content));
        }
        if !writes.is_empty() {
            store.write(writes)?;
        }
        self.found(store.get(&id.document)?)
    }

    /// Deletes key and profile, in this order, or the key alone. It is enough that one of them is
    /// there: a call that broke off half-way is made again.
    pub(super) fn delete(&self, id: &ConnectionId, key_only: bool) -> StoreResult<()> {
        let had_key = match self
            .vault
            .secrets()?
            .map(|secrets| secrets.delete(&id.secret))
        {
            Some(Err(StoreError::NoSuchSecret(_))) | None => false,
            Some(deleted) => deleted.map(|()| true)?,
        };
        let store = match self.existing(id) {
            Err(StoreError::NoSuchDocument { .. }) if had_key => return Ok(()),
            store => store?,
        };
        if key_only {
            // Without a key to delete, it must be a connection at least.
            return store.head(&id.document).map(drop);
        }
        match store.delete(&id.document, Precondition::Present) {
            Err(StoreError::NoSuchDocument { .. } | StoreError::RevisionConflict { .. }) => {
                if had_key {
                    Ok(())
                } else {
                    Err(self.missing(id))
                }
            }
            deleted => deleted.map(drop),
        }
    }

    pub(super) fn get(&self, id: &ConnectionId) -> StoreResult<Found> {
        self.found(self.existing(id)?.get(&id.document)?)
    }

    /// The active profile, where one is.
    pub(super) fn active(&self) -> StoreResult<Option<Found>> {
        let Some(store) = self.store()? else {
            return Ok(None);
        };
        let active = active_heads(&store)?.into_iter().next();
        let document = active.map(|head| store.get(head.id())).transpose()?;
        document.map(|document| self.found(document)).transpose()
    }

    /// Every profile by its id, and what is wrong with those that cannot be read.
    pub(super) fn list(&self) -> StoreResult<(Vec<Found>, Vec<String>)> {
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        let Some(store) = self.store()? else {
            return Ok((found, damaged));
        };
        for listed in store.list("")? {
            let read = match listed {
                Listed::Damaged(_, error) => Err(error),
                Listed::Head(head) => store
                    .get(head.id())
                    .and_then(|document| self.found(document)),
            };
            match read {
                Ok(profile) => found.push(profile),
                // Deleted meanwhile.
                Err(StoreError::NoSuchDocument { .. }) => {}
                Err(error @ StoreError::Closed) => return Err(error),
                Err(error) => damaged.push(error.to_string()),
            }
        }
        Ok((found, damaged))
    }

    fn found(&self, document: Document) -> StoreResult<Found> {
        let Document { head, body } = document;
        let profile = Profile::parse(&body).map_err(|error| StoreError::Damaged {
            object: format!("the connection {}", head.id()),
            detail: format!("it is no JSON object: {error}"),
        })?;
        let has_secret = self.has_secret(&head)?;
        Ok(Found {
            head,
            profile,
            has_secret,
        })
    }

    fn has_secret(&self, head: &Head) -> StoreResult<bool> {
        // A document that was written as such may have an id that no secret can have.
        let Ok(name) = secret_name(head.id().as_str()).parse() else {
            return Ok(false);
        };
        match self.vault.secrets()? {
            Some(secrets) => Ok(secrets.info(&name)?.is_some()),
            None => Ok(false),
        }
    }

    fn store(&self) -> StoreResult<Option<Arc<DocumentStore>>> {
        match self.vault.documents(&self.name) {
            Err(StoreError::NoSuchStore(_)) => Ok(None),
            store => store.map(Some),
        }
    }

    /// The store that is said to hold a profile.
    fn existing(&self, id: &ConnectionId) -> StoreResult<Arc<DocumentStore>> {
        self.store()?.ok_or_else(|| self.missing(id))
    }

    fn missing(&self, id: &ConnectionId) -> StoreError {
        StoreError::NoSuchDocument {
            store: self.name.to_string(),
            id: id.document.to_string(),
        }
    }

    fn store_or_create(&self) -> StoreResult<Arc<DocumentStore>> {
        if let Some(store) = self.store()? {
            return Ok(store);
        }
        let mut new = NewStore::new(self.name.clone(), Kind::Documents);
        new.size_class = SizeClass::Auth;
        match self.vault.create_store(new) {
            // Somebody was faster.
            Ok(_) | Err(StoreError::StoreExists(_)) => self.vault.documents(&self.name),
            Err(error) => Err(error),
        }
    }
}

/// The head of a profile, where it is there.
fn find(store: &DocumentStore, id: &vault_store::DocumentId) -> StoreResult<Option<Arc<Head>>> {
    match store.head(id) {
        Err(StoreError::NoSuchDocument { .. }) => Ok(None),
        head => head.map(Some),
    }
}

fn active_heads(store: &DocumentStore) -> StoreResult<Vec<Arc<Head>>> {
    let listed = store.list("")?.into_iter();
    let heads = listed.filter_map(|listed| match listed {
        Listed::Head(head) => is_active(&head).then_some(head),
        Listed::Damaged(..) => None,
    });
    Ok(heads.collect())
}

/// What takes the label from every other profile. More than one has it only where documents were
/// written as such.
fn deactivations(store: &DocumentStore, id: &ConnectionId) -> StoreResult<Vec<Write>> {
    let active = active_heads(store)?.into_iter();
    let others = active.filter(|head| *head.id() != id.document);
    let deactivate = |head: Arc<Head>| {
        let document = store.get(head.id())?;
        let mut content = content_of(&document);
        content.labels.remove(ACTIVE);
        Ok(Write {
            id: head.id().clone(),
            change: Change::Put(content),
            precondition: Precondition::Revision(document.head.revision()),
        })
    };
    others.map(deactivate).collect()
}

fn content_of(document: &Document) -> Content {
    let mut content = Content::json(document.body.to_vec());
    document
        .head
        .content_type()
        .clone_into(&mut content.content_type);
    content.labels.clone_from(document.head.labels());
    content
}

/// A write that fails where the profile was changed since it was looked at.
fn put(id: &ConnectionId, before: Option<&Head>, content: Content) -> Write {
    Write {
        id: id.document.clone(),
        change: Change::Put(content),
        precondition: before.map_or(Precondition::Absent, |before| {
            Precondition::Revision(before.revision())
        }),
    }
}
