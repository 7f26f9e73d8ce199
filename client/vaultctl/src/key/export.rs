//! `vaultctl key export`.

use std::path::PathBuf;

use crate::{
    context::Context, failure::Failure, interrupt, newfile::Target, output, seal::SealOptions,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Export {
    /// The new file; `-` is standard output
    file: PathBuf,
    #[command(flatten)]
    seal: SealOptions,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let target = Target::new(self.file.clone(), self.force, context)?;
        let client = context.open().await?;
        let seal = self.seal.choose()?;
        let to_stdout = target.is_stdout();
        let exported = interrupt::guarded("no file was written", async {
            let exported = client.export_key(seal.wire()).await?;
            let mut file = target.create()?;
            file.write(&exported.file)?;
            file.keep()?;
            Ok(exported)
        });
        let exported = exported.await?;
        if context.json() {
            return output::json(&serde_json::json!({
                "vault_id": exported.vault_id,
                "fingerprint": exported.fingerprint,
                "file": self.file,
            }));
        }
        let text = format!(
            "exported key {} of vault {}",
            exported.fingerprint, exported.vault_id
        );
        if to_stdout {
            eprintln!("{text}");
            return Ok(());
        }
        output::line(&format!("{text} to {}", self.file.display()))?;
        output::line("keep the file apart from this machine: it opens the vault")
    }
}
