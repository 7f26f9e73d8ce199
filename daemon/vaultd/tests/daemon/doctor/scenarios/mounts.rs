//! A legacy root on a network mount whose server is gone.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use vault_proto::{endpoint::Place, paths::LocationClass};
use vault_store::{
    DataRoot, DiskFileSystem, FileSystem,
    fs::{EntryKind, NewFile, OpenFile},
};
use vaultd::{
    doctor::{Code, Finding},
    locations::{Locations, Lookout},
};

use super::Stage;
use crate::support::until;

/// A disk of which one folder does not answer.
#[derive(Default)]
struct Mount {
    folder: PathBuf,
    answers: Mutex<bool>,
    changed: Condvar,
    asked: AtomicU64,
}

impl Mount {
    fn comes_back(&self) {
        *self.answers.lock().expect("sound") = true;
        self.changed.notify_all();
    }

    fn reach(&self, path: &Path) {
        if path.starts_with(&self.folder) {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let answers = self.answers.lock().expect("sound");
            let waited = self.changed.wait_while(answers, |answers| !*answers);
            drop(waited.expect("sound"));
        }
    }
}

fn looks_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl FileSystem for Mount {
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        self.reach(path);
        DiskFileSystem.open(path)
    }
    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.reach(path);
        DiskFileSystem.file_len(path)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, EntryKind)>> {
        self.reach(path);
        DiskFileSystem.read_dir(path)
    }
    fn create_new(&self, _: &Path) -> io::Result<Box<dyn NewFile>> {
        looks_only()
    }
    fn append(&self, _: &Path, _: u64) -> io::Result<Box<dyn NewFile>> {
        looks_only()
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        looks_only()
    }
    fn remove_file(&self, _: &Path) -> io::Result<()> {
        looks_only()
    }
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        looks_only()
    }
    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        looks_only()
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        looks_only()
    }
}

/// Somebody who looks at a data root beside such a folder.
struct Looker {
    mount: Arc<Mount>,
    locations: Locations,
    root: DataRoot,
    lookout: Lookout,
    _home: tempfile::TempDir,
}

impl Looker {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("legacy");
        std::fs::create_dir(&folder).expect("a folder");
        let mount = Arc::new(Mount {
            folder: folder.clone(),
            ..Mount::default()
        });
        let place = Place {
            data_root: home.path().join("root"),
            socket: home.path().join("socket"),
        };
        Self {
            locations: Locations::new(&place, LocationClass::TestOverride, Some(folder), None),
            root: DataRoot::new(mount.clone(), place.data_root),
            mount,
            lookout: Lookout::default(),
            _home: home,
        }
    }

    fn findings(&self) -> Vec<Finding> {
        self.lookout.look(&self.locations, &self.root).findings
    }

    fn is_silent(&self) -> bool {
        let mut findings = self.findings().into_iter();
        findings.any(|finding| finding.code == Code::LocationSilent)
    }
}

pub(super) fn location_silent() -> Stage {
    let looker = Looker::new();
    let findings = looker.findings();
    looker.mount.comes_back();
    Stage::Judged(findings)
}

#[tokio::test]
async fn a_mount_that_does_not_answer_is_asked_once_and_holds_nobody_up() {
    let looker = Looker::new();
    assert!(looker.is_silent());
    assert!(looker.is_silent());
    assert_eq!(looker.mount.asked.load(Ordering::Relaxed), 1);
    assert!(
        !looker
            .lookout
            .look(&looker.locations, &looker.root)
            .legacy_exists
    );
    looker.mount.comes_back();
    until("it is seen that it answers", async || !looker.is_silent()).await;
    assert!(
        looker
            .lookout
            .look(&looker.locations, &looker.root)
            .legacy_exists
    );
}
