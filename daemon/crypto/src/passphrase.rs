//! The passphrase key file: a storage key in an age file with one scrypt recipient (age v1). And
//! what makes a passphrase good enough for one.

use std::io;

use crate::{
    age_file,
    recipients::{Identities, MAX_RECIPIENTS, Recipients},
    secret::{SecretBytes, StorageKey},
};

/// Largest scrypt work factor (log2 N) accepted when opening: 2^20 takes about a second and 1 GiB.
/// A file asking for more is an attack on the machine's memory.
pub(crate) const MAX_WORK_FACTOR: u8 = 20;

/// Shortest passphrase accepted for a new file, in Unicode characters.
pub const MIN_PASSPHRASE: usize = 10;

/// Why a sealed file was not written or not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// The passphrase does not open the file.
    #[error("the passphrase does not open the file")]
    WrongPassphrase,
    /// Not an age file, or not what is expected in it.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// Its work factor is above what this build accepts.
    #[error("the file asks for scrypt work factor 2^{0}, above 2^{MAX_WORK_FACTOR}")]
    TooMuchWork(u8),
    /// Passphrases are text.
    #[error("the passphrase is not valid UTF-8")]
    NotText,
    /// A file is sealed to somebody, and not to more than its header has room for.
    #[error("a file is sealed to 1 to {MAX_RECIPIENTS} recipients, not {0}")]
    RecipientCount(usize),
    /// Neither an X25519 recipient nor one of a plug-in. Says which: its text, or its number
    /// (counted from 1) where the text could be a secret.
    #[error("recipient {0} is not an age recipient")]
    UnknownRecipient(String),
    /// A line that is neither an identity nor a comment. Its text, which may be a misspelt secret,
    /// is not repeated.
    #[error("line {line} of the identities is not an age identity")]
    UnknownIdentity {
        /// The line, counted from 1.
        line: usize,
    },
    /// The file is intact, as far as can be told, but is for somebody else.
    #[error("the file is not sealed to the passphrase or the identities given")]
    NoMatch,
    /// A plug-in is not installed, cannot do what it was asked for, or would have to ask a person.
    #[error("an age plug-in failed: {0}")]
    Plugin(String),
    /// Reading or writing the file failed.
    #[error("{1}")]
    Io(io::ErrorKind, String),
}

/// Input that ends early or is malformed is damage; anything else is the file system's doing.
impl From<io::Error> for PassphraseError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Self::Damaged(error.to_string())
            }
            kind => Self::Io(kind, error.to_string()),
        }
    }
}

/// Seals `key` under `passphrase`. `work_factor` is scrypt's log2 N; `None` measures one that takes
/// about a second on this machine.
pub fn seal_key(
    key: &StorageKey,
    passphrase: &SecretBytes,
    work_factor: Option<u8>,
) -> Result<Vec<u8>, PassphraseError> {
    let recipients = Recipients::Passphrase {
        passphrase,
        work_factor,
    };
    age_file::seal_bytes(key.expose(), &recipients)
}

/// Opens a key file that [`seal_key`], `age` or `rage` wrote.
pub fn open_key(file: &[u8], passphrase: &SecretBytes) -> Result<StorageKey, PassphraseError> {
    let identities = Identities::Passphrase(passphrase);
    let key = age_file::open_bytes(file, &identities, StorageKey::LEN)?;
    StorageKey::from_bytes(&key)
        .ok_or_else(|| PassphraseError::Damaged("it does not hold a 32-byte key".to_owned()))
}

/// Why a passphrase is not taken for a new file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassphrase {
    /// Too short.
    #[error("the passphrase has {0} characters; it needs at least {MIN_PASSPHRASE}")]
    TooShort(usize),
    /// One character over and over.
    #[error(
        "the passphrase repeats one character; it needs at least {MIN_PASSPHRASE}, and several different ones"
    )]
    OneCharacter,
    /// Passphrases are text.
    #[error("the passphrase is not valid UTF-8")]
    NotText,
}

/// Whether `passphrase` is good enough for a new file: at least [`MIN_PASSPHRASE`] Unicode
/// characters and not one character repeated. Only for sealing: whatever opens a file is right.
pub fn check_passphrase(passphrase: &SecretBytes) -> Result<(), WeakPassphrase> {
    let text = std::str::from_utf8(passphrase.expose()).map_err(|_| WeakPassphrase::NotText)?;
    let len = text.chars().count();
    if len < MIN_PASSPHRASE {
        return Err(WeakPassphrase::TooShort(len));
    }
    let first = text.chars().next();
    if text.chars().all(|character| Some(character) == first) {
        return Err(WeakPassphrase::OneCharacter);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[test]
    fn a_key_file_opens_with_its_passphrase_only() {
        let key = StorageKey::from_bytes(&[5; 32]).expect("32 bytes");
        let file = seal_key(&key, &secret("correct horse"), Some(2)).expect("sealed");
        assert!(file.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        let opened = open_key(&file, &secret("correct horse")).expect("opened");
        assert_eq!(opened.expose(), key.expose());
        let wrong = open_key(&file, &secret("battery staple")).expect_err("refused");
        assert_eq!(wrong, PassphraseError::WrongPassphrase);
    }

    #[test]
    fn damage_is_told_from_a_wrong_passphrase() {
        let key = StorageKey::from_bytes(&[5; 32]).expect("32 bytes");
        let file = seal_key(&key, &secret("correct horse"), Some(2)).expect("sealed");
        for broken in [
            &b""[..],
            b"not an age file",
            &file[..40],
            &file[..file.len() - 1],
        ] {
            let error = open_key(broken, &secret("correct horse")).expect_err("refused");
            assert!(matches!(error, PassphraseError::Damaged(_)), "{error}");
        }
    }

    #[test]
    fn excessive_work_is_refused() {
        let key = StorageKey::from_bytes(&[5; 32]).expect("32 bytes");
        let file = seal_key(&key, &secret("p"), Some(2)).expect("sealed");
        let text = String::from_utf8_lossy(&file[..120]).into_owned();
        let stanza = text.lines().nth(1).expect("a stanza").to_owned();
        let greedy = format!("{} 30", stanza.rsplit_once(' ').expect("a work factor").0);
        let mut changed = file.clone();
        let at = "age-encryption.org/v1\n".len();
        changed.splice(at..at + stanza.len(), greedy.bytes());
        let error = open_key(&changed, &secret("p")).expect_err("refused");
        assert_eq!(error, PassphraseError::TooMuchWork(30));
    }

    #[test]
    fn a_weak_passphrase_is_told_the_minimum() {
        let refused = |text| check_passphrase(&secret(text)).expect_err("weak");
        assert_eq!(refused(""), WeakPassphrase::TooShort(0));
        assert_eq!(refused("ninechars"), WeakPassphrase::TooShort(9));
        assert_eq!(refused("äöüäöüäöü"), WeakPassphrase::TooShort(9));
        assert_eq!(refused("ääääääääääää"), WeakPassphrase::OneCharacter);
        assert_eq!(
            check_passphrase(&SecretBytes::new(vec![0xFF; 12])),
            Err(WeakPassphrase::NotText)
        );
        for error in [WeakPassphrase::TooShort(3), WeakPassphrase::OneCharacter] {
            assert!(error.to_string().contains("at least 10"), "{error}");
        }
        for good in ["ten chars!", "äöüäöüäöüä", "aaaaaaaaab"] {
            assert_eq!(check_passphrase(&secret(good)), Ok(()), "{good}");
        }
    }
}
