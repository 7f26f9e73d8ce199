//! Calls that stream, of a token: judged by their first message, and ended with their token.

use tokio_stream::iter;
use vault_client::{Error, NewDocument};
use vault_proto::v1::{
    CreateDatabaseRequest, Permission, RevokeTokenRequest, TransactRequest, UploadDocumentRequest,
    WatchDocumentsRequest, databases_client::DatabasesClient, documents_client::DocumentsClient,
    tokens_client::TokensClient, transact_request, upload_document_request,
};

use super::with_stores;
use crate::support::{
    Home,
    callers::{Sent, create_token, scope},
    reason, soon,
};

/// The first message of an upload.
fn start(store: &str) -> UploadDocumentRequest {
    let start = upload_document_request::Start {
        store: store.into(),
        id: "u".into(),
        size: 2,
        ..upload_document_request::Start::default()
    };
    UploadDocumentRequest {
        part: Some(upload_document_request::Part::Start(start)),
    }
}

fn chunk() -> UploadDocumentRequest {
    UploadDocumentRequest {
        part: Some(upload_document_request::Part::Chunk(b"{}".to_vec())),
    }
}

#[tokio::test]
async fn streams_are_judged_by_their_first_message_and_name_no_other_store_later() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    with_stores(&client, &["chat/a", "notes"]).await;
    let created = create_token(&daemon, vec![scope("chat/*", Permission::Admin)]).await;
    let calls = Sent::token(&created.secret).on(&daemon.channel().await);

    let mut documents = DocumentsClient::new(calls.clone());
    let sent = documents.upload(iter([start("chat/a"), chunk()])).await;
    assert!(sent.is_ok(), "{sent:?}");
    let refused = documents.upload(iter([start("notes"), chunk()])).await;
    assert_eq!(reason(refused.map_err(Error::from)), "PERMISSION_DENIED");
    let other = documents
        .upload(iter([start("chat/a"), start("notes"), chunk()]))
        .await;
    assert_eq!(reason(other.map_err(Error::from)), "INVALID_ARGUMENT");
    let unnamed = documents.upload(iter([chunk(), start("notes")])).await;
    assert_eq!(reason(unnamed.map_err(Error::from)), "INVALID_ARGUMENT");
    assert_eq!(reason(client.get("notes", "u").await), "NOT_FOUND");

    let begin = |database: &str| TransactRequest {
        part: Some(transact_request::Part::Begin(transact_request::Begin {
            database: database.into(),
            ..transact_request::Begin::default()
        })),
    };
    let create = |name: &str| CreateDatabaseRequest {
        name: name.into(),
        ..CreateDatabaseRequest::default()
    };
    let mut owner = DatabasesClient::new(daemon.channel().await);
    owner.create(create("other-db")).await.expect("created");
    let mut databases = DatabasesClient::new(calls.clone());
    databases.create(create("chat/db")).await.expect("created");
    let refused = databases.create(create("db")).await;
    assert_eq!(reason(refused.map_err(Error::from)), "PERMISSION_DENIED");
    let refused = databases.transact(iter([begin("other-db")])).await;
    assert_eq!(reason(refused.map_err(Error::from)), "PERMISSION_DENIED");
    // A second begin, of another database.
    let twice = databases
        .transact(iter([begin("chat/db"), begin("other-db")]))
        .await;
    let mut answers = twice.expect("the first is reached").into_inner();
    let ended = async {
        loop {
            match answers.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(status) => return Err(Error::from(status)),
            }
        }
    };
    assert_eq!(reason(soon("the end", ended).await), "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_stream_ends_where_its_token_is_revoked_amid_it() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    with_stores(&client, &["notes"]).await;
    let created = create_token(&daemon, vec![scope("notes", Permission::Write)]).await;
    let calls = Sent::token(&created.secret).on(&daemon.channel().await);
    let mut documents = DocumentsClient::new(calls);
    let watch = documents.watch(WatchDocumentsRequest {
        store: "notes".into(),
        since: 0,
    });
    let mut watch = watch.await.expect("a watch").into_inner();
    let first = soon("a change", watch.message()).await.expect("goes on");
    assert!(first.is_some());

    let id = created.token.expect("a row").id;
    let mut tokens = TokensClient::new(daemon.channel().await);
    tokens
        .revoke(RevokeTokenRequest { id })
        .await
        .expect("revoked");
    client
        .put("notes", NewDocument::json("b", "{}"))
        .await
        .expect("put");
    let refused = loop {
        match soon("the end", watch.message()).await {
            Ok(Some(message)) => assert!(message.changes.iter().all(|head| head.id != "b")),
            Ok(None) => panic!("it ended without a word"),
            Err(status) => break Err::<(), _>(Error::from(status)),
        }
    };
    assert_eq!(reason(refused), "UNAUTHENTICATED");
}
