//! A record as bytes: an envelope at its place in the chain.

use std::sync::Arc;

use vault_crypto::{Address, ChainHash, Envelope, Header, KeyId, VaultId, envelope};
use zeroize::Zeroizing;

use super::{Entry, Head, damaged};
use crate::{
    error::{StoreError, StoreResult},
    root::DataRoot,
    store_keys::StoreKeys,
};

/// Bytes of a record besides its text: header, hash, two tags.
pub(super) const OVERHEAD: u64 = envelope::HEADER_LEN as u64 + ChainHash::LEN as u64 + 32;

/// Where the log lies, and what opens it.
pub(super) struct Place {
    pub(super) root: DataRoot,
    pub(super) vault: VaultId,
    pub(super) keys: Arc<StoreKeys>,
}

/// A record that was opened.
pub(super) struct Opened {
    pub(super) sequence: u64,
    /// The chain's hash before it.
    pub(super) before: ChainHash,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// The key that it is sealed under.
    pub(super) key: KeyId,
}

impl Opened {
    /// The chain up to it.
    pub(super) fn head(&self) -> Head {
        Head {
            sequence: self.sequence,
            hash: self.before.followed_by(self.sequence, &self.body),
        }
    }

    /// What it says; `None` where this version does not know.
    pub(super) fn entry(&self) -> Option<Entry> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The text of a record.
pub(super) fn encode(entry: &Entry) -> StoreResult<Vec<u8>> {
    serde_json::to_vec(entry).map_err(|error| StoreError::damaged("a record", error))
}

impl Place {
    /// Seals the record that follows `head`; answers with the chain up to it.
    pub(super) fn seal(
        &self,
        segment: u64,
        head: Head,
        body: &[u8],
    ) -> StoreResult<(Vec<u8>, Head)> {
        let sequence = head.sequence + 1;
        let sealed = self.seal_as(segment, sequence, head.hash, body)?;
        let hash = head.hash.followed_by(sequence, body);
        Ok((sealed, Head { sequence, hash }))
    }

    /// Seals a record under the current key.
    pub(super) fn seal_as(
        &self,
        segment: u64,
        sequence: u64,
        before: ChainHash,
        body: &[u8],
    ) -> StoreResult<Vec<u8>> {
        let ring = self.keys.ring();
        let (key_id, key) = ring.current()?;
        let object = segment.to_le_bytes();
        let address = self.address(&object, sequence);
        envelope::seal(key, key_id, &address, before.as_bytes(), body)
            .map_err(|error| StoreError::envelope(format!("record {sequence}"), &error))
    }

    /// Opens the record that `bytes` is, and nothing else.
    pub(super) fn open(&self, segment: u64, bytes: &[u8]) -> StoreResult<Opened> {
        let ring = self.keys.ring();
        // Forgotten keys say nothing of the record.
        ring.current()?;
        let fail = |error| damaged(segment, error);
        let header = Header::parse(bytes).map_err(fail)?;
        let (key_id, sequence) = (header.key_id(), header.revision());
        let key = ring.get(key_id);
        let key = key.ok_or_else(|| damaged(segment, format!("no key {key_id}")))?;
        let object = segment.to_le_bytes();
        let envelope = Envelope::new(key, key_id, self.address(&object, sequence), bytes);
        let envelope = envelope.map_err(fail)?;
        let before = envelope.open_metadata().map_err(fail)?;
        let before = before.as_slice().try_into();
        let before = before.map_err(|_| damaged(segment, "a record without its hash"))?;
        Ok(Opened {
            sequence,
            before: ChainHash::from_bytes(before),
            body: envelope.open_body().map_err(fail)?,
            key: key_id,
        })
    }

    fn address<'a>(&self, segment: &'a [u8; 8], sequence: u64) -> Address<'a> {
        Address {
            vault: self.vault,
            // No store is called so in an address: theirs have eight random bytes.
            store: b"audit",
            object: segment,
            revision: sequence,
        }
    }
}
