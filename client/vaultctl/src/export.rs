//! `vaultctl export`: the whole vault in the clear.

use std::path::{Path, PathBuf};

use vault_client::ArchiveForm;

use crate::{
    archive::{self, Proof},
    context::Context,
    failure::Failure,
    interrupt,
    newfile::Target,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Export {
    /// The new file, *.tar or *.tar.zst; `-` is standard output, as tar
    file: PathBuf,
    /// Say that it is meant: everything in the file can be read by anyone who gets it
    #[arg(long)]
    plaintext: bool,
    /// Take the values of secrets along, too
    #[arg(long)]
    with_secrets: bool,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        if !self.plaintext {
            return Err(Failure::usage(
                "an export holds every object in the clear, for anyone who gets the file: say \
                 that this is meant with --plaintext, or make a sealed one with `vaultctl backup \
                 FILE`",
            ));
        }
        let zstd = is_compressed(&self.file)?;
        let target = Target::new(self.file.clone(), self.force, context)?;
        let client = context.open().await?;
        eprintln!("Everything in this file can be read by anyone who gets it.");
        let written = interrupt::guarded(
            "no file was written",
            archive::write(
                &client,
                client.export_archive(ArchiveForm::Plaintext { zstd }, self.with_secrets),
                target,
                Proof::Plain,
            ),
        );
        archive::report(context, "exported", &written.await?, &self.file)
    }
}

/// What the name says of the form.
fn is_compressed(file: &Path) -> Result<bool, Failure> {
    let name = file.to_string_lossy();
    if name.ends_with(".tar.zst") {
        Ok(true)
    } else if name.ends_with(".tar") || name == "-" {
        Ok(false)
    } else {
        Err(Failure::usage(format!(
            "{name}: an export is named *.tar, or *.tar.zst to be compressed"
        )))
    }
}
