//! kill -9 at random moments under concurrent writes, again and again over one data root: what was
//! acknowledged is there, whatever was under way is old or new and whole.

mod attachments;
mod ledger;
mod rekeying;
mod rotation;
mod transactions;
mod worker;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use vault_client::{Client, Listed, StoreOptions};

use crate::support::{keyring::Session, random::Random, soon};
use worker::{SHARED, STORE, Worker};

const WORKERS: usize = 6;
/// So that calls of several workers travel in one connection and in several.
const CONNECTIONS: usize = 3;
/// Writes acknowledged before a kill, at most; then up to some milliseconds more.
const ACKNOWLEDGED: u64 = 60;
const MICROSECONDS: u64 = 4000;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// Kills of one test on databases, whose rounds take longer.
fn rounds() -> u64 {
    setting("VAULTD_KILL_ROUNDS", 20).min(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills() {
    kills(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills_amid_rotations() {
    kills(true).await;
}

async fn kills(rotating: bool) {
    let Some(session) = Session::start() else {
        return;
    };
    let rounds = setting("VAULTD_KILL_ROUNDS", 25);
    let seed = setting("VAULTD_KILL_SEED", 1);
    let mut random = Random::new(seed);
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|number| Worker::new(number, random.fork()))
        .collect();
    let begun = Instant::now();
    let mut acknowledged = 0;
    let mut last = Verified::default();
    let (mut exported, mut rotations) = (None, 0);
    for round in 0..rounds {
        println!("seed {seed}, round {round}");
        let mut daemon = session.home.start("root", &["--log", "warn"]);
        let client = daemon.client().await;
        if round == 0 {
            client
                .create_store(STORE, &StoreOptions::default())
                .await
                .expect("created");
            if rotating {
                exported = Some(rotation::prepare(&client).await);
            }
        }
        last = verify(&client, &mut workers, &last).await;
        if rotating {
            rotation::verify(&client).await;
        }

        let acks = Arc::new(Semaphore::new(0));
        let mut running = JoinSet::new();
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(daemon.client().await);
        }
        for (at, worker) in workers.drain(..).enumerate() {
            let client = clients[at % CONNECTIONS].clone();
            running.spawn(worker.run(client, Arc::clone(&acks)));
        }
        let mut beside = JoinSet::new();
        if rotating {
            beside.spawn(rotation::rotate(clients[0].clone(), random.fork()));
            beside.spawn(rotation::read(clients[1].clone()));
        }
        let target = u32::try_from(random.below(ACKNOWLEDGED)).expect("small");
        let more = Duration::from_micros(random.below(MICROSECONDS));
        soon("acknowledging writes", acks.acquire_many(target))
            .await
            .expect("open")
            .forget();
        acknowledged += target;
        tokio::task::block_in_place(|| spin(more));
        daemon.kill();
        workers = soon("noticing the kill", running.join_all()).await;
        workers.sort_by_key(|worker| worker.number);
        rotations += soon("noticing the kill", beside.join_all())
            .await
            .iter()
            .sum::<u64>();
    }
    let daemon = session.home.start("root", &["--log", "warn"]);
    let client = daemon.client().await;
    verify(&client, &mut workers, &last).await;
    if let Some(exported) = exported {
        println!("{rotations} rotations ended, others were killed");
        rotation::conclude(&client, &exported).await;
        verify(&client, &mut workers, &Verified::default()).await;
    }
    println!(
        "{rounds} kills, over {acknowledged} writes acknowledged, in {:?}",
        begun.elapsed()
    );
}

/// A timer of the runtime counts milliseconds.
fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// What the last round was found to have left.
#[derive(Default)]
struct Verified {
    revision: u64,
    shared: Option<(u64, Vec<u8>)>,
}

/// Compares the whole store with what the workers know, and makes the outcome of what was under
/// way known to them.
async fn verify(client: &Client, workers: &mut [Worker], last: &Verified) -> Verified {
    let mut found = BTreeMap::new();
    let mut listing = client.list(STORE, "", true).await.expect("a listing");
    while let Some(entry) = listing.next().await.expect("the listing goes on") {
        match entry {
            Listed::Document(head, body) => {
                let body = body.expect("bodies were asked for");
                assert_eq!(head.body_bytes, body.len() as u64, "{} is whole", head.id);
                if workers.iter().any(|worker| worker.was_writing(&head.id)) {
                    let whole = client
                        .get(STORE, &head.id)
                        .await
                        .expect("listed, so it is there");
                    assert_eq!(
                        (&whole.head, &whole.body),
                        (&head, &body),
                        "one answer to both"
                    );
                }
                found.insert(head.id, (head.revision, body));
            }
            Listed::Damaged(text) => panic!("damaged: {text}"),
        }
    }
    let shared = found.remove(SHARED);
    check_shared(shared.as_ref(), workers, last);
    for worker in &mut *workers {
        worker.settle(&mut found);
    }
    assert!(found.is_empty(), "nobody wrote {:?}", found.keys());

    let stores = client.stores().await.expect("listed");
    let revision = stores
        .iter()
        .find(|store| store.name == STORE)
        .expect("the store")
        .revision;
    let newest = workers
        .iter()
        .map(|worker| worker.newest)
        .max()
        .unwrap_or_default();
    assert!(
        revision >= newest.max(last.revision),
        "the count went back to {revision}"
    );
    for worker in workers {
        worker.begin_round(revision);
    }
    Verified { revision, shared }
}

/// The document that every worker writes: its content is one of those written, and none older than
/// the newest acknowledged.
fn check_shared(found: Option<&(u64, Vec<u8>)>, workers: &[Worker], last: &Verified) {
    let acknowledged = workers
        .iter()
        .flat_map(|worker| &worker.shared)
        .chain(&last.shared);
    let newest = acknowledged.max_by_key(|(revision, _)| *revision);
    let (Some((revision, body)), Some((floor, newest))) = (found, newest) else {
        assert!(newest.is_none(), "an acknowledged document is gone");
        return;
    };
    assert!(
        revision >= floor,
        "revision {revision} is older than {floor}"
    );
    if revision == floor {
        assert_eq!(body, newest);
    } else {
        let under_way = |worker: &Worker| {
            worker
                .pending
                .iter()
                .any(|(id, value)| id == SHARED && value.as_ref() == Some(body))
        };
        assert!(workers.iter().any(under_way), "a content that nobody wrote");
    }
}
