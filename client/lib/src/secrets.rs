//! Secrets: API keys and the like, read at the moment of use.

use serde::{Serialize, Serializer};
use vault_proto::v1::{
    self, DeleteSecretRequest, GetSecretRequest, ListSecretsRequest, SetSecretRequest,
};

use crate::{Client, Error, Secret, vault::millis};

/// Where the value of a secret lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretPlace {
    /// In an entry of the keyring.
    Keyring,
    /// Sealed in the vault.
    Vault,
    /// Not known while the vault is not open, or a place of a later version.
    Unknown,
}

impl SecretPlace {
    pub(crate) const fn received(place: v1::SecretPlace) -> Self {
        match place {
            v1::SecretPlace::Keyring => Self::Keyring,
            v1::SecretPlace::Vault => Self::Vault,
            v1::SecretPlace::Unspecified => Self::Unknown,
        }
    }

    /// `keyring` or `vault`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Vault => "vault",
            Self::Unknown => "unknown",
        }
    }

    /// For people: `in the keyring` or `sealed in the vault`.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Keyring => "in the keyring",
            Self::Vault => "sealed in the vault",
            Self::Unknown => "where this version does not know",
        }
    }
}

impl Serialize for SecretPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is known of a secret besides its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretInfo {
    /// Its name, `namespace:id`.
    pub name: String,
    /// For people; may be empty.
    pub label: String,
    /// When it was first set, in milliseconds since 1970.
    pub created_ms: i64,
    /// When its value was last set, in milliseconds since 1970.
    pub modified_ms: i64,
    /// When its value was last handed out, in milliseconds since 1970, to the minute.
    pub last_used_ms: Option<i64>,
    /// Where its value lies.
    pub place: SecretPlace,
    /// The value is gone from there. Told by [`Client::secrets`], where the keyring answers.
    pub value_missing: bool,
}

impl SecretInfo {
    pub(crate) fn received(info: v1::SecretInfo) -> Self {
        Self {
            place: SecretPlace::received(info.place()),
            value_missing: info.value_missing,
            name: info.name,
            label: info.label,
            created_ms: millis(info.created),
            modified_ms: millis(info.modified),
            last_used_ms: info.last_used.map(|used| millis(Some(used))),
        }
    }
}

/// A secret with its value.
#[derive(Debug)]
pub struct SecretValue {
    /// What is known of it besides.
    pub info: SecretInfo,
    /// The value.
    pub value: Secret,
}

/// A secret that is to be set.
#[derive(Debug)]
pub struct NewSecret<'a> {
    /// Its name, `namespace:id`.
    pub name: &'a str,
    /// Its value, of 1 byte to 64 KiB.
    pub value: Secret,
    /// For people. Kept as it was where there is none.
    pub label: Option<&'a str>,
    /// Refuse where there is one already.
    pub create: bool,
}

impl Client {
    /// Sets a secret: its value goes into the keyring, or sealed into the vault where the keyring
    /// takes none.
    pub async fn set_secret(&self, new: NewSecret<'_>) -> Result<SecretInfo, Error> {
        let request = SetSecretRequest {
            name: new.name.to_owned(),
            value: new.value.into_wire(),
            label: new.label.map(str::to_owned),
            create: new.create,
        };
        let mut secrets = self.apart().await?.secrets();
        let set = secrets.set(request).await?.into_inner();
        Ok(SecretInfo::received(set.secret.unwrap_or_default()))
    }

    /// Reads a secret, value and all.
    pub async fn secret(&self, name: &str) -> Result<SecretValue, Error> {
        let request = GetSecretRequest {
            name: name.to_owned(),
        };
        let mut secrets = self.apart().await?.secrets();
        let read = secrets.get(request).await?.into_inner();
        // Before anything can fail: from here on the value is zeroed when dropped.
        let value = Secret::new(read.value);
        Ok(SecretValue {
            info: SecretInfo::received(read.secret.unwrap_or_default()),
            value,
        })
    }

    /// Every secret whose name begins with `prefix`, ordered by name; no value.
    pub async fn secrets(&self, prefix: &str) -> Result<Vec<SecretInfo>, Error> {
        let request = ListSecretsRequest {
            prefix: prefix.to_owned(),
        };
        let listed = self.services.secrets().list(request).await?.into_inner();
        Ok(listed
            .secrets
            .into_iter()
            .map(SecretInfo::received)
            .collect())
    }

    /// Deletes a secret.
    pub async fn delete_secret(&self, name: &str) -> Result<(), Error> {
        let request = DeleteSecretRequest {
            name: name.to_owned(),
        };
        self.services.secrets().delete(request).await?;
        Ok(())
    }
}
