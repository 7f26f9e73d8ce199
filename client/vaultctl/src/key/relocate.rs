//! `vaultctl key move`.

use std::path::PathBuf;

use vault_client::MovedKey;

use super::credential::{self, Credential, CredentialOptions};
use crate::{context::Context, failure::Failure, interrupt, output, passphrase};

/// Where a key can be moved to.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum To {
    /// The keyring of the operating system
    Os,
    /// A file under a passphrase, in the vault's folder
    Passphrase,
    /// A credential that systemd hands to the daemon at its start
    SystemdCreds,
}

impl To {
    const fn name(self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::Passphrase => "passphrase",
            Self::SystemdCreds => credential::BACKEND,
        }
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct Move {
    /// Where to keep the storage key from now on
    #[arg(long, value_name = "BACKEND")]
    to: To,
    /// For backend passphrase: file with the new passphrase, for scripts; `-` is standard input
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    credential: CredentialOptions,
}

impl Move {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let target = self.credential.target(self.to.name(), context)?;
        let client = context.open().await?;
        let passphrase = if self.to == To::Passphrase {
            let new = passphrase::New {
                file: self.new_passphrase_file.as_deref(),
                option: "--new-passphrase-file",
                opens: "the vault",
            };
            Some(new.choose()?)
        } else {
            None
        };
        let passphrase = passphrase.as_deref().map(Vec::as_slice);
        let moved = interrupt::guarded(super::INTERRUPTED, async {
            let place = target.map(Credential::create).transpose()?;
            let moved = client.move_key(self.to.name(), passphrase).await?;
            report(context, moved, place)
        });
        moved.await
    }
}

fn report(context: &Context, moved: MovedKey, place: Option<Credential>) -> Result<(), Failure> {
    let handed_out = credential::hand_over(place, moved.credential)?;
    if !moved.left_behind.is_empty() {
        eprintln!("left behind: {}", output::printable(&moved.left_behind));
    }
    if context.json() {
        return output::json(&serde_json::json!({
            "keyring_backend": moved.keyring_backend,
            "awaits_credential": handed_out,
            "left_behind": moved.left_behind,
        }));
    }
    if handed_out {
        // Standard output may be where the credential went.
        return Ok(());
    }
    output::line(&format!(
        "the storage key is now kept in backend {}",
        moved.keyring_backend
    ))
}
