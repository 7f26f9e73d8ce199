//! The one who writes rows: to the database, and their generation to the anchor.

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLock},
};

use vault_store::databases::Database;

use super::{
    Used,
    change::Change,
    read,
    rows::{Effect, Rows},
    storage::{self, Write},
    write,
};
use crate::{Anchor, AnchorError, AuthError, AuthResult, Passkey};

/// Writes rows, one change after the other.
pub(super) struct Keeper {
    database: Arc<Database>,
    anchor: Arc<dyn Anchor>,
    /// What the anchor is known to remember.
    anchored: Option<u64>,
    /// Whether the database may hold a change that failed: it is read before the next one.
    in_doubt: bool,
}

impl Keeper {
    /// Reads the rows, and refuses those that are older than the anchor remembers.
    pub(super) fn open(
        database: Arc<Database>,
        anchor: Arc<dyn Anchor>,
    ) -> AuthResult<(Self, Rows)> {
        let found = storage::open(&database)?;
        // First: where it does not answer, nothing is written and nobody is let in.
        let anchored = remembered(&*anchor)?;
        let generation = found.as_ref().map_or(0, |rows| rows.generation);
        if let Some(anchored) = anchored
            && anchored > generation
        {
            return Err(AuthError::RolledBack {
                found: generation,
                anchored,
            });
        }
        let mut keeper = Self {
            database,
            anchor,
            anchored,
            in_doubt: false,
        };
        let rows = match found {
            None => {
                let rows = Rows::new()?;
                storage::commit(&keeper.database, &rows, &[])?;
                rows
            }
            Some(_) if generation > 0 && keeper.is_unanchored() => {
                return Err(AuthError::AnchorLost(generation));
            }
            Some(rows) => rows,
        };
        if let Err(error) = keeper.catch_up(rows.generation) {
            // The rows are as new as the anchor knows: sound. The next change writes it again.
            tracing::warn!(%error, "the generation of sign-ins is not anchored yet");
        }
        Ok((keeper, rows))
    }

    pub(super) fn is_anchored(&self) -> bool {
        self.anchor.is_kept()
    }

    /// See [`super::Tables::move_anchor`].
    pub(super) fn move_anchor(
        &mut self,
        rows: &RwLock<Rows>,
        anchor: Arc<dyn Anchor>,
    ) -> AuthResult<()> {
        self.anchor = anchor;
        self.anchored = None;
        self.anchored(rows, Ok(()))
    }

    /// See [`super::Tables::change`].
    pub(super) fn change(
        &mut self,
        rows: &RwLock<Rows>,
        change: Change,
        now_ms: i64,
    ) -> AuthResult<u32> {
        let changed = self.write_change(rows, change, now_ms);
        self.anchored(rows, changed)
    }

    fn write_change(
        &mut self,
        rows: &RwLock<Rows>,
        change: Change,
        now_ms: i64,
    ) -> AuthResult<u32> {
        self.settle(rows)?;
        let mut changed = read(rows).clone();
        let Effect {
            writes,
            raises,
            removed,
        } = changed.apply(change, now_ms)?;
        if raises {
            self.anchor_first(changed.generation)?;
            changed.generation = above(changed.generation)?;
        }
        if raises || !writes.is_empty() {
            self.commit(&changed, &writes)?;
            let mut held = write(rows);
            // Somebody may have used them meanwhile.
            changed.take_uses(&held);
            *held = changed;
        }
        Ok(removed)
    }

    /// See [`super::Tables::write_uses`].
    pub(super) fn write_uses(
        &mut self,
        rows: &RwLock<Rows>,
        used: &BTreeSet<Used>,
    ) -> AuthResult<()> {
        let written = self.settle(rows).and_then(|()| {
            let rows = read(rows).clone();
            let row = |used: &Used| match used {
                Used::Session(id) => rows.sessions.get(id).cloned().map(Write::Session),
                Used::Token(id) => {
                    let held = rows.tokens.get(id);
                    held.map(|held| Write::Token(Arc::clone(&held.row)))
                }
            };
            let writes: Vec<_> = used.iter().filter_map(row).collect();
            if writes.is_empty() {
                return Ok(());
            }
            self.commit(&rows, &writes)
        });
        self.anchored(rows, written)
    }

    /// Reads the rows anew where a change may have been kept that failed.
    fn settle(&mut self, rows: &RwLock<Rows>) -> AuthResult<()> {
        if self.in_doubt {
            let found = storage::open(&self.database)?;
            let mut found = found.ok_or_else(storage::damaged)?;
            let mut held = write(rows);
            found.take_uses(&held);
            *held = found;
            self.in_doubt = false;
        }
        Ok(())
    }

    fn commit(&mut self, rows: &Rows, writes: &[Write]) -> AuthResult<()> {
        let committed = storage::commit(&self.database, rows, writes);
        self.in_doubt = committed.is_err();
        committed
    }

    /// Makes good on the anchor, whatever became of the change: where an earlier change left it
    /// behind, its caller repeats it and is told that there is nothing to do.
    fn anchored<T>(&mut self, rows: &RwLock<Rows>, done: AuthResult<T>) -> AuthResult<T> {
        let generation = read(rows).generation;
        let anchored = self.catch_up(generation);
        let done = done?;
        anchored.map(|()| done)
    }

    /// Whether the anchor should remember something, and does not.
    fn is_unanchored(&self) -> bool {
        self.anchor.is_kept() && self.anchored.is_none()
    }

    /// Sees to it that the anchor remembers some generation before there is a higher one: where it
    /// remembers none, then, it has been lost.
    fn anchor_first(&mut self, generation: u64) -> AuthResult<()> {
        if self.is_unanchored() {
            self.catch_up(generation)?;
        }
        Ok(())
    }

    fn catch_up(&mut self, generation: u64) -> AuthResult<()> {
        if self.anchor.is_kept() && self.anchored < Some(generation) {
            self.anchor.save(generation)?;
            self.anchored = Some(generation);
        }
        Ok(())
    }
}

/// The next generation. The database has room for as many as fit a signed number.
fn above(generation: u64) -> AuthResult<u64> {
    let next = generation.checked_add(1);
    let next = next.filter(|next| i64::try_from(*next).is_ok());
    next.ok_or_else(storage::damaged)
}

fn remembered(anchor: &dyn Anchor) -> AuthResult<Option<u64>> {
    if anchor.is_kept() {
        Ok(anchor.load()?)
    } else {
        Ok(None)
    }
}

/// See [`super::Tables::accept`].
pub(super) fn accept(database: &Arc<Database>, anchor: &dyn Anchor) -> AuthResult<(u32, u32)> {
    let found = storage::open(database)?;
    let anchored = match remembered(anchor) {
        // It stays so until it is written anew.
        Err(AuthError::Anchor(AnchorError::Damaged(_))) => Some(u64::MAX),
        anchored => anchored?,
    };
    if let Some(rows) = &found
        && anchored <= Some(rows.generation)
        && (anchored.is_some() || rows.generation == 0 || !anchor.is_kept())
    {
        // They are as new as they should be: it was something else that failed.
        return Ok((0, 0));
    }
    let mut rows = match found {
        Some(rows) => rows,
        None => Rows::new()?,
    };
    let ended = [rows.sessions.len(), rows.tokens.len()];
    let writes = rows.end_sign_ins()?;
    // Above both, so that the copy that was refused stays refused; an anchor higher than any generation
    // can be is damaged, too.
    rows.generation =
        above(rows.generation.max(anchored.unwrap_or(0))).or_else(|_| above(rows.generation))?;
    storage::commit(database, &rows, &writes)?;
    if anchor.is_kept() {
        anchor.save(rows.generation)?;
    }
    Ok((count(ended[0]), count(ended[1])))
}

/// What comes of taking rows that are older than the anchor remembers.
#[derive(Debug)]
pub struct Older {
    /// Those that count then, whether they were revoked since or not.
    pub passkeys: Vec<Passkey>,
    /// Hosts that are admitted then.
    pub hosts: Vec<String>,
    /// How many sessions end.
    pub sessions: u32,
    /// How many tokens are revoked.
    pub tokens: u32,
}

/// See [`super::Tables::older`].
pub(super) fn older(database: &Database) -> AuthResult<Older> {
    let rows = match storage::open(database)? {
        Some(rows) => rows,
        None => Rows::new()?,
    };
    let passkeys = rows.passkeys.iter();
    Ok(Older {
        passkeys: passkeys.map(|passkey| Passkey::clone(passkey)).collect(),
        hosts: rows.hosts.into_iter().collect(),
        sessions: count(rows.sessions.len()),
        tokens: count(rows.tokens.len()),
    })
}

fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
