//! What is in a store, and whether it is whole.

use std::{io, ops::ControlFlow, path::Path};

use vault_crypto::blob_stream;
use zeroize::Zeroizing;

use super::{
    BlobInfo, BlobRef, Inner,
    file::BlobFile,
    folders::{Folders, Found},
};
use crate::{
    error::{StoreError, StoreResult},
    kind::{Amount, StoreStats},
};

/// How many bytes of one blob are read before progress is told.
const TOLD_AFTER: u64 = 64 << 20;

/// What cannot be read: its file, and why.
type Damage = (String, StoreError);

/// What the length of a file tells.
pub(super) enum Length {
    /// Bytes of content.
    Of(u64),
    /// No blob has it.
    OfNoBlob,
    /// There is no file.
    Gone,
}

/// How far a verification has come.
#[derive(Debug)]
pub struct Verified {
    /// Read since the last report. A blob counts with its last bytes.
    pub amount: Amount,
    /// A file that is damaged, and why.
    pub damaged: Option<(String, StoreError)>,
}

impl Inner {
    pub(super) fn list(
        &self,
        each: &mut dyn FnMut(Result<BlobInfo, Damage>) -> ControlFlow<()>,
    ) -> StoreResult<()> {
        for folder in &self.folders.shards {
            for found in Folders::list(self.context.root.fs(), folder)? {
                self.check_open()?;
                let Some(listed) = self.look_at(folder, found)? else {
                    continue;
                };
                if each(listed).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// What a file in a folder of blobs is; `None` where it is gone meanwhile.
    fn look_at(
        &self,
        folder: &Path,
        found: Found,
    ) -> StoreResult<Option<Result<BlobInfo, Damage>>> {
        let (file, name) = match found {
            Found::Blob(name) => (name.to_string(), Some(name)),
            Found::Foreign(file) => (file, None),
        };
        let object = format!("file {file} in store `{}`", self.context.record.name);
        let damaged = |detail: &str, file| {
            let error = StoreError::damaged(&object, detail);
            Ok(Some(Err((file, error))))
        };
        let Some(name) = name else {
            return damaged("it is no blob", file);
        };
        match BlobFile::open(&self.context, &folder.join(&file), &object) {
            Ok(None) => Ok(None),
            Ok(Some(opened)) => {
                let info = opened.info();
                if self.name_of(&info.reference) == name {
                    Ok(Some(Ok(info)))
                } else {
                    damaged("it is that of another blob", file)
                }
            }
            Err(StoreError::Closed) => Err(StoreError::Closed),
            Err(error) => Ok(Some(Err((file, error)))),
        }
    }

    pub(super) fn verify_each(
        &self,
        each: &mut dyn FnMut(Verified) -> ControlFlow<()>,
    ) -> StoreResult<ControlFlow<()>> {
        let mut outcome = Ok(ControlFlow::Continue(()));
        self.list(&mut |listed| {
            outcome = self.verify_listed(listed, each);
            outcome
                .as_ref()
                .map_or(ControlFlow::Break(()), |flow| *flow)
        })?;
        outcome
    }

    fn verify_listed(
        &self,
        listed: Result<BlobInfo, Damage>,
        each: &mut dyn FnMut(Verified) -> ControlFlow<()>,
    ) -> StoreResult<ControlFlow<()>> {
        let damage = match listed {
            Err(damage) => damage,
            Ok(info) => {
                let mut tell = |amount| {
                    each(Verified {
                        amount,
                        damaged: None,
                    })
                };
                match self.read_through(&info.reference, &mut tell) {
                    Ok(flow) => return Ok(flow),
                    // Removed meanwhile.
                    Err(StoreError::NoSuchBlob(_)) => return Ok(ControlFlow::Continue(())),
                    Err(StoreError::Closed) => return Err(StoreError::Closed),
                    Err(error) => (self.name_of(&info.reference).to_string(), error),
                }
            }
        };
        Ok(each(Verified {
            amount: Amount::default(),
            damaged: Some(damage),
        }))
    }

    /// Reads a blob whole, and tells how far it has come.
    pub(super) fn read_through(
        &self,
        reference: &BlobRef,
        tell: &mut dyn FnMut(Amount) -> ControlFlow<()>,
    ) -> StoreResult<ControlFlow<()>> {
        let mut reading = self.reading(reference)?;
        let mut content = Zeroizing::new(Vec::new());
        let mut untold = 0;
        loop {
            self.check_open()?;
            reading.next(&mut content)?;
            let ended = content.is_empty();
            untold += content.len() as u64;
            if ended || untold >= TOLD_AFTER {
                let objects = u64::from(ended);
                let bytes = std::mem::take(&mut untold);
                let flow = tell(Amount { objects, bytes });
                if ended || flow.is_break() {
                    return Ok(flow);
                }
            }
        }
    }

    /// Reads a blob whole. Returns what is known of it.
    pub(super) fn verify(&self, reference: &BlobRef) -> StoreResult<BlobInfo> {
        let info = self.stat(reference)?;
        let _ = self.read_through(reference, &mut |_| ControlFlow::Continue(()))?;
        Ok(info)
    }

    /// Figures from names and lengths alone: nothing is opened.
    pub(super) fn stats(&self) -> StoreResult<StoreStats> {
        self.check_open()?;
        let mut stats = StoreStats::default();
        for folder in &self.folders.shards {
            for found in Folders::list(self.context.root.fs(), folder)? {
                let length = match found {
                    Found::Foreign(_) => Length::OfNoBlob,
                    Found::Blob(name) => self.length_of(&folder.join(name.to_string()))?,
                };
                match length {
                    Length::Gone => {}
                    Length::OfNoBlob => stats.damaged += 1,
                    Length::Of(bytes) => {
                        stats.objects += 1;
                        stats.body_bytes += bytes;
                    }
                }
            }
        }
        Ok(stats)
    }

    /// What the length of a file tells.
    pub(super) fn length_of(&self, path: &Path) -> StoreResult<Length> {
        match self.context.root.fs().file_len(path) {
            Ok(len) => Ok(blob_stream::content_len(len).map_or(Length::OfNoBlob, Length::Of)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Length::Gone),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(Length::OfNoBlob),
            Err(error) => Err(StoreError::io("read", path, &error)),
        }
    }
}
