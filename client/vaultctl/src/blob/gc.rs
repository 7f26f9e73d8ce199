//! `vaultctl blob gc`.

use std::time::Duration;

use vault_client::{BlobCollectionProgress, Client};

use super::as_json;
use crate::{context::Context, duration, failure::Failure, output};

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
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    grace: Option<Duration>,
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
