//! What the service manager sees of the daemon while it runs: in which state it is, and whether it
//! still answers.

mod probe;
mod report;
mod watchdog;

pub use self::{probe::Probe, report::Report};

use std::time::Duration;

use crate::platform::{Notice, notify};

/// Lets the service manager know that the daemon answers, for as long as it does.
pub async fn feed_watchdog(interval: Duration, probe: Probe) {
    watchdog::feed(interval, || probe.ask(), || notify(Notice::Alive)).await;
}
