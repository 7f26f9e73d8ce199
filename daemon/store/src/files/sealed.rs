//! Sealed objects among the files: under which keys they lie, and sealing them anew.

use std::{collections::BTreeSet, ops::ControlFlow};

use vault_crypto::{KeyId, envelope};

use super::{FileName, Inner, tree::Seen};
use crate::{
    error::{StoreError, StoreResult},
    kind::{Amount, Part, Report},
};

impl Inner {
    /// Tells of every sealed file and its key, or of what may be one and cannot be read.
    fn every_sealed(
        &self,
        each: &mut dyn FnMut(FileName, StoreResult<(KeyId, u64)>) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<ControlFlow<()>> {
        self.check_open()?;
        self.tree.walk("", &mut |seen| match seen {
            Seen::File { name, path, .. } => match self.header(&name, &path) {
                Ok(None) => Ok(ControlFlow::Continue(())),
                Ok(Some(header)) => each(name, Ok((header.key_id(), header.body_len()))),
                Err(error) => each(name, Err(error)),
            },
            // No file of ours: what a client may not name was never sealed for a name.
            Seen::Skipped { .. } => Ok(ControlFlow::Continue(())),
            Seen::Unreadable { error, .. } => Err(error),
        })
    }

    /// Files that are sealed under another key than the current one.
    fn outdated_names(&self) -> StoreResult<(Vec<FileName>, Amount)> {
        let (current, _) = self.context.keys.ring().current()?;
        let (mut names, mut amount) = (Vec::new(), Amount::default());
        let _ = self.every_sealed(&mut |name, found| {
            if let Ok((key, bytes)) = found
                && key != current
            {
                names.push(name);
                amount += Amount { objects: 1, bytes };
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((names, amount))
    }

    pub(super) fn sealed_names(&self) -> StoreResult<Vec<FileName>> {
        let mut names = Vec::new();
        let _ = self.every_sealed(&mut |name, _| {
            names.push(name);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(names)
    }

    pub(super) fn outdated(&self) -> StoreResult<Amount> {
        Ok(self.outdated_names()?.1)
    }

    pub(super) fn older_keys(&self) -> StoreResult<BTreeSet<KeyId>> {
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        let mut used = BTreeSet::new();
        let _ = self.every_sealed(&mut |_, found| {
            match found {
                Ok((key, _)) => _ = used.insert(key),
                // It may be whole: nobody knows its key before it can be read.
                Err(error @ StoreError::Io { .. }) => return Err(error),
                Err(_) => used.extend(ring.ids()),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        used.remove(&current);
        Ok(used)
    }

    pub(super) fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        for name in self.outdated_names()?.0 {
            let done = match self.seal_anew(&name) {
                Ok(bytes) => Amount { objects: 1, bytes },
                Err(StoreError::Damaged { object, detail }) => {
                    tracing::error!(object, detail, "not sealed anew");
                    continue;
                }
                Err(error) => return Err(error),
            };
            if report(done).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn seal_anew(&self, name: &FileName) -> StoreResult<u64> {
        // Whatever others have put in its place meanwhile is theirs.
        let Some((path, _)) = self.find(name)? else {
            return Ok(0);
        };
        let Some((header, sealed)) = self.read_sealed(name, &path)? else {
            return Ok(0);
        };
        let metadata = self.open_part(name, &header, &sealed, Part::Metadata)?;
        let body = self.open_part(name, &header, &sealed, Part::Body)?;
        let address = self.address(name, header.revision());
        let ring = self.context.keys.ring();
        let (key_id, key) = ring.current()?;
        let anew = envelope::seal(key, key_id, &address, &metadata, &body)
            .map_err(|error| StoreError::envelope(self.describe(name.as_str()), &error))?;
        self.replace_sealed(name, &sealed, &anew)?;
        Ok(body.len() as u64)
    }
}
