//! Options for age files: what one is sealed by, and what opens it.

use std::path::{Path, PathBuf};

use vault_client::{OpenWith, SealFor};
use zeroize::Zeroizing;

use crate::{failure::Failure, input, passphrase};

/// The passphrase of an age file. `--passphrase-file` is another: it opens the vault.
#[derive(clap::Args, Debug)]
pub(crate) struct FilePassphrase {
    /// File with the passphrase of the file itself, for scripts; `-` is standard input
    #[arg(long, value_name = "FILE")]
    export_passphrase_file: Option<PathBuf>,
    /// The same, from an open file descriptor
    #[cfg(unix)]
    #[arg(long, value_name = "N", conflicts_with = "export_passphrase_file")]
    export_passphrase_fd: Option<u32>,
}

impl FilePassphrase {
    fn file(&self) -> Option<PathBuf> {
        #[cfg(unix)]
        if let Some(number) = self.export_passphrase_fd {
            return Some(input::descriptor(number));
        }
        self.export_passphrase_file.clone()
    }
}

/// What a new age file is sealed by.
#[derive(clap::Args, Debug)]
pub(crate) struct SealOptions {
    /// Seal it for this age recipient, not by a passphrase; may be given several times
    #[arg(
        long = "recipient",
        value_name = "AGE1",
        conflicts_with = "FilePassphrase"
    )]
    recipients: Vec<String>,
    /// The same for those in a file, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "FilePassphrase")]
    recipients_file: Option<PathBuf>,
    #[command(flatten)]
    passphrase: FilePassphrase,
}

/// A seal that was chosen.
pub(crate) enum Seal {
    Passphrase(Zeroizing<Vec<u8>>),
    Recipients(Vec<String>),
}

impl SealOptions {
    /// The recipients, else a passphrase that is asked for twice.
    pub(crate) fn choose(self) -> Result<Seal, Failure> {
        let mut recipients = self.recipients;
        if let Some(file) = &self.recipients_file {
            recipients.extend(recipients_of(file)?);
        }
        if !recipients.is_empty() {
            return Ok(Seal::Recipients(recipients));
        }
        let file = self.passphrase.file();
        let new = passphrase::New {
            file: file.as_deref(),
            option: "--export-passphrase-file",
            opens: "the file",
        };
        new.choose().map(Seal::Passphrase)
    }
}

impl Seal {
    pub(crate) fn wire(&self) -> SealFor<'_> {
        match self {
            Self::Passphrase(passphrase) => SealFor::Passphrase(passphrase),
            Self::Recipients(recipients) => SealFor::Recipients(recipients),
        }
    }
}

/// What opens an age file.
#[derive(clap::Args, Debug)]
pub(crate) struct OpenOptions {
    /// File with the age identity that opens it
    #[arg(long, value_name = "FILE", conflicts_with = "FilePassphrase")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    passphrase: FilePassphrase,
}

/// What opens an age file, at hand.
pub(crate) enum Opener {
    Passphrase(Zeroizing<Vec<u8>>),
    Identity(Zeroizing<Vec<u8>>),
}

/// The recipients that a file lists. None is a slip: nobody could open what is sealed for them.
fn recipients_of(file: &Path) -> Result<Vec<String>, Failure> {
    let text = input::whole(file, "the recipients file")?;
    let recipients = listed(&String::from_utf8_lossy(&text));
    if recipients.is_empty() {
        let text = format!("{} names no recipient", file.display());
        return Err(Failure::usage(text));
    }
    Ok(recipients)
}

/// One a line, as age reads them: what begins with `#` is a comment.
fn listed(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let named = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    named.map(str::to_owned).collect()
}

/// An identity's text.
pub(crate) fn identity(file: &Path) -> Result<Opener, Failure> {
    input::whole(file, "the identity file").map(Opener::Identity)
}

impl OpenOptions {
    /// Whether one was named, and so a sealed file is expected.
    pub(crate) fn named(&self) -> bool {
        self.identity.is_some() || self.passphrase.file().is_some()
    }

    /// The identity, else a passphrase that is asked for.
    pub(crate) fn read(&self) -> Result<Opener, Failure> {
        if let Some(file) = &self.identity {
            return identity(file);
        }
        passphrase::of_file(self.passphrase.file().as_deref()).map(Opener::Passphrase)
    }
}

impl Opener {
    pub(crate) fn wire(&self) -> OpenWith<'_> {
        match self {
            Self::Passphrase(passphrase) => OpenWith::Passphrase(passphrase),
            Self::Identity(identity) => OpenWith::Identity(identity),
        }
    }
}

/// Whether a file that begins so is sealed by age, in either of its forms.
pub(crate) fn is_sealed(head: &[u8]) -> bool {
    const BINARY: &[u8] = b"age-encryption.org/v1";
    const ARMORED: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
    head.starts_with(BINARY) || head.starts_with(ARMORED)
}

/// How much of a file's beginning tells whether it is sealed, in bytes.
pub(crate) const HEAD: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_stand_on_lines_of_their_own() {
        let text = "# for the safe\n\n  age1one  \r\nage1two\n#age1three\n";
        assert_eq!(listed(text), ["age1one", "age1two"]);
        assert!(listed("# nobody yet\n").is_empty());
    }

    #[test]
    fn both_forms_of_age_are_told_from_tar_and_zstd() {
        assert!(is_sealed(b"age-encryption.org/v1\n-> scrypt"));
        assert!(is_sealed(b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl"));
        assert!(!is_sealed(b"\x28\xb5\x2f\xfd\x04"));
        assert!(!is_sealed(b"manifest.json\0\0\0\0\0\0\0\0\0"));
        assert!(!is_sealed(b""));
    }
}
