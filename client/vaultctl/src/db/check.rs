//! `vaultctl db check`.

use std::time::Duration;

use crate::{context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Check {
    /// The database
    name: String,
    /// How long it may take [default: the daemon's]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Check {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let timeout = self.timeout.map(Duration::from_secs);
        let mut checks = client.check_database(&self.name, timeout).await?;
        let (mut ran, mut found) = (0, 0);
        while let Some(report) = checks.next().await? {
            ran += 1;
            found += report.problems.len();
            if context.json() {
                output::json(&serde_json::json!({
                    "check": report.check,
                    "problems": report.problems,
                }))?;
                continue;
            }
            let check = output::printable(&report.check);
            if report.problems.is_empty() {
                output::line(&format!("{check}: ok"))?;
            }
            for problem in &report.problems {
                output::line(&format!("{check}: {}", output::printable(problem)))?;
            }
        }
        if ran == 0 {
            return Err(Failure::other("the daemon made no check"));
        }
        if found > 0 {
            let problems = output::count(found as u64, "problem");
            return Err(Failure::other(format!("{problems} found")));
        }
        Ok(())
    }
}
