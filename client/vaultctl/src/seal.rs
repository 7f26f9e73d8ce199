//! Options for age files: what one is sealed by, and what opens it.

use std::path::PathBuf;

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
        if !self.recipients.is_empty() {
            return Ok(Seal::Recipients(self.recipients));
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

/// An identity's text.
pub(crate) fn identity(file: &std::path::Path) -> Result<Opener, Failure> {
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
    fn both_forms_of_age_are_told_from_tar_and_zstd() {
        assert!(is_sealed(b"age-encryption.org/v1\n-> scrypt"));
        assert!(is_sealed(b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl"));
        assert!(!is_sealed(b"\x28\xb5\x2f\xfd\x04"));
        assert!(!is_sealed(b"manifest.json\0\0\0\0\0\0\0\0\0"));
        assert!(!is_sealed(b""));
    }
}
