//! Configuration: flag > `VAULTD_*` > `config.toml` > default. An unknown key is an error.

mod audit;
mod differences;
mod limits;
mod maintenance;

use std::{collections::BTreeMap, path::PathBuf, str::FromStr as _, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use vault_keyring::BackendKind;
use vault_proto::{endpoint::Place, paths};
use vault_store::size_class::{SizeClass, SizeLimits};

pub use self::{
    differences::Differences,
    limits::{Limits, LimitsInForce},
    maintenance::Maintenance,
};
use crate::{
    audit::AuditSettings,
    locations::{self, Locations},
};

/// Variables that are settings. Others that begin with `VAULTD_` are not ours to judge.
const VARIABLES: [&str; 3] = ["keyring", "passphrase_file", "log"];

/// What the command line can say.
#[expect(
    clippy::doc_markdown,
    reason = "these are the texts of --help, shown as they are"
)]
#[derive(clap::Parser, Clone, Debug, Default, Serialize)]
#[command(
    name = "vaultd",
    version,
    about = "Keeps an application's sensitive state sealed"
)]
pub struct Flags {
    /// Folder of the vault [default: the platform's data folder; env: VAULTD_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    pub data_dir: Option<PathBuf>,

    /// Socket to listen on [default: in the runtime directory; env: VAULTD_SOCKET]
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
    pub socket: Option<PathBuf>,

    /// Configuration file [default: config.toml in the platform's folder; env: VAULTD_CONFIG_DIR]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Where the storage key is kept: os, passphrase or systemd-creds [env: VAULTD_KEYRING]
    #[arg(long, value_name = "BACKEND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,

    /// File with the passphrase of the passphrase backend [env: VAULTD_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,

    /// Log filter, such as info or vaultd=debug [env: VAULTD_LOG]
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,

    /// Keep the key in memory only: the vault cannot be read once the daemon ends. Without
    /// --data-dir the files go, too
    #[arg(long)]
    #[serde(skip)]
    pub ephemeral: bool,

    /// Clients on the socket need no token, though `strict` is on: the way back in for whoever lost
    /// the last token that may administer
    #[arg(long)]
    #[serde(skip)]
    pub without_strict: bool,
}

/// `config.toml`, and the settings in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    keyring: Option<String>,
    passphrase_file: Option<PathBuf>,
    log: String,
    /// How long a vault that nobody uses stays open, such as `15m`.
    idle_lock: Option<String>,
    /// The data root of an earlier version.
    legacy_dir: Option<PathBuf>,
    /// Where applications keep models.
    models_dir: Option<PathBuf>,
    maintenance: maintenance::Settings,
    #[serde(deserialize_with = "audit::policy_or_table")]
    audit: audit::Settings,
    limits: Limits,
    /// Bounds of the size classes, in bytes.
    size_classes: BTreeMap<String, u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keyring: None,
            passphrase_file: None,
            log: "info".to_owned(),
            idle_lock: None,
            legacy_dir: None,
            models_dir: None,
            maintenance: maintenance::Settings::default(),
            audit: audit::Settings::default(),
            limits: Limits::default(),
            size_classes: BTreeMap::new(),
        }
    }
}

/// Everything the daemon is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data root and socket.
    pub place: Place,
    /// These, and where else something of the vault lies.
    pub locations: Locations,
    /// The backend, where one was named.
    pub keyring: Option<BackendKind>,
    /// File with the passphrase of the passphrase backend.
    pub passphrase_file: Option<PathBuf>,
    /// Log filter.
    pub log: String,
    /// How long a vault that nobody uses stays open; for ever where it is not said.
    pub idle_lock: Option<Duration>,
    /// How databases are looked after.
    pub maintenance: Maintenance,
    /// What is recorded, and what happens where that cannot be done.
    pub audit: AuditSettings,
    /// The key stays in memory.
    pub ephemeral: bool,
    /// Clients on the socket need no token, whatever the tables say.
    pub without_strict: bool,
    /// Bounds.
    pub limits: Limits,
    /// Largest bodies.
    pub size_limits: SizeLimits,
    /// As they were written, to tell what changed.
    settings: Settings,
}

/// Why the configuration cannot be used. Names the key and where it was set.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads the configuration. Creates nothing.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let place = Place::resolve(flags.data_dir.as_deref(), flags.socket.as_deref())
            .map_err(|error| ConfigError(error.to_string()))?;
        let mut figment = Figment::from(Serialized::defaults(Settings::default()));
        if let Some(file) = config_file(flags)? {
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment
            .merge(Env::prefixed("VAULTD_").only(&VARIABLES))
            .merge(Serialized::defaults(flags));
        let settings: Settings = figment
            .extract()
            .map_err(|error| ConfigError(error.to_string()))?;
        Self::check(settings, place, flags)
    }

    fn check(settings: Settings, place: Place, flags: &Flags) -> Result<Self, ConfigError> {
        let written = settings.clone();
        let backend = settings
            .keyring
            .as_deref()
            .map(|name| match BackendKind::from_str(name) {
                Ok(BackendKind::Memory) => Err(ConfigError(
                    "keyring `memory` loses every key with the daemon: ask for it with --ephemeral"
                        .to_owned(),
                )),
                Ok(kind) => Ok(kind),
                Err(_) => Err(ConfigError(format!(
                    "keyring `{name}` is none of os, passphrase, systemd-creds"
                ))),
            });
        let keyring = if flags.ephemeral {
            Some(BackendKind::Memory)
        } else {
            backend.transpose()?
        };
        let mut size_limits = SizeLimits::default();
        for (name, limit) in &settings.size_classes {
            let class = SizeClass::ALL
                .into_iter()
                .find(|class| class.name() == name);
            let class = class
                .ok_or_else(|| ConfigError(format!("size_classes.{name} is no size class")))?;
            size_limits = size_limits.with(class, *limit);
        }
        let by_flag = flags.data_dir.is_some();
        let class = locations::class_of_root(&place.data_root, by_flag, flags.ephemeral);
        let legacy = absolute("legacy_dir", settings.legacy_dir)?;
        let models = absolute("models_dir", settings.models_dir)?;
        Ok(Self {
            locations: Locations::new(&place, class, legacy, models),
            place,
            keyring,
            passphrase_file: settings.passphrase_file,
            log: settings.log,
            idle_lock: settings.idle_lock.as_deref().map(idle_lock).transpose()?,
            maintenance: settings.maintenance.check()?,
            audit: settings.audit.check()?,
            ephemeral: flags.ephemeral,
            without_strict: flags.without_strict,
            limits: settings.limits,
            size_limits,
            settings: written,
        })
    }

    /// What is different in `newer`.
    pub fn differences(&self, newer: &Self) -> Differences {
        Differences::between(&self.settings, &newer.settings)
    }

    /// How long the keyring may take to answer.
    pub fn keyring_deadline(&self) -> Duration {
        Duration::from_secs(self.limits.keyring_seconds)
    }
}

/// A folder of the configuration, which has no folder of its own to begin at.
fn absolute(name: &str, path: Option<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    match path {
        Some(path) if !path.is_absolute() => Err(ConfigError(format!(
            "{name} `{}` is no absolute path: write it from the root on",
            path.display()
        ))),
        path => Ok(path),
    }
}

/// A time such as `15m` or `1h 30m`.
fn idle_lock(text: &str) -> Result<Duration, ConfigError> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let time = parsed.and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| !time.is_zero()).ok_or_else(|| {
        ConfigError(format!(
            "idle_lock `{text}` is no time: write it like `15m` or `1h 30m`, or leave it out"
        ))
    })
}

/// The file named on the command line must be there; the default one need not.
fn config_file(flags: &Flags) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(file) = &flags.config {
        return if file.is_file() {
            Ok(Some(file.clone()))
        } else {
            Err(ConfigError(format!("there is no file {}", file.display())))
        };
    }
    Ok(paths::config_dir()
        .map(|folder| folder.join("config.toml"))
        .filter(|file| file.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, flags: Flags) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, toml).expect("written");
        let flags = Flags {
            config: Some(file),
            data_dir: Some(folder.path().join("root")),
            ..flags
        };
        Config::load(&flags)
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = load("kering = \"os\"", Flags::default())
            .expect_err("refused")
            .to_string();
        assert!(error.contains("kering"), "{error}");
        let error = load("[limits]\nconections = 1", Flags::default()).expect_err("refused");
        assert!(error.to_string().contains("conections"), "{error}");
        let error = load("[size_classes]\nhuge = 1", Flags::default()).expect_err("refused");
        assert!(error.to_string().contains("huge"), "{error}");
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let config = load("log = \"debug\"\nkeyring = \"os\"", Flags::default()).expect("valid");
        assert_eq!(config.log, "debug");
        assert_eq!(config.keyring, Some(BackendKind::Os));
        let flags = Flags {
            log: Some("trace".into()),
            keyring: Some("passphrase".into()),
            ..Flags::default()
        };
        let config = load("log = \"debug\"\nkeyring = \"os\"", flags).expect("valid");
        assert_eq!(config.log, "trace");
        assert_eq!(config.keyring, Some(BackendKind::Passphrase));
        assert_eq!(config.limits.connections, Limits::default().connections);
    }

    #[test]
    fn an_idle_lock_is_a_time() {
        let config = load("idle_lock = \"15m\"", Flags::default()).expect("valid");
        assert_eq!(config.idle_lock, Some(Duration::from_secs(900)));
        assert_eq!(load("", Flags::default()).expect("valid").idle_lock, None);
        for bad in ["soon", "0s", "-5m", ""] {
            let error = load(&format!("idle_lock = {bad:?}"), Flags::default());
            let error = error.expect_err("refused").to_string();
            assert!(error.contains("15m"), "{error}");
        }
    }

    #[test]
    fn memory_needs_the_ephemeral_flag() {
        assert!(load("keyring = \"memory\"", Flags::default()).is_err());
        let flags = Flags {
            ephemeral: true,
            ..Flags::default()
        };
        assert_eq!(
            load("", flags).expect("valid").keyring,
            Some(BackendKind::Memory)
        );
    }

    #[test]
    fn size_classes_are_configurable() {
        let config = load("[size_classes]\nchat = 1024", Flags::default()).expect("valid");
        assert_eq!(config.size_limits.of(SizeClass::Chat), 1024);
        assert_eq!(
            config.size_limits.of(SizeClass::Card),
            SizeClass::Card.default_limit()
        );
    }
}
