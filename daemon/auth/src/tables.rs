//! The rows: in an encrypted database, and in memory.
//!
//! A change is worked out on a copy of the rows, written in one transaction that also raises the
//! generation where the change grants or revokes, put in force in memory, remembered in the anchor,
//! and only then acknowledged. So memory holds what the database holds, at once: a credential that
//! was revoked does not count while a slow keyring is asked.
//!
//! Where the transaction fails, nothing has changed; a disk that failed in the last moment may have
//! kept all of it, so the rows are read anew before the next change builds on them. Where only the
//! anchor fails, the change is in force and its caller gets the error: the tables are ahead of the
//! anchor, which is sound. The anchor is written again with the next change, whichever it is and
//! whatever becomes of it, and at the next opening.

mod change;
mod keeper;
mod rows;
mod storage;
mod uses;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use vault_crypto::{SigningKey, credential};
use vault_store::{Clock, databases::Database};

pub use change::Change;
pub use keeper::Older;
pub(crate) use rows::HeldToken;

use self::{keeper::Keeper, rows::Rows};
use crate::{Anchor, AuthError, AuthResult, HostName, Passkey, RpId, Session, Settings, Token};

/// Times of use are kept to the minute, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// The rows, and the one way to change them.
pub struct Tables {
    rows: RwLock<Rows>,
    user_handle: [u8; 16],
    /// Rows whose time of use is newer in memory than in the database.
    used: Mutex<BTreeSet<Used>>,
    /// Held by whoever changes the rows, for as long as disk and keyring take.
    keeper: Mutex<Keeper>,
    /// Raised while the keeper is held.
    revocations: AtomicU64,
    clock: Arc<dyn Clock>,
}

/// A row that was used, by its id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Used {
    Session(String),
    Token(String),
}

/// Locks what stays consistent even if a holder panicked between its statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(rows: &RwLock<Rows>) -> RwLockReadGuard<'_, Rows> {
    rows.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(rows: &RwLock<Rows>) -> RwLockWriteGuard<'_, Rows> {
    rows.write().unwrap_or_else(PoisonError::into_inner)
}

fn user_handle(database: &Database) -> [u8; 16] {
    let store = format!("vaultd user handle v1.{}", database.record().id);
    let hash = credential::hash(store.as_bytes());
    std::array::from_fn(|at| hash[at])
}

impl Tables {
    /// Reads all of them, after their migration, and compares the generation with the anchor. Fails
    /// where the keyring does not answer: nobody knows then whether these rows are the newest.
    pub fn open(
        database: Arc<Database>,
        anchor: Arc<dyn Anchor>,
        clock: Arc<dyn Clock>,
    ) -> AuthResult<Self> {
        let user_handle = user_handle(&database);
        let (keeper, rows) = Keeper::open(database, anchor)?;
        Ok(Self {
            user_handle,
            rows: RwLock::new(rows),
            used: Mutex::default(),
            keeper: Mutex::new(keeper),
            revocations: AtomicU64::new(0),
            clock,
        })
    }

    /// Takes the rows as they are though the anchor remembers more, or nothing that can be read: sessions
    /// and tokens go. How many of each. For whoever holds the vault, on purpose.
    pub fn accept(database: &Arc<Database>, anchor: &dyn Anchor) -> AuthResult<(u32, u32)> {
        keeper::accept(database, anchor)
    }

    /// The generation of the rows in a database; none where nothing was ever written. For whoever carries
    /// a vault to a keyring that can remember it, from one that could not.
    pub fn generation_in(database: &Database) -> AuthResult<Option<u64>> {
        let rows = storage::open(database)?;
        Ok(rows.map(|rows| rows.generation))
    }

    /// What comes of [`Tables::accept`]; it changes nothing.
    pub fn older(database: &Database) -> AuthResult<Older> {
        keeper::older(database)
    }

    /// Changes rows: in the database, in memory, in the anchor, in this order. How many were removed.
    /// After [`crate::AuthError::Anchor`] the change is in force all the same.
    pub fn change(&self, change: Change) -> AuthResult<u32> {
        let mut keeper = lock(&self.keeper);
        if change.revokes() {
            // Before it is tried: where it fails, programs have to ask once more, and that is all.
            self.revocations.fetch_add(1, Ordering::Relaxed);
        }
        keeper.change(&self.rows, change, self.clock.now_ms())
    }

    /// Adds a token that was approved when so much had been revoked, unless more has been since.
    pub(crate) fn add_approved_token(&self, token: Token, revocations: u64) -> AuthResult<()> {
        let mut keeper = lock(&self.keeper);
        if self.revocations() != revocations {
            return Err(AuthError::LoginRefused);
        }
        let added = Change::AddToken { token };
        let added = keeper.change(&self.rows, added, self.clock.now_ms());
        added.map(drop)
    }

    /// How often something was revoked since these tables were opened.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::Relaxed)
    }

    /// Writes down when sessions and tokens were used last. For a thread that may block, once a
    /// minute: nothing that grants or revokes waits in memory.
    pub fn write_uses(&self) -> AuthResult<()> {
        let used = std::mem::take(&mut *lock(&self.used));
        let written = lock(&self.keeper).write_uses(&self.rows, &used);
        if written.is_err() {
            lock(&self.used).extend(used);
        }
        written
    }

    /// The rules.
    pub fn settings(&self) -> Settings {
        read(&self.rows).settings
    }

    /// Whether the keyring remembers the generation.
    pub fn is_anchored(&self) -> bool {
        lock(&self.keeper).is_anchored()
    }

    /// Those of a relying party, or all, in the order of their making.
    pub fn passkeys(&self, rp_id: Option<&RpId>) -> Vec<Passkey> {
        let rows = read(&self.rows);
        let wanted = |passkey: &&Arc<Passkey>| rp_id.is_none_or(|wanted| passkey.rp_id == *wanted);
        let wanted = rows.passkeys.iter().filter(wanted);
        wanted.map(|passkey| Passkey::clone(passkey)).collect()
    }

    /// All that count, the one used last first.
    pub fn sessions(&self) -> Vec<Session> {
        let now_ms = self.clock.now_ms();
        let rows = read(&self.rows);
        let count = rows
            .sessions
            .values()
            .filter(|session| session.counts(now_ms));
        let mut sessions: Vec<_> = count.map(|session| Session::clone(session)).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.last_used_ms));
        sessions
    }

    /// All, those that are over included, the newest first.
    pub fn tokens(&self) -> Vec<Token> {
        let rows = read(&self.rows);
        let held = rows.tokens.values();
        let mut tokens: Vec<_> = held.map(|held| Token::clone(&held.row)).collect();
        tokens.sort_by_key(|token| std::cmp::Reverse(token.created_ms));
        tokens
    }

    /// Remembers the generation elsewhere from now on, as the key has moved there. No change is under
    /// way meanwhile. Where it does not arrive, the next change writes it again.
    pub fn move_anchor(&self, anchor: Arc<dyn Anchor>) -> AuthResult<()> {
        lock(&self.keeper).move_anchor(&self.rows, anchor)
    }

    /// Hosts that are admitted besides those of the loopback, in order.
    pub fn hosts(&self) -> Vec<String> {
        read(&self.rows).hosts.iter().cloned().collect()
    }

    /// How often something was granted or revoked.
    pub fn generation(&self) -> u64 {
        read(&self.rows).generation
    }

    /// Names the person in passkeys, where none says otherwise yet: another in every vault, since
    /// authenticators keep one passkey for each name and relying party.
    pub(crate) fn user_handle(&self) -> [u8; 16] {
        self.user_handle
    }

    /// The first of the admitted hosts that is a name, and so can have passkeys.
    pub(crate) fn named_host(&self) -> Option<String> {
        let is_name = |host: &&String| matches!(HostName::parse(host), Ok(HostName::Dns(_)));
        read(&self.rows).hosts.iter().find(is_name).cloned()
    }

    /// Whether this host is admitted besides those of the loopback.
    pub(crate) fn admits(&self, host: &str) -> bool {
        read(&self.rows).hosts.contains(host)
    }

    /// Whether a relying party has a passkey.
    pub(crate) fn is_paired(&self, rp_id: &RpId) -> bool {
        let rows = read(&self.rows);
        rows.passkeys.iter().any(|passkey| passkey.rp_id == *rp_id)
    }

    /// The label of a passkey.
    pub(crate) fn passkey_label(&self, id: &str) -> Option<String> {
        let rows = read(&self.rows);
        let passkey = rows.passkeys.iter().find(|passkey| passkey.id == id)?;
        Some(passkey.label.clone())
    }

    /// The row of a token, over or not.
    pub(crate) fn token(&self, id: &str) -> Option<HeldToken> {
        read(&self.rows).tokens.get(id).cloned()
    }

    /// The row of a session, over or not.
    pub(crate) fn session(&self, id: &str) -> Option<Arc<Session>> {
        read(&self.rows).sessions.get(id).cloned()
    }

    /// What signs cookies.
    pub(crate) fn signing_key(&self) -> Arc<SigningKey> {
        Arc::clone(&read(&self.rows).signing_key)
    }

    /// Notes in memory that a session is used now, from this address.
    pub(crate) fn use_session(&self, session: &Session, now_ms: i64, address: IpAddr) {
        let minute = to_the_minute(now_ms);
        if session.last_used_ms >= minute {
            return;
        }
        if let Some(held) = write(&self.rows).sessions.get_mut(&session.id) {
            let held = Arc::make_mut(held);
            held.last_used_ms = minute;
            held.address = address.to_string();
            lock(&self.used).insert(Used::Session(session.id.clone()));
        }
    }

    /// Notes in memory that a token is used now.
    pub(crate) fn use_token(&self, token: &Token, now_ms: i64) {
        let minute = to_the_minute(now_ms);
        if token.last_used_ms >= Some(minute) {
            return;
        }
        if let Some(held) = write(&self.rows).tokens.get_mut(&token.id) {
            Arc::make_mut(&mut held.row).last_used_ms = Some(minute);
            lock(&self.used).insert(Used::Token(token.id.clone()));
        }
    }
}

/// What is kept of a time of use.
pub(crate) fn to_the_minute(now_ms: i64) -> i64 {
    now_ms - now_ms.rem_euclid(MINUTE_MS)
}
