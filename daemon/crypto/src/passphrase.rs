//! The passphrase key file: a storage key in an age file with one scrypt recipient (age v1).

use std::io::{Read as _, Write as _};

use age::secrecy::SecretString;
use zeroize::Zeroizing;

use crate::secret::{SecretBytes, StorageKey};

/// Largest scrypt work factor (log2 N) accepted when opening: 2^20 takes about a second and 1 GiB.
/// A file asking for more is an attack on the machine's memory.
const MAX_WORK_FACTOR: u8 = 20;

/// Why a key file was not written or not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// The passphrase does not open the file.
    #[error("the passphrase does not open the key file")]
    WrongPassphrase,
    /// Not an age file with one scrypt stanza, or not a storage key in it.
    #[error("the key file is damaged: {0}")]
    Damaged(String),
    /// Its work factor is above what this build accepts.
    #[error("the key file asks for scrypt work factor 2^{0}, above 2^{MAX_WORK_FACTOR}")]
    TooMuchWork(u8),
    /// Passphrases are text.
    #[error("the passphrase is not valid UTF-8")]
    NotText,
}

fn text(passphrase: &SecretBytes) -> Result<SecretString, PassphraseError> {
    let text = std::str::from_utf8(passphrase.expose()).map_err(|_| PassphraseError::NotText)?;
    Ok(SecretString::from(text.to_owned()))
}

/// Seals `key` under `passphrase`. `work_factor` is scrypt's log2 N; `None` measures one that takes
/// about a second on this machine.
pub fn seal_key(
    key: &StorageKey,
    passphrase: &SecretBytes,
    work_factor: Option<u8>,
) -> Result<Vec<u8>, PassphraseError> {
    let mut recipient = age::scrypt::Recipient::new(text(passphrase)?);
    if let Some(log_n) = work_factor {
        recipient.set_work_factor(log_n.min(MAX_WORK_FACTOR));
    }
    let damaged = |error: &dyn std::fmt::Display| PassphraseError::Damaged(error.to_string());
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _))
        .map_err(|error| damaged(&error))?;
    let mut file = Vec::new();
    let mut writer = encryptor
        .wrap_output(&mut file)
        .map_err(|error| damaged(&error))?;
    writer
        .write_all(key.expose())
        .map_err(|error| damaged(&error))?;
    writer.finish().map_err(|error| damaged(&error))?;
    Ok(file)
}

/// Opens a key file that [`seal_key`], `age` or `rage` wrote.
pub fn open_key(file: &[u8], passphrase: &SecretBytes) -> Result<StorageKey, PassphraseError> {
    let damaged = |error: age::DecryptError| match error {
        age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => {
            PassphraseError::WrongPassphrase
        }
        age::DecryptError::ExcessiveWork { required, .. } => PassphraseError::TooMuchWork(required),
        other => PassphraseError::Damaged(other.to_string()),
    };
    let mut identity = age::scrypt::Identity::new(text(passphrase)?);
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let decryptor = age::Decryptor::new(file).map_err(damaged)?;
    let reader = decryptor
        .decrypt(std::iter::once(&identity as _))
        .map_err(damaged)?;
    // One byte more than a key, so that a longer secret is noticed.
    let mut bytes = Zeroizing::new(Vec::with_capacity(StorageKey::LEN + 1));
    reader
        .take(StorageKey::LEN as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| PassphraseError::Damaged(error.to_string()))?;
    StorageKey::from_bytes(&bytes)
        .ok_or_else(|| PassphraseError::Damaged("it does not hold a 32-byte key".to_owned()))
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
}
