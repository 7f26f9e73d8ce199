//! Since when nothing names a blob: one small sealed file in each store of blobs.
//!
//! A blob that is not in it was named when somebody last looked, or was put since.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use serde::{Deserialize, Serialize};
use vault_crypto::KeyId;

use crate::{
    blobs::BlobRef,
    error::{StoreError, StoreResult},
    kind::StoreContext,
    vault::lock,
};

const FILE: &str = "unnamed";

/// Some 80 bytes a blob.
const LIMIT: u64 = 1 << 30;

type Times = BTreeMap<String, i64>;

#[derive(Serialize, Deserialize, Default)]
struct Content {
    /// Milliseconds since 1970.
    since: Times,
}

/// The blobs of one store that nothing named when somebody last looked, and since when.
pub(crate) struct Unnamed {
    context: StoreContext,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// As the disk has it, or had it before a write that failed. Read when it is first needed.
    since: Option<Times>,
    /// A write failed: the disk may have the old or the new, and nothing may rest on either.
    in_doubt: bool,
    /// Nothing is written any more.
    closed: bool,
    /// What was named since the look under way began: it may have been overlooked.
    looking: Option<BTreeSet<String>>,
}

impl State {
    fn since(&self) -> &Times {
        static NONE: Times = Times::new();
        self.since.as_ref().unwrap_or(&NONE)
    }
}

impl Unnamed {
    pub(crate) fn new(context: StoreContext) -> Self {
        let state = Mutex::default();
        Self { context, state }
    }

    fn read(&self) -> StoreResult<MutexGuard<'_, State>> {
        let mut state = lock(&self.state);
        if state.since.is_none() {
            let content = match self.read_file() {
                // No reason to refuse anything: every time starts anew, and all is kept for longer.
                Err(error @ (StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. })) => {
                    tracing::warn!(%error, "since when blobs are not named is not known");
                    Content::default()
                }
                read => read?,
            };
            state.since = Some(content.since);
        }
        Ok(state)
    }

    fn read_file(&self) -> StoreResult<Content> {
        let Some(body) = self.context.read_own(FILE, LIMIT)? else {
            return Ok(Content::default());
        };
        serde_json::from_slice(&body).map_err(|error| StoreError::damaged(FILE, error))
    }

    fn write(&self, state: &mut State, since: Times) -> StoreResult<()> {
        let content = Content { since };
        let body =
            serde_json::to_vec(&content).map_err(|error| StoreError::damaged(FILE, error))?;
        if state.closed {
            return Err(StoreError::Closed);
        }
        state.in_doubt = true;
        self.context.write_own(FILE, &body)?;
        state.in_doubt = false;
        state.since = Some(content.since);
        Ok(())
    }

    /// Waits for whoever writes, and refuses whoever comes later: another vault may be at work then.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
    }

    /// Durably stops the clock of blobs: something is about to name them. Writes nothing where it
    /// runs for none of them, for sure.
    pub(crate) fn forget(&self, blobs: &[BlobRef]) -> StoreResult<()> {
        let mut state = self.read()?;
        let names = || blobs.iter().map(BlobRef::to_string);
        if let Some(looking) = &mut state.looking {
            looking.extend(names());
        }
        let since = state.since();
        if !state.in_doubt && !names().any(|name| since.contains_key(&name)) {
            return Ok(());
        }
        let mut since = since.clone();
        for name in names() {
            since.remove(&name);
        }
        self.write(&mut state, since)
    }

    /// Begins to look which blobs are named. What is named from now on is not unnamed in this look.
    pub(crate) fn begin_look(&self) {
        lock(&self.state).looking = Some(BTreeSet::new());
    }

    /// Ends a look that may have come to nothing.
    pub(crate) fn give_look_up(&self) {
        lock(&self.state).looking = None;
    }

    /// Durably notes that nothing but these blobs is unnamed at the moment `now`, in milliseconds
    /// since 1970. The clock of those that are noted already runs on. One of the future is of a clock
    /// set back since: it starts anew.
    pub(crate) fn end_look(&self, now: i64, unnamed: &[BlobRef]) -> StoreResult<()> {
        let mut state = self.read()?;
        let named = state.looking.take().unwrap_or_default();
        let mut since = times(state.since(), now, unnamed);
        since.retain(|name, _| !named.contains(name));
        if state.in_doubt || since != *state.since() {
            self.write(&mut state, since)?;
        }
        Ok(())
    }

    /// Those of `unnamed` that nothing has named for `grace`, in milliseconds. None is noted.
    pub(crate) fn overdue(
        &self,
        now: i64,
        grace: i64,
        unnamed: &[BlobRef],
    ) -> StoreResult<Vec<BlobRef>> {
        let state = self.read()?;
        let since = times(state.since(), now, unnamed);
        let overdue = |blob: &&BlobRef| {
            let since = since.get(&blob.to_string());
            since.is_some_and(|since| now.saturating_sub(*since) >= grace)
        };
        Ok(unnamed.iter().filter(overdue).copied().collect())
    }

    /// Whether the clock of a blob still runs.
    pub(crate) fn contains(&self, blob: &BlobRef) -> StoreResult<bool> {
        let state = self.read()?;
        Ok(state.since().contains_key(&blob.to_string()))
    }

    /// Durably seals the file anew, under the current key, where it is there.
    pub(crate) fn reseal(&self) -> StoreResult<()> {
        let mut state = self.read()?;
        if self.key()?.is_none() {
            return Ok(());
        }
        let since = state.since().clone();
        self.write(&mut state, since)
    }

    /// The key that the file is sealed with; `None` where there is none.
    pub(crate) fn key(&self) -> StoreResult<Option<KeyId>> {
        self.context.key_of_own(FILE)
    }
}

fn times(before: &Times, now: i64, unnamed: &[BlobRef]) -> Times {
    let since = unnamed.iter().map(|blob| {
        let name = blob.to_string();
        let since = before.get(&name).map_or(now, |since| (*since).min(now));
        (name, since)
    });
    since.collect()
}
