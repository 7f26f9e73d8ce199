//! The log: to the journal with its fields where stderr leads there anyway, as lines on stderr
//! otherwise.

use std::io::IsTerminal as _;

use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, filter_fn},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Begins to log. Called once.
pub fn start(filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
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
    Ok(())
}

/// Whether a line of the log may be written at all, whatever the filter says.
///
/// Below `info`, libraries write out what they carry: heads and frames of HTTP. Those hold cookies,
/// tokens and documents, which are never logged.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let source = metadata.target().split("::").next().unwrap_or_default();
    source == "vault_gateway" || *metadata.level() <= tracing::Level::INFO
}

/// The journal, where systemd connected stderr to it: fields are `VAULT_ROUTE`, `VAULT_STATUS` and so
/// on, as those of vaultd.
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
                .with_priority_mappings(PriorityMappings {
                    info: Priority::Informational,
                    debug: Priority::Debug,
                    ..PriorityMappings::new()
                }),
        ),
        Err(error) => {
            eprintln!("vault-gateway: the journal does not answer ({error}): logging to stderr");
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

/// Whether stderr leads to the journal, as `systemd.exec(5)` says to find out: by its device and
/// inode, for the variable alone may have been inherited.
#[cfg(target_os = "linux")]
fn stderr_is_journal() -> bool {
    let (Ok(stream), Ok(file)) = (
        std::env::var("JOURNAL_STREAM"),
        rustix::fs::fstat(std::io::stderr()),
    ) else {
        return false;
    };
    stream == format!("{}:{}", file.st_dev, file.st_ino)
}
