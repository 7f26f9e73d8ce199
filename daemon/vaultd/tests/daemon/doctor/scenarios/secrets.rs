//! Secrets that only one side knows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use vault_client::{Client, NewSecret, Secret};
use vault_crypto::{SecretBytes, SecretName, VaultId};
use vault_store::{
    KeySourceError,
    secrets::{self, SecretEntries, SecretKeyring, SecretPlace},
    vault::VaultOptions,
};

use super::Stage;
use crate::support::{Daemon, keyring::Session};

const NAME: &str = "connection:openai";

async fn with_secret(session: &Session) -> (Daemon, Client) {
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    let secret = NewSecret {
        name: NAME,
        value: Secret::new(b"sk-live".to_vec()),
        label: None,
        create: false,
    };
    client.set_secret(secret).await.expect("set");
    (daemon, client)
}

pub(super) async fn secrets_unchecked() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let served = with_secret(&session).await;
    session.lock_keyring();
    Stage::in_session(session, served)
}

pub(super) async fn secret_unlisted() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let served = with_secret(&session).await;
    let id = served.1.status().await.expect("served").vault_id;
    session.store(&format!("{id}/secret/a:stray"), "c3RyYXk=");
    Stage::in_session(session, served)
}

pub(super) async fn secret_value_missing() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let served = with_secret(&session).await;
    let id = served.1.status().await.expect("served").vault_id;
    session.clear_entry(&id, &format!("secret/{NAME}"));
    Stage::in_session(session, served)
}

/// A keyring that gives nothing up.
#[derive(Default)]
struct Sticky(Mutex<BTreeMap<SecretName, Vec<u8>>>);

impl SecretEntries for Sticky {
    fn load(&self, _: VaultId, name: &SecretName) -> Result<Option<SecretBytes>, KeySourceError> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(held.get(name).cloned().map(SecretBytes::new))
    }

    fn save(&self, _: VaultId, name: &SecretName, value: &[u8]) -> Result<(), KeySourceError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(name.clone(), value.to_vec());
        Ok(())
    }

    fn remove(&self, _: VaultId, _: &SecretName) -> Result<(), KeySourceError> {
        Err(KeySourceError::Denied("it gives nothing up".to_owned()))
    }

    fn list(&self, _: VaultId) -> Result<Vec<SecretName>, KeySourceError> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(held.keys().cloned().collect())
    }
}

/// Values moved from the keyring into the vault, and one could not be removed there.
pub(super) async fn secret_left_behind() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let sticky = Arc::new(Sticky::default());
    let options = VaultOptions {
        secrets: SecretKeyring::new(Arc::<Sticky>::clone(&sticky), SecretPlace::Keyring),
        ..VaultOptions::default()
    };
    let vault = session.home.light_vault_with("root", options);
    let id = vault.id();
    let name = SecretName::parse(NAME).expect("a name");
    let set = vault.secrets_or_create().expect("open");
    let secret = secrets::NewSecret {
        name,
        value: SecretBytes::new(b"sk-live".to_vec()),
        label: None,
        create: false,
    };
    set.set(&secret).expect("set");
    let moved = vault.move_secrets(SecretPlace::Vault, &*sticky);
    assert!(moved.is_err(), "it gave something up");
    drop(vault);
    session.store(&format!("{id}/secret/{NAME}"), "c2stbGl2ZQ==");
    let served = session.home.unlocked("root").await;
    Stage::in_session(session, served)
}
