//! `vaultctl key import`.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::{
    context::Context,
    failure::Failure,
    input, output, passphrase,
    seal::{OpenOptions, Opener},
    status,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Import {
    /// The exported file; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    open: OpenOptions,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let file = input::whole(&self.file, "the key file")?;
        let client = context.connect().await?;
        let status = status::settled(&client).await?;
        let opener = self.open.read()?;
        let keyring_passphrase = if status.keyring_backend == "passphrase" {
            keyring_passphrase(context, &opener)?
        } else {
            None
        };
        let keyring_passphrase = keyring_passphrase.as_deref().map(Vec::as_slice);
        let imported = client
            .import_key(&file, opener.wire(), keyring_passphrase)
            .await?;
        if context.json() {
            return output::json(&serde_json::json!({
                "vault_id": imported.vault_id,
                "fingerprint": imported.fingerprint,
            }));
        }
        output::line(&format!(
            "imported key {} of vault {}",
            imported.fingerprint, imported.vault_id
        ))
    }
}

/// What the vault's key file is sealed by from now on. A file that an identity opened has no
/// passphrase that could be the same.
fn keyring_passphrase(
    context: &Context,
    opener: &Opener,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let file = context.global.passphrase_file.as_deref();
    match opener {
        Opener::Passphrase(_) => passphrase::or_the_same(file),
        Opener::Identity(_) => {
            let new = passphrase::New {
                file,
                option: "--passphrase-file",
                opens: "the vault",
            };
            new.choose().map(Some)
        }
    }
}
