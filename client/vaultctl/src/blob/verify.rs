//! `vaultctl blob verify`.

use vault_client::{BlobVerificationProgress, Client};

use super::{
    InStore,
    ls::{complain, damaged_as_json},
};
use crate::{bar, context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: InStore,
}

impl Verify {
    pub(super) async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut reports = client.verify_blobs(&self.place.store).await?;
        let bar = bar::bytes(0, "verifying");
        let mut totals = BlobVerificationProgress::default();
        let mut damaged = 0;
        while let Some(report) = reports.next().await? {
            bar.set_length(report.total_bytes);
            bar.set_position(report.bytes);
            for found in &report.damaged {
                damaged += 1;
                bar.suspend(|| complain(found));
                if context.json() {
                    output::json(&damaged_as_json(found))?;
                }
            }
            totals = report;
        }
        bar.finish_and_clear();
        if context.json() {
            output::json(&serde_json::json!({
                "verified": totals.verified,
                "bytes": totals.bytes,
                "damaged_blobs": damaged,
            }))?;
        } else {
            let verified = output::count(totals.verified, "blob");
            output::line(&format!(
                "verified {verified}, {}",
                output::size(totals.bytes)
            ))?;
        }
        if damaged > 0 {
            let blobs = output::count(damaged, "blob");
            return Err(Failure::other(format!("{blobs} cannot be read")));
        }
        Ok(())
    }
}
