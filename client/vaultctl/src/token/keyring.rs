//! Tokens in the operating system's keyring: service `vaultctl`, account the vault.

use keyring::v1::{Entry, Error};
use vault_client::Secret;
use zeroize::Zeroizing;

use crate::failure::Failure;

const SERVICE: &str = "vaultctl";

/// Asks the keyring where it may take its time, which a desktop's dialog does, and where its own
/// runtime does not meet this one.
async fn ask<T: Send + 'static>(
    vault: &str,
    question: impl FnOnce(Entry) -> Result<T, Error> + Send + 'static,
) -> Result<T, Failure> {
    let vault = vault.to_owned();
    let asked = tokio::task::spawn_blocking(move || question(Entry::new(SERVICE, &vault)?));
    let answer = asked
        .await
        .map_err(|error| Failure::other(error.to_string()))?;
    answer.map_err(|error| match error {
        Error::NoEntry => Failure::locked(
            "the keyring has the token no more: `vaultctl auth login` makes another",
        ),
        error => Failure::locked(format!("the keyring does not answer: {error}")),
    })
}

pub(super) async fn get(vault: &str) -> Result<Secret, Failure> {
    let text = ask(vault, |entry| entry.get_password()).await?;
    Ok(Secret::new(text.into_bytes()))
}

pub(super) async fn set(vault: &str, token: &Secret) -> Result<(), Failure> {
    let text = std::str::from_utf8(token.expose());
    let text = text.map_err(|_| Failure::usage("the token is not text"))?;
    let text = Zeroizing::new(text.to_owned());
    ask(vault, move |entry| entry.set_password(&text)).await
}

/// One that is gone already is as good.
pub(super) async fn delete(vault: &str) -> Result<(), Failure> {
    let deleted = ask(vault, |entry| match entry.delete_credential() {
        Err(Error::NoEntry) => Ok(()),
        deleted => deleted,
    });
    deleted.await
}
