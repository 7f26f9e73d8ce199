//! A file sealed with a passphrase: for servers and containers, where no desktop keyring runs.
//!
//! `<folder>/storage-key.age` and `<folder>/storage-key.next.age` are age files with one scrypt
//! recipient, so that `age -d` opens them too. The folder belongs to one vault; the vault id of an
//! account is not looked at.

mod key_file;

use std::path::{Path, PathBuf};

use vault_crypto::{SecretBytes, StorageKey};

use self::key_file::{KeyFile, Opened};
use crate::{
    account::{Account, EntryName},
    backend::{Backend, BackendKind, Interaction, Probe},
    error::KeyringError,
};

/// The storage key in a file, sealed with a passphrase that is asked for once.
#[derive(Debug)]
pub struct PassphraseBackend {
    folder: PathBuf,
    work_factor: Option<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Locked,
    Unlocked(Unlocked),
}

/// What is kept between `unlock` and `lock`. Opening a file takes scrypt about a second, so an
/// opened key is kept beside the bytes it came from and serves while the file still has them.
#[derive(Debug)]
struct Unlocked {
    passphrase: SecretBytes,
    storage_key: Option<Opened>,
    storage_key_next: Option<Opened>,
}

impl Unlocked {
    fn slot(&mut self, file: &KeyFile) -> &mut Option<Opened> {
        match file.name() {
            EntryName::StorageKeyNext => &mut self.storage_key_next,
            _ => &mut self.storage_key,
        }
    }

    fn key(&mut self, file: &KeyFile, sealed: Vec<u8>) -> Result<&StorageKey, KeyringError> {
        let opened = match self.slot(file).take() {
            Some(opened) if opened.sealed == sealed => opened,
            _ => Opened::open(sealed, &self.passphrase)?,
        };
        Ok(&self.slot(file).insert(opened).key)
    }
}

impl PassphraseBackend {
    /// Keeps the key files in `folder`, which is created on the first write. `work_factor` is
    /// scrypt's log2 N; `None` measures one that takes about a second on this machine.
    pub fn new(folder: PathBuf, work_factor: Option<u8>) -> Self {
        Self {
            folder,
            work_factor,
            state: State::Locked,
        }
    }

    /// Whether there is a key file in `folder`.
    pub fn has_key_file(folder: &Path) -> bool {
        let files = KeyFile::both(folder);
        files
            .iter()
            .any(|file| !matches!(file.read(), Err(KeyringError::NoEntry)))
    }

    /// The same, unlocked by a passphrase that no file has yet: what is written next is sealed with
    /// it. Key files that are there already are not looked at.
    pub fn with_new_passphrase(folder: PathBuf, passphrase: &SecretBytes) -> Self {
        let unlocked = Unlocked {
            passphrase: SecretBytes::new(passphrase.expose().to_vec()),
            storage_key: None,
            storage_key_next: None,
        };
        Self {
            folder,
            work_factor: None,
            state: State::Unlocked(unlocked),
        }
    }

    fn file(&self, account: &Account) -> Result<KeyFile, KeyringError> {
        KeyFile::new(&self.folder, &account.name)
    }

    fn files(&self) -> [KeyFile; 2] {
        KeyFile::both(&self.folder)
    }
}

impl Backend for PassphraseBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Passphrase
    }

    fn get(&mut self, account: &Account, _: Interaction) -> Result<SecretBytes, KeyringError> {
        let file = self.file(account)?;
        // The file is asked first, every time: it is the truth, the key in memory is not.
        let sealed = file.read()?;
        match &mut self.state {
            State::Locked => Err(passphrase_needed()),
            State::Unlocked(unlocked) => {
                let key = unlocked.key(&file, sealed)?;
                Ok(SecretBytes::new(key.expose().to_vec()))
            }
        }
    }

    fn set(
        &mut self,
        account: &Account,
        secret: &[u8],
        _: Interaction,
    ) -> Result<(), KeyringError> {
        let file = self.file(account)?;
        let State::Unlocked(unlocked) = &mut self.state else {
            return Err(passphrase_needed());
        };
        let key = StorageKey::from_bytes(secret).ok_or_else(|| {
            KeyringError::Unsupported("a key file holds a 32-byte storage key only".to_owned())
        })?;
        let opened = Opened::seal(key, &unlocked.passphrase, self.work_factor)?;
        file.write(&opened.sealed)?;
        *unlocked.slot(&file) = Some(opened);
        Ok(())
    }

    /// Needs no passphrase, so that a vault whose passphrase is lost can still be reset.
    fn delete(&mut self, account: &Account, _: Interaction) -> Result<(), KeyringError> {
        let file = self.file(account)?;
        file.remove()?;
        if let State::Unlocked(unlocked) = &mut self.state {
            *unlocked.slot(&file) = None;
        }
        Ok(())
    }

    fn probe(&mut self) -> Result<Probe, KeyringError> {
        key_file::check_writable(&self.folder)?;
        if let State::Locked = self.state {
            for file in self.files() {
                match file.read() {
                    Ok(_) => return Ok(Probe::Locked),
                    Err(KeyringError::NoEntry) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Probe::Works)
    }

    /// Checks the passphrase against the key files, and only remembers it where there is none yet.
    ///
    /// One file that opens is enough: were the other one damaged, the vault would else stay shut
    /// although a rotation left a good key.
    fn unlock(&mut self, passphrase: Option<&SecretBytes>) -> Result<(), KeyringError> {
        let given = passphrase.ok_or_else(passphrase_needed)?;
        if given.is_empty() {
            let text = "an empty passphrase protects nothing";
            return Err(KeyringError::Unsupported(text.to_owned()));
        }
        let mut unlocked = Unlocked {
            passphrase: SecretBytes::new(given.expose().to_vec()),
            storage_key: None,
            storage_key_next: None,
        };
        let mut refused = None;
        for file in self.files() {
            let opened = file
                .read()
                .and_then(|sealed| unlocked.key(&file, sealed).map(drop));
            match opened {
                Ok(()) => {
                    refused = None;
                    break;
                }
                Err(KeyringError::NoEntry) => {}
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        self.state = State::Unlocked(unlocked);
        Ok(())
    }

    fn lock(&mut self) {
        self.state = State::Locked;
    }
}

fn passphrase_needed() -> KeyringError {
    KeyringError::Locked("a passphrase is needed".to_owned())
}

#[cfg(test)]
mod tests;
