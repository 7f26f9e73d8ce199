//! `vaultctl init`: finds out what this machine offers, names the choice and sets the vault up.

use vault_client::{Client, KeyState};

use crate::{context::Context, failure::Failure, output, passphrase, prompt, status};

/// Where the storage key is to be kept.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Backend {
    /// The keyring of the operating system
    Os,
    /// A file under a passphrase, in the vault's folder
    Passphrase,
}

impl Backend {
    const fn name(self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::Passphrase => "passphrase",
        }
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct Init {
    /// Where to keep the storage key [default: the operating system's keyring if it works]
    #[arg(long, value_name = "BACKEND")]
    keyring: Option<Backend>,
}

impl Init {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.connect().await?;
        let status = status::settled(&client).await?;
        if !status.vault_id.is_empty() {
            return Err(Failure::other(format!(
                "there is a vault in {} already; `vaultctl status` shows it",
                status.data_root.display()
            )));
        }
        let backend = match self.keyring {
            Some(backend) => Some(backend),
            // An ephemeral daemon has its own.
            None if status.ephemeral => None,
            None if status.keyring_backend == "passphrase" => Some(Backend::Passphrase),
            None if status.key_state == KeyState::Uninitialized => Some(Backend::Os),
            None => Some(offer(&status, context)?),
        };
        let passphrase = match backend {
            Some(Backend::Passphrase) => {
                let new = passphrase::New {
                    file: context.global.passphrase_file.as_deref(),
                    option: "--passphrase-file",
                    opens: "the vault",
                };
                Some(new.choose()?)
            }
            _ => None,
        };
        let name = backend.map(Backend::name);
        let backend = client
            .init(name, passphrase.as_deref().map(Vec::as_slice))
            .await?;
        report(context, &client, &backend).await
    }
}

/// On a machine without a working keyring, offers the passphrase.
fn offer(status: &vault_client::Status, context: &Context) -> Result<Backend, Failure> {
    eprintln!(
        "The operating system's keyring cannot be used here: {}.",
        status.explanation
    );
    if context.global.passphrase_file.is_some() {
        eprintln!("The key goes into a file under the passphrase given.");
        return Ok(Backend::Passphrase);
    }
    if !prompt::possible() {
        return Err(Failure::locked(format!(
            "no keyring to keep the key in; ways out: {}",
            status.remedies.join("; ")
        )));
    }
    if prompt::yes("Keep the key in a file under a passphrase instead?")? {
        return Ok(Backend::Passphrase);
    }
    Err(Failure::locked(format!(
        "nothing was set up; ways out: {}",
        status.remedies.join("; ")
    )))
}

async fn report(context: &Context, client: &Client, backend: &str) -> Result<(), Failure> {
    let status = client.status().await?;
    if context.json() {
        return output::json(&serde_json::json!({
            "vault_id": status.vault_id,
            "data_root": status.data_root,
            "keyring_backend": backend,
        }));
    }
    let place = match backend {
        "os" => "in the operating system's keyring",
        "passphrase" => "in a file under your passphrase",
        _ => "in memory: it ends with the daemon",
    };
    output::line(&format!(
        "vault {} in {}",
        status.vault_id,
        status.data_root.display()
    ))?;
    output::line(&format!("its key is kept {place}"))
}
