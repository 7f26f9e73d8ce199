//! Health, reflection, the permission table, the log and the end, as a client meets them.

use std::time::{Duration, Instant};

use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{
    v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    v1alpha,
};
use vault_client::{NewDocument, StoreOptions};

use crate::support::{
    Home,
    raw::{Raw, failure},
    reason, soon,
};

#[tokio::test]
async fn the_end_is_graceful_and_bounded() {
    let home = Home::new();
    let mut daemon = home.ephemeral("root");
    let client = daemon.client().await;
    client
        .create_store("notes", &StoreOptions::default())
        .await
        .expect("created");
    let mut watch = client.watch("notes", 0).await.expect("a watch");
    let mut health = HealthClient::new(daemon.channel().await);
    let served = health
        .check(HealthCheckRequest::default())
        .await
        .expect("an answer");
    assert_eq!(served.into_inner().status(), ServingStatus::Serving);
    let mut states = health
        .watch(HealthCheckRequest::default())
        .await
        .expect("a watch")
        .into_inner();
    let state = soon("a state", states.message())
        .await
        .expect("served")
        .expect("one");
    assert_eq!(state.status(), ServingStatus::Serving);
    // One that never said a word does not hold it up.
    let _silent = std::os::unix::net::UnixStream::connect(&daemon.socket).expect("connected");

    let begun = Instant::now();
    daemon.ask_to_stop();
    let state = soon("a state", states.message())
        .await
        .expect("served")
        .expect("one");
    assert_eq!(state.status(), ServingStatus::NotServing);
    drop((states, health));
    assert_eq!(reason(soon("the end", watch.next()).await), "SHUTTING_DOWN");
    drop((watch, client));
    assert!(daemon.stopped().await.success());
    println!("stopped after {:?}", begun.elapsed());
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(!daemon.socket.exists());
    assert!(!daemon.log().contains("still running"), "{}", daemon.log());
}

#[tokio::test]
async fn a_client_that_does_not_let_go_is_let_go() {
    let home = Home::new();
    home.configure("[limits]\ndrain_seconds = 1\n");
    let mut daemon = home.ephemeral("root");
    let client = daemon.client().await;
    client
        .create_store("notes", &StoreOptions::default())
        .await
        .expect("created");
    let mut raw = Raw::connect(&daemon.socket).await;
    let (_response, _body) = raw.call("/vault.v1.Documents/Upload");
    client
        .stores()
        .await
        .expect("the upload has begun before this");
    let begun = Instant::now();
    assert!(daemon.terminate().await.success());
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(!daemon.socket.exists());
}

#[tokio::test]
async fn reflection_lists_every_service() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut reflection = ServerReflectionClient::new(daemon.channel().await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let stream = reflection
        .server_reflection_info(tokio_stream::iter([request]))
        .await;
    let answer = stream
        .expect("served")
        .into_inner()
        .message()
        .await
        .expect("an answer");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.expect("one").message_response
    else {
        panic!("no list of services");
    };
    let names: Vec<String> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for name in [
        "vault.v1.Vault",
        "vault.v1.Stores",
        "vault.v1.Documents",
        "grpc.health.v1.Health",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "{name} is not in {names:?}"
        );
    }
}

#[tokio::test]
async fn tools_that_ask_by_the_older_name_learn_what_a_failure_carries() {
    use v1alpha::{
        server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut reflection = ServerReflectionClient::new(daemon.channel().await);
    let symbol = "google.rpc.ErrorInfo".to_owned();
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(symbol)),
    };
    let stream = reflection
        .server_reflection_info(tokio_stream::iter([request]))
        .await;
    let mut answers = stream.expect("served").into_inner();
    let answer = answers.message().await.expect("an answer").expect("one");
    let Some(MessageResponse::FileDescriptorResponse(found)) = answer.message_response else {
        panic!("no descriptor: {:?}", answer.message_response);
    };
    assert!(!found.file_descriptor_proto.is_empty());
}

#[tokio::test]
async fn a_method_that_is_not_in_the_table_is_refused() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut raw = Raw::connect(&daemon.socket).await;
    for method in [
        "/vault.v1.Documents/Steal",
        "/vault.v1.Thefts/Get",
        "/",
        "/vault.v1.Vault/Status/",
    ] {
        let (response, _body) = raw.call(method);
        let error = soon("the refusal", failure(response)).await;
        let vault_client::Error::Refused(refusal) = error else {
            panic!("{error}")
        };
        assert_eq!(refusal.reason, "UNKNOWN_METHOD", "{method}");
        assert_eq!(refusal.metadata["method"], method);
    }
    let log = daemon.log();
    assert!(
        log.contains("/vault.v1.Documents/Steal") && log.contains("admitted=false"),
        "{log}"
    );
}

#[tokio::test]
async fn the_log_holds_no_document_no_id_and_no_passphrase() {
    const TEXT: &str = "planted-text-zebra";
    const ID: &str = "planted-id-giraffe";
    const LABEL: &str = "planted-label-walrus";
    const PASSPHRASE: &str = "planted-passphrase-ocelot";
    let home = Home::new().with("VAULTD_LOG", "trace");
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    client
        .init(Some("passphrase"), Some(PASSPHRASE.as_bytes()))
        .await
        .expect("set up");
    for plain in [false, true] {
        let store = if plain { "plain" } else { "sealed" };
        let options = StoreOptions {
            plain,
            ..StoreOptions::default()
        };
        client.create_store(store, &options).await.expect("created");
        let mut document = NewDocument::json(ID, format!(r#"{{"text":"{TEXT}"}}"#));
        document.labels.insert("label".to_owned(), LABEL.to_owned());
        client.put(store, document).await.expect("put");
        client
            .patch(
                store,
                ID,
                format!(r#"{{"more":"{TEXT}"}}"#).into_bytes(),
                None,
            )
            .await
            .expect("patched");
        client.get(store, ID).await.expect("read");
        let broken = NewDocument::json(ID, format!(r#"{{"text":"{TEXT}"#));
        assert_eq!(reason(client.put(store, broken).await), "INVALID_ARGUMENT");
        let mut heads = client.list(store, "", true).await.expect("listed");
        while heads.next().await.expect("listed").is_some() {}
        let mut watch = client.watch(store, 0).await.expect("a watch");
        watch.next().await.expect("a change");
        assert_eq!(
            reason(client.delete(store, ID, Some(77)).await),
            "REVISION_CONFLICT"
        );
        client.delete(store, ID, None).await.expect("deleted");
        assert_eq!(reason(client.get(store, ID).await), "NOT_FOUND");
    }
    client.lock().await.expect("locked");
    let wrong = format!("{PASSPHRASE}-not");
    assert_eq!(
        reason(client.unlock(Some(wrong.as_bytes())).await),
        "WRONG_PASSPHRASE"
    );
    client
        .unlock(Some(PASSPHRASE.as_bytes()))
        .await
        .expect("unlocked");
    drop(client);
    assert!(daemon.terminate().await.success());
    let log = daemon.log();
    assert!(
        log.contains("stopped") && log.contains("audit"),
        "there is a log"
    );
    // Nor what libraries write out below that level: frames of HTTP/2, messages of the session bus.
    for library in ["h2::", "hyper", "tonic::", "zbus"] {
        let line = log.lines().find(|line| {
            (line.contains("TRACE") || line.contains("DEBUG")) && line.contains(library)
        });
        assert!(line.is_none(), "{line:?}");
    }
    for planted in [TEXT, ID, LABEL, PASSPHRASE] {
        if let Some(line) = log.lines().find(|line| line.contains(planted)) {
            panic!("{planted} in the log: {line}");
        }
        // Bytes are printed as numbers, too.
        let numbers: Vec<String> = planted.bytes().map(|byte| byte.to_string()).collect();
        assert!(
            !log.contains(&numbers.join(", ")),
            "{planted} in the log, as numbers"
        );
    }
}
