//! What a client sees of files that were changed behind the daemon's back.

use std::{fs, path::PathBuf};

use vault_client::{Client, Error, Listed, NewDocument, StoreOptions};

use crate::support::{Home, files, reason};

const STORE: &str = "notes";

/// The files in `folder` of the one store there is.
fn files_in(home: &Home, folder: &str) -> Vec<PathBuf> {
    let stores = home.path("root").join("stores");
    let all = files(&stores)
        .into_iter()
        .map(|(path, _)| stores.join(path));
    all.filter(|path| path.parent().is_some_and(|parent| parent.ends_with(folder)))
        .collect()
}

async fn with_one_document(client: &Client) {
    client
        .create_store(STORE, &StoreOptions::default())
        .await
        .expect("created");
    client
        .put(STORE, NewDocument::json("a", r#"{"n":1}"#))
        .await
        .expect("put");
}

#[tokio::test]
async fn a_damaged_object_is_named_kept_and_moved_aside_on_request() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    with_one_document(&client).await;
    let object = files_in(&home, "objects").pop().expect("one object");
    let mut content = fs::read(&object).expect("readable");
    let last = content.len() - 1;
    content[last] ^= 1;
    fs::write(&object, &content).expect("writable");

    let refused = client.get(STORE, "a").await;
    match &refused {
        Err(Error::Refused(refusal)) => {
            let named = refusal.metadata.get("object");
            assert!(
                named.is_some_and(|object| object.contains("`a`")),
                "{named:?}"
            );
        }
        _ => panic!("a damaged document was served"),
    }
    assert_eq!(reason(refused), "CORRUPT");
    assert_eq!(
        fs::read(&object).expect("readable"),
        content,
        "it was touched"
    );

    client.delete(STORE, "a", None).await.expect("moved aside");
    assert_eq!(reason(client.get(STORE, "a").await), "NOT_FOUND");
    let kept = files_in(&home, "damaged").pop().expect("kept aside");
    assert_eq!(fs::read(kept).expect("readable"), content);
    client
        .put(STORE, NewDocument::json("a", r#"{"n":2}"#))
        .await
        .expect("put anew");
    assert_eq!(
        client.get(STORE, "a").await.expect("read").body,
        br#"{"n":2}"#
    );
}

#[tokio::test]
async fn planted_plaintext_is_refused_and_hides_no_other_document() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    with_one_document(&client).await;
    let object = files_in(&home, "objects").pop().expect("one object");
    fs::write(&object, r#"{"n":"planted"}"#).expect("writable");
    client
        .put(STORE, NewDocument::json("b", "{}"))
        .await
        .expect("put");

    assert_eq!(reason(client.get(STORE, "a").await), "PLAINTEXT_REFUSED");
    let mut listing = client.list(STORE, "", true).await.expect("listed");
    let (mut good, mut damaged) = (Vec::new(), 0);
    while let Some(entry) = listing.next().await.expect("goes on") {
        match entry {
            Listed::Document(head, _) => good.push(head.id),
            Listed::Damaged(what) => {
                assert!(!what.contains("planted"), "{what}");
                damaged += 1;
            }
        }
    }
    assert_eq!((good, damaged), (vec!["b".to_owned()], 1));
}
