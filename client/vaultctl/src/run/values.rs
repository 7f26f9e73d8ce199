//! The values of secrets, for as long as they are needed.

use std::collections::{BTreeMap, BTreeSet};

use vault_client::{Client, Secret};

use crate::failure::Failure;

use super::reference::SecretName;

/// Values by the names of their secrets, zeroed when dropped.
#[derive(Default, Debug)]
pub(super) struct Values(BTreeMap<SecretName, Secret>);

impl Values {
    /// Reads each secret once; the first that cannot be read ends it.
    pub(super) async fn fetch(
        names: BTreeSet<&SecretName>,
        read: impl AsyncFn(&SecretName) -> Result<Secret, Failure>,
    ) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for name in names {
            values.insert(name.clone(), read(name).await?);
        }
        Ok(Self(values))
    }

    /// A value that was fetched.
    pub(super) fn get(&self, name: &SecretName) -> Result<&[u8], Failure> {
        let value = self.0.get(name).map(Secret::expose);
        value.ok_or_else(|| missing(name))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values().map(Secret::expose)
    }
}

fn missing(name: &SecretName) -> Failure {
    Failure::missing(format!(
        "there is no secret {name}: set it with `vaultctl secret set {name}`"
    ))
}

/// Reads one from the vault.
pub(super) async fn read(client: &Client, name: &SecretName) -> Result<Secret, Failure> {
    match client.secret(name.as_str()).await {
        Ok(read) => Ok(read.value),
        Err(error) if error.reason() == Some("NOT_FOUND") => Err(missing(name)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn each_secret_is_read_once_and_the_first_that_is_missing_ends_it() {
        let names: Vec<SecretName> = ["a:1", "a:2", "a:3"]
            .map(|name| name.parse().expect("a name"))
            .into();
        let asked = RefCell::new(Vec::new());
        let read = async |name: &SecretName| {
            asked.borrow_mut().push(name.to_string());
            if name.as_str() == "a:2" {
                return Err(missing(name));
            }
            Ok(Secret::new(name.as_str().into()))
        };
        let all = names.iter().chain(&names).collect();
        assert!(Values::fetch(all, read).await.is_err());
        assert_eq!(asked.take(), ["a:1", "a:2"]);

        let values = Values::fetch([&names[0], &names[0]].into(), read).await;
        let values = values.expect("read");
        assert_eq!(asked.take(), ["a:1"]);
        assert_eq!(values.get(&names[0]).expect("read"), b"a:1");
        assert!(values.get(&names[2]).is_err());
        assert!(!format!("{values:?}").contains("[97"), "{values:?}");
    }
}
