//! `vaultctl audit tail`.

use vault_client::Client;

use super::print;
use crate::{context::Context, failure::Failure};

#[derive(clap::Args, Debug)]
pub(crate) struct Tail {
    /// How many of the newest to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    records: u32,
    /// Go on with those to come, until interrupted
    #[arg(short, long)]
    follow: bool,
}

impl Tail {
    pub(super) async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let records = client.audit_tail(Some(self.records), self.follow).await?;
        print(context, records).await
    }
}
