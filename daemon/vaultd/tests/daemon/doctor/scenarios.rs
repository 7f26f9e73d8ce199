//! Each finding of the doctor, produced; and cured by `--fix` where the table of codes says that it
//! can be. A code without a scenario is a failure.

mod access;
mod audit;
mod key_states;
mod mounts;
mod own_files;
mod places;
mod rotations;
mod secrets;
mod stores;
mod surroundings;

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::Path};

use vault_client::{Client, DoctorReport, Finding, Mend, MoveInConflicts, MoveInEvent};
use vaultd::doctor::{self, Code};

use crate::support::{Daemon, Home, keyring::Session, soon, until, vault::PASSPHRASE};

/// Where something was brought about.
pub(super) enum Stage {
    /// In a vault that is served.
    Served(Box<Served>),
    /// In facts that no machine for tests can show.
    Judged(Vec<doctor::Finding>),
    /// Nowhere: a program that it takes is missing.
    Skipped,
}

/// A daemon, and what it stands on.
pub(super) struct Served {
    client: Client,
    daemon: Daemon,
    /// A rotation that runs, or such, which changes files by itself.
    busy: bool,
    _held: Box<dyn std::any::Any + Send>,
    _home: Box<dyn std::any::Any + Send>,
}

impl Stage {
    /// A daemon in a home without a keyring.
    pub(super) fn of(home: Home, (daemon, client): (Daemon, Client)) -> Self {
        Self::Served(Box::new(Served {
            client,
            daemon,
            busy: false,
            _held: Box::new(()),
            _home: Box::new(home),
        }))
    }

    /// A daemon in a desktop session.
    pub(super) fn in_session(session: Session, (daemon, client): (Daemon, Client)) -> Self {
        Self::Served(Box::new(Served {
            client,
            daemon,
            busy: false,
            _held: Box::new(()),
            _home: Box::new(session),
        }))
    }

    /// While `held` lives, files change by themselves.
    pub(super) fn busy_with(self, held: impl std::any::Any + Send) -> Self {
        match self {
            Self::Served(served) => Self::Served(Box::new(Served {
                busy: true,
                _held: Box::new(held),
                ..*served
            })),
            other => other,
        }
    }
}

/// The table: a code, and what brings it about.
macro_rules! scenarios {
    ($($code:ident: $stage:expr;)*) => {
        const CODES: &[&str] = &[$(stringify!($code)),*];

        $(
            #[tokio::test]
            async fn $code() {
                check(stringify!($code), $stage).await;
            }
        )*
    };
}

scenarios! {
    healthy: key_states::healthy().await;
    starting: key_states::starting().await;
    uninitialized: key_states::uninitialized().await;
    locked: key_states::locked().await;
    keyring_locked: key_states::keyring_locked().await;
    keyring_unavailable: key_states::keyring_unavailable().await;
    keyring_denied: key_states::keyring_denied().await;
    keyring_timeout: key_states::keyring_timeout().await;
    key_missing: key_states::key_missing().await;
    wrong_key: key_states::wrong_key().await;
    damaged: key_states::damaged().await;
    reset: key_states::reset().await;
    header_damaged: own_files::header_damaged().await;
    key_table_copy_damaged: own_files::key_table_copy_damaged().await;
    catalogue_damaged: own_files::catalogue_damaged().await;
    key_not_in_keyring: own_files::key_not_in_keyring().await;
    storage_failed: own_files::storage_failed().await;
    rotating: rotations::rotating().await;
    rotation_awaits_credential: rotations::rotation_awaits_credential().await;
    rotation_half_done: rotations::rotation_half_done().await;
    move_half_done: rotations::move_half_done().await;
    export_outdated: rotations::export_outdated().await;
    salt_unchecked: rotations::salt_unchecked().await;
    salt_copy_missing: rotations::salt_copy_missing().await;
    salt_mismatch: rotations::salt_mismatch().await;
    objects_damaged: stores::objects_damaged().await;
    store_damaged: stores::store_damaged().await;
    awaiting_migration: stores::awaiting_migration().await;
    secrets_unchecked: secrets::secrets_unchecked().await;
    secret_unlisted: secrets::secret_unlisted().await;
    secret_left_behind: secrets::secret_left_behind().await;
    secret_value_missing: secrets::secret_value_missing().await;
    access_rolled_back: access::access_rolled_back().await;
    access_unreadable: access::access_unreadable().await;
    audit_failing: audit::audit_failing().await;
    audit_mismatch: audit::audit_mismatch().await;
    audit_unanchored: audit::audit_unanchored().await;
    root_not_compliant: places::root_not_compliant().await;
    legacy_root_found: places::legacy_root_found().await;
    legacy_root_unreadable: places::legacy_root_unreadable().await;
    legacy_root_moved_in: places::legacy_root_moved_in().await;
    merge_marker_damaged: places::merge_marker_damaged().await;
    move_in_interrupted: places::move_in_interrupted().await;
    models_root_missing: places::models_root_missing().await;
    location_silent: mounts::location_silent();
    path_open_to_others: places::path_open_to_others().await;
    service_not_installed: places::service_not_installed().await;
    service_broken: places::service_broken().await;
    path_of_others: surroundings::path_of_others();
    file_system_remote: surroundings::file_system_remote();
    file_system_weak: surroundings::file_system_weak();
    file_system_volatile: surroundings::file_system_volatile();
    disk_space_low: surroundings::disk_space_low();
    dumps_possible: surroundings::dumps_possible();
    sandbox_partial: surroundings::sandbox_partial();
}

#[test]
fn every_code_has_a_scenario_and_every_scenario_a_code() {
    let scenarios: BTreeSet<&str> = CODES.iter().copied().collect();
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(scenarios, codes);
}

/// Makes sure that the stage shows the code, that looking changed nothing, and that the cure cures.
async fn check(name: &str, stage: Stage) {
    let code: Code = name.parse().expect("a code");
    match stage {
        Stage::Served(served) => served.check(code).await,
        Stage::Judged(findings) => {
            let found = findings.iter().find(|finding| finding.code == code);
            let found = found.unwrap_or_else(|| panic!("no {code} in {findings:?}"));
            assert!(
                !found.remedies.is_empty() && code.fix().is_empty(),
                "{found:?}"
            );
        }
        Stage::Skipped => {}
    }
}

impl Served {
    async fn check(&self, code: Code) {
        let root = &self.daemon.root;
        let report = if self.busy {
            self.look().await
        } else {
            at_rest(root).await;
            let before = tree(root);
            let report = self.look().await;
            assert_eq!(tree(root), before, "looking changed something");
            report
        };
        let found = of_code(&report, code);
        let found = found.unwrap_or_else(|| panic!("no {code} in {:?}", report.findings));
        assert!(report.reason_codes.iter().any(|one| one == code.as_str()));
        assert!(!found.fixed, "nobody asked for that");
        assert_eq!(found.fix, code.fix(), "what is offered");
        let silent = [Code::Healthy, Code::Rotating, Code::Reset];
        assert!(
            !found.remedies.is_empty() || silent.contains(&code),
            "{found:?}"
        );
        if !found.fix.is_empty() {
            self.cure(code).await;
        }
    }

    async fn look(&self) -> DoctorReport {
        let report = soon("a report", self.client.doctor(Mend::Nothing)).await;
        report.expect("served in every state")
    }

    async fn cure(&self, code: Code) {
        if code == Code::LegacyRootFound {
            move_in(&self.client, MoveInConflicts::Refuse).await;
        } else {
            let mended = self.client.doctor(Mend::Only(&[code.as_str()])).await;
            let mended = mended.expect("served");
            let found = of_code(&mended, code).expect("told once more");
            assert!(found.fixed, "{found:?}");
            let others = mended.findings.iter().filter(|finding| finding.fixed);
            // One remedy may cure several of the vault's own files, and no more than that.
            for other in others {
                assert_eq!(
                    other.fix,
                    code.fix(),
                    "nobody asked for {}",
                    other.reason_code
                );
            }
        }
        until(&format!("{code} is cured"), async || {
            of_code(&self.look().await, code).is_none()
        })
        .await;
    }
}

fn of_code(report: &DoctorReport, code: Code) -> Option<Finding> {
    let mut findings = report.findings.iter();
    findings
        .find(|finding| finding.reason_code == code.as_str())
        .cloned()
}

/// Moves the legacy root in, whose key lies under [`PASSPHRASE`].
pub(super) async fn move_in(client: &Client, conflicts: MoveInConflicts) -> vault_client::MovedIn {
    let mut stream = client
        .move_in(conflicts, Some(PASSPHRASE))
        .await
        .expect("begun");
    loop {
        match soon("a report of the move", stream.next())
            .await
            .expect("goes on")
        {
            Some(MoveInEvent::Done(moved)) => return moved,
            Some(MoveInEvent::Progress(_, done, total)) => assert!(done <= total),
            None => panic!("it ended without an outcome"),
        }
    }
}

/// Waits until the daemon has given what it acknowledged its last place on the disk.
async fn at_rest(root: &Path) {
    until("its files are at rest", async || {
        let under_way = |path: &String| path.contains("/journal/") || path.contains("/.tmp-");
        !tree(root).iter().any(under_way)
    })
    .await;
}

/// All that lies below a folder: names, kinds, sizes, rights and times of change; without the audit
/// log, which records every look.
pub(super) fn tree(root: &Path) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // Gone meanwhile, where the daemon is at work.
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if path == root.join("audit") {
                continue;
            }
            if found.is_dir() {
                folders.push(path.clone());
            }
            let (size, mode) = (found.len(), found.mode());
            let times = (
                found.mtime(),
                found.mtime_nsec(),
                found.ctime(),
                found.ctime_nsec(),
            );
            seen.insert(format!("{} {size} {mode:o} {times:?}", path.display()));
        }
    }
    seen
}
