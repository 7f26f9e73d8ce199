//! kill -9 at random moments under transactions of every sort: what was acknowledged is there whole,
//! what was not is there whole or not at all.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    ledger::{self, Way, Writer},
    rounds, setting, spin,
};
use crate::support::{keyring::Session, random::Random, soon};

const DATABASE: &str = "kills/ledger";
const WRITERS: i64 = 4;
const ACKNOWLEDGED: u64 = 24;
const MICROSECONDS: u64 = 4000;

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_whole_or_absent_after_kills() {
    let Some(session) = Session::start() else {
        return;
    };
    let (rounds, seed) = (rounds(), setting("VAULTD_KILL_SEED", 1));
    let mut random = Random::new(seed);
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer::new(number, DATABASE, random.fork()))
        .collect();
    let begun = Instant::now();
    // Kills while a client led a transaction.
    let (mut amid, mut reads) = (0, 0);
    for round in 0..rounds {
        println!("seed {seed}, round {round}");
        let mut daemon = session.home.start("root", &["--log", "warn"]);
        let client = daemon.client().await;
        if round == 0 {
            ledger::create(&client, DATABASE).await;
        }
        ledger::verify(&client, DATABASE, &mut writers).await;

        let acks = Arc::new(Semaphore::new(0));
        let mut running = JoinSet::new();
        for writer in writers.drain(..) {
            running.spawn(writer.run(daemon.client().await, Arc::clone(&acks)));
        }
        let reader = tokio::spawn(ledger::read(client, DATABASE));
        let target = u32::try_from(random.below(ACKNOWLEDGED)).expect("small");
        let more = Duration::from_micros(random.below(MICROSECONDS));
        soon("committing", acks.acquire_many(target))
            .await
            .expect("open")
            .forget();
        tokio::task::block_in_place(|| spin(more));
        daemon.kill();
        writers = soon("noticing the kill", running.join_all()).await;
        writers.sort_by_key(|writer| writer.number);
        let led = |writer: &Writer| matches!(writer.pending, Some((Way::Transact, ..)));
        amid += u64::from(writers.iter().any(led));
        reads += soon("noticing the kill", reader).await.expect("whole");
    }
    let daemon = session.home.start("root", &["--log", "warn"]);
    ledger::verify(&daemon.client().await, DATABASE, &mut writers).await;
    let committed: usize = writers.iter().map(Writer::count).sum();
    println!(
        "{rounds} kills, {amid} amid led transactions, {committed} transactions there, read \
         {reads} times, in {:?}",
        begun.elapsed()
    );
    assert!(committed > 0 && reads > 0 && (amid > 0 || rounds < 10));
}
