//! kill -9 at random moments under writers whose documents have attachments, while blobs are
//! collected without grace: no document that is there names a blob that is not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use vault_client::{Client, Listed, NewDocument, StoreOptions};

use super::{rounds, setting, spin};
use crate::{
    attachments::with_image,
    support::{keyring::Session, random::Random, soon},
};

const STORE: &str = "kills/attached";
const WRITERS: u64 = 4;
const ACKNOWLEDGED: u64 = 24;
const MICROSECONDS: u64 = 4000;
/// So few that blobs are named, dropped and named again all the time.
const IMAGES: u64 = 5;
const DOCUMENTS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn no_document_loses_its_blobs_to_kills_amid_collections() {
    let Some(session) = Session::start() else {
        return;
    };
    let (rounds, seed) = (rounds(), setting("VAULTD_KILL_SEED", 1));
    let mut random = Random::new(seed);
    let begun = Instant::now();
    let (mut acknowledged, mut named, mut removed) = (0, 0, 0);
    for round in 0..rounds {
        println!("seed {seed}, round {round}");
        let mut daemon = session.home.start("root", &["--log", "warn"]);
        let client = daemon.client().await;
        if round == 0 {
            let options = StoreOptions::default();
            client.create_store(STORE, &options).await.expect("created");
        }
        named += verify(&client).await;
        let acks = Arc::new(Semaphore::new(0));
        let mut running = JoinSet::new();
        for writer in 0..WRITERS {
            let (client, acks) = (daemon.client().await, Arc::clone(&acks));
            running.spawn(write(client, writer, random.fork(), acks));
        }
        let collector = tokio::spawn(collect(client));
        let target = u32::try_from(random.below(ACKNOWLEDGED)).expect("small");
        let more = Duration::from_micros(random.below(MICROSECONDS));
        let acks = soon("acknowledging writes", acks.acquire_many(target)).await;
        acks.expect("open").forget();
        acknowledged += target;
        tokio::task::block_in_place(|| spin(more));
        daemon.kill();
        soon("noticing the kill", running.join_all()).await;
        removed += soon("noticing the kill", collector).await.expect("whole");
    }
    let daemon = session.home.start("root", &["--log", "warn"]);
    named += verify(&daemon.client().await).await;
    println!(
        "{rounds} kills, over {acknowledged} writes acknowledged, {named} names looked up, \
         {removed} blobs removed, in {:?}",
        begun.elapsed()
    );
    assert!(named > 0 && removed > 0);
}

/// Writes until the daemon is gone: content, refs of other documents, and deletions.
async fn write(client: Client, writer: u64, mut random: Random, acks: Arc<Semaphore>) {
    loop {
        let id = format!("{writer}-{}", random.below(DOCUMENTS));
        let done = match random.below(4) {
            0 => client.delete(STORE, &id, None).await.map(drop),
            1 => {
                // A ref that was right a moment ago.
                let other = format!("{}-{}", random.below(WRITERS), random.below(DOCUMENTS));
                match client.get(STORE, &other).await {
                    Ok(found) => {
                        let copy = NewDocument::json(id, found.body);
                        client.put(STORE, copy).await.map(drop)
                    }
                    Err(error) => Err(error),
                }
            }
            _ => {
                let image = u8::try_from(random.below(IMAGES)).expect("small");
                let document = NewDocument::json(id, with_image(image * 40, 18 << 10));
                client.put(STORE, document).await.map(drop)
            }
        };
        match done {
            Ok(()) => acks.add_permits(1),
            Err(error) => match error.reason() {
                Some("NOT_FOUND" | "BLOB_MISSING") => {}
                // The daemon is gone.
                Some("") | None => return,
                Some(reason) => panic!("{reason}: {error}"),
            },
        }
    }
}

/// Removes whatever is not named, again and again. Answers how many blobs.
async fn collect(client: Client) -> u64 {
    let mut removed = 0;
    loop {
        let begun = client.collect_blobs("", false, Some(Duration::ZERO)).await;
        let Ok(mut collection) = begun else {
            return removed;
        };
        loop {
            match collection.next().await {
                Ok(Some(report)) => removed += report.garbage.len() as u64,
                Ok(None) => break,
                Err(error) => match error.reason() {
                    Some("") | None => return removed,
                    Some(reason) => panic!("{reason}: {error}"),
                },
            }
        }
    }
}

/// Reads every blob that a document names.
async fn verify(client: &Client) -> u64 {
    let mut listing = client.list(STORE, "", true).await.expect("a listing");
    let mut named = 0;
    while let Some(entry) = listing.next().await.expect("the listing goes on") {
        let Listed::Document(head, body) = entry else {
            panic!("damaged");
        };
        assert!(!body.expect("asked for").is_empty());
        assert_eq!(head.blobs.len(), 1, "{}", head.id);
        for reference in &head.blobs {
            let blob = client.get_blob("", reference).await;
            let content = blob.unwrap_or_else(|error| panic!("{}: {error}", head.id));
            assert!(!content.1.is_empty());
            named += 1;
        }
    }
    named
}
