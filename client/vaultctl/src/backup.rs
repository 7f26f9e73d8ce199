//! `vaultctl backup`: the whole vault, sealed.

use std::path::PathBuf;

use vault_client::{ArchiveForm, OpenWith};

use crate::{
    archive::{self, Archive, Proof},
    context::Context,
    failure::Failure,
    interrupt,
    newfile::Target,
    output,
    seal::{self, OpenOptions, Seal, SealOptions},
};

#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Backup {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    new: New,
    /// Take the values of secrets along, which lie in the keyring otherwise
    #[arg(long)]
    with_secrets: bool,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Read a backup whole and check it against its manifest
    Verify(Verify),
}

/// A backup that is to be written.
#[derive(clap::Args, Debug)]
pub(crate) struct New {
    /// The new file; `-` is standard output
    #[arg(required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    seal: SealOptions,
    /// With --recipient: the identity that opens the file, to verify it once it is written
    #[arg(long, value_name = "FILE", requires = "SealOptions")]
    identity: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args, Debug)]
struct Verify {
    /// The backup, or a plaintext export; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    open: OpenOptions,
}

impl Backup {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.verb {
            Some(Verb::Verify(verify)) => verify.run(context).await,
            None => {
                let with_secrets = self.with_secrets;
                self.new.run(context, What::Vault { with_secrets }).await
            }
        }
    }
}

/// What a backup is of.
pub(crate) enum What<'a> {
    Vault { with_secrets: bool },
    Database(&'a str),
}

impl New {
    /// Writes it.
    pub(crate) async fn run(self, context: &Context, what: What<'_>) -> Result<(), Failure> {
        // The parser asks for it, unless there is a verb.
        let Some(file) = self.file else {
            return Err(Failure::usage("name the new file"));
        };
        let target = Target::new(file.clone(), self.force, context)?;
        let identity = self.identity.as_deref().map(seal::identity).transpose()?;
        let client = context.open().await?;
        let seal = self.seal.choose()?;
        let proof = match (&seal, &identity) {
            (Seal::Passphrase(passphrase), _) => Proof::Sealed(OpenWith::Passphrase(passphrase)),
            (Seal::Recipients(_), Some(identity)) => Proof::Sealed(identity.wire()),
            (Seal::Recipients(_), None) => Proof::Elsewhere,
        };
        let export = async {
            match what {
                What::Vault { with_secrets } => {
                    client
                        .export_archive(ArchiveForm::Sealed(seal.wire()), with_secrets)
                        .await
                }
                What::Database(name) => client.backup_database(name, seal.wire()).await,
            }
        };
        let written = interrupt::guarded(
            "no file was written",
            archive::write(&client, export, target, proof),
        );
        archive::report(context, "backed up", &written.await?, &file)
    }
}

impl Verify {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut archive = Archive::open(self.file, &self.open)?;
        let client = context.connect().await?;
        let summary = archive.verify(&client).await?;
        if context.json() {
            let mut json = archive::as_json(&summary);
            json["sealed"] = archive.is_sealed().into();
            return output::json(&json);
        }
        let rows: Vec<Vec<String>> = summary
            .stores
            .iter()
            .map(|store| {
                let plain = if store.plain { "plain" } else { "" };
                vec![
                    output::printable(&store.name),
                    store.objects.to_string(),
                    output::size(store.bytes),
                    plain.to_owned(),
                ]
            })
            .collect();
        output::table(&["STORE", "OBJECTS", "SIZE", "NOTES"], &rows)?;
        output::line(&format!(
            "complete: {}, of vault {} at {}",
            archive::describe(&summary),
            output::printable(&summary.vault_id),
            output::time(summary.created_ms)
        ))?;
        archive::tell_what_is_left_out(&summary);
        Ok(())
    }
}
