//! Where everything of the vault lies, by whose word, and what is left of an earlier place.

mod lookout;

use std::{
    env,
    path::{Path, PathBuf},
};

use vault_proto::{
    endpoint::Place,
    paths::{self, LocationClass},
    v1::finding::Severity,
};
use vault_store::{
    DataRoot,
    legacy::{self, LegacyRoot, Marker},
};

pub use self::lookout::Lookout;
use crate::doctor::{Code, Finding};

/// In the data root: the folder of the store of files `models`.
const MODELS: &str = "plain/models";

/// The places, as flags, environment and configuration name them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Locations {
    /// The data root.
    pub root: PathBuf,
    /// By whose word it is there.
    pub root_class: LocationClass,
    /// The socket.
    pub socket: PathBuf,
    /// The data root of an earlier version.
    pub legacy: Option<PathBuf>,
    /// Where models lie.
    pub models: PathBuf,
    /// The configuration names that folder.
    pub models_named: bool,
}

/// What the disk says of them at the moment.
#[derive(Clone, Default, Debug)]
pub struct Looked {
    /// There is something where a legacy root would be.
    pub legacy_exists: bool,
    /// Its vault was moved in.
    pub merge_marker: bool,
    /// What there is to say.
    pub findings: Vec<Finding>,
}

impl Locations {
    /// The places of a root: what the configuration leaves open is where it always was.
    pub fn new(
        place: &Place,
        root_class: LocationClass,
        legacy: Option<PathBuf>,
        models: Option<PathBuf>,
    ) -> Self {
        let root = place.data_root.clone();
        let models_named = models.is_some();
        let resolved = |path: PathBuf| paths::absolute(&path).unwrap_or(path);
        let legacy = legacy.or_else(paths::default_legacy_root).map(resolved);
        Self {
            root_class,
            socket: place.socket.clone(),
            // One that is served is no legacy.
            legacy: legacy.filter(|legacy| *legacy != root),
            models: models.map_or_else(|| root.join(MODELS), resolved),
            models_named,
            root,
        }
    }

    /// Whether the root lies where the platform's specification asks for it.
    pub fn is_compliant(&self) -> bool {
        LocationClass::of(&self.root).is_of_platform()
    }

    /// The class of the models' folder: as that of the root it lies in, else by where it is.
    pub fn models_class(&self) -> LocationClass {
        if self.models.starts_with(&self.root) {
            self.root_class
        } else {
            LocationClass::of(&self.models)
        }
    }

    /// The legacy root, as it lies there.
    pub fn legacy(&self, active: &DataRoot) -> Option<LegacyRoot> {
        let path = self.legacy.clone()?;
        Some(LegacyRoot::look(active, path))
    }

    /// Looks at all of it. Changes nothing.
    pub fn look(&self, active: &DataRoot) -> Looked {
        let mut looked = Looked::default();
        if !self.is_compliant() && self.root_class != LocationClass::TestOverride {
            let text = format!(
                "the data root {} lies outside the folder that the platform has for data",
                self.root.display()
            );
            let finding = Finding::new(Severity::Note, Code::RootNotCompliant, text);
            looked
                .findings
                .push(finding.remedy("nothing, if that is on purpose: it works all the same"));
        }
        self.look_at_legacy(active, &mut looked);
        if self.models_named && !self.models.is_dir() {
            let text = format!(
                "`models_dir` names {}, which is not there",
                self.models.display()
            );
            let finding = Finding::new(Severity::Note, Code::ModelsRootMissing, text);
            looked.findings.push(finding.mended(false));
        }
        looked
    }

    fn look_at_legacy(&self, active: &DataRoot, looked: &mut Looked) {
        let marker = Marker::read(active);
        if let Err(error) = &marker {
            let text = format!("nobody can tell which legacy root was moved in: {error}");
            let finding = Finding::new(Severity::Warning, Code::MergeMarkerDamaged, text);
            looked.findings.push(finding.remedy(
                "remove `moved-in.json`; `vaultctl doctor --fix` then offers to move in again, which \
                 leaves alone what is there",
            ));
        }
        if legacy::is_left_over(active).unwrap_or(false) {
            let text =
                "moving a legacy root in was interrupted: the copy that was made is still there";
            let finding = Finding::new(Severity::Warning, Code::MoveInInterrupted, text);
            looked.findings.push(finding.mended(false));
        }
        let Some(legacy) = self.legacy(active).filter(|legacy| legacy.exists) else {
            return;
        };
        looked.legacy_exists = true;
        let vault = legacy.vault();
        let Ok(marker) = marker else {
            return;
        };
        looked.merge_marker = vault.is_some_and(|vault| marker.has(vault));
        let shown = legacy.root.path().display();
        looked.findings.extend(match vault {
            Some(_) if looked.merge_marker => {
                let text = format!("{shown} was moved in, and is still there");
                let finding = Finding::new(Severity::Note, Code::LegacyRootMovedIn, text);
                Some(finding.remedy("remove it once you are sure that nothing is missing"))
            }
            Some(_) => {
                let text = format!("{shown} holds the vault of an earlier version");
                let finding = Finding::new(Severity::Warning, Code::LegacyRootFound, text);
                Some(finding.mended(false))
            }
            None if legacy.holds_a_vault() => {
                let why = legacy.evidence.err();
                let why = why.unwrap_or_else(|| "nothing there names the vault".to_owned());
                let text = format!("{shown} cannot be moved in: {why}");
                let finding = Finding::new(Severity::Warning, Code::LegacyRootUnreadable, text);
                Some(finding.remedy(
                    "put its `vault.json`, `keys.a` or `keys.b` back from a backup, and make it \
                     readable for this user",
                ))
            }
            None => None,
        });
    }
}

/// By whose word the data root is where it is.
pub fn class_of_root(root: &Path, by_flag: bool, ephemeral: bool) -> LocationClass {
    let is_root = |path: PathBuf| paths::absolute(&path).is_ok_and(|path| path == root);
    let by_environment = || env::var_os(paths::DATA_DIR_VARIABLE).map(PathBuf::from);
    if ephemeral {
        LocationClass::TestOverride
    } else if paths::default_data_root().is_some_and(is_root) {
        // Whoever names the default on the command line, as `vaultctl` does, overrides nothing.
        LocationClass::of(root)
    } else if by_environment().is_some_and(is_root) {
        LocationClass::EnvironmentOverride
    } else if by_flag {
        LocationClass::FlagOverride
    } else {
        LocationClass::of(root)
    }
}
