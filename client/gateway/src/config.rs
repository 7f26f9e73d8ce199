//! Configuration: flag > `VAULT_GATEWAY_*` > `gateway.toml` > default. An unknown key is an error.

mod checks;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vault_client::{Options, paths};

/// Variables that are settings, each with `VAULT_GATEWAY_` before it.
const VARIABLES: [&str; 6] = [
    "bind",
    "tls_cert",
    "tls_key",
    "trusted_proxies",
    "cors_origins",
    "log",
];

/// Where it listens if nobody says.
const DEFAULT_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7787);

/// What the command line can say.
#[expect(
    clippy::doc_markdown,
    reason = "these are the texts of --help, shown as they are"
)]
#[derive(clap::Parser, Debug, Default, Serialize)]
#[command(
    name = "vault-gateway",
    version,
    about = "The vault over HTTP: a console for browsers, an API for scripts"
)]
pub struct Flags {
    /// Folder of the vault [default: the platform's data folder; env: VAULTD_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    #[serde(skip)]
    pub data_dir: Option<PathBuf>,

    /// Socket of its daemon [default: the one that belongs to the folder; env: VAULTD_SOCKET]
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
    pub socket: Option<PathBuf>,

    /// Do not start a daemon where none runs
    #[arg(long)]
    #[serde(skip)]
    pub no_autostart: bool,

    /// Configuration file [default: gateway.toml in vaultd's folder; env: VAULTD_CONFIG_DIR]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Address to listen on [default: 127.0.0.1:7787; env: VAULT_GATEWAY_BIND]
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<SocketAddr>,

    /// Certificate chain, as PEM: serves HTTPS [env: VAULT_GATEWAY_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,

    /// Its private key, as PEM [env: VAULT_GATEWAY_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,

    /// Proxy whose forwarding headers are believed; may be repeated [env: VAULT_GATEWAY_TRUSTED_PROXIES]
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,

    /// Origin of pages that may use the API with a token; may be repeated [env: VAULT_GATEWAY_CORS_ORIGINS]
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors_origins: Vec<String>,

    /// Log filter, such as info or vault_gateway=debug [env: VAULT_GATEWAY_LOG]
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// `gateway.toml`, and the settings in force.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    bind: SocketAddr,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    trusted_proxies: OneOrMany,
    cors_origins: OneOrMany,
    /// Names under `/api` that stand for the documents of a store.
    aliases: BTreeMap<String, String>,
    log: String,
    limits: Limits,
}

/// A list, or one text with commas in it: easier to write in a variable.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Bounds on what anybody can make the gateway hold or wait for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once. At the limit, the one that has kept us waiting longest makes room.
    pub connections: usize,
    /// Requests at once on one connection.
    pub streams_per_connection: u32,
    /// Seconds for the TLS handshake, and then for each request until its headers are complete.
    pub header_seconds: u64,
    /// Seconds for a small body, and between two pieces of a large one.
    pub body_seconds: u64,
    /// Seconds requests in flight have when the gateway is told to stop.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            streams_per_connection: 64,
            header_seconds: 10,
            body_seconds: 30,
            drain_seconds: 10,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: DEFAULT_BIND,
            tls_cert: None,
            tls_key: None,
            trusted_proxies: OneOrMany::Many(Vec::new()),
            cors_origins: OneOrMany::Many(Vec::new()),
            aliases: BTreeMap::new(),
            log: "info".to_owned(),
            limits: Limits::default(),
        }
    }
}

/// Files of a server's certificate, as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, its own first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Everything the gateway is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which vault.
    pub vault: Options,
    /// Where to listen.
    pub bind: SocketAddr,
    /// The certificate, for HTTPS.
    pub tls: Option<TlsFiles>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of pages that may use the API, as browsers write them.
    pub cors_origins: Vec<String>,
    /// Names under `/api`, and the stores whose documents they stand for.
    pub aliases: BTreeMap<String, String>,
    /// Log filter.
    pub log: String,
    /// Bounds.
    pub limits: Limits,
}

/// Why the configuration cannot be used. Names the key.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads the configuration. Creates nothing.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Settings::default()));
        if let Some(file) = config_file(flags)? {
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment
            .merge(Env::prefixed("VAULT_GATEWAY_").only(&VARIABLES))
            .merge(Serialized::defaults(flags));
        let settings: Settings = figment
            .extract()
            .map_err(|error| ConfigError(error.to_string()))?;
        let vault = Options {
            data_dir: flags.data_dir.clone(),
            socket: flags.socket.clone(),
            no_autostart: flags.no_autostart,
            ..Options::default()
        };
        Ok(Self {
            vault,
            bind: settings.bind,
            tls: checks::tls(settings.tls_cert, settings.tls_key)?,
            trusted_proxies: checks::networks(settings.trusted_proxies.into_list())?,
            cors_origins: checks::origins(settings.cors_origins.into_list())?,
            aliases: checks::aliases(settings.aliases)?,
            log: settings.log,
            limits: checks::limits(settings.limits)?,
        })
    }
}

impl Limits {
    /// See [`Limits::header_seconds`].
    pub fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_seconds)
    }

    /// See [`Limits::body_seconds`].
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_seconds)
    }

    /// See [`Limits::drain_seconds`].
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

impl OneOrMany {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::Many(list) => list,
            Self::One(text) => {
                let parts = text.split(',').map(str::trim);
                let parts = parts.filter(|part| !part.is_empty());
                parts.map(str::to_owned).collect()
            }
        }
    }
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
        .map(|folder| folder.join("gateway.toml"))
        .filter(|file| file.is_file()))
}
