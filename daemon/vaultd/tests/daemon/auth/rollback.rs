//! An older copy of the tables, put back in place.

use std::path::PathBuf;

use vault_client::{Client, Error};
use vault_proto::v1::{
    AcceptAuthRequest, Permission, Reason, RevokeTokenRequest, auth_client::AuthClient,
    tokens_client::TokensClient,
};

use super::with_stores;
use crate::support::{
    self, Home,
    callers::{Loopback, Sent, create_token, get, scope, whoami},
    files,
    keyring::Session,
    reason, until,
};

/// Every file of a data root's stores.
pub(crate) fn stores(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    files(&home.path("root/stores"))
}

/// Puts an older state of those files back.
pub(crate) fn put_back(before: &[(PathBuf, Vec<u8>)], home: &Home) {
    support::put_back(&home.path("root/stores"), before);
}

async fn open(client: &Client) {
    until("the vault is open", async || {
        client.get("notes", "a").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn an_older_copy_of_the_tables_brings_nothing_back() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    with_stores(&daemon.client().await, &["notes"]).await;
    let all = vec![scope("*", Permission::Admin)];
    let stolen = create_token(&daemon, all.clone()).await;
    let status = whoami(&Sent::default().on(&daemon.channel().await)).await;
    assert!(status.anchored);
    assert!(daemon.terminate().await.success());
    let before = stores(home);
    assert!(!before.is_empty());

    let mut daemon = home.start("root", &[]);
    open(&daemon.client().await).await;
    let id = stolen.token.expect("a row").id;
    let revoked = TokensClient::new(daemon.channel().await)
        .revoke(RevokeTokenRequest { id })
        .await;
    revoked.expect("revoked");
    assert!(daemon.terminate().await.success());
    put_back(&before, home);

    let mut daemon = home.start("root", &[]);
    open(&daemon.client().await).await;
    let with_token = Sent::token(&stolen.secret).on(&daemon.channel().await);
    assert_eq!(reason(get(&with_token, "notes").await), "AUTH_ROLLED_BACK");
    // No bypass either: the rules in force are not known.
    let loopback = Loopback::connect().sent().on(&daemon.channel().await);
    assert_eq!(reason(get(&loopback, "notes").await), "AUTH_ROLLED_BACK");
    assert_eq!(
        whoami(&loopback).await.unavailable(),
        Reason::AuthRolledBack
    );

    let mut auth = AuthClient::new(daemon.channel().await);
    let web = AuthClient::new(loopback.clone())
        .accept(AcceptAuthRequest { preview: false })
        .await;
    assert_eq!(reason(web.map_err(Error::from)), "AUTH_ROLLED_BACK");
    let previewed = auth.accept(AcceptAuthRequest { preview: true }).await;
    let previewed = previewed.expect("previewed").into_inner();
    assert_eq!((previewed.tokens_revoked, previewed.sessions_ended), (1, 0));
    assert!(previewed.older.is_some(), "there is something to accept");
    assert_eq!(reason(get(&with_token, "notes").await), "AUTH_ROLLED_BACK");
    let accepted = auth
        .accept(AcceptAuthRequest { preview: false })
        .await
        .expect("accepted")
        .into_inner();
    assert_eq!((accepted.tokens_revoked, accepted.sessions_ended), (1, 0));
    assert_eq!(reason(get(&with_token, "notes").await), "UNAUTHENTICATED");
    let new = create_token(&daemon, all).await.secret;
    assert!(
        get(&Sent::token(&new).on(&daemon.channel().await), "notes")
            .await
            .is_ok()
    );
    assert!(daemon.terminate().await.success());

    let daemon = home.start("root", &[]);
    open(&daemon.client().await).await;
    assert!(
        get(&Sent::token(&new).on(&daemon.channel().await), "notes")
            .await
            .is_ok()
    );
}
