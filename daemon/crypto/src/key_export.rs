//! The portable key file of `vaultctl key export`: a storage key that opens without vaultd.
//!
//! An age v1 file whose plaintext is one line of JSON (`age -d` shows it):
//!
//! ```text
//! {"format":1,"vault_id":"<32 hex digits>","storage_key":"<64 hex digits>"}
//! ```
//!
//! Fields that this version does not know are passed over. A file of exactly 32 bytes is a bare
//! key, which is what the passphrase backend keeps ([`crate::passphrase`]).

use std::io::BufRead;

use age::armor::ArmoredReader;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    age_file,
    id::VaultId,
    passphrase::PassphraseError,
    recipients::{Identities, Recipients},
    secret::StorageKey,
};

/// The format this build writes and reads.
const FORMAT: u32 = 1;
/// Largest file read, in bytes (64 KiB), armored or not.
pub const MAX_FILE: usize = 64 << 10;
/// Largest plaintext read, in bytes (4 KiB): room for fields to come.
const MAX_PLAINTEXT: usize = 4 << 10;
const ARMOR: &[u8] = b"-----BEGIN ";

/// What a key file held.
#[derive(Debug)]
pub struct ExportedKey {
    /// The vault that the key opens; `None` where the file holds a bare key.
    pub vault: Option<VaultId>,
    /// The key.
    pub key: StorageKey,
}

/// Borrows from the plaintext, so that no copy of the key is made that nobody zeroes. A key written
/// with escapes cannot be borrowed and is refused.
#[derive(Deserialize)]
struct Line<'a> {
    format: u32,
    #[serde(borrow)]
    vault_id: Option<&'a str>,
    #[serde(borrow)]
    storage_key: Option<&'a str>,
}

/// Seals the storage key of `vault` to `recipients`.
pub fn seal(
    vault: VaultId,
    key: &StorageKey,
    recipients: &Recipients<'_>,
) -> Result<Vec<u8>, PassphraseError> {
    let file = age_file::seal_bytes(line(vault, key).as_bytes(), recipients)?;
    if file.len() > MAX_FILE {
        // Only a plug-in can make a header this long; better no export than one that never opens.
        let text = format!(
            "the stanzas make the file longer than {} KiB",
            MAX_FILE >> 10
        );
        return Err(PassphraseError::Plugin(text));
    }
    Ok(file)
}

/// Opens what [`seal`], [`crate::passphrase::seal_key`] or `age` (with `-a` too) sealed.
pub fn open(file: &[u8], identities: &Identities<'_>) -> Result<ExportedKey, PassphraseError> {
    if file.len() > MAX_FILE {
        let text = format!("it is longer than {} KiB", MAX_FILE >> 10);
        return Err(PassphraseError::Damaged(text));
    }
    let reader: Box<dyn BufRead> = if file.starts_with(ARMOR) {
        Box::new(ArmoredReader::new(file))
    } else {
        Box::new(file)
    };
    parse(&age_file::open_bytes(reader, identities, MAX_PLAINTEXT)?)
}

fn line(vault: VaultId, key: &StorageKey) -> Zeroizing<String> {
    // Sized beforehand: a growing string would leave unzeroed copies of the key behind.
    let capacity = 64 + 2 * VaultId::LEN + 2 * StorageKey::LEN;
    let mut line = Zeroizing::new(String::with_capacity(capacity));
    line.push_str(r#"{"format":1,"vault_id":""#);
    HEXLOWER.encode_append(vault.as_bytes(), &mut line);
    line.push_str(r#"","storage_key":""#);
    HEXLOWER.encode_append(key.expose(), &mut line);
    line.push_str("\"}\n");
    debug_assert_eq!(line.capacity(), capacity);
    line
}

fn parse(plaintext: &[u8]) -> Result<ExportedKey, PassphraseError> {
    if let Some(key) = StorageKey::from_bytes(plaintext) {
        return Ok(ExportedKey { vault: None, key });
    }
    // Never the parser's own words: they may quote the key.
    let damaged = || PassphraseError::Damaged("it does not hold an exported key".to_owned());
    let line: Line<'_> = serde_json::from_slice(plaintext).map_err(|_| damaged())?;
    if line.format != FORMAT {
        let format = line.format;
        let text = format!("the export has format {format}, which this version does not know");
        return Err(PassphraseError::Damaged(text));
    }
    let vault = line.vault_id.ok_or_else(damaged)?;
    let vault = vault.parse().map_err(|_| damaged())?;
    let key = line.storage_key.and_then(key).ok_or_else(damaged)?;
    Ok(ExportedKey {
        vault: Some(vault),
        key,
    })
}

fn key(hex: &str) -> Option<StorageKey> {
    if hex.len() != 2 * StorageKey::LEN {
        return None;
    }
    let mut bytes = Zeroizing::new([0; StorageKey::LEN]);
    HEXLOWER.decode_mut(hex.as_bytes(), bytes.as_mut()).ok()?;
    StorageKey::from_bytes(bytes.as_ref())
}

#[cfg(test)]
mod tests;
