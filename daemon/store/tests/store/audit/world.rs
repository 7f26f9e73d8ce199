//! A vault with an audit log, and what can be done to its files.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use vault_crypto::VaultId;
use vault_store::{
    KeyEntry, KeySource as _, KeySourceError, Vault,
    audit::{
        Anchored, AuditAnchor, AuditLog, AuditOptions, Bounds, Entry, Event, FindingKind, Head,
        NoAnchor, Record, Verification,
    },
    durable,
};

use crate::support::{
    fixture::{Fixture, ROOT},
    keyring::Keyring,
};

/// Segments of a few records, and as many as there are.
pub(super) const MANY: Bounds = Bounds {
    segment: 1500,
    total: 1 << 30,
};

/// An entry of the fixture's keyring.
pub(super) struct KeyringAnchor {
    keyring: Keyring,
    vault: VaultId,
    failing: AtomicBool,
}

impl KeyringAnchor {
    /// Whether it does not answer from now on.
    pub(super) fn fail(&self, fail: bool) {
        self.failing.store(fail, Ordering::Relaxed);
    }

    fn answer(&self) -> Result<(), KeySourceError> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(KeySourceError::Locked("told so".into()));
        }
        Ok(())
    }
}

impl AuditAnchor for KeyringAnchor {
    fn is_kept(&self) -> bool {
        true
    }

    fn load(&self) -> Result<Option<Anchored>, KeySourceError> {
        self.answer()?;
        let entry = self.keyring.load(self.vault, KeyEntry::AuditAnchor)?;
        let Some(entry) = entry else { return Ok(None) };
        let text = std::str::from_utf8(entry.expose()).ok();
        let anchored = text.and_then(|text| text.parse().ok());
        let damaged = || KeySourceError::Damaged("no anchor".into());
        anchored.map(Some).ok_or_else(damaged)
    }

    fn save(&self, anchored: &Anchored) -> Result<(), KeySourceError> {
        self.answer()?;
        let text = anchored.to_string();
        self.keyring
            .save(self.vault, KeyEntry::AuditAnchor, text.as_bytes())
    }
}

/// An open vault with its log.
pub(super) struct Subject {
    pub(super) fixture: Fixture,
    pub(super) vault: Vault,
    pub(super) log: Arc<AuditLog>,
    pub(super) anchor: Arc<KeyringAnchor>,
    bounds: Bounds,
    anchored: bool,
}

impl Subject {
    /// A new vault whose keyring holds an anchor.
    pub(super) fn new(bounds: Bounds) -> Self {
        let fixture = Fixture::new();
        let vault = fixture.create().expect("a new vault");
        Self::over(fixture, vault, bounds, true)
    }

    /// A new vault whose keyring holds none.
    pub(super) fn without_anchor(bounds: Bounds) -> Self {
        let fixture = Fixture::new();
        let vault = fixture.create().expect("a new vault");
        Self::over(fixture, vault, bounds, false)
    }

    /// The log of a vault that is open.
    pub(super) fn over(fixture: Fixture, vault: Vault, bounds: Bounds, anchored: bool) -> Self {
        let anchor = Arc::new(KeyringAnchor {
            keyring: fixture.keyring.clone(),
            vault: vault.id(),
            failing: AtomicBool::new(false),
        });
        let options = options(&anchor, bounds, anchored);
        let log = vault.audit_log(options).expect("the log opens");
        Self {
            fixture,
            vault,
            log,
            anchor,
            bounds,
            anchored,
        }
    }

    /// The vault of a fixture, opened anew.
    pub(super) fn open(fixture: Fixture, bounds: Bounds) -> Self {
        let vault = fixture.open().expect("the vault opens");
        Self::over(fixture, vault, bounds, true)
    }

    /// The same vault after a stop without any last words.
    pub(super) fn reopened(self) -> Self {
        self.vault.close();
        let vault = self.fixture.open().expect("the vault opens");
        Self::over(self.fixture, vault, self.bounds, self.anchored)
    }

    /// What lies on its disk and in its keyring, opened by another process.
    pub(super) fn elsewhere(&self) -> Self {
        let fixture = self.fixture.after(self.fixture.simulated.image());
        Self::open(fixture, self.bounds)
    }

    pub(super) fn options(&self) -> AuditOptions {
        options(&self.anchor, self.bounds, self.anchored)
    }

    /// Every record after a number.
    pub(super) fn records(&self, after: u64) -> Vec<Record> {
        let mut records = Vec::new();
        let read = self.log.read_after(after, &mut |record| {
            records.push(record);
            ControlFlow::Continue(())
        });
        read.expect("read");
        records
    }

    fn folder() -> PathBuf {
        PathBuf::from(ROOT).join("audit")
    }

    /// The files of the log, by name.
    pub(super) fn segments(&self) -> Vec<(String, Vec<u8>)> {
        let folder = Self::folder();
        let mut names: Vec<_> = self.fixture.fs.read_dir(&folder).expect("a folder");
        names.sort_by(|one, other| one.0.cmp(&other.0));
        let image = self.fixture.simulated.image();
        let read = |name: &str| image.file(&folder.join(name)).expect("a file").to_vec();
        names
            .iter()
            .map(|(name, _)| (name.clone(), read(name)))
            .collect()
    }

    /// Puts a file in the place of another, behind the log's back.
    pub(super) fn plant(&self, name: &str, bytes: &[u8]) {
        let fs = &*self.fixture.fs;
        durable::replace(fs, &Self::folder(), name, &[bytes]).expect("planted");
    }

    /// Removes a file, behind the log's back.
    pub(super) fn remove(&self, name: &str) {
        let path = Self::folder().join(name);
        self.fixture.fs.remove_file(&path).expect("removed");
    }

    /// Puts all files of the log in the place of those that are there.
    pub(super) fn plant_all(&self, files: &[(String, Vec<u8>)]) {
        for (name, _) in self.segments() {
            self.remove(&name);
        }
        for (name, bytes) in files {
            self.plant(name, bytes);
        }
    }
}

fn options(anchor: &Arc<KeyringAnchor>, bounds: Bounds, anchored: bool) -> AuditOptions {
    let kept: Arc<dyn AuditAnchor> = Arc::<KeyringAnchor>::clone(anchor);
    AuditOptions {
        bounds,
        anchor: if anchored { kept } else { Arc::new(NoAnchor) },
    }
}

pub(super) fn event(action: &str) -> Entry {
    Entry::Event(Box::new(Event {
        at_ms: 1,
        action: action.to_owned(),
        principal: "owner".to_owned(),
        ..Event::default()
    }))
}

pub(super) fn append(log: &AuditLog, actions: &[&str]) -> Head {
    let entries: Vec<Entry> = actions.iter().map(|action| event(action)).collect();
    log.append(&entries).expect("appended")
}

/// What was done, in order.
pub(super) fn actions(log: &AuditLog) -> Vec<String> {
    let mut actions = Vec::new();
    let read = log.read_after(0, &mut |record| {
        if let Entry::Event(event) = record.entry {
            actions.push(event.action);
        }
        ControlFlow::Continue(())
    });
    read.expect("read");
    actions
}

pub(super) fn verify(log: &AuditLog) -> Verification {
    let verified = log.verify(&mut |_, _| ControlFlow::Continue(()));
    verified.expect("read").expect("to its end")
}

pub(super) fn kinds(verified: &Verification) -> Vec<FindingKind> {
    verified.findings.iter().map(|found| found.kind).collect()
}
