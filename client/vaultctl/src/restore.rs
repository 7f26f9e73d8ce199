//! `vaultctl restore`: puts a backup or an export back.

use std::path::PathBuf;

use crate::{
    archive::{self, Archive},
    context::Context,
    failure::Failure,
    output,
    seal::OpenOptions,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Restore {
    /// The backup, or a plaintext export
    file: PathBuf,
    /// Into a vault that has stores: objects of the file replace those of the same store and id,
    /// all others stay
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    open: OpenOptions,
}

impl Restore {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let passes = std::fs::metadata(&self.file).is_ok_and(|found| !found.is_file());
        if archive::is_stdin(&self.file) || passes {
            return Err(Failure::usage(
                "a restore reads its file twice, to verify it before anything is replaced: name a \
                 file that stays",
            ));
        }
        let mut archive = Archive::open(self.file, &self.open)?;
        if !archive.is_sealed() {
            eprintln!("The file is not sealed: whoever had it could change what is in it.");
        }
        let client = context.open().await?;
        let summary = archive.verify(&client).await?;
        // Another file in its place meanwhile has another manifest, which the daemon refuses.
        let (file, bar) = archive.read("restoring")?;
        let restored = client
            .restore_archive(archive.opener(), self.merge, &summary.manifest_sha256, file)
            .await;
        bar.finish_and_clear();
        let restored = restored?;
        if context.json() {
            let mut json = archive::as_json(&restored.summary);
            json["unchanged"] = restored.unchanged.into();
            return output::json(&json);
        }
        archive::tell_what_is_left_out(&restored.summary);
        output::line(&format!(
            "restored {}, {} of them there already",
            archive::describe(&restored.summary),
            restored.unchanged
        ))
    }
}
