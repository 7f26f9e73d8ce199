//! Where everything of a vault lies.

use std::path::PathBuf;

use serde::{Serialize, Serializer};
use vault_proto::v1;

use crate::SecretPlace;

/// Where a folder lies, and by whose word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocationClass {
    /// In the data folder of the XDG Base Directory Specification.
    XdgDataHome,
    /// In `~/Library/Application Support`.
    AppleApplicationSupport,
    /// In `%LOCALAPPDATA%`.
    LocalAppData,
    /// In a folder of the user's home whose name begins with a dot.
    HomeDotDirectory,
    /// Where `VAULTD_DATA_DIR` says.
    EnvironmentOverride,
    /// Where `--data-dir` says.
    FlagOverride,
    /// Of a daemon with `--ephemeral`.
    TestOverride,
    /// Anywhere else.
    Custom,
    /// A class of a later version.
    Unknown,
}

impl LocationClass {
    /// Its name, stable for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XdgDataHome => "xdg_data_home",
            Self::AppleApplicationSupport => "apple_application_support",
            Self::LocalAppData => "local_app_data",
            Self::HomeDotDirectory => "home_dot_directory",
            Self::EnvironmentOverride => "environment_override",
            Self::FlagOverride => "flag_override",
            Self::TestOverride => "test_override",
            Self::Custom => "custom",
            Self::Unknown => "unknown",
        }
    }
}

impl Serialize for LocationClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<v1::LocationClass> for LocationClass {
    fn from(class: v1::LocationClass) -> Self {
        match class {
            v1::LocationClass::XdgDataHome => Self::XdgDataHome,
            v1::LocationClass::AppleApplicationSupport => Self::AppleApplicationSupport,
            v1::LocationClass::LocalAppData => Self::LocalAppData,
            v1::LocationClass::HomeDotDirectory => Self::HomeDotDirectory,
            v1::LocationClass::EnvironmentOverride => Self::EnvironmentOverride,
            v1::LocationClass::FlagOverride => Self::FlagOverride,
            v1::LocationClass::TestOverride => Self::TestOverride,
            v1::LocationClass::Custom => Self::Custom,
            v1::LocationClass::Unspecified => Self::Unknown,
        }
    }
}

/// Where everything of a vault lies. As JSON it is the block `storage_locations`, wherever that is
/// shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StorageLocations {
    /// The data root that is served.
    pub active_root: PathBuf,
    /// By whose word it is there.
    pub active_root_class: LocationClass,
    /// It lies where the platform's specification asks for it.
    pub spec_compliant: bool,
    /// Where a data root of an earlier version would be.
    pub legacy_root: Option<PathBuf>,
    /// Something is there.
    pub legacy_root_exists: bool,
    /// Its vault was moved in.
    pub merge_marker: bool,
    /// Where models lie.
    pub models_root: PathBuf,
    /// By whose word.
    pub models_root_class: LocationClass,
    /// Where the daemon listens.
    pub socket: PathBuf,
    /// The keyring backend that holds the storage key.
    pub storage_key: String,
    /// Where the values of secrets lie.
    pub secrets: SecretPlace,
    /// What the doctor finds of all this, by the same codes.
    pub reason_codes: Vec<String>,
}

impl From<v1::StorageLocations> for StorageLocations {
    fn from(told: v1::StorageLocations) -> Self {
        Self {
            active_root_class: told.active_root_class().into(),
            models_root_class: told.models_root_class().into(),
            secrets: SecretPlace::received(told.secrets()),
            active_root: told.active_root.into(),
            spec_compliant: told.spec_compliant,
            legacy_root: Some(told.legacy_root)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            legacy_root_exists: told.legacy_root_exists,
            merge_marker: told.merge_marker,
            models_root: told.models_root.into(),
            socket: told.socket.into(),
            storage_key: told.storage_key,
            reason_codes: told.reason_codes,
        }
    }
}
