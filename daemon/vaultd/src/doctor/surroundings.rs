//! Where the vault lies and what the daemon runs under: facts, and what they mean.
//!
//! Facts are handed in, so that each finding can be tested on a machine that has no network mount, no
//! second user and no full disk.

mod gather;

use std::path::{Path, PathBuf};

use vault_proto::v1::finding::Severity;

pub use self::gather::Places;
use super::{Code, Fact, Finding};
use crate::platform::{FileSystemKind, Guards, Ownership};

/// Bytes below which the disk counts as nearly full: a database that is rewritten, or a group of
/// documents, still fits.
const LOW_SPACE: u64 = 256 << 20;

/// So many paths of a finding are named.
const NAMED: usize = 5;

/// Who may do what with a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privacy {
    /// It is for its owner alone.
    Private,
    /// Anybody may read it, and nobody else change it; it may be the system's.
    Shared,
}

impl Privacy {
    /// The rights that others must not have.
    pub const fn forbidden(self) -> u32 {
        match self {
            Self::Private => 0o077,
            Self::Shared => 0o022,
        }
    }
}

/// A path of the vault that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenPath {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub ownership: Ownership,
    /// Whose it should be.
    pub privacy: Privacy,
}

impl SeenPath {
    fn is_of_others(&self, user: u32) -> bool {
        let owner = self.ownership.owner;
        owner != user && !(self.privacy == Privacy::Shared && owner == 0)
    }

    fn is_open_to_others(&self) -> bool {
        self.ownership.mode & self.privacy.forbidden() != 0
    }

    /// Whether it is not as it should be.
    pub fn is_wrong(&self, user: u32) -> bool {
        self.is_of_others(user) || self.is_open_to_others()
    }
}

/// The unit that starts the daemon.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Service {
    /// Its file, where there is one.
    pub unit: Option<PathBuf>,
    /// The program it names, which is not there.
    pub missing_program: Option<PathBuf>,
}

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// This process's user; `None` where users have no numbers.
    pub user: Option<u32>,
    /// Paths that are not as they should be.
    pub paths: Vec<SeenPath>,
    /// How many were looked at.
    pub paths_seen: u64,
    /// The file system of the data root, and what it is called.
    pub file_system: Option<(FileSystemKind, String)>,
    /// Bytes that can still be written there.
    pub free_space: Option<u64>,
    /// What guards this process.
    pub guards: Guards,
    /// What starts it.
    pub service: Service,
    /// The vault ends with the daemon.
    pub ephemeral: bool,
}

impl Surroundings {
    /// What is wrong.
    pub fn judge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.judge_owners());
        findings.extend(self.judge_rights());
        findings.extend(self.judge_file_system());
        findings.extend(self.judge_space());
        findings.extend(self.judge_dumps());
        findings.extend(self.judge_sandbox());
        findings.extend(self.judge_service());
        findings
    }

    fn judge_owners(&self) -> Option<Finding> {
        let user = self.user?;
        let others = self.paths.iter().filter(|seen| seen.is_of_others(user));
        let named = name(others)?;
        let text = format!("another user owns {named}");
        let finding = Finding::new(Severity::Warning, Code::PathOfOthers, text);
        Some(finding.remedy(format!("run `chown {user}` on them, as root")))
    }

    fn judge_rights(&self) -> Option<Finding> {
        let open = self.paths.iter().filter(|seen| seen.is_open_to_others());
        let named = name(open)?;
        let text = format!("others have rights on {named}");
        let finding = Finding::new(Severity::Warning, Code::PathOpenToOthers, text);
        Some(finding.mended(false))
    }

    fn judge_file_system(&self) -> Option<Finding> {
        let (kind, name) = self.file_system.as_ref()?;
        let (severity, code, text) = match kind {
            FileSystemKind::Remote => (
                Severity::Warning,
                Code::FileSystemRemote,
                format!(
                    "the data root lies on a network file system ({name}): locks, renames and what \
                     was synced depend on another machine"
                ),
            ),
            FileSystemKind::Weak => (
                Severity::Warning,
                Code::FileSystemWeak,
                format!(
                    "the data root lies on a file system ({name}) that may lose or mix files in a \
                     power cut"
                ),
            ),
            FileSystemKind::Volatile if !self.ephemeral => (
                Severity::Note,
                Code::FileSystemVolatile,
                format!("the data root lies in memory ({name}): a restart of the machine ends it"),
            ),
            FileSystemKind::Volatile | FileSystemKind::Local | FileSystemKind::Unknown => {
                return None;
            }
        };
        let finding = Finding::new(severity, code, text);
        Some(finding.remedy(
            "stop vaultd, move the data root to a local disk, and name it by `VAULTD_DATA_DIR`",
        ))
    }

    fn judge_space(&self) -> Option<Finding> {
        let free = self.free_space.filter(|free| *free < LOW_SPACE)?;
        let text = format!(
            "only {} MiB are free on the disk of the data root",
            free >> 20
        );
        let finding = Finding::new(Severity::Warning, Code::DiskSpaceLow, text);
        Some(finding.remedy("make room: a write that does not fit is refused"))
    }

    fn judge_dumps(&self) -> Option<Finding> {
        let Guards {
            dumpable,
            core_limit,
            ..
        } = self.guards;
        let what = match (
            dumpable == Some(true),
            core_limit.is_some_and(|limit| limit > 0),
        ) {
            (true, true) => "debuggers of the same user, and core dumps",
            (true, false) => "debuggers of the same user",
            // A process that is not dumpable leaves none, whatever the limit.
            (false, true) if dumpable.is_none() => "core dumps",
            (false, _) => return None,
        };
        let text = format!("{what} can reach the keys of an open vault");
        let finding = Finding::new(Severity::Warning, Code::DumpsPossible, text);
        Some(finding.remedy("restart vaultd: it shuts both out when it starts"))
    }

    fn judge_sandbox(&self) -> Option<Finding> {
        let Guards {
            no_new_privileges,
            seccomp,
            ..
        } = self.guards;
        let mut missing = Vec::new();
        if no_new_privileges == Some(false) {
            missing.push("it could gain privileges");
        }
        if seccomp == Some(false) {
            missing.push("its system calls are not filtered");
        }
        if missing.is_empty() {
            return None;
        }
        let text = format!("vaultd runs without a sandbox: {}", missing.join(", "));
        let finding = Finding::new(Severity::Note, Code::SandboxPartial, text);
        Some(finding.remedy("run it by its systemd unit: `vaultctl service install`"))
    }

    fn judge_service(&self) -> Option<Finding> {
        let Service {
            unit,
            missing_program,
        } = &self.service;
        let install = "run `vaultctl service install`";
        match (unit, missing_program) {
            // `vaultctl service` has nothing to install there.
            (None, _) if cfg!(windows) => None,
            (None, _) => {
                let text = "no unit is installed for vaultd: `vaultctl` starts it on demand";
                let finding = Finding::new(Severity::Note, Code::ServiceNotInstalled, text);
                Some(finding.remedy(install))
            }
            (Some(unit), Some(program)) => {
                let text = format!(
                    "{} starts {}, which is not there",
                    unit.display(),
                    program.display()
                );
                let finding = Finding::new(Severity::Warning, Code::ServiceBroken, text);
                Some(finding.remedy(install))
            }
            (Some(_), None) => None,
        }
    }

    /// What was looked at.
    pub fn facts(&self) -> Vec<Fact> {
        let told = |value: Option<bool>| match value {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let guards = &self.guards;
        let file_system = self.file_system.as_ref();
        let unit = self.service.unit.as_deref().map(Path::display);
        let core = guards.core_limit.map(|limit| match limit {
            u64::MAX => "unlimited".to_owned(),
            limit => format!("{limit} bytes"),
        });
        let unknown = || "unknown".to_owned();
        vec![
            Fact::new("paths_examined", self.paths_seen.to_string()),
            Fact::new(
                "file_system",
                file_system.map_or_else(unknown, |(_, name)| name.clone()),
            ),
            Fact::new(
                "free_space",
                self.free_space
                    .map_or_else(unknown, |free| format!("{free} bytes")),
            ),
            Fact::new(
                "non_dumpable",
                told(guards.dumpable.map(|dumpable| !dumpable)),
            ),
            Fact::new("core_limit", core.unwrap_or_else(unknown)),
            Fact::new("no_new_privileges", told(guards.no_new_privileges)),
            Fact::new("seccomp", told(guards.seccomp)),
            Fact::new(
                "unit",
                unit.map_or_else(|| "none".to_owned(), |unit| unit.to_string()),
            ),
        ]
    }
}

/// Paths in words; `None` where there are none.
fn name<'a>(paths: impl Iterator<Item = &'a SeenPath>) -> Option<String> {
    let paths: Vec<_> = paths.collect();
    let shown = paths.iter().take(NAMED).map(|seen| {
        let mode = seen.ownership.mode;
        format!("{} (mode {mode:o})", seen.path.display())
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match paths.len() {
        0 => None,
        count if count > NAMED => Some(format!("{shown} and {} more", count - NAMED)),
        _ => Some(shown),
    }
}
