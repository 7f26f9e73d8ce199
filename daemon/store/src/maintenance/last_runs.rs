//! What was done last, in `maintenance.json`. Databases stand in it by their random identifiers,
//! never by their names.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Operation;
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::StoreId,
    public_file,
    root::DataRoot,
};

/// File name in the data root.
const FILE: &str = "maintenance.json";

/// Some 150 bytes a database.
const LIMIT: u64 = 16 << 20;

/// The file. Fields of later versions survive a rewrite by this one.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct LastRuns {
    #[serde(default)]
    databases: BTreeMap<String, Runs>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// One database. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize, Default)]
struct Runs {
    /// When upkeep first saw it: what was not done yet counts from here.
    since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optimize: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vacuum: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collect: Option<i64>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Runs {
    fn last(&mut self, operation: Operation) -> &mut Option<i64> {
        match operation {
            Operation::Optimize => &mut self.optimize,
            Operation::Checkpoint => &mut self.checkpoint,
            Operation::Vacuum => &mut self.vacuum,
            Operation::Collect => &mut self.collect,
        }
    }

    const fn of(&self, operation: Operation) -> Option<i64> {
        match operation {
            Operation::Optimize => self.optimize,
            Operation::Checkpoint => self.checkpoint,
            Operation::Vacuum => self.vacuum,
            Operation::Collect => self.collect,
        }
    }

    /// Moves times that are still to come to now. Answers whether any was.
    fn bring_back(&mut self, now: i64) -> bool {
        let since = self.since.get_or_insert(i64::MAX);
        let mut changed = cap(since, now);
        for operation in Operation::ALL {
            if let Some(last) = self.last(operation) {
                changed |= cap(last, now);
            }
        }
        changed
    }
}

fn cap(time: &mut i64, now: i64) -> bool {
    let future = *time > now;
    *time = (*time).min(now);
    future
}

impl LastRuns {
    /// Reads the file. Nothing in it is worth refusing to start for.
    pub(super) fn load(root: &DataRoot, now: i64) -> Self {
        match public_file::read_within::<Self>(root, FILE, LIMIT) {
            Ok(found) => {
                let mut found = found.unwrap_or_default();
                // Written anew with every file.
                found.other.remove(public_file::FORMAT_FIELD);
                found
            }
            Err(error) => {
                tracing::warn!(%error, "when upkeep was last done is not known: counting from now");
                if matches!(error, StoreError::Damaged { .. }) {
                    move_aside(root, now);
                }
                Self::default()
            }
        }
    }

    /// Durably writes the file.
    pub(super) fn save(&self, root: &DataRoot) -> StoreResult<()> {
        public_file::write(root, FILE, self)
    }

    /// When an operation was last done.
    pub(super) fn last(&self, store: StoreId, operation: Operation) -> Option<i64> {
        self.databases.get(&store.to_string())?.of(operation)
    }

    /// What the next run of an operation counts from.
    pub(super) fn since(&self, store: StoreId, operation: Operation) -> Option<i64> {
        let runs = self.databases.get(&store.to_string())?;
        runs.of(operation).or(runs.since)
    }

    /// An operation was done. Answers whether the database is one that is looked after.
    pub(super) fn ran(&mut self, store: StoreId, operation: Operation, now: i64) -> bool {
        let runs = self.databases.get_mut(&store.to_string());
        runs.map(|runs| *runs.last(operation) = Some(now)).is_some()
    }

    /// Forgets databases that are not among these, takes up those that are new, and brings back
    /// times that are still to come. Answers whether anything changed.
    pub(super) fn reconcile(&mut self, now: i64, registered: &BTreeSet<StoreId>) -> bool {
        let before = self.databases.len();
        let registered: BTreeSet<String> = registered.iter().map(StoreId::to_string).collect();
        self.databases.retain(|id, _| registered.contains(id));
        let mut changed = self.databases.len() != before;
        for id in registered {
            changed |= self.databases.entry(id).or_default().bring_back(now);
        }
        changed
    }
}

/// Keeps a damaged file for whoever wants to know what became of it.
fn move_aside(root: &DataRoot, now: i64) {
    let aside = root.file(&format!("{FILE}.damaged-{now}"));
    let moved = root.fs().rename(&root.file(FILE), &aside);
    let moved = moved.map_err(|error| StoreError::io("move aside", &aside, &error));
    match moved.and_then(|()| durable::sync_dir(root.fs(), root.path())) {
        Ok(()) => tracing::warn!(file = %aside.display(), "the damaged file was moved aside"),
        Err(error) => tracing::warn!(%error, "the damaged file is going to be replaced"),
    }
}
