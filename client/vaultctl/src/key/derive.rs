//! `vaultctl key derive`.

use vault_client::{DerivedKey, KeyState, Status};
use zeroize::Zeroizing;

use super::{
    EXPORTS_OUTDATED,
    credential::{self, Credential, CredentialOptions},
    master::{self, MasterOptions},
};
use crate::{context::Context, failure::Failure, interrupt, output, passphrase, prompt, status};

#[derive(clap::Args, Debug)]
pub(crate) struct Derive {
    #[command(flatten)]
    master: MasterOptions,
    #[command(flatten)]
    credential: CredentialOptions,
}

impl Derive {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let status = status::settled(&client).await?;
        let master = match self.master.read()? {
            Some(master) => master,
            None if prompt::possible() => master::ask()?,
            None => {
                return Err(Failure::usage(
                    "the master key is needed: run this on a terminal, or name a file with \
                     --master-file",
                ));
            }
        };
        let passphrase = keyring_passphrase(context, &status)?;
        let passphrase = passphrase.as_deref().map(Vec::as_slice);
        let target = self.credential.target(&status.keyring_backend, context)?;
        let derived = interrupt::guarded(super::INTERRUPTED, async {
            let place = target.map(Credential::create).transpose()?;
            let derived = client.derive_key(&master, passphrase).await?;
            report(context, derived, place)
        });
        derived.await
    }
}

/// A recovered key is kept in a new file, which gets its passphrase now.
fn keyring_passphrase(
    context: &Context,
    status: &Status,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if status.keyring_backend != "passphrase" || status.key_state != KeyState::KeyMissing {
        return Ok(None);
    }
    let new = passphrase::New {
        file: context.global.passphrase_file.as_deref(),
        option: "--passphrase-file",
        opens: "the vault",
    };
    new.choose().map(Some)
}

fn report(
    context: &Context,
    derived: DerivedKey,
    place: Option<Credential>,
) -> Result<(), Failure> {
    let handed_out = credential::hand_over(place, derived.credential)?;
    if context.json() {
        return output::json(&serde_json::json!({
            "fingerprint": derived.fingerprint,
            "recovered": derived.recovered,
            "awaits_credential": handed_out,
        }));
    }
    if handed_out {
        // Standard output may be where the credential went.
        return Ok(());
    }
    if derived.recovered {
        return output::line(&format!(
            "recovered the storage key {} from the master key",
            derived.fingerprint
        ));
    }
    output::line(&format!(
        "the storage key is now {}, derived from the master key",
        derived.fingerprint
    ))?;
    output::line(EXPORTS_OUTDATED)
}
