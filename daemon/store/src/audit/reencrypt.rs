//! Seals the log anew, for a rotation that re-encrypts. Records keep their number, their text, their
//! place in the chain and their offset; the key and the nonce change.

use std::{collections::BTreeSet, ops::ControlFlow};

use vault_crypto::{Header, KeyId};

use super::{AuditLog, walk, writer::Segment};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    kind::{Amount, Report},
    vault::lock,
};

/// What a segment is sealed under.
#[derive(Default)]
struct Sealed {
    /// Records that are not under the current key.
    older: Amount,
    keys: BTreeSet<KeyId>,
    /// Whether anything in it cannot be read.
    damaged: bool,
}

impl AuditLog {
    /// What is not sealed under the current key.
    pub(crate) fn outdated(&self) -> StoreResult<Amount> {
        let mut amount = Amount::default();
        for segment in self.outline().0 {
            if let Some(bytes) = self.records_of(&segment)? {
                amount += self.sealed(&bytes)?.older;
            }
        }
        Ok(amount)
    }

    /// Durably seals anew, under the current key, whatever is not. What cannot be read is left as it is.
    pub(crate) fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        // Held throughout: what is dropped meanwhile must not come back.
        let _alone = lock(&self.anchoring);
        let (segments, _) = self.outline();
        for segment in segments {
            let amount = self.reencrypt_segment(segment.number)?;
            if report(amount).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn reencrypt_segment(&self, number: u64) -> StoreResult<Amount> {
        let mut writer = lock(&self.writer);
        if writer.is_closed() {
            return Err(StoreError::Closed);
        }
        let newest = writer.segments().back().map(|last| last.number) == Some(number);
        if newest {
            // Its file is replaced: whoever adds to it waits, and opens the new one.
            writer.let_go();
            self.seal_anew(number)
        } else {
            drop(writer);
            self.seal_anew(number)
        }
    }

    fn seal_anew(&self, number: u64) -> StoreResult<Amount> {
        let place = &self.place;
        let mut bytes = match place.read(number) {
            Err(StoreError::Damaged { .. }) => return Ok(Amount::default()),
            bytes => bytes?,
        };
        let ring = place.keys.ring();
        let (current, _) = ring.current()?;
        let (mut from, mut amount) = (0, Amount::default());
        while let Some(span) = walk::next(&bytes, from) {
            let opened = match place.open(number, span.of(&bytes)) {
                Err(StoreError::Damaged { .. }) => {
                    from = span.start + 1;
                    continue;
                }
                opened => opened?,
            };
            from = span.end;
            if opened.key == current {
                continue;
            }
            let sealed = place.seal_as(number, opened.sequence, opened.before, &opened.body)?;
            bytes[span.start..span.end].copy_from_slice(&sealed);
            amount += Amount {
                objects: 1,
                bytes: (span.end - span.start) as u64,
            };
        }
        if amount.objects > 0 {
            let name = super::segment::file_name(number);
            durable::replace(place.root.fs(), &place.folder(), &name, &[&bytes])?;
        }
        Ok(amount)
    }

    /// Opens every record, for what was sealed anew; those known to be damaged aside.
    pub(crate) fn read_back(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        for segment in self.outline().0 {
            let Some(bytes) = self.records_of(&segment)? else {
                continue;
            };
            let mut amount = Amount::default();
            for span in walk::run(&bytes) {
                match self.place.open(segment.number, span.of(&bytes)) {
                    Ok(opened) => {
                        amount += Amount {
                            objects: 1,
                            bytes: opened.body.len() as u64,
                        };
                    }
                    Err(StoreError::Damaged { object, detail }) => {
                        tracing::error!(object, detail, "damaged");
                    }
                    Err(error) => return Err(error),
                }
            }
            if report(amount).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The keys besides the current one that something in the log may need: all there are where
    /// something cannot be read.
    pub(crate) fn older_keys_in_use(&self) -> StoreResult<BTreeSet<KeyId>> {
        let ring = self.place.keys.ring();
        let (current, _) = ring.current()?;
        let mut keys = BTreeSet::new();
        for segment in self.outline().0 {
            let Some(bytes) = self.records_of(&segment)? else {
                continue;
            };
            let sealed = self.sealed(&bytes)?;
            if sealed.damaged {
                keys.extend(ring.ids());
            }
            keys.extend(sealed.keys);
        }
        keys.remove(&current);
        Ok(keys)
    }

    /// The records of a segment; `None` where its file is gone. What lies behind them counts nowhere.
    fn records_of(&self, segment: &Segment) -> StoreResult<Option<Vec<u8>>> {
        let mut bytes = match self.place.read(segment.number) {
            Err(StoreError::Damaged { .. }) => return Ok(None),
            bytes => bytes?,
        };
        bytes.truncate(usize::try_from(segment.len).unwrap_or(usize::MAX));
        Ok(Some(bytes))
    }

    fn sealed(&self, bytes: &[u8]) -> StoreResult<Sealed> {
        let ring = self.place.keys.ring();
        let (current, _) = ring.current()?;
        let mut sealed = Sealed::default();
        let mut end = 0;
        for span in walk::run(bytes) {
            end = span.end;
            let Ok(header) = Header::parse(span.of(bytes)) else {
                continue;
            };
            sealed.keys.insert(header.key_id());
            if header.key_id() != current {
                sealed.older += Amount {
                    objects: 1,
                    bytes: (span.end - span.start) as u64,
                };
            }
        }
        sealed.damaged = end < bytes.len();
        Ok(sealed)
    }
}
