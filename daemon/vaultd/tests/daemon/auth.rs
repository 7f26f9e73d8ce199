//! Who may use the vault besides its owner on the socket.

mod passkeys;
mod rollback;
mod streams;
mod strict;
mod tokens;
mod web;

pub(crate) use rollback::{put_back, stores};
use vault_client::{Client, NewDocument, StoreOptions};

/// A vault with a document `a` in each of these stores.
pub(crate) async fn with_stores(client: &Client, stores: &[&str]) {
    for store in stores {
        let options = StoreOptions::default();
        client.create_store(store, &options).await.expect("created");
        let document = NewDocument::json("a", r#"{"n":1}"#);
        client.put(store, document).await.expect("put");
    }
}
