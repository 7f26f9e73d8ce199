//! Tokens on the socket: what they reach, and when they count no more.

use prost_types::Duration;
use vault_client::Error;
use vault_proto::v1::{
    AttachmentPolicy, AuthActivityRequest, BatchDocumentsRequest, BatchWrite, BeginLoginRequest,
    CreateDatabaseRequest, CreateStoreRequest, CreateTokenRequest, GetSecretRequest,
    KeysStatusRequest, ListConnectionsRequest, ListDatabasesRequest, ListStoresRequest,
    LogoutRequest, MaintenanceStatusRequest, Permission, PrincipalKind, PutBlobRequest,
    PutDocumentRequest, ResetTokensRequest, RevokeTokenRequest, RotateRequest,
    auth_client::AuthClient, blobs_client::BlobsClient, connections_client::ConnectionsClient,
    databases_client::DatabasesClient, documents_client::DocumentsClient, keys_client::KeysClient,
    maintenance_client::MaintenanceClient, secrets_client::SecretsClient,
    stores_client::StoresClient, tokens_client::TokensClient,
};

use super::with_stores;
use crate::support::{
    Home,
    callers::{Sent, create_token, get, put, scope, whoami},
    reason, until,
};

#[tokio::test]
async fn a_token_reaches_what_its_scopes_cover_and_nothing_else() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["chat/a", "notes", "other"]).await;
    let scopes = vec![
        scope("chat/*", Permission::Write),
        scope("notes", Permission::Read),
    ];
    let created = create_token(&daemon, scopes).await;
    let calls = Sent::token(&created.secret).on(&daemon.channel().await);

    let status = whoami(&calls).await;
    assert_eq!(status.principal(), PrincipalKind::Token);
    assert_eq!(status.token_id, created.token.expect("a row").id);
    assert_eq!((status.scopes.len(), status.settings), (2, None));

    assert!(put(&calls, "chat/a").await.is_ok() && get(&calls, "chat/a").await.is_ok());
    assert!(get(&calls, "notes").await.is_ok());
    for store in ["other", "chat", "", "chat/../other", ".auth"] {
        assert_eq!(
            reason(get(&calls, store).await),
            "PERMISSION_DENIED",
            "{store}"
        );
    }
    assert_eq!(reason(put(&calls, "notes").await), "PERMISSION_DENIED");

    let writes = vec![BatchWrite {
        id: "b".into(),
        body: b"{}".to_vec(),
        ..BatchWrite::default()
    }];
    let batch = |store: &str| BatchDocumentsRequest {
        store: store.into(),
        writes: writes.clone(),
    };
    let mut documents = DocumentsClient::new(calls.clone());
    assert!(documents.batch(batch("chat/a")).await.is_ok());
    let refused = documents.batch(batch("notes")).await.map_err(Error::from);
    assert_eq!(reason(refused), "PERMISSION_DENIED");

    let rotated = KeysClient::new(calls.clone())
        .rotate(RotateRequest::default())
        .await;
    assert_eq!(reason(rotated.map_err(Error::from)), "PERMISSION_DENIED");
    assert!(
        KeysClient::new(calls.clone())
            .status(KeysStatusRequest {})
            .await
            .is_ok()
    );
    let secret = SecretsClient::new(calls.clone())
        .get(GetSecretRequest::default())
        .await;
    assert_eq!(reason(secret.map_err(Error::from)), "PERMISSION_DENIED");
    let listed = ConnectionsClient::new(calls.clone())
        .list(ListConnectionsRequest {})
        .await;
    assert_eq!(reason(listed.map_err(Error::from)), "PERMISSION_DENIED");
    let login = AuthClient::new(calls.clone())
        .begin_login(BeginLoginRequest::default())
        .await;
    assert_eq!(reason(login.map_err(Error::from)), "PERMISSION_DENIED");
}

#[tokio::test]
async fn listings_show_what_is_reached() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["chat/a", "notes"]).await;
    for name in ["chat/db", "other-db"] {
        let created = DatabasesClient::new(daemon.channel().await)
            .create(CreateDatabaseRequest {
                name: name.into(),
                ..CreateDatabaseRequest::default()
            })
            .await;
        created.expect("created");
    }
    let created = create_token(&daemon, vec![scope("chat/*", Permission::Read)]).await;
    let calls = Sent::token(&created.secret).on(&daemon.channel().await);

    let stores = StoresClient::new(calls.clone())
        .list(ListStoresRequest {})
        .await;
    let stores = stores.expect("listed").into_inner().stores;
    let names: Vec<_> = stores.iter().map(|store| store.name.as_str()).collect();
    assert_eq!(names, ["chat/a", "chat/db"]);
    let databases = DatabasesClient::new(calls.clone())
        .list(ListDatabasesRequest {})
        .await;
    let databases = databases.expect("listed").into_inner().databases;
    assert_eq!(
        (databases.len(), databases[0].name.as_str()),
        (1, "chat/db")
    );
    let upkeep = MaintenanceClient::new(calls.clone())
        .status(MaintenanceStatusRequest {})
        .await;
    let tasks = upkeep.expect("listed").into_inner().tasks;
    assert!(!tasks.is_empty());
    assert!(
        tasks.iter().all(|task| task.database == "chat/db"),
        "{tasks:?}"
    );
}

#[tokio::test]
async fn a_store_of_attachments_must_be_reached_too() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let created = create_token(&daemon, vec![scope("chat/*", Permission::Admin)]).await;
    let mut stores = StoresClient::new(Sent::token(&created.secret).on(&daemon.channel().await));
    let create = |name: &str, blobs: &str| CreateStoreRequest {
        name: name.into(),
        attachments: Some(AttachmentPolicy {
            blobs: blobs.into(),
            ..AttachmentPolicy::default()
        }),
        ..CreateStoreRequest::default()
    };
    // Where none is named, it is the default.
    for blobs in ["pictures", ""] {
        let refused = stores.create(create("chat/a", blobs)).await;
        assert_eq!(reason(refused.map_err(Error::from)), "PERMISSION_DENIED");
    }
    let made = stores.create(create("chat/a", "chat/pictures")).await;
    assert!(made.is_ok(), "{made:?}");
}

#[tokio::test]
async fn a_blob_out_of_reach_is_as_good_as_missing() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let stored = BlobsClient::new(daemon.channel().await)
        .put(PutBlobRequest {
            content: b"private".as_slice().into(),
            ..PutBlobRequest::default()
        })
        .await;
    let reference = stored
        .expect("put")
        .into_inner()
        .blob
        .expect("described")
        .r#ref;
    let attach = async |scopes| {
        let created = create_token(&daemon, scopes).await;
        let calls = Sent::token(&created.secret).on(&daemon.channel().await);
        let mut documents = DocumentsClient::new(calls);
        let put = documents.put(PutDocumentRequest {
            store: "notes".into(),
            id: "b".into(),
            body: format!(r#"{{"attachments":[{{"ref":"{reference}","size":0}}]}}"#).into(),
            ..PutDocumentRequest::default()
        });
        put.await.map_err(Error::from)
    };
    let notes = scope("notes", Permission::Write);
    assert_eq!(reason(attach(vec![notes.clone()]).await), "BLOB_MISSING");
    let both = vec![notes, scope("blobs", Permission::Read)];
    assert!(attach(both).await.is_ok());
}

#[tokio::test]
async fn a_narrow_token_revokes_itself() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let scopes = || vec![scope("notes", Permission::Read)];
    let (one, other) = (
        create_token(&daemon, scopes()).await,
        create_token(&daemon, scopes()).await,
    );
    let channel = daemon.channel().await;
    let calls = Sent::token(&one.secret).on(&channel);
    let ended = AuthClient::new(calls.clone())
        .logout(LogoutRequest {})
        .await;
    ended.expect("signed out");
    assert_eq!(reason(get(&calls, "notes").await), "UNAUTHENTICATED");
    assert!(
        get(&Sent::token(&other.secret).on(&channel), "notes")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_token_that_does_not_count_is_refused_where_none_would_be_asked_for() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let mut tokens = TokensClient::new(daemon.channel().await);
    let all = vec![scope("*", Permission::Admin)];
    let refusal = async |token: &str| {
        let calls = Sent::token(token).on(&daemon.channel().await);
        get(&calls, "notes").await
    };

    let revoked = create_token(&daemon, all.clone()).await;
    assert!(refusal(&revoked.secret).await.is_ok());
    let id = revoked.token.expect("a row").id;
    tokens
        .revoke(RevokeTokenRequest { id: id.clone() })
        .await
        .expect("revoked");
    assert_eq!(reason(refusal(&revoked.secret).await), "UNAUTHENTICATED");
    let again = tokens.revoke(RevokeTokenRequest { id }).await;
    assert_eq!(reason(again.map_err(Error::from)), "NOT_FOUND");

    let short = CreateTokenRequest {
        label: "short".into(),
        scopes: all.clone(),
        lifetime: Some(Duration {
            seconds: 0,
            nanos: 1_000_000,
        }),
    };
    let short = tokens.create(short).await.expect("created").into_inner();
    until("the token expired", async || {
        refusal(&short.secret).await.is_err()
    })
    .await;
    assert_eq!(reason(refusal(&short.secret).await), "UNAUTHENTICATED");

    let one = create_token(&daemon, all).await.secret;
    let mut changed = one.clone();
    changed.replace_range(20..21, if &one[20..21] == "a" { "b" } else { "a" });
    for wrong in [changed.as_str(), "vaultd_", "nonsense", &one[..40]] {
        assert_eq!(reason(refusal(wrong).await), "UNAUTHENTICATED", "{wrong}");
    }
    let reset = tokens
        .reset(ResetTokensRequest {})
        .await
        .expect("reset")
        .into_inner();
    assert!(reset.revoked >= 1);
    assert_eq!(reason(refusal(&one).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_grants_no_more_than_it_has() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let narrow = create_token(&daemon, vec![scope("notes", Permission::Admin)]).await;
    let wide = create_token(&daemon, vec![scope("*", Permission::Admin)]).await;
    let create = async |token: &str| {
        let calls = Sent::token(token).on(&daemon.channel().await);
        let created = TokensClient::new(calls)
            .create(CreateTokenRequest {
                label: "more".into(),
                scopes: vec![scope("*", Permission::Admin)],
                lifetime: None,
            })
            .await;
        created.map_err(Error::from)
    };
    assert_eq!(reason(create(&narrow.secret).await), "PERMISSION_DENIED");
    assert!(create(&wide.secret).await.is_ok());
}

#[tokio::test]
async fn the_record_tells_what_was_granted_and_refused_and_no_log_line_holds_a_token() {
    let home = Home::new().with("VAULTD_LOG", "trace");
    let mut daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let created = create_token(&daemon, vec![scope("chat/*", Permission::Read)]).await;
    let channel = daemon.channel().await;
    let calls = Sent::token(&created.secret).on(&channel);
    assert_eq!(reason(get(&calls, "notes").await), "PERMISSION_DENIED");
    let planted = "vaultd_planted-token-ocelot";
    let wrong = Sent::token(planted).on(&channel);
    assert_eq!(reason(get(&wrong, "notes").await), "UNAUTHENTICATED");
    let cookie = Sent {
        cookie: Some("planted-cookie-gnu".into()),
        query_token: Some("planted-query-lynx".into()),
        ..Sent::web("vault.example.org")
    };
    let web = daemon.channel().await;
    assert_eq!(
        reason(get(&cookie.on(&web), "notes").await),
        "HOST_NOT_ADMITTED"
    );

    let mut auth = AuthClient::new(daemon.channel().await);
    let activity = auth.activity(AuthActivityRequest { limit: 0 }).await;
    let events = activity.expect("served").into_inner().events;
    let refused = events
        .iter()
        .find(|event| event.detail == "notes")
        .expect("a refusal");
    assert_eq!(refused.action, "/vault.v1.Documents/Get");
    assert_eq!(
        (refused.admitted, refused.who.as_str()),
        (false, "a script")
    );
    assert_eq!(refused.principal(), PrincipalKind::Token);
    let granted = events
        .iter()
        .find(|event| event.action.ends_with("Tokens/Create"));
    let granted = granted.expect("the grant");
    assert!(granted.admitted && granted.principal() == PrincipalKind::Owner);
    let stranger = events.iter().find(|event| event.address == "192.0.2.7");
    assert!(stranger.is_some_and(|event| !event.admitted), "{events:?}");

    assert!(daemon.terminate().await.success());
    let log = daemon.log();
    assert!(
        log.contains("principal=\"token\"") && log.contains("192.0.2.7"),
        "{log}"
    );
    for secret in [
        &created.secret,
        planted,
        "planted-cookie-gnu",
        "planted-query-lynx",
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{line:?}");
    }
}
