//! The rows in memory, and what a change makes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use vault_crypto::SigningKey;

use super::{change::Change, storage::Write};
use crate::{Access, AuthError, AuthResult, Passkey, Permission, Session, Settings, Token};

/// Most rows of one kind. Far more than people make; all of them lie in memory.
const MOST: usize = 1000;

/// In milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Tokens that expired are shown for 30 days more, in milliseconds.
const EXPIRED_SHOWN_MS: i64 = 30 * DAY_MS;

/// A token's row with what it reaches.
#[derive(Clone)]
pub(crate) struct HeldToken {
    pub(crate) row: Arc<Token>,
    pub(crate) access: Arc<Access>,
}

impl HeldToken {
    pub(super) fn new(row: Token) -> Self {
        Self {
            access: Arc::new(Access::Scoped(row.scopes.clone())),
            row: Arc::new(row),
        }
    }

    /// Whether it may administer everything, for a day at least.
    fn administers(&self, now_ms: i64) -> bool {
        self.row.counts(now_ms + DAY_MS) && self.access.allows_all(Permission::Admin)
    }
}

/// All rows. A copy is cheap: what they hold is shared.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) generation: u64,
    pub(super) signing_key: Arc<SigningKey>,
    pub(super) settings: Settings,
    pub(super) passkeys: Vec<Arc<Passkey>>,
    pub(super) sessions: BTreeMap<String, Arc<Session>>,
    pub(super) tokens: BTreeMap<String, HeldToken>,
    pub(super) hosts: BTreeSet<String>,
}

/// What a change did to the rows in memory, for the database to follow.
#[derive(Default)]
pub(super) struct Effect {
    pub(super) writes: Vec<Write>,
    /// Whether it granted or revoked.
    pub(super) raises: bool,
    /// How many rows are gone that it was to remove.
    pub(super) removed: u32,
}

impl Effect {
    fn raising(writes: Vec<Write>) -> Self {
        Self {
            writes,
            raises: true,
            removed: 0,
        }
    }

    fn removing(writes: Vec<Write>, removed: usize) -> Self {
        Self {
            removed: u32::try_from(removed).unwrap_or(u32::MAX),
            ..Self::raising(writes)
        }
    }
}

impl Rows {
    /// None yet.
    pub(super) fn new() -> AuthResult<Self> {
        Ok(Self {
            generation: 0,
            signing_key: Arc::new(SigningKey::generate()?),
            settings: Settings::default(),
            passkeys: Vec::new(),
            sessions: BTreeMap::new(),
            tokens: BTreeMap::new(),
            hosts: BTreeSet::new(),
        })
    }

    /// Applies a change. After an error the rows are not to be used any more.
    pub(super) fn apply(&mut self, change: Change, now_ms: i64) -> AuthResult<Effect> {
        match change {
            Change::AddPasskey {
                passkey,
                first,
                session,
                host,
            } => self.add_passkey(passkey, first, session, host),
            Change::RenamePasskey { id, label } => self.rename_passkey(&id, label),
            Change::RemovePasskey { id } => {
                let effect = self.remove_passkeys(|passkey| passkey.id == id);
                let found = effect.raises.then_some(effect);
                found.ok_or(AuthError::NotFound("passkey"))
            }
            Change::RemovePasskeys { rp_id } => {
                let of = |passkey: &Passkey| rp_id.as_ref().is_none_or(|id| passkey.rp_id == *id);
                Ok(self.remove_passkeys(of))
            }
            Change::AddSession {
                session,
                passkey,
                replaces,
            } => self.sign_in(session, passkey, replaces, now_ms),
            Change::RemoveSession { id } => match self.sessions.remove(&id) {
                Some(_) => Ok(Effect::removing(vec![Write::RemoveSession(id)], 1)),
                None => Err(AuthError::NotFound("session")),
            },
            Change::RemoveSessions => {
                let ended = self.end_sessions()?;
                Ok(Effect::removing(vec![Write::RemoveSessions], ended))
            }
            Change::AddToken { token } => self.add_token(token, now_ms),
            Change::RemoveToken { id } => self.remove_token(id, now_ms),
            Change::RemoveTokens => self.remove_tokens(),
            Change::Configure { settings } => {
                self.configure(settings.applied_to(self.settings), now_ms)
            }
            Change::AddHost { host } => {
                let added = self
                    .add_host(host)?
                    .map(|write| Effect::raising(vec![write]));
                Ok(added.unwrap_or_default())
            }
            Change::RemoveHost { host } => {
                if self.hosts.remove(&host) {
                    Ok(Effect::removing(vec![Write::RemoveHost(host)], 1))
                } else {
                    Err(AuthError::NotFound("host"))
                }
            }
        }
    }

    fn add_passkey(
        &mut self,
        passkey: Passkey,
        first: bool,
        session: Option<Session>,
        host: Option<String>,
    ) -> AuthResult<Effect> {
        if first
            && self
                .passkeys
                .iter()
                .any(|known| known.rp_id == passkey.rp_id)
        {
            return Err(AuthError::AlreadyPaired);
        }
        if self.passkeys.iter().any(|known| known.id == passkey.id) {
            return Err(AuthError::Invalid(
                "this passkey is registered already".to_owned(),
            ));
        }
        room(self.passkeys.len(), "passkeys")?;
        let mut writes = Vec::new();
        if let Some(host) = host {
            writes.extend(self.add_host(host)?);
        }
        let passkey = Arc::new(passkey);
        writes.push(Write::Passkey(Arc::clone(&passkey)));
        self.passkeys.push(passkey);
        if let Some(session) = session {
            self.add_session(session, &mut writes);
        }
        Ok(Effect::raising(writes))
    }

    fn rename_passkey(&mut self, id: &str, label: String) -> AuthResult<Effect> {
        let passkey = self.passkeys.iter_mut().find(|passkey| passkey.id == id);
        let passkey = passkey.ok_or(AuthError::NotFound("passkey"))?;
        Arc::make_mut(passkey).label = label;
        Ok(Effect {
            writes: vec![Write::Passkey(Arc::clone(passkey))],
            ..Effect::default()
        })
    }

    fn remove_passkeys(&mut self, which: impl Fn(&Passkey) -> bool) -> Effect {
        let gone: Vec<_> = self
            .passkeys
            .extract_if(.., |passkey| which(passkey))
            .collect();
        if gone.is_empty() {
            return Effect::default();
        }
        let began = |session: &Session| gone.iter().any(|passkey| passkey.id == session.passkey_id);
        let ended: Vec<_> = self
            .sessions
            .values()
            .filter(|session| began(session))
            .collect();
        let ended: Vec<_> = ended
            .into_iter()
            .map(|session| session.id.clone())
            .collect();
        for id in &ended {
            self.sessions.remove(id);
        }
        let passkeys = gone
            .iter()
            .map(|passkey| Write::RemovePasskey(passkey.id.clone()));
        let writes = passkeys.chain(ended.into_iter().map(Write::RemoveSession));
        Effect::removing(writes.collect(), gone.len())
    }

    /// The passkey keeps the label it has now: it may have been renamed since the login began. Its
    /// counter is compared here, where nothing comes between: of two logins at once, the one with the
    /// higher counter may be written first.
    fn sign_in(
        &mut self,
        session: Session,
        passkey: Passkey,
        replaces: Option<String>,
        now_ms: i64,
    ) -> AuthResult<Effect> {
        let known = self
            .passkeys
            .iter_mut()
            .find(|known| known.id == passkey.id);
        let known = known.ok_or_else(|| {
            AuthError::PasskeyRefused("it was revoked during the login".to_owned())
        })?;
        if !passkey.follows(known) {
            let text = "its counter did not go up: there may be a copy of it";
            return Err(AuthError::PasskeyRefused(text.to_owned()));
        }
        let label = known.label.clone();
        *known = Arc::new(Passkey { label, ..passkey });
        let mut writes = vec![Write::Passkey(Arc::clone(known))];
        let over = self.sessions.values().filter(|known| !known.counts(now_ms));
        let ended = over.map(|known| known.id.clone()).chain(replaces);
        for id in ended.collect::<Vec<_>>() {
            if self.sessions.remove(&id).is_some() {
                writes.push(Write::RemoveSession(id));
            }
        }
        self.add_session(session, &mut writes);
        Ok(Effect::raising(writes))
    }

    /// Where there is no room, the one that was used least lately ends.
    fn add_session(&mut self, session: Session, writes: &mut Vec<Write>) {
        if self.sessions.len() >= MOST {
            let oldest = self
                .sessions
                .values()
                .min_by_key(|known| known.last_used_ms);
            if let Some(id) = oldest.map(|oldest| oldest.id.clone()) {
                self.sessions.remove(&id);
                writes.push(Write::RemoveSession(id));
            }
        }
        let session = Arc::new(session);
        writes.push(Write::Session(Arc::clone(&session)));
        self.sessions.insert(session.id.clone(), session);
    }

    /// Ends every session, those that are over included. How many there were.
    fn end_sessions(&mut self) -> AuthResult<usize> {
        self.signing_key = Arc::new(SigningKey::generate()?);
        Ok(std::mem::take(&mut self.sessions).len())
    }

    /// Those that expired long ago go, and all that expired where there is no room.
    fn add_token(&mut self, token: Token, now_ms: i64) -> AuthResult<Effect> {
        let crowded = self.tokens.len() >= MOST;
        let shown_ms = if crowded { 0 } else { EXPIRED_SHOWN_MS };
        let is_over = |held: &&HeldToken| !held.row.counts(now_ms.saturating_sub(shown_ms));
        let over = self.tokens.values().filter(is_over);
        let over: Vec<_> = over.map(|held| held.row.id.clone()).collect();
        let mut writes = Vec::new();
        for id in over {
            self.tokens.remove(&id);
            writes.push(Write::RemoveToken(id));
        }
        room(self.tokens.len(), "tokens")?;
        if self.tokens.contains_key(&token.id) {
            return Err(AuthError::Invalid(
                "try again: the token's id is taken".to_owned(),
            ));
        }
        let held = HeldToken::new(token);
        writes.push(Write::Token(Arc::clone(&held.row)));
        self.tokens.insert(held.row.id.clone(), held);
        Ok(Effect::raising(writes))
    }

    fn remove_token(&mut self, id: String, now_ms: i64) -> AuthResult<Effect> {
        let removed = self.tokens.remove(&id);
        let removed = removed.ok_or(AuthError::NotFound("token"))?;
        if self.settings.strict && removed.administers(now_ms) && !self.has_admin_token(now_ms) {
            return Err(AuthError::AdminTokenMissing);
        }
        Ok(Effect::removing(vec![Write::RemoveToken(id)], 1))
    }

    fn remove_tokens(&mut self) -> AuthResult<Effect> {
        if self.settings.strict {
            return Err(AuthError::AdminTokenMissing);
        }
        match std::mem::take(&mut self.tokens).len() {
            0 => Ok(Effect::default()),
            removed => Ok(Effect::removing(vec![Write::RemoveTokens], removed)),
        }
    }

    fn has_admin_token(&self, now_ms: i64) -> bool {
        self.tokens.values().any(|held| held.administers(now_ms))
    }

    fn configure(&mut self, settings: Settings, now_ms: i64) -> AuthResult<Effect> {
        if settings == self.settings {
            return Ok(Effect::default());
        }
        if settings.strict && !self.settings.strict && !self.has_admin_token(now_ms) {
            return Err(AuthError::AdminTokenMissing);
        }
        self.settings = settings;
        // They are written with the generation.
        Ok(Effect::raising(Vec::new()))
    }

    fn add_host(&mut self, host: String) -> AuthResult<Option<Write>> {
        if self.hosts.contains(&host) {
            return Ok(None);
        }
        room(self.hosts.len(), "hosts")?;
        self.hosts.insert(host.clone());
        Ok(Some(Write::Host(host)))
    }

    /// Ends all sessions and tokens.
    pub(super) fn end_sign_ins(&mut self) -> AuthResult<Vec<Write>> {
        self.end_sessions()?;
        self.tokens.clear();
        // There would be nobody left to turn it off.
        self.settings.strict = false;
        Ok(vec![Write::RemoveSessions, Write::RemoveTokens])
    }
}

fn room(rows: usize, what: &str) -> AuthResult<()> {
    if rows < MOST {
        return Ok(());
    }
    Err(AuthError::Invalid(format!(
        "there are {MOST} {what} already: revoke those that nobody needs"
    )))
}
