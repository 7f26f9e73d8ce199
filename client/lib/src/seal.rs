//! How a file that leaves the vault is sealed, and what opens one.

use vault_proto::v1::ArchiveKey;

/// What an age file is to be sealed for. Without `Debug`: it may hold a passphrase.
#[derive(Clone, Copy)]
pub enum SealFor<'a> {
    /// Who knows this passphrase.
    Passphrase(&'a [u8]),
    /// The holders of these age recipients' identities (`age1...`).
    Recipients(&'a [String]),
}

impl SealFor<'_> {
    /// Passphrase and recipients, as the wire has them.
    pub(crate) fn wire(self) -> (Vec<u8>, Vec<String>) {
        match self {
            Self::Passphrase(passphrase) => (passphrase.to_vec(), Vec::new()),
            Self::Recipients(recipients) => (Vec::new(), recipients.to_vec()),
        }
    }
}

/// What opens an age file. Without `Debug`: it holds a secret.
#[derive(Clone, Copy)]
pub enum OpenWith<'a> {
    /// Its passphrase.
    Passphrase(&'a [u8]),
    /// The text of an age identity file.
    Identity(&'a [u8]),
}

impl OpenWith<'_> {
    pub(crate) fn wire(self) -> ArchiveKey {
        let (passphrase, identity) = match self {
            Self::Passphrase(passphrase) => (passphrase.to_vec(), Vec::new()),
            Self::Identity(identity) => (Vec::new(), identity.to_vec()),
        };
        ArchiveKey {
            passphrase,
            identity,
        }
    }
}
