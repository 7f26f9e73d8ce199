//! `vaultctl stats`: what the daemon does.

mod print;

use std::{io::IsTerminal as _, time::Duration};

use vault_client::Client;

use crate::{context::Context, duration, failure::Failure, output};

/// The shortest interval: below it, one would watch oneself.
const SHORTEST: Duration = Duration::from_millis(100);

#[derive(clap::Args, Debug)]
pub(crate) struct Stats {
    /// Show what comes in each interval, until interrupted
    #[arg(long)]
    watch: bool,
    /// How long an interval is
    #[arg(long, value_name = "TIME", value_parser = interval, default_value = "2s", requires = "watch")]
    interval: Duration,
    /// Print the figures as text of OpenMetrics
    #[arg(long, conflicts_with = "watch")]
    openmetrics: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if time < SHORTEST {
        return Err(format!(
            "an interval has {} ms or more",
            SHORTEST.as_millis()
        ));
    }
    Ok(time)
}

impl Stats {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.openmetrics && context.json() {
            return Err(Failure::usage(
                "--openmetrics and --json exclude each other",
            ));
        }
        let client = context.connect().await?;
        if self.openmetrics {
            return output::raw(client.open_metrics().await?.as_bytes());
        }
        if self.watch {
            return self.watch(context, &client).await;
        }
        let stats = client.stats().await?;
        if context.json() {
            return output::json(&print::json(&stats, &stats.counts, None));
        }
        print::totals(&stats)
    }

    async fn watch(&self, context: &Context, client: &Client) -> Result<(), Failure> {
        let terminal = std::io::stdout().is_terminal() && !context.json();
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut earlier = client.stats().await?;
        loop {
            ticks.tick().await;
            let stats = client.stats().await?;
            let (counts, time) = stats.since(&earlier);
            if context.json() {
                output::json(&print::json(&stats, &counts, Some(time)))?;
            } else {
                if terminal {
                    let cleared = console::Term::stdout().clear_screen();
                    cleared.map_err(|error| Failure::other(error.to_string()))?;
                }
                print::rates(&stats, &counts, time)?;
                output::line("")?;
            }
            earlier = stats;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_long_enough_to_see_something() {
        assert_eq!(interval("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(interval("100ms"), Ok(SHORTEST));
        assert!(interval("99ms").is_err());
        assert!(interval("0s").is_err());
    }
}
