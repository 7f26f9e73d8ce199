//! One round of upkeep over databases that answer as the test wants.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicI64, atomic::Ordering},
    time::Duration,
};

use vault_store::{
    Clock, DataRoot, StoreError, StoreName, StoreResult,
    catalogue::StoreRecord,
    databases::SqlError,
    maintenance::{Maintenance, Operation, Schedule, Task, Upkept, Workplace, round},
};

use super::{BEGIN, DAY, HOUR, record};
use crate::support::{fixture::ROOT, simulated::SimulatedFileSystem};

const QUIET: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(300);

struct Moved(AtomicI64);

impl Clock for Moved {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Databases that do nothing, and the rounds over them.
struct Scene {
    clock: Moved,
    maintenance: Mutex<Maintenance>,
    records: Vec<StoreRecord>,
    /// How long ago somebody worked with a database; for ever where it is not said.
    quiet: RefCell<BTreeMap<String, Duration>>,
    /// What an operation on a database fails with.
    failing: RefCell<BTreeMap<(String, &'static str), StoreError>>,
    ran: RefCell<Vec<(String, &'static str)>>,
    /// How many more tasks may begin.
    left: Cell<usize>,
}

impl Workplace for Scene {
    fn records(&self) -> Vec<StoreRecord> {
        self.records.clone()
    }

    fn quiet_for(&self, database: &StoreName) -> StoreResult<Duration> {
        let quiet = self.quiet.borrow().get(database.as_str()).copied();
        Ok(quiet.unwrap_or(Duration::MAX))
    }

    fn run(&self, task: &Task) -> StoreResult<Upkept> {
        let what = (task.database.to_string(), task.operation.name());
        self.ran.borrow_mut().push(what.clone());
        match self.failing.borrow().get(&what) {
            Some(error) => Err(error.clone()),
            None => Ok(Upkept {
                before: 2,
                after: 1,
            }),
        }
    }

    fn go_on(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }
}

impl Scene {
    fn new(names: &[&str]) -> Self {
        let fs = Arc::new(SimulatedFileSystem::new(Path::new(ROOT)));
        let root = DataRoot::new(fs, ROOT.into());
        let scene = Self {
            clock: Moved(AtomicI64::new(BEGIN)),
            maintenance: Mutex::new(Maintenance::load(root, Schedule::default(), BEGIN)),
            records: names.iter().map(|name| record(name)).collect(),
            quiet: RefCell::default(),
            failing: RefCell::default(),
            ran: RefCell::default(),
            left: Cell::new(usize::MAX),
        };
        assert_eq!(scene.round(), FIVE_MINUTES);
        assert_eq!(scene.take(), "");
        scene
    }

    fn round(&self) -> Duration {
        round(&self.maintenance, &self.clock, QUIET, self)
    }

    fn pass(&self, time: i64) {
        self.clock.0.fetch_add(time, Ordering::Relaxed);
    }

    fn quiet(&self, database: &str, seconds: u64) {
        let quiet = Duration::from_secs(seconds);
        self.quiet.borrow_mut().insert(database.to_owned(), quiet);
    }

    /// What ran since this was last asked.
    fn take(&self) -> String {
        let ran = self.ran.take();
        let ran = ran
            .iter()
            .map(|(database, what)| format!("{database} {what}"));
        ran.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn the_next_round_comes_when_something_is_due_or_after_five_minutes() {
    let scene = Scene::new(&["a"]);
    scene.pass(6 * HOUR - 2000);
    assert_eq!(scene.round(), Duration::from_secs(2));
    scene.pass(1999);
    assert_eq!(scene.round(), Duration::from_secs(1), "never in a hurry");
    assert_eq!(scene.take(), "");
    scene.pass(1);
    assert_eq!(scene.round(), FIVE_MINUTES);
    assert_eq!(scene.take(), "a optimize");
}

#[test]
fn a_task_waits_until_its_database_is_quiet_and_keeps_no_other_waiting() {
    let scene = Scene::new(&["a", "b"]);
    scene.quiet("a", 20);
    scene.pass(7 * HOUR);
    assert_eq!(
        scene.round(),
        Duration::from_secs(40),
        "when a may be quiet"
    );
    assert_eq!(scene.take(), "b optimize");
    scene.quiet("a", 60);
    scene.round();
    assert_eq!(scene.take(), "a optimize");
}

#[test]
fn one_that_is_pressing_waits_no_longer() {
    let scene = Scene::new(&["a"]);
    scene.quiet("a", 0);
    scene.pass(12 * HOUR);
    scene.round();
    assert_eq!(scene.take(), "");
    scene.pass(1);
    scene.round();
    assert_eq!(scene.take(), "a optimize");
}

#[test]
fn what_gave_way_to_work_is_still_due_and_no_failure() {
    let yielding = [
        SqlError::Busy,
        SqlError::Cancelled,
        SqlError::TransactionEnded,
    ];
    for error in yielding
        .map(StoreError::from)
        .into_iter()
        .chain([StoreError::Closed])
    {
        let scene = Scene::new(&["a"]);
        scene.pass(6 * HOUR);
        let what = ("a".to_owned(), Operation::Optimize.name());
        scene.failing.borrow_mut().insert(what, error.clone());
        scene.round();
        assert_eq!(scene.take(), "a optimize", "{error}");
        let status = |scene: &Scene| {
            let mut maintenance = scene.maintenance.lock().expect("nobody panics");
            maintenance.status(scene.clock.now_ms(), &scene.records)[0].clone()
        };
        let now = status(&scene);
        assert_eq!((now.last, now.failure), (None, None), "{error}");
        assert_eq!(now.next, Some(BEGIN + 6 * HOUR), "{error}");
        scene.failing.borrow_mut().clear();
        scene.round();
        assert_eq!(scene.take(), "a optimize", "{error}");
        assert_eq!(status(&scene).last, Some(BEGIN + 6 * HOUR), "{error}");
    }
}

#[test]
fn a_failure_keeps_no_other_from_going_on_and_is_not_repeated_at_once() {
    let scene = Scene::new(&["a", "b"]);
    scene.pass(30 * DAY);
    let what = ("a".to_owned(), Operation::Optimize.name());
    let error = StoreError::InvalidArgument("any".to_owned());
    scene.failing.borrow_mut().insert(what, error);
    scene.round();
    let all = "a optimize, b optimize, a checkpoint, b checkpoint, a vacuum, b vacuum";
    assert_eq!(scene.take(), all);
    scene.round();
    scene.pass(HOUR - 1);
    assert_eq!(scene.round(), Duration::from_secs(1));
    assert_eq!(scene.take(), "");
    scene.pass(1);
    scene.round();
    assert_eq!(scene.take(), "a optimize");
}

#[test]
fn told_to_stop_it_begins_nothing_more() {
    let scene = Scene::new(&["a", "b"]);
    scene.pass(6 * HOUR);
    scene.left.set(1);
    scene.round();
    assert_eq!(scene.take(), "a optimize");
    scene.left.set(usize::MAX);
    scene.round();
    assert_eq!(scene.take(), "b optimize");
}
