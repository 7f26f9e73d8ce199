//! The storage key: where it stands, its export and import, its place, its end.

use vault_proto::v1::{
    DeriveKeyRequest, ExportKeyRequest, ImportKeyRequest, KeysStatusRequest, MoveKeyRequest,
    ResetKeyRequest, ResetKeyResponse,
};

use crate::{Client, Error, OpenWith, SealFor, rotation::Rotation, secret::Secret, vault::millis};

/// Where key and rotation stand.
#[derive(Clone, Debug)]
pub struct KeyStatus {
    /// 32 hex digits; empty before the vault is set up.
    pub vault_id: String,
    /// `os`, `passphrase`, `systemd-creds` or `memory`.
    pub keyring_backend: String,
    /// Check value of the storage key, 16 hex digits; empty unless open.
    pub fingerprint: String,
    /// The rotation under way, if one is.
    pub rotation: Option<Rotation>,
    /// The newest export of the key, if one was made.
    pub last_export: Option<KeyExport>,
    /// The key was derived from a master key.
    pub derived: bool,
    /// What is wrong with the salt of a derived key; empty where nothing is.
    pub salt_problem: String,
    /// The backend the key is being moved to; empty where it is not.
    pub moving_to: String,
    /// Stores whose old data key was kept, since damaged objects name it.
    pub kept_keys: Vec<String>,
    /// When the key was destroyed on purpose, in milliseconds since 1970.
    pub reset_ms: Option<i64>,
}

/// An export of the storage key that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyExport {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Check value of the key in it.
    pub fingerprint: String,
    /// Whether it opens the vault as it is now.
    pub opens: bool,
}

/// The storage key as an age file. Without `Debug`: it is what a passphrase is guessed against.
pub struct KeyFile {
    /// The file.
    pub file: Vec<u8>,
    /// The vault whose key it holds.
    pub vault_id: String,
    /// Check value of the key.
    pub fingerprint: String,
}

/// A key that was put into the keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedKey {
    /// The vault it opens.
    pub vault_id: String,
    /// Its check value.
    pub fingerprint: String,
}

/// A key that was derived from a master key.
#[derive(Debug)]
pub struct DerivedKey {
    /// Its check value.
    pub fingerprint: String,
    /// It was recomputed for a data root whose key was absent; rotated to otherwise.
    pub recovered: bool,
    /// For backend `systemd-creds`: the credential to present at the next start. It comes only
    /// once.
    pub credential: Option<Secret>,
}

/// A key that was moved to another backend.
#[derive(Debug)]
pub struct MovedKey {
    /// The backend.
    pub keyring_backend: String,
    /// For backend `systemd-creds`: the credential to present at the next start, which completes
    /// the move. It comes only once.
    pub credential: Option<Secret>,
    /// A copy in the old backend that could not be removed yet; empty where there is none.
    pub left_behind: String,
}

/// What a reset of the key takes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReset {
    /// The vault.
    pub vault_id: String,
    /// Names of its stores, known of an open vault only.
    pub stores: Vec<String>,
    /// How many stores.
    pub store_count: u64,
    /// How many files.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// What was removed; nothing where only the loss was asked for.
    pub removed: Vec<String>,
}

impl From<ResetKeyResponse> for KeyReset {
    fn from(reset: ResetKeyResponse) -> Self {
        Self {
            vault_id: reset.vault_id,
            stores: reset.stores,
            store_count: reset.store_count,
            files: reset.files,
            bytes: reset.bytes,
            removed: reset.removed,
        }
    }
}

impl Client {
    /// Where key and rotation stand; answered in every key state.
    pub async fn key_status(&self) -> Result<KeyStatus, Error> {
        let status = self.services.keys().status(KeysStatusRequest {}).await?;
        let status = status.into_inner();
        Ok(KeyStatus {
            vault_id: status.vault_id,
            keyring_backend: status.keyring_backend,
            fingerprint: status.fingerprint,
            rotation: status.rotation.map(Rotation::from),
            last_export: status.last_export.map(|export| KeyExport {
                at_ms: millis(export.at),
                fingerprint: export.fingerprint,
                opens: export.opens,
            }),
            derived: status.derived,
            salt_problem: status.salt_problem,
            moving_to: status.moving_to,
            kept_keys: status.kept_keys,
            reset_ms: status.reset.map(|reset| millis(Some(reset))),
        })
    }

    /// The storage key as an age file.
    pub async fn export_key(&self, seal: SealFor<'_>) -> Result<KeyFile, Error> {
        let (passphrase, recipients) = seal.wire();
        let request = ExportKeyRequest {
            passphrase,
            recipients,
        };
        let exported = self.services.keys().export(request).await?.into_inner();
        Ok(KeyFile {
            file: exported.file,
            vault_id: exported.vault_id,
            fingerprint: exported.fingerprint,
        })
    }

    /// Puts the key of an age file, of at most 64 KiB, into the keyring. For backend `passphrase`,
    /// `keyring_passphrase` is what opens the vault from now on: the file's own where none is given.
    pub async fn import_key(
        &self,
        file: &[u8],
        opened: OpenWith<'_>,
        keyring_passphrase: Option<&[u8]>,
    ) -> Result<ImportedKey, Error> {
        let opened = opened.wire();
        let request = ImportKeyRequest {
            file: file.to_vec(),
            passphrase: opened.passphrase,
            identity: opened.identity,
            keyring_passphrase: keyring_passphrase.unwrap_or_default().to_vec(),
        };
        let imported = self.services.keys().import(request).await?.into_inner();
        Ok(ImportedKey {
            vault_id: imported.vault_id,
            fingerprint: imported.fingerprint,
        })
    }

    /// Derives the storage key from a master key: a rotation of an open vault, the recovery of one
    /// whose key is absent. For backend `passphrase`, a recovery takes the passphrase that opens
    /// the vault from now on.
    pub async fn derive_key(
        &self,
        master: &[u8; 32],
        keyring_passphrase: Option<&[u8]>,
    ) -> Result<DerivedKey, Error> {
        let request = DeriveKeyRequest {
            master: master.to_vec(),
            keyring_passphrase: keyring_passphrase.unwrap_or_default().to_vec(),
        };
        let derived = self.services.keys().derive(request).await?.into_inner();
        Ok(DerivedKey {
            fingerprint: derived.fingerprint,
            recovered: derived.recovered,
            credential: Secret::received(derived.credential),
        })
    }

    /// Moves the storage key to backend `os`, `passphrase` or `systemd-creds`. For `passphrase`,
    /// with the passphrase that opens the vault from now on.
    pub async fn move_key(&self, to: &str, passphrase: Option<&[u8]>) -> Result<MovedKey, Error> {
        let request = MoveKeyRequest {
            to: to.to_owned(),
            passphrase: passphrase.unwrap_or_default().to_vec(),
        };
        // `move` is a keyword.
        let moved = self.services.keys().r#move(request).await?.into_inner();
        Ok(MovedKey {
            keyring_backend: moved.keyring_backend,
            credential: Secret::received(moved.credential),
            left_behind: moved.left_behind,
        })
    }

    /// What a reset of the key would take with it. Does nothing.
    pub async fn key_loss(&self) -> Result<KeyReset, Error> {
        self.reset(String::new()).await
    }

    /// Destroys the storage key, and with it all that it sealed. `vault_id` says that this vault
    /// is meant; an empty one is refused here, since to the daemon it is a question.
    pub async fn reset_key(&self, vault_id: &str) -> Result<KeyReset, Error> {
        if vault_id.is_empty() {
            let text = "a reset of the key names the vault's id";
            return Err(Error::Local(text.to_owned()));
        }
        self.reset(vault_id.to_owned()).await
    }

    async fn reset(&self, vault_id: String) -> Result<KeyReset, Error> {
        let request = ResetKeyRequest { vault_id };
        Ok(self
            .services
            .keys()
            .reset(request)
            .await?
            .into_inner()
            .into())
    }
}
