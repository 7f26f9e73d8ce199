//! `vaultctl auth activity`.

use serde_json::json;
use vault_client::ActivityEvent;

use super::time;
use crate::{context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Activity {
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
}

impl Activity {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let events = context.open().await?.activity(self.limit).await?;
        if context.json() {
            return events.iter().try_for_each(|event| {
                output::json(&json!({
                    "at": time(event.at),
                    "action": event.action,
                    "admitted": event.admitted,
                    "principal": event.principal.as_str(),
                    "who": event.who,
                    "from": event.from,
                    "detail": event.detail,
                }))
            });
        }
        let rows: Vec<Vec<String>> = events.iter().map(row).collect();
        let headings = ["AT", "ACTION", "OUTCOME", "AS", "WHO", "FROM", "DETAIL"];
        output::table(&headings, &rows)
    }
}

fn row(event: &ActivityEvent) -> Vec<String> {
    let outcome = if event.admitted {
        "admitted"
    } else {
        "refused"
    };
    vec![
        time(event.at),
        output::printable(&event.action),
        outcome.to_owned(),
        event.principal.as_str().to_owned(),
        output::printable(&event.who),
        output::printable(&event.from),
        output::printable(&event.detail),
    ]
}
