//! `vaultctl blob gc`.

use std::time::Duration;

use vault_client::{BlobCollectionProgress, Client};

use super::as_json;
use crate::{context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Collect {
    /// Only this store [default: every store of blobs]
    #[arg(
        long,
        value_name = "STORE",
        default_value = "",
        hide_default_value = true
    )]
    store: String,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// How long nothing must have named a blob, such as 12h or 7d [default: the daemon's, a day]
    #[arg(long, value_name = "DURATION", value_parser = parse_grace)]
    grace: Option<Duration>,
}

fn parse_grace(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: write it like 30m, 12h or 7d");
    // Days are of 24 hours here; the parser leaves them to a calendar.
    if let Some(days) = text.strip_suffix('d') {
        let days: u32 = days.parse().map_err(|_| wrong())?;
        return Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    }
    let parsed = text.parse::<jiff::SignedDuration>().map_err(|_| wrong())?;
    Duration::try_from(parsed).map_err(|_| wrong())
}

impl Collect {
    pub(super) async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut reports = client
            .collect_blobs(&self.store, self.dry_run, self.grace)
            .await?;
        let mut totals = BlobCollectionProgress::default();
        while let Some(report) = reports.next().await? {
            for blob in &report.garbage {
                if context.json() {
                    output::json(&as_json(blob))?;
                } else {
                    output::line(&format!("{}  {}", blob.reference, output::size(blob.size)))?;
                }
            }
            totals = report;
        }
        self.report(context, &totals)
    }

    fn report(&self, context: &Context, totals: &BlobCollectionProgress) -> Result<(), Failure> {
        if context.json() {
            return output::json(&serde_json::json!({
                "examined": totals.examined,
                "named": totals.named,
                "waiting": totals.waiting,
                "removed": totals.removed,
                "removed_bytes": totals.removed_bytes,
                "dry_run": self.dry_run,
            }));
        }
        let verb = if self.dry_run {
            "would remove"
        } else {
            "removed"
        };
        output::line(&format!(
            "{verb} {}, {}; {} named, {} not named for long enough",
            output::count(totals.removed, "blob"),
            output::size(totals.removed_bytes),
            totals.named,
            totals.waiting
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_a_duration() {
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 60 * 60));
        assert_eq!(parse_grace("12h"), hours(12));
        assert_eq!(parse_grace("7d"), hours(7 * 24));
        assert_eq!(parse_grace("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_grace("0s"), hours(0));
        for bad in ["", "d", "-1h", "soon", "7", "1.5d"] {
            assert!(parse_grace(bad).is_err(), "{bad}");
        }
    }
}
