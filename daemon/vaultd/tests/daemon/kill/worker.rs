//! One writer, and what it knows for certain.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Semaphore;
use vault_client::{Change, Client, Error, NewDocument, Precondition, Write};

use crate::support::random::Random;

pub(super) const STORE: &str = "kills";
/// Written by every worker; all else belongs to one.
pub(super) const SHARED: &str = "shared";

const OWN: usize = 8;

/// A document, or none.
type Value = Option<Vec<u8>>;

pub(super) struct Worker {
    pub(super) number: usize,
    random: Random,
    written: u64,
    /// Of its own documents: revision and content acknowledged last.
    known: BTreeMap<String, (u64, Value)>,
    /// The writes of the one call under way.
    pub(super) pending: Vec<(String, Value)>,
    /// What it wrote to the shared document this round, acknowledged.
    pub(super) shared: Vec<(u64, Vec<u8>)>,
    /// The newest revision acknowledged to it.
    pub(super) newest: u64,
}

impl Worker {
    pub(super) fn new(number: usize, random: Random) -> Self {
        let known = (0..OWN)
            .map(|at| (format!("w{number}-{at}"), (0, None)))
            .collect();
        let (pending, shared) = (Vec::new(), Vec::new());
        Self {
            number,
            random,
            written: 0,
            known,
            pending,
            shared,
            newest: 0,
        }
    }

    pub(super) fn was_writing(&self, id: &str) -> bool {
        self.pending.iter().any(|(pending, _)| pending == id)
    }

    pub(super) fn begin_round(&mut self, revision: u64) {
        self.shared.clear();
        self.newest = revision;
    }

    /// Writes until the daemon is gone.
    pub(super) async fn run(mut self, client: Client, acks: Arc<Semaphore>) -> Self {
        loop {
            self.pending = self.choose();
            match self.write(&client).await {
                Ok(revisions) => {
                    self.acknowledge(&revisions);
                    acks.add_permits(1);
                }
                // The connection broke: a refusal would have a reason.
                Err(error) if error.reason().is_none_or(str::is_empty) => return self,
                Err(error) => panic!("refused: {error:?}"),
            }
        }
    }

    /// One write of a random kind, or several at once.
    fn choose(&mut self) -> Vec<(String, Value)> {
        match self.random.below(10) {
            0..5 => vec![(self.own(), Some(self.body()))],
            5 | 6 => vec![(SHARED.to_owned(), Some(self.body()))],
            7 => {
                let there = |(id, (_, value)): (&String, &(u64, Value))| {
                    value.is_some().then(|| (id.clone(), None))
                };
                let there: Vec<_> = self.known.iter().filter_map(there).collect();
                match there.len() {
                    0 => vec![(self.own(), Some(self.body()))],
                    count => vec![there[self.random.index(count)].clone()],
                }
            }
            _ => {
                let first = self.random.index(OWN);
                let count = 2 + self.random.index(3);
                let ids: Vec<String> = self.known.keys().cloned().collect();
                let batch = (0..count).map(|at| ids[(first + at) % OWN].clone());
                batch
                    .map(|id| {
                        // A batch is one message.
                        let padding = self.random.index(100_000);
                        (id, Some(self.padded(padding)))
                    })
                    .collect()
            }
        }
    }

    fn own(&mut self) -> String {
        let at = self.random.index(OWN);
        format!("w{}-{at}", self.number)
    }

    /// Content that is mostly small, and at times too large for a unary call.
    fn body(&mut self) -> Vec<u8> {
        let padding = match self.random.below(100) {
            0..80 => self.random.index(2000),
            80..99 => self.random.index(100_000),
            _ => (1 << 20) + self.random.index(100_000),
        };
        self.padded(padding)
    }

    /// Content that is written once only.
    fn padded(&mut self, padding: usize) -> Vec<u8> {
        self.written += 1;
        let (number, written) = (self.number, self.written);
        let padding = "x".repeat(padding);
        format!(r#"{{"worker":{number},"written":{written},"pad":"{padding}"}}"#).into_bytes()
    }

    async fn write(&self, client: &Client) -> Result<Vec<u64>, Error> {
        match &self.pending[..] {
            [(id, Some(body))] => {
                let document = NewDocument::json(id.as_str(), body.as_slice());
                client
                    .put(STORE, document)
                    .await
                    .map(|head| vec![head.revision])
            }
            [(id, None)] => client
                .delete(STORE, id, None)
                .await
                .map(|revision| vec![revision]),
            several => {
                let writes = several.iter().map(|(id, value)| Write {
                    id: id.clone(),
                    change: value.clone().map_or(Change::Delete, Change::PutJson),
                    precondition: Precondition::None,
                });
                client.batch(STORE, writes.collect()).await
            }
        }
    }

    fn acknowledge(&mut self, revisions: &[u64]) {
        assert_eq!(revisions.len(), self.pending.len());
        for ((id, value), revision) in std::mem::take(&mut self.pending).into_iter().zip(revisions)
        {
            assert!(
                *revision > self.newest,
                "{revision} is not after {}",
                self.newest
            );
            self.newest = *revision;
            if id == SHARED {
                self.shared
                    .push((*revision, value.expect("it is never deleted")));
            } else {
                self.known.insert(id, (*revision, value));
            }
        }
    }

    /// Takes its documents out of what was found, and learns how the call under way ended.
    pub(super) fn settle(&mut self, found: &mut BTreeMap<String, (u64, Vec<u8>)>) {
        let mut happened = Vec::new();
        for (id, (revision, known)) in &mut self.known {
            let (now, value) = match found.remove(id) {
                Some((now, body)) => (now, Some(body)),
                None => (*revision, None),
            };
            let pending = self.pending.iter().find(|(pending, _)| pending == id);
            if let Some((_, wanted)) = pending {
                let done = value == *wanted && value != *known;
                assert!(done || value == *known, "{id} is neither old nor new");
                assert!(
                    !done || now > *revision || value.is_none(),
                    "{id} has a stale revision"
                );
                happened.push(done);
            } else {
                assert!(value == *known, "{id} is not what was acknowledged");
            }
            assert!(
                value != *known || now == *revision,
                "{id}: revision {now}, not {revision}"
            );
            (*revision, *known) = (now, value);
        }
        assert!(
            happened.windows(2).all(|pair| pair[0] == pair[1]),
            "half a batch: {happened:?}"
        );
        self.pending.clear();
    }
}
