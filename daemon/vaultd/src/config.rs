//! Configuration: flag > `VAULTD_*` > `config.toml` > default. An unknown key is an error.

mod maintenance;

use std::{collections::BTreeMap, path::PathBuf, str::FromStr as _, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use vault_keyring::BackendKind;
use vault_proto::endpoint::{self, Place};
use vault_store::size_class::{SizeClass, SizeLimits};

pub use self::maintenance::Maintenance;

/// Variables that are settings. Others that begin with `VAULTD_` are not ours to judge.
const VARIABLES: [&str; 3] = ["keyring", "passphrase_file", "log"];

/// What the command line can say.
#[expect(
    clippy::doc_markdown,
    reason = "these are the texts of --help, shown as they are"
)]
#[derive(clap::Parser, Debug, Default, Serialize)]
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
    maintenance: maintenance::Settings,
    limits: Limits,
    /// Bounds of the size classes, in bytes.
    size_classes: BTreeMap<String, u64>,
}

/// Bounds on what peers can make the daemon hold or wait for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Calls at once on one connection.
    pub streams_per_connection: u32,
    /// Calls at once that work on the disk.
    pub blocking_calls: usize,
    /// Seconds a new connection has to open an HTTP/2 session.
    pub first_bytes_seconds: u64,
    /// Seconds a unary call may take.
    pub call_seconds: u64,
    /// Seconds between two messages of a client's stream, and until it takes one of an answer.
    pub stream_idle_seconds: u64,
    /// Statements on databases at once.
    pub statements: usize,
    /// Transactions that clients hold open at once.
    pub transactions: usize,
    /// Seconds a statement may work, where its caller does not say.
    pub statement_seconds: u64,
    /// Seconds from the start to the end of an answer that streams rows, and of an import, however
    /// soon their client takes or sends the next message.
    pub query_seconds: u64,
    /// Seconds a transaction may stay open, where its caller does not say.
    pub transaction_seconds: u64,
    /// Seconds the keyring may take to answer.
    pub keyring_seconds: u64,
    /// Seconds calls in flight have when the daemon is told to stop.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            streams_per_connection: 128,
            blocking_calls: 64,
            first_bytes_seconds: 10,
            call_seconds: 60,
            stream_idle_seconds: 30,
            statements: 64,
            transactions: 32,
            statement_seconds: 60,
            query_seconds: 3600,
            transaction_seconds: 30,
            keyring_seconds: 20,
            drain_seconds: 10,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keyring: None,
            passphrase_file: None,
            log: "info".to_owned(),
            idle_lock: None,
            maintenance: maintenance::Settings::default(),
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
    /// The key stays in memory.
    pub ephemeral: bool,
    /// Clients on the socket need no token, whatever the tables say.
    pub without_strict: bool,
    /// Bounds.
    pub limits: Limits,
    /// Largest bodies.
    pub size_limits: SizeLimits,
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
        Ok(Self {
            place,
            keyring,
            passphrase_file: settings.passphrase_file,
            log: settings.log,
            idle_lock: settings.idle_lock.as_deref().map(idle_lock).transpose()?,
            maintenance: settings.maintenance.check()?,
            ephemeral: flags.ephemeral,
            without_strict: flags.without_strict,
            limits: settings.limits,
            size_limits,
        })
    }

    /// How long the keyring may take to answer.
    pub fn keyring_deadline(&self) -> Duration {
        Duration::from_secs(self.limits.keyring_seconds)
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
    let folder = std::env::var_os("VAULTD_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(endpoint::default_config_dir);
    Ok(folder
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
