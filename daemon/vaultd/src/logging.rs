//! The log: to the journal with its fields where stderr leads there anyway, as lines on stderr
//! otherwise.

use std::io::IsTerminal as _;

use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{ParseError, filter_fn},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    reload::{self, Handle},
    util::SubscriberInitExt as _,
};

/// Which lines are written, to be changed while the daemon runs.
#[derive(Clone, Debug)]
pub struct LogFilter(Handle<EnvFilter, Registry>);

impl LogFilter {
    /// From now on, another filter. Where it is none, nothing changes.
    pub fn replace(&self, filter: &str) -> Result<(), ParseError> {
        let filter = EnvFilter::try_new(filter)?;
        if let Err(error) = self.0.reload(filter) {
            // Only where the subscriber is gone, and then there is no log.
            eprintln!("vaultd: the log keeps its filter: {error}");
        }
        Ok(())
    }
}

/// Begins to log. Called once.
pub fn start(filter: &str) -> Result<LogFilter, ParseError> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(filter)?);
    let journal = journal();
    let lines = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
    });
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(may_be_logged))
        .with(journal)
        .with(lines)
        .init();
    Ok(LogFilter(handle))
}

/// Whether a line of the log may be written at all, whatever the filter says.
///
/// Below `info`, libraries write out what they carry: HTTP/2 frames, messages of the session bus.
/// Those hold documents and passphrases, which are never logged.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let own = [
        "vaultd",
        "vault_auth",
        "vault_store",
        "vault_keyring",
        "vault_crypto",
        "audit",
    ];
    let source = metadata.target().split("::").next().unwrap_or_default();
    own.contains(&source) || *metadata.level() <= tracing::Level::INFO
}

/// The journal, where systemd connected stderr to it: fields are `VAULT_METHOD`, `VAULT_REASON`,
/// `VAULT_PEER_PID` and so on.
#[cfg(target_os = "linux")]
fn journal<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    use tracing_journald::{Priority, PriorityMappings};
    if !stderr_is_journal() {
        return None;
    }
    match tracing_journald::layer() {
        Ok(layer) => Some(
            layer
                .with_field_prefix(Some("VAULT".to_owned()))
                // As the words are used here: `info` is no event that anybody must notice.
                .with_priority_mappings(PriorityMappings {
                    info: Priority::Informational,
                    debug: Priority::Debug,
                    ..PriorityMappings::new()
                }),
        ),
        Err(error) => {
            eprintln!("vaultd: the journal does not answer ({error}): logging to stderr");
            None
        }
    }
}

/// There is none.
#[cfg(not(target_os = "linux"))]
fn journal<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    None::<tracing_subscriber::layer::Identity>
}

/// Whether stderr leads to the journal, as `systemd.exec(5)` says to find out: the variable alone may
/// have been inherited by a process whose stderr was sent elsewhere since.
#[cfg(target_os = "linux")]
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    rustix::fs::fstat(std::io::stderr())
        .is_ok_and(|file| is_stream(&stream, file.st_dev, file.st_ino))
}

/// Whether `DEVICE:INODE` names this file.
#[cfg(target_os = "linux")]
fn is_stream(stream: &str, device: u64, inode: u64) -> bool {
    stream == format!("{device}:{inode}")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_device_and_inode_alone() {
        assert!(is_stream("9:4242", 9, 4242));
        for other in [
            "9:4243", "8:4242", "4242:9", "9", "", ":", "9:4242:", "9: 4242", "0x9:4242",
        ] {
            assert!(!is_stream(other, 9, 4242), "{other}");
        }
    }
}
