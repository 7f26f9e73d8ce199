//! A login by a code that is typed in elsewhere (RFC 8628).

use std::time::Duration;

use vault_client::{BaseUrl, Client, LoginGrant, Secret, Token};

use super::Asked;
use crate::{failure::Failure, output};

/// What the daemon's interval grows by when it says that it is asked too often (section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// Shows the code, and asks until somebody has decided or the code has ended.
pub(super) async fn login(
    client: &Client,
    base: &BaseUrl,
    asked: &Asked,
) -> Result<(Token, Secret), Failure> {
    let begun = client
        .begin_device_login(&asked.label, &asked.scopes)
        .await?;
    eprintln!(
        "vaultctl: open {} in any browser and enter {}",
        base.page("/device"),
        output::printable(&begun.user_code)
    );
    let grant = LoginGrant::Device {
        device_code: begun.device_code,
    };
    let mut interval = begun.interval.max(Duration::from_secs(1));
    loop {
        tokio::time::sleep(interval).await;
        match client.exchange_login(&grant).await {
            Ok(granted) => return Ok(granted),
            Err(error) => match error.reason() {
                Some("AUTHORIZATION_PENDING") => {}
                Some("RATE_LIMITED") => interval += SLOWER,
                _ => return Err(error.into()),
            },
        }
    }
}
