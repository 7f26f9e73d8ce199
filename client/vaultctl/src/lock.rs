//! `vaultctl lock` and `vaultctl unlock`.

use vault_client::KeyState;

use crate::{context::Context, failure::Failure, passphrase, status};

pub(crate) async fn lock(context: &Context) -> Result<(), Failure> {
    Ok(context.connect().await?.lock().await?)
}

pub(crate) async fn unlock(context: &Context) -> Result<(), Failure> {
    let client = context.connect().await?;
    let status = status::settled(&client).await?;
    if status.key_state == KeyState::Open {
        return Ok(());
    }
    let passphrase = if status.keyring_backend == "passphrase" && !status.vault_id.is_empty() {
        Some(passphrase::read(context.global.passphrase_file.as_deref())?)
    } else {
        None
    };
    Ok(client
        .unlock(passphrase.as_deref().map(Vec::as_slice))
        .await?)
}
