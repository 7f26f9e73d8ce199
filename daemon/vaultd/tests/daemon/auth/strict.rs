//! `strict`: clients on the socket need a token, too.

use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use vault_client::Error;
use vault_proto::v1::{
    ConfigureAuthRequest, Permission, PrincipalKind, UnlockRequest, auth_client::AuthClient,
    vault_client::VaultClient,
};

use super::with_stores;
use crate::support::{
    Daemon, Home,
    callers::{Loopback, Sent, create_token, get, scope, whoami},
    reason,
    vault::PASSPHRASE,
};

async fn configure(daemon: &Daemon, sent: Sent, strict: bool) -> Result<(), Error> {
    let request = ConfigureAuthRequest {
        strict: Some(strict),
        ..ConfigureAuthRequest::default()
    };
    let mut auth = AuthClient::new(sent.on(&daemon.channel().await));
    auth.configure(request).await.map(drop).map_err(Error::from)
}

#[tokio::test]
async fn strict_asks_every_client_for_a_token_and_outlives_a_restart() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    with_stores(&client, &["notes"]).await;
    let on = configure(&daemon, Sent::default(), true).await;
    assert_eq!(reason(on), "ADMIN_TOKEN_MISSING");
    assert!(
        client.get("notes", "a").await.is_ok(),
        "nothing has changed"
    );

    let admin = create_token(&daemon, vec![scope("*", Permission::Admin)])
        .await
        .secret;
    configure(&daemon, Sent::default(), true).await.expect("on");
    // At once, and for connections that were open before.
    assert_eq!(reason(client.get("notes", "a").await), "UNAUTHENTICATED");
    assert!(
        get(&Sent::token(&admin).on(&daemon.channel().await), "notes")
            .await
            .is_ok()
    );
    // Nor does it help to pass for a gateway, with both ends of a connection to it.
    let forged = Loopback::connect().sent().on(&daemon.channel().await);
    assert_eq!(reason(get(&forged, "notes").await), "PAIRING_REQUIRED");
    // What it takes to find that out is free.
    client.status().await.expect("served");
    let bare = Sent::default().on(&daemon.channel().await);
    assert_eq!(whoami(&bare).await.principal(), PrincipalKind::Owner);
    let mut health = HealthClient::new(daemon.channel().await);
    health
        .check(HealthCheckRequest::default())
        .await
        .expect("served");
    drop(client);
    assert!(daemon.terminate().await.success());

    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    // Free, though it comes with a token that nobody can judge yet.
    let calls = Sent::token(&admin).on(&daemon.channel().await);
    let unlock = UnlockRequest {
        passphrase: PASSPHRASE.to_vec(),
    };
    let unlocked = VaultClient::new(calls).unlock(unlock).await;
    assert!(unlocked.is_ok(), "{unlocked:?}");
    assert_eq!(reason(client.get("notes", "a").await), "UNAUTHENTICATED");
    assert_eq!(reason(client.lock().await), "UNAUTHENTICATED");
    drop(client);
    assert!(daemon.terminate().await.success());

    let daemon = home.start("root", &["--without-strict"]);
    let client = daemon.client().await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert!(client.get("notes", "a").await.is_ok());
    let log = daemon.log();
    assert!(
        log.contains("clients on the socket need no token while this daemon runs"),
        "{log}"
    );
    configure(&daemon, Sent::token(&admin), false)
        .await
        .expect("off");
}
