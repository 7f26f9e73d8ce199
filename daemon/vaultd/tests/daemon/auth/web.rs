//! Calls that the gateway makes for somebody who asks over HTTP.

use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use vault_client::Error;
use vault_proto::v1::{
    AddHostRequest, BeginRegistrationRequest, ConfigureAuthRequest, LockRequest, Permission,
    PrincipalKind, Reason, RemoveHostRequest, auth_client::AuthClient,
    pairing_client::PairingClient, vault_client::VaultClient,
};

use super::with_stores;
use crate::support::{
    Home,
    callers::{Loopback, Sent, create_token, get, put, scope, whoami},
    reason,
};

const HOST: &str = "vault.example.org";

#[tokio::test]
async fn the_users_own_process_is_known_by_its_connection_and_nobody_else_is() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let channel = daemon.channel().await;
    let loopback = Loopback::connect();
    let own = loopback.sent();
    let calls = own.clone().on(&channel);
    assert_eq!(whoami(&calls).await.principal(), PrincipalKind::Loopback);
    assert!(get(&calls, "notes").await.is_ok());
    let by_address = own
        .clone()
        .but(|http| http.host = loopback.gateway.to_string());
    assert!(get(&by_address.on(&channel), "notes").await.is_ok());

    let other = Loopback::connect();
    let forged = [
        // A port that nobody holds towards this gateway: another connection's, or none.
        own.clone().but(|http| http.peer = other.client.to_string()),
        own.clone().but(|http| http.peer = "127.0.0.1:1".into()),
        own.clone()
            .but(|http| http.local = other.gateway.to_string()),
        own.clone().but(|http| http.peer = "192.0.2.7:50000".into()),
        own.clone().but(|http| http.forwarded = true),
    ];
    for (number, sent) in forged.into_iter().enumerate() {
        let calls = sent.on(&channel);
        assert_eq!(
            whoami(&calls).await.principal(),
            PrincipalKind::Nobody,
            "{number}"
        );
        assert_eq!(
            reason(get(&calls, "notes").await),
            "PAIRING_REQUIRED",
            "{number}"
        );
    }
    let foreign = own.but(|http| {
        http.method = "POST".into();
        http.origin = Some("https://evil.example".into());
    });
    assert_eq!(
        reason(put(&foreign.on(&channel), "notes").await),
        "CROSS_ORIGIN"
    );
}

#[tokio::test]
async fn without_the_bypass_the_users_own_process_needs_a_credential_too() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let off = AuthClient::new(daemon.channel().await)
        .configure(ConfigureAuthRequest {
            loopback_bypass: Some(false),
            ..ConfigureAuthRequest::default()
        })
        .await;
    assert!(off.is_ok());
    let calls = Loopback::connect().sent().on(&daemon.channel().await);
    assert_eq!(reason(get(&calls, "notes").await), "PAIRING_REQUIRED");
}

#[tokio::test]
async fn a_host_that_is_not_admitted_reaches_pairing_alone_whatever_it_brings() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let token = create_token(&daemon, vec![scope("*", Permission::Read)])
        .await
        .secret;
    let channel = daemon.channel().await;
    let stranger = Sent::web(HOST).with_token(&token).on(&channel);
    assert_eq!(reason(get(&stranger, "notes").await), "HOST_NOT_ADMITTED");
    let status = whoami(&stranger).await;
    assert!(!status.host_admitted && status.principal() == PrincipalKind::Nobody);
    let register = BeginRegistrationRequest::default();
    let refused = AuthClient::new(stranger.clone())
        .begin_registration(register)
        .await;
    assert_eq!(reason(refused.map_err(Error::from)), "HOST_NOT_ADMITTED");

    let mut pairing = PairingClient::new(daemon.channel().await);
    let host = || HOST.to_owned();
    pairing
        .add_host(AddHostRequest { host: host() })
        .await
        .expect("admitted");
    assert!(get(&stranger, "notes").await.is_ok());
    let bare = Sent::web(HOST).on(&channel);
    assert_eq!(reason(get(&bare, "notes").await), "PAIRING_REQUIRED");
    let rebound = Sent::web("rebound.example").with_token(&token).on(&channel);
    assert_eq!(reason(get(&rebound, "notes").await), "HOST_NOT_ADMITTED");
    pairing
        .remove_host(RemoveHostRequest { host: host() })
        .await
        .expect("removed");
    assert_eq!(reason(get(&stranger, "notes").await), "HOST_NOT_ADMITTED");
}

#[tokio::test]
async fn tokens_in_addresses_count_where_they_were_turned_on_and_for_get() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let token = create_token(&daemon, vec![scope("notes", Permission::Write)])
        .await
        .secret;
    let channel = daemon.channel().await;
    let sent = Sent {
        query_token: Some(token),
        ..Sent::web("localhost")
    };
    let calls = sent.clone().on(&channel);
    assert_eq!(reason(get(&calls, "notes").await), "PAIRING_REQUIRED");
    let on = AuthClient::new(daemon.channel().await)
        .configure(ConfigureAuthRequest {
            query_tokens: Some(true),
            ..ConfigureAuthRequest::default()
        })
        .await;
    on.expect("on");
    assert!(get(&calls, "notes").await.is_ok());
    let post = sent.but(|http| http.method = "POST".into()).on(&channel);
    assert_eq!(reason(put(&post, "notes").await), "PAIRING_REQUIRED");
}

#[tokio::test]
async fn a_connection_of_the_gateway_is_never_the_owners_again() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let token = create_token(&daemon, vec![scope("*", Permission::Admin)])
        .await
        .secret;
    let malformed = Sent::web(HOST).but(|http| http.peer = "nowhere".into());
    for (first, its_reason) in [
        (Sent::web(HOST), "HOST_NOT_ADMITTED"),
        (malformed, "INVALID_ARGUMENT"),
    ] {
        let channel = daemon.channel().await;
        let bare = Sent::default().on(&channel);
        assert!(get(&bare, "notes").await.is_ok(), "the owner's so far");
        assert_eq!(reason(get(&first.on(&channel), "notes").await), its_reason);
        assert_eq!(reason(get(&bare, "notes").await), "UNAUTHENTICATED");
        // Not even with a token: nobody says for which Host it came.
        let with_token = Sent::token(&token).on(&channel);
        assert_eq!(reason(get(&with_token, "notes").await), "UNAUTHENTICATED");
        let locked = VaultClient::new(bare.clone()).lock(LockRequest {}).await;
        assert_eq!(reason(locked.map_err(Error::from)), "UNAUTHENTICATED");
        assert_eq!(whoami(&bare).await.principal(), PrincipalKind::Nobody);
    }
    let another = Sent::default().on(&daemon.channel().await);
    assert!(get(&another, "notes").await.is_ok());
}

#[tokio::test]
async fn a_locked_vault_says_so_and_lets_nobody_in() {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    with_stores(&client, &["notes"]).await;
    let channel = daemon.channel().await;
    let calls = Loopback::connect().sent().on(&channel);
    client.lock().await.expect("locked");
    assert_eq!(reason(get(&calls, "notes").await), "LOCKED");
    let token = Sent::token("vaultd_x").on(&daemon.channel().await);
    assert_eq!(reason(get(&token, "notes").await), "LOCKED");
    let status = whoami(&calls).await;
    assert_eq!(status.principal(), PrincipalKind::Nobody);
    assert_eq!(status.unavailable(), Reason::Locked);
    assert!(
        status.explanation.contains("vaultctl status"),
        "{}",
        status.explanation
    );
    HealthClient::new(calls)
        .check(HealthCheckRequest::default())
        .await
        .expect("served");
    let own = whoami(&Sent::default().on(&daemon.channel().await)).await;
    assert_eq!(own.principal(), PrincipalKind::Owner);
    assert_eq!(own.unavailable(), Reason::Locked);
}
