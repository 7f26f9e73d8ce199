//! `vaultctl key reset-for-wipe`.

use vault_client::KeyReset;

use crate::{context::Context, failure::Failure, output, prompt, status};

#[derive(clap::Args, Debug)]
pub(crate) struct Reset {
    /// Do not ask: destroy the key of the vault with this id
    #[arg(long, value_name = "VAULTID")]
    yes_destroy: Option<String>,
}

impl Reset {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.connect().await?;
        status::settled(&client).await?;
        let loss = client.key_loss().await?;
        if loss.vault_id.is_empty() {
            return Err(Failure::missing(format!(
                "there is no vault in {}: nothing to destroy",
                client.place()
            )));
        }
        show(&loss);
        let typed = match self.yes_destroy {
            Some(typed) => typed,
            None => ask(&loss)?,
        };
        if typed != loss.vault_id {
            return Err(Failure::usage(format!(
                "the vault's id is {}, not `{}`: nothing was destroyed",
                loss.vault_id,
                output::printable(&typed)
            )));
        }
        let reset = client.reset_key(&typed).await?;
        if context.json() {
            return output::json(&serde_json::json!({
                "vault_id": reset.vault_id,
                "stores": reset.stores,
                "store_count": reset.store_count,
                "files": reset.files,
                "bytes": reset.bytes,
                "removed": reset.removed,
            }));
        }
        if reset.removed.is_empty() {
            return output::line("there was no key left to destroy");
        }
        output::line(&format!("destroyed the key of vault {}", reset.vault_id))?;
        for removed in &reset.removed {
            output::line(&format!("removed {}", output::printable(removed)))?;
        }
        Ok(())
    }
}

/// Says what will be lost.
fn show(loss: &KeyReset) {
    eprintln!(
        "This destroys the storage key of vault {}. Nobody can read what it sealed any more:",
        loss.vault_id
    );
    for store in &loss.stores {
        eprintln!("  store {}", output::printable(store));
    }
    let unnamed = loss.store_count.saturating_sub(loss.stores.len() as u64);
    if unnamed > 0 {
        eprintln!("  {unnamed} stores whose names are sealed");
    }
    eprintln!(
        "  {} files in all, {}",
        loss.files,
        output::size(loss.bytes)
    );
}

/// Has the vault's id typed: a yes is too easily said.
fn ask(loss: &KeyReset) -> Result<String, Failure> {
    if !prompt::possible() {
        return Err(Failure::usage(format!(
            "nothing was destroyed: say that you mean it with --yes-destroy {}",
            loss.vault_id
        )));
    }
    Ok(prompt::text("Type the vault's id to destroy its key:")?)
}
