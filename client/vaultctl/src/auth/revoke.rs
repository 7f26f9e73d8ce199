//! A saved token that revokes itself.

use vault_client::{Client, Error, Options, Secret};

use crate::failure::Failure;

/// Revokes `token` by itself; whether it counts no more. What fails is said, and that `which` token
/// counts on: nothing is undone for it.
pub(super) async fn by_itself(options: Options, token: Secret, which: &str) -> bool {
    match revoke(options, token).await {
        Ok(()) => true,
        Err(error) => {
            not_revoked(error.into(), which);
            false
        }
    }
}

/// Says that a token counts on.
pub(super) fn not_revoked(failure: Failure, which: &str) {
    let counts = format!(
        "{which} token was not revoked, and counts until whoever may administer does it by \
         `vaultctl auth tokens rm`"
    );
    failure.with(&counts).show();
}

async fn revoke(options: Options, token: Secret) -> Result<(), Error> {
    let options = Options {
        token: Some(token),
        ..options
    };
    let client = Client::connect(&options).await?;
    match client.auth_status().await?.token_id {
        Some(_) => client.logout().await,
        // It counts no more.
        None => Ok(()),
    }
}
