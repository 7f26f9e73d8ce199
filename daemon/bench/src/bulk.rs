//! Import of a data set against single puts of the same documents.

use std::time::Instant;

use tokio::sync::mpsc;
use vault_client::{Client, ImportItem, NewDocument, StoreOptions};

use crate::{
    Result,
    daemon::{Daemon, Key},
    dataset::{Document, load},
    measure::{Blocks, rate},
    report::{Bar, Figure},
};

/// Imports documents and waits until all are durable.
pub(crate) async fn import_all(
    client: &Client,
    store: &str,
    documents: Vec<Document>,
) -> Result<()> {
    let wanted = documents.len() as u64;
    let (sender, receiver) = mpsc::channel(16);
    let feed = tokio::spawn(async move {
        for (id, body) in documents {
            if sender.send(ImportItem { id, body }).await.is_err() {
                return;
            }
        }
    });
    let mut reports = client.import(store, receiver).await?;
    let mut imported = 0;
    while let Some(report) = reports.next().await? {
        imported = report.imported;
    }
    feed.await?;
    if imported == wanted {
        Ok(())
    } else {
        Err(format!("{imported} of {wanted} imported").into())
    }
}

async fn put_all(client: &Client, store: &str, documents: &[Document]) -> Result<()> {
    for (id, body) in documents {
        client
            .put(store, NewDocument::json(id, body.clone()))
            .await?;
    }
    Ok(())
}

/// The whole set in one call, again and again, between parts of it put one by one.
pub(crate) async fn import(quick: bool) -> Result<()> {
    let (what, documents) = load(quick)?;
    let daemon = Daemon::start(Key::Memory).await?;
    let client = daemon.client().await?;
    client
        .create_store("bench/puts", &StoreOptions::default())
        .await?;
    let (mut imports, mut puts, mut settled) =
        (Blocks::default(), Blocks::default(), Blocks::default());
    let rounds = if quick { 2 } else { 4 };
    for (round, part) in documents
        .chunks(documents.len().div_ceil(rounds))
        .enumerate()
    {
        let begun = Instant::now();
        put_all(&client, "bench/puts", part).await?;
        puts.single(rate(part.len(), begun.elapsed()));
        let all = documents.clone();
        let begun = Instant::now();
        import_all(&client, &format!("bench/import-{round}"), all).await?;
        imports.single(rate(documents.len(), begun.elapsed()));
        daemon.settled().await?;
        settled.single(rate(documents.len(), begun.elapsed()));
    }
    let name = format!("import_{}_{what}", documents.len());
    let figure = Figure {
        name: &name,
        value: imports.median(),
        unit: "docs/s",
        floor: puts.median(),
        floor_what: "single puts of the same documents, one after the other on one connection",
        bar: Bar::AtLeast(3.0),
    };
    figure.print();
    let name = format!("{name}_until_idle");
    Figure {
        name: &name,
        value: settled.median(),
        bar: Bar::None,
        ..figure
    }
    .print();
    Ok(())
}
