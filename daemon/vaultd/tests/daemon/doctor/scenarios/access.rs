//! The tables of passkeys, sessions and tokens.

use std::fs;

use vault_client::Client;
use vault_proto::v1::{Permission, RevokeTokenRequest, tokens_client::TokensClient};

use super::Stage;
use crate::{
    auth::{put_back, stores, with_stores},
    support::{
        Daemon, Home,
        callers::{create_token, scope},
        files,
        keyring::Session,
        settled_open,
    },
};

/// Makes the tables, with a token in them. Returns its id.
async fn with_token(daemon: &Daemon, client: &Client) -> String {
    with_stores(client, &["notes"]).await;
    let token = create_token(daemon, vec![scope("*", Permission::Admin)]).await;
    token.token.expect("a row").id
}

pub(super) async fn access_rolled_back() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    let id = with_token(&daemon, &daemon.client().await).await;
    assert!(daemon.terminate().await.success());
    let before = stores(home);
    let mut daemon = home.start("root", &[]);
    settled_open(&daemon.client().await).await;
    let mut tokens = TokensClient::new(daemon.channel().await);
    let revoked = tokens.revoke(RevokeTokenRequest { id }).await;
    revoked.expect("revoked");
    assert!(daemon.terminate().await.success());
    put_back(&before, home);
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    settled_open(&client).await;
    // Every call asks anew whether the tables are in order again, and that opens them.
    Stage::in_session(session, (daemon, client)).busy_with(())
}

pub(super) async fn access_unreadable() -> Stage {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    with_token(&daemon, &client).await;
    assert!(daemon.terminate().await.success());
    for (path, content) in files(&home.path("root/stores")) {
        // Of the only database there is.
        if path.extension().is_some_and(|extension| extension == "db") {
            fs::write(path, vec![7; content.len()]).expect("damaged");
        }
    }
    let served = home.unlocked("root").await;
    Stage::of(home, served)
}
