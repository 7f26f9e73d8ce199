//! A vault with its tables, the keyring that remembers their generation, and a clock.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use serde_json::{Value, json};
use tempfile::TempDir;
use vault_crypto::{SecretBytes, VaultId};
use vault_store::{
    Clock, DataRoot, DiskFileSystem, KeyEntry, KeySource, KeySourceError, Vault,
    vault::VaultOptions,
};
use webauthn_authenticator_rs::{WebauthnAuthenticator, softpasskey::SoftPasskey};
use webauthn_rs::prelude::{Url, Uuid, WebauthnBuilder};

use crate::{
    Access, Anchor, AnchorError, Auth, AuthResult, Host, NewToken, Older, Passkey, Permission,
    RpId, Scheme, Session, StorePattern, StoreScope, Tables, Token, TokenSecret, WebRequest,
};

/// When every test begins.
pub(super) const NOW: i64 = 1_700_000_000_000;

/// In milliseconds.
pub(super) const MINUTE: i64 = 60_000;
pub(super) const DAY: i64 = 24 * 60 * MINUTE;

/// Shows the time it was set to.
pub(super) struct SetClock(AtomicI64);

impl SetClock {
    pub(super) fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Remembers the generation, unless it is told to fail.
#[derive(Default)]
pub(super) struct Remembered {
    generation: Mutex<Option<u64>>,
    is_not_kept: AtomicBool,
    fails: AtomicBool,
    is_read_only: AtomicBool,
    is_damaged: AtomicBool,
}

impl Remembered {
    pub(super) fn generation(&self) -> Option<u64> {
        *self.generation.lock().expect("not poisoned")
    }

    pub(super) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    pub(super) fn keep_nothing(&self, nothing: bool) {
        self.is_not_kept.store(nothing, Ordering::SeqCst);
    }

    /// Answers, and takes nothing.
    pub(super) fn only_read(&self, only: bool) {
        self.is_read_only.store(only, Ordering::SeqCst);
    }

    /// Holds something else than what was written, until it is written anew.
    pub(super) fn hold(&self, generation: Option<u64>) {
        *self.generation.lock().expect("not poisoned") = generation;
    }

    /// The same, and no number.
    pub(super) fn damage(&self) {
        self.hold(None);
        self.is_damaged.store(true, Ordering::SeqCst);
    }

    fn answer(&self) -> Result<(), AnchorError> {
        assert!(self.is_kept(), "nobody asks a backend that keeps nothing");
        if self.fails.load(Ordering::SeqCst) {
            Err(AnchorError::Unreachable("the keyring is locked".to_owned()))
        } else {
            Ok(())
        }
    }
}

impl Anchor for Remembered {
    fn is_kept(&self) -> bool {
        !self.is_not_kept.load(Ordering::SeqCst)
    }

    fn load(&self) -> Result<Option<u64>, AnchorError> {
        self.answer()?;
        if self.is_damaged.load(Ordering::SeqCst) {
            return Err(AnchorError::Damaged("it is no number".to_owned()));
        }
        Ok(self.generation())
    }

    fn save(&self, generation: u64) -> Result<(), AnchorError> {
        self.answer()?;
        if self.is_read_only.load(Ordering::SeqCst) {
            return Err(AnchorError::Unreachable("it takes nothing".to_owned()));
        }
        self.is_damaged.store(false, Ordering::SeqCst);
        let before = self
            .generation
            .lock()
            .expect("not poisoned")
            .replace(generation);
        let impossible = before >= Some(i64::MAX.unsigned_abs());
        assert!(
            impossible || before < Some(generation),
            "it only ever rises"
        );
        Ok(())
    }
}

/// A keyring for the storage key.
#[derive(Default)]
struct Keys(Mutex<HashMap<(VaultId, KeyEntry), Vec<u8>>>);

impl KeySource for Keys {
    fn backend(&self) -> &'static str {
        "memory"
    }

    fn load(&self, id: VaultId, entry: KeyEntry) -> Result<Option<SecretBytes>, KeySourceError> {
        let kept = self.0.lock().expect("not poisoned");
        Ok(kept.get(&(id, entry)).cloned().map(SecretBytes::new))
    }

    fn save(&self, id: VaultId, entry: KeyEntry, secret: &[u8]) -> Result<(), KeySourceError> {
        let mut kept = self.0.lock().expect("not poisoned");
        kept.insert((id, entry), secret.to_vec());
        Ok(())
    }

    fn remove(&self, id: VaultId, entry: KeyEntry) -> Result<(), KeySourceError> {
        self.0.lock().expect("not poisoned").remove(&(id, entry));
        Ok(())
    }
}

/// A vault on disk.
pub(super) struct World {
    folder: TempDir,
    keys: Keys,
    pub(super) anchor: Arc<Remembered>,
    pub(super) clock: Arc<SetClock>,
}

/// The vault, open, with its tables.
pub(super) struct Opened {
    pub(super) auth: Auth,
    pub(super) vault: Vault,
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Its files are to be copied, or opened by somebody else.
        self.vault.close();
    }
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().expect("a folder"),
            keys: Keys::default(),
            anchor: Arc::default(),
            clock: Arc::new(SetClock(AtomicI64::new(NOW))),
        };
        fs::create_dir(world.folder.path().join("vault")).expect("a data root");
        let vault = Vault::create(world.root(), &world.keys, world.options());
        vault.expect("a new vault").close();
        world
    }

    fn root(&self) -> DataRoot {
        DataRoot::new(Arc::new(DiskFileSystem), self.folder.path().join("vault"))
    }

    fn options(&self) -> VaultOptions {
        VaultOptions {
            background: false,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ..VaultOptions::default()
        }
    }

    pub(super) fn vault(&self) -> Vault {
        Vault::open(self.root(), &self.keys, self.options()).expect("the vault opens")
    }

    pub(super) fn anchor(&self) -> Arc<dyn Anchor> {
        Arc::clone(&self.anchor) as Arc<dyn Anchor>
    }

    /// Reads the tables.
    pub(super) fn try_open(&self) -> AuthResult<Opened> {
        let vault = self.vault();
        let opened = vault.auth_database().map_err(crate::AuthError::from);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let auth = opened.and_then(|database| Auth::open(database, self.anchor(), clock));
        match auth {
            Ok(auth) => Ok(Opened { auth, vault }),
            Err(error) => {
                vault.close();
                Err(error)
            }
        }
    }

    pub(super) fn open(&self) -> Opened {
        self.try_open().expect("the tables are read")
    }

    /// What is in the tables, read anew.
    pub(super) fn reopened(&self) -> Value {
        contents(self.open().auth.tables())
    }

    /// Takes the tables as they are.
    pub(super) fn accept(&self) -> AuthResult<(u32, u32)> {
        let vault = self.vault();
        let database = vault.auth_database().expect("the database");
        let accepted = Tables::accept(&database, &*self.anchor);
        vault.close();
        accepted
    }

    /// What would come of that.
    pub(super) fn older(&self) -> Older {
        let vault = self.vault();
        let database = vault.auth_database().expect("the database");
        let told = Tables::older(&database);
        vault.close();
        told.expect("readable")
    }

    /// A copy of the files of all databases, while nobody has them open.
    pub(super) fn copy_files(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a folder");
        copy_folder(&self.folder.path().join("vault/stores"), copy.path());
        copy
    }

    /// Puts such a copy back.
    pub(super) fn put_back(&self, copy: &TempDir) {
        let stores = self.folder.path().join("vault/stores");
        fs::remove_dir_all(&stores).expect("removed");
        copy_folder(copy.path(), &stores);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a listing") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("copied");
        }
    }
}

/// All that the tables say.
pub(super) fn contents(tables: &Tables) -> Value {
    let mut sessions = tables.sessions();
    sessions.sort_by(|one, other| one.id.cmp(&other.id));
    let mut tokens = tables.tokens();
    tokens.sort_by(|one, other| one.id.cmp(&other.id));
    json!({
        "generation": tables.generation(),
        "settings": tables.settings(),
        "passkeys": tables.passkeys(None),
        "sessions": sessions,
        "tokens": tokens,
        "hosts": tables.hosts(),
        "signing_key": tables.signing_key().expose(),
    })
}

/// A request to the gateway, from this machine's own browser.
pub(super) fn request(method: &str, host: &str) -> WebRequest {
    WebRequest {
        scheme: Scheme::Http,
        host: Host::parse(host, Scheme::Http).expect("a host"),
        origin: None,
        fetch_site: None,
        safe: method == "GET",
        get: method == "GET",
        peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
        forwarded: false,
        owned: false,
        user_agent: None,
    }
}

pub(super) fn rp_id(host: &str) -> RpId {
    let host = Host::parse(host, Scheme::Http).expect("a host");
    RpId::of(&host).expect("a relying party")
}

/// What a browser's authenticator registers: the same in all tests, since nobody signs with it here.
fn credential() -> webauthn_rs::prelude::Passkey {
    static MADE: OnceLock<webauthn_rs::prelude::Passkey> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let origin = Url::parse("http://localhost:7787").expect("an origin");
        let webauthn = WebauthnBuilder::new("localhost", &origin)
            .and_then(WebauthnBuilder::build)
            .expect("a relying party");
        let (asked, state) = webauthn
            .start_passkey_registration(Uuid::from_bytes([1; 16]), "user", "user", None)
            .expect("begun");
        let answer = SoftPasskey::new(true)
            .do_registration(origin, asked)
            .expect("registered");
        webauthn
            .finish_passkey_registration(&answer, &state)
            .expect("verified")
    });
    made.clone()
}

pub(super) fn passkey(id: &str, host: &str) -> Passkey {
    Passkey {
        id: id.to_owned(),
        label: format!("passkey {id}"),
        rp_id: rp_id(host),
        user_handle: Uuid::from_bytes([1; 16]),
        created_ms: NOW,
        last_used_ms: None,
        credential: credential(),
    }
}

pub(super) fn session(id: &str, passkey: &str, host: &str) -> Session {
    Session {
        id: id.to_owned(),
        secret_hash: [7; 32],
        rp_id: rp_id(host),
        passkey_id: passkey.to_owned(),
        label: "Firefox on Linux".to_owned(),
        address: "127.0.0.1".to_owned(),
        created_ms: NOW,
        last_used_ms: NOW,
    }
}

pub(super) fn token(id: &str, scopes: Vec<StoreScope>) -> Token {
    Token {
        id: id.to_owned(),
        hash: [9; 32],
        label: format!("token {id}"),
        scopes,
        created_ms: NOW,
        last_used_ms: None,
        expires_ms: None,
    }
}

pub(super) fn scope(stores: &str, permission: Permission) -> StoreScope {
    let stores = StorePattern::parse(stores).expect("a pattern");
    StoreScope { stores, permission }
}

/// Makes a token that administers everything.
pub(super) fn admin_token(auth: &Auth, lifetime_ms: Option<i64>) -> (Token, TokenSecret) {
    let new = NewToken {
        label: "admin".to_owned(),
        scopes: vec![scope("*", Permission::Admin)],
        lifetime_ms,
    };
    auth.create_token(&Access::Full, new).expect("a token")
}
