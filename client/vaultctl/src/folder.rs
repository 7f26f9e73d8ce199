//! Folders on their way out of the vault.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    context::Context,
    failure::Failure,
    newfile::Target,
    output,
    transfer::{self, Download},
};

/// Writes files to a folder, each whole or not at all.
pub(crate) struct Outward<'a> {
    folder: PathBuf,
    force: bool,
    context: &'a Context,
    exported: Exported,
}

/// What an export wrote.
#[derive(Default)]
pub(crate) struct Exported {
    files: u64,
    bytes: u64,
    there: u64,
}

impl<'a> Outward<'a> {
    /// Into a folder, which is created when absent, for the user alone.
    pub(crate) fn new(folder: &Path, force: bool, context: &'a Context) -> Result<Self, Failure> {
        create(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            force,
            context,
            exported: Exported::default(),
        })
    }

    /// Writes one file, and says so where JSON is wanted. One that is there already is left alone
    /// where it must not be replaced, and counted.
    pub(crate) async fn write(
        &mut self,
        name: &str,
        download: impl Download,
    ) -> Result<(), Failure> {
        let path = self.folder.join(name);
        if !self.force && std::fs::symlink_metadata(&path).is_ok() {
            eprintln!("{} is there already", path.display());
            self.exported.there += 1;
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            create(parent)?;
        }
        let bytes = download.size();
        let mut file = Target::new(path.clone(), self.force, self.context)?.create()?;
        transfer::write(download, &mut file).await?;
        file.keep()?;
        self.exported.files += 1;
        self.exported.bytes += bytes;
        Ok(())
    }

    pub(crate) fn done(self) -> Exported {
        self.exported
    }
}

/// Creates a folder for the user alone, and those above it.
pub(crate) fn create(folder: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let failed =
        |error: io::Error| Failure::other(format!("{} cannot be made: {error}", folder.display()));
    builder.create(folder).map_err(failed)
}

impl Exported {
    /// Says what was written. Files that were there already are a conflict.
    pub(crate) fn report(&self, context: &Context) -> Result<(), Failure> {
        if context.json() {
            output::json(&serde_json::json!({
                "exported": self.files,
                "bytes": self.bytes,
                "there": self.there,
            }))?;
        } else {
            output::line(&format!("exported {}", self.files))?;
        }
        if self.there > 0 {
            return Err(Failure::conflict(format!(
                "{} there already and left alone; --force replaces them",
                output::count(self.there, "file")
            )));
        }
        Ok(())
    }
}
