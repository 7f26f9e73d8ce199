//! `vaultctl auth pair`.

use std::time::SystemTime;

use serde_json::json;

use super::{GATEWAY, time};
use crate::{context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Pair {
    /// The name that the gateway is reached by, such as vault.example.org: admitted once the code is
    /// used from there
    #[arg(long)]
    host: Option<String>,
    /// Take the code back instead
    #[arg(long, conflicts_with = "host")]
    cancel: bool,
}

impl Pair {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        if self.cancel {
            client.cancel_pairing().await?;
            if context.json() {
                return output::json(&json!({ "cancelled": true }));
            }
            return output::line("the code counts no more");
        }
        let pairing = client.create_pairing(self.host.as_deref()).await?;
        // It is meant to be seen, and to be typed in.
        let code = String::from_utf8_lossy(pairing.code.expose());
        let address = self.address(context);
        if context.json() {
            return output::json(&json!({
                "code": code,
                "address": address,
                "host": self.host,
                "expires": time(pairing.expires),
                "tries": pairing.tries,
            }));
        }
        let left = pairing.expires.duration_since(SystemTime::now());
        let minutes = left.unwrap_or_default().as_secs().div_ceil(60);
        output::line(&format!("code     {code}"))?;
        output::line(&format!("address  {address}"))?;
        output::line(&format!(
            "Open the address and enter the code within {}, in {} at most.",
            output::count(minutes, "minute"),
            output::count(pairing.tries.into(), "try").replace("trys", "tries")
        ))
    }

    /// Where the code is entered.
    fn address(&self, context: &Context) -> String {
        match (&self.host, &context.global.base_url) {
            (Some(host), _) => format!("https://{host}/"),
            (None, Some(base)) => base.page("/"),
            (None, None) => format!("{GATEWAY}/"),
        }
    }
}
