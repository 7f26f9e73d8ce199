//! A process that changes keys on a real disk is killed at every call it makes to the disk and to the
//! keyring. The next one finds a whole vault and completes what was begun.

use std::{
    fs, io,
    ops::ControlFlow,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use vault_crypto::{KeyTable, MasterKey, Salt, SecretBytes, StorageKey, VaultId};
use vault_store::{
    DataRoot, DiskFileSystem, FileSystem, KeyEntry, KeySource, KeySourceError, Vault,
    catalogue::{Kind, Protection},
    durable,
    fs::{EntryKind, NewFile, OpenFile},
    rotation::Depth,
    vault::{NewStore, NextKey},
};

use crate::support::{
    fixture::{Fixture, name, new_store, put, write_put},
    rotating::advance,
    world::observe,
};

const ROOT: &str = "VAULTD_TEST_KILL_ROOT";
const WORK: &str = "VAULTD_TEST_KILL_WORK";
const AT: &str = "VAULTD_TEST_KILL_AT";

/// Counts calls, and ends the process at one of them.
#[derive(Clone)]
struct Fuse {
    at: usize,
    calls: Arc<AtomicUsize>,
}

impl Fuse {
    fn new(at: usize) -> Self {
        let calls = Arc::default();
        Self { at, calls }
    }

    fn burn(&self) {
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.at {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).expect("killed");
        }
    }
}

/// The disk, with a fuse.
struct Fused(DiskFileSystem, Fuse);

struct FusedFile(Box<dyn NewFile>, Fuse);

impl io::Write for FusedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.burn();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl NewFile for FusedFile {
    fn sync(&mut self) -> io::Result<()> {
        self.1.burn();
        self.0.sync()
    }
}

impl FileSystem for Fused {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        self.1.burn();
        let file = self.0.create_new(path)?;
        Ok(Box::new(FusedFile(file, self.1.clone())))
    }

    fn append(&self, path: &Path, len: u64) -> io::Result<Box<dyn NewFile>> {
        self.1.burn();
        let file = self.0.append(path, len)?;
        Ok(Box::new(FusedFile(file, self.1.clone())))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.0.file_len(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        self.0.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.1.burn();
        self.0.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.1.burn();
        self.0.remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.1.burn();
        self.0.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.1.burn();
        self.0.remove_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        self.0.read_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.1.burn();
        self.0.sync_dir(path)
    }
}

/// A keyring that outlives its process: a file for each entry.
struct FileKeyring {
    folder: PathBuf,
    backend: &'static str,
    fuse: Fuse,
}

impl FileKeyring {
    fn path(&self, entry: KeyEntry) -> PathBuf {
        self.folder.join(format!("{}-{entry:?}", self.backend))
    }

    fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).expect("listed");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort_unstable();
        names
    }
}

impl KeySource for FileKeyring {
    fn backend(&self) -> &str {
        self.backend
    }

    fn load(&self, _: VaultId, entry: KeyEntry) -> Result<Option<SecretBytes>, KeySourceError> {
        match fs::read(self.path(entry)) {
            Ok(secret) => Ok(Some(SecretBytes::new(secret))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => panic!("{error}"),
        }
    }

    fn save(&self, _: VaultId, entry: KeyEntry, secret: &[u8]) -> Result<(), KeySourceError> {
        self.fuse.burn();
        let path = self.path(entry);
        let file = path.file_name().expect("named").to_string_lossy();
        durable::replace(&DiskFileSystem, &self.folder, &file, &[secret]).expect("kept");
        self.fuse.burn();
        Ok(())
    }

    fn remove(&self, _: VaultId, entry: KeyEntry) -> Result<(), KeySourceError> {
        self.fuse.burn();
        let _ = fs::remove_file(self.path(entry));
        Ok(())
    }
}

/// A vault and its keyrings in a folder.
struct Place {
    folder: PathBuf,
    fuse: Fuse,
}

impl Place {
    fn new(folder: &Path, kill_at: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            fuse: Fuse::new(kill_at),
        }
    }

    fn keyring(&self, backend: &'static str) -> FileKeyring {
        FileKeyring {
            folder: self.folder.join("keyring"),
            backend,
            fuse: self.fuse.clone(),
        }
    }

    /// The keyring that holds the key.
    fn source(&self) -> FileKeyring {
        let header = fs::read_to_string(self.folder.join("root/vault.json")).unwrap_or_default();
        let backend = if header.contains(r#""keyring_backend": "other""#) {
            "other"
        } else {
            "test"
        };
        self.keyring(backend)
    }

    fn root(&self) -> DataRoot {
        let fs = Arc::new(Fused(DiskFileSystem, self.fuse.clone()));
        DataRoot::new(fs, self.folder.join("root"))
    }

    fn open(&self) -> Vault {
        Vault::open(self.root(), &self.source(), Fixture::new().options()).expect("open")
    }

    fn fill(&self) {
        fs::create_dir(self.folder.join("keyring")).expect("a folder");
        fs::create_dir(self.folder.join("root")).expect("a folder");
        let options = Fixture::new().options();
        let vault = Vault::create(self.root(), &self.keyring("test"), options).expect("a vault");
        for (store, protection) in [
            ("notes", Protection::Protected),
            ("shared", Protection::Plain),
        ] {
            vault
                .create_store(new_store(store, protection))
                .expect("a store");
            let store = vault.documents(&name(store)).expect("open");
            put(&store, "a", "object");
            store
                .write(vec![write_put("b", "journal"), write_put("c", "journal")])
                .expect("a batch");
        }
        vault
            .create_store(NewStore::new(name("blobs"), Kind::Blobs))
            .expect("a store");
        let store = vault.blobs(&name("blobs")).expect("open");
        for content in [&b"first"[..], b"second", &vec![7; 70_000]] {
            store.put("", content).expect("put");
        }
    }
}

const WORKS: [&str; 5] = ["rewrap", "reencrypt", "roll back", "derive", "move"];

fn work(place: &Place, what: &str) {
    let vault = place.open();
    let keyring = place.source();
    let random = || NextKey::Random { drop_salt: false };
    let begin = |depth, next| {
        vault.begin_rotation(&keyring, depth, next).expect("staged");
    };
    match what {
        "rewrap" => begin(Depth::Rewrap, random()),
        "reencrypt" => begin(Depth::Reencrypt, random()),
        "roll back" => {
            begin(Depth::Reencrypt, random());
            vault
                .advance_rotation(&keyring, &mut |_| ControlFlow::Break(()))
                .expect("paused");
            vault.roll_back_rotation(&keyring).expect("in time");
        }
        "derive" => {
            let master = MasterKey::from_bytes(&[3; 32]).expect("32 bytes");
            let salt = Salt::from_bytes([4; 32]);
            let key = StorageKey::derive(&master, &salt);
            begin(Depth::Rewrap, NextKey::Derived { key, salt });
        }
        "move" => {
            vault.begin_move(&place.keyring("other")).expect("moved");
            vault.finish_move(&keyring).expect("removed");
            return;
        }
        other => panic!("no such work: {other}"),
    }
    advance(&vault, &keyring).expect("rotated");
}

/// Not a test of its own: the process that is killed.
#[test]
fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(root), Some(what), Some(at)) = (variable(ROOT), variable(WORK), variable(AT)) else {
        return;
    };
    let place = Place::new(Path::new(&root), at.parse().expect("a number"));
    work(&place, &what);
}

#[test]
fn killed_at_every_call_a_change_of_keys_is_completed_by_the_next_start() {
    let template = tempfile::tempdir().expect("a folder");
    Place::new(template.path(), usize::MAX).fill();
    for what in WORKS {
        let mut kills = 0;
        for at in 0.. {
            let folder = tempfile::tempdir().expect("a folder");
            copy(template.path(), folder.path());
            let place = Place::new(folder.path(), usize::MAX);
            let before = observe(&place.open()).expect("whole");
            let status = Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "kill_points::child", "--quiet"])
                .env(ROOT, folder.path())
                .env(WORK, what)
                .env(AT, at.to_string())
                .output()
                .expect("it runs");
            match (status.status.signal(), status.status.success()) {
                (Some(9), _) => kills += 1,
                (None, true) => break,
                _ => panic!(
                    "{what}, call {at}: {}",
                    String::from_utf8_lossy(&status.stdout)
                ),
            }
            check(&place, &before, &format!("{what}, killed at call {at}"));
        }
        eprintln!("{what}: {kills} kills");
        assert!(kills > 10, "{what}: {kills}");
    }
}

/// Copies all that lies in a folder.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

fn check(place: &Place, before: &crate::support::world::World, context: &str) {
    let vault = place.open();
    let (from, to) = (place.keyring("test"), place.keyring("other"));
    vault
        .resume_move(&to)
        .and_then(|()| vault.finish_move(&from))
        .expect(context);
    if vault.rotation().is_some() {
        advance(&vault, &place.source()).expect(context);
    }
    assert!(
        vault.rotation().is_none() && vault.header().moving.is_none(),
        "{context}"
    );
    assert_eq!(observe(&vault).expect(context), *before, "{context}");
    drop(vault);
    let source = place.source();
    let mut kept = vec![format!("{}-StorageKey", source.backend)];
    let root = place.folder.join("root");
    if root.join("derivation.json").exists() {
        kept.insert(0, format!("{}-Salt", source.backend));
    }
    assert_eq!(source.entries(), kept, "{context}");
    for file in [
        "rotation.json",
        "derivation.next.json",
        "storage-key.previous",
    ] {
        assert!(!root.join(file).exists(), "{context}: {file}");
    }
    let key = fs::read(source.path(KeyEntry::StorageKey)).expect(context);
    let key = StorageKey::from_bytes(&key).expect("32 bytes");
    let table = fs::read(root.join("keys.b")).expect(context);
    let table = KeyTable::unwrap(&key, &table).expect(context);
    assert!(table.retired().is_empty(), "{context}");
    assert_eq!(observe(&place.open()).expect(context), *before, "{context}");
}
