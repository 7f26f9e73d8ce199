//! `vaultctl audit accept`.

use vault_client::Client;

use crate::{failure::Failure, output, prompt};

#[derive(clap::Args, Debug)]
pub(crate) struct Accept {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Accept {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let status = client.audit_status().await?;
        if status.mismatch.is_empty() {
            return Err(Failure::missing(
                "nothing is to accept: the log is the one that the keyring remembered",
            ));
        }
        eprintln!("{}", output::printable(&status.mismatch));
        if !self.yes {
            let question = "Was this data root brought from elsewhere, or is it a copy put back?";
            prompt::confirm(question, "nothing was accepted")?;
        }
        client.accept_audit().await?;
        output::line("accepted, and recorded")
    }
}
