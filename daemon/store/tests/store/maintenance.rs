//! The upkeep's schedule, by a clock that the test moves.

mod file;
mod round;

use std::{path::Path, sync::Arc, time::Duration};

use vault_store::{
    DataRoot, FileSystem, SizeClass, StoreError, StoreId,
    catalogue::{DatabaseOptions, Kind, Protection, StoreRecord},
    maintenance::{Due, Maintenance, Operation, Schedule, Task},
};

use crate::support::{
    faulty::{Fault, FaultyFileSystem},
    fixture::{ROOT, name},
    simulated::SimulatedFileSystem,
};

const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// When each test begins.
const BEGIN: i64 = 1_700_000_000_000;

fn record(text: &str) -> StoreRecord {
    StoreRecord {
        id: StoreId::generate().expect("random bytes"),
        name: name(text),
        kind: Kind::Database,
        protection: Protection::Protected,
        size_class: SizeClass::Chat,
        database: DatabaseOptions::default(),
        attachments: vault_store::catalogue::AttachmentOptions::default(),
    }
}

fn excluded(text: &str) -> StoreRecord {
    let mut record = record(text);
    record.database.without_maintenance = true;
    record
}

/// How often each operation was done: optimize, checkpoint, vacuum.
type Counts = [u32; 3];

/// A daemon that does at once what is due, and may be started anew.
struct World {
    fs: Arc<dyn FileSystem>,
    schedule: Schedule,
    records: Vec<StoreRecord>,
    now: i64,
    maintenance: Maintenance,
}

impl World {
    fn new(records: Vec<StoreRecord>) -> Self {
        let fs = Arc::new(SimulatedFileSystem::new(Path::new(ROOT)));
        Self::on(fs, records, Schedule::default())
    }

    fn on(fs: Arc<dyn FileSystem>, records: Vec<StoreRecord>, schedule: Schedule) -> Self {
        let root = DataRoot::new(Arc::clone(&fs), ROOT.into());
        let maintenance = Maintenance::load(root, schedule, BEGIN);
        let mut world = Self {
            fs,
            schedule,
            records,
            now: BEGIN,
            maintenance,
        };
        assert_eq!(world.due(), [], "nothing is due right after installing");
        world
    }

    /// The daemon ends without notice and starts again.
    fn restart(&mut self) {
        let root = DataRoot::new(Arc::clone(&self.fs), ROOT.into());
        self.maintenance = Maintenance::load(root, self.schedule, self.now);
    }

    fn due(&mut self) -> Vec<Due> {
        self.maintenance.due(self.now, &self.records)
    }

    /// Does what is due.
    fn tick(&mut self) -> Counts {
        let mut counts = [0; 3];
        for Due { task, .. } in self.due() {
            counts[task.operation as usize] += 1;
            self.maintenance.ran(&task, self.now);
        }
        counts
    }

    /// Lets time pass, with a tick after every `step`.
    fn pass(&mut self, time: i64, step: i64) -> Counts {
        let mut counts = [0; 3];
        for _ in 0..time / step {
            self.now += step;
            add(&mut counts, self.tick());
        }
        counts
    }

    fn task(&self, database: usize, operation: Operation) -> Task {
        let record = &self.records[database];
        Task {
            operation,
            database: record.name.clone(),
            store: record.id,
        }
    }

    /// When something is due, from now.
    fn next(&mut self, database: usize, operation: Operation) -> Option<i64> {
        let task = self.task(database, operation);
        let status = self.maintenance.status(self.now, &self.records);
        let status = status.iter().find(|status| status.task == task);
        Some(status.expect("a task").next? - self.now)
    }
}

fn add(counts: &mut Counts, more: Counts) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
}

#[test]
fn ninety_days_with_a_restart_every_36_hours() {
    let mut world = World::new(vec![record("one"), record("two")]);
    let mut counts = [0; 3];
    for _ in 0..60 {
        add(&mut counts, world.pass(36 * HOUR, 10 * MINUTE));
        world.restart();
    }
    // For each of two: 90 days of 4, 90 / 7, 90 / 30.
    assert_eq!(counts, [2 * 360, 2 * 12, 2 * 3]);
}

#[test]
fn ninety_days_of_ticks_that_meet_no_hour() {
    let mut world = World::new(vec![record("one")]);
    // Every 364, 10080 and 43204 minutes, of 129600.
    assert_eq!(world.pass(90 * DAY, 7 * MINUTE), [356, 12, 2]);
}

#[test]
fn ninety_days_of_which_the_daemon_runs_nine_hours_each() {
    let mut world = World::new(vec![record("one")]);
    let mut counts = [0; 3];
    for day in 0..90 {
        world.now = BEGIN + day * DAY;
        world.restart();
        add(&mut counts, world.tick());
        add(&mut counts, world.pass(8 * HOUR, HOUR));
    }
    // At its start and six hours later, but for the first day's start.
    assert_eq!(counts, [2 * 90 - 1, 12, 2]);
}

#[test]
fn restarts_more_frequent_than_the_interval_put_nothing_off() {
    let mut world = World::new(vec![record("one")]);
    let mut counts = [0; 3];
    for _ in 0..30 * 24 {
        world.restart();
        add(&mut counts, world.pass(HOUR, 30 * MINUTE));
    }
    assert_eq!(counts, [120, 4, 1]);
}

#[test]
fn a_clock_set_back_fires_nothing_early_and_delays_by_no_more_than_an_interval() {
    for (back, restart) in [
        (HOUR, false),
        (HOUR, true),
        (40 * DAY, false),
        (40 * DAY, true),
    ] {
        let mut world = World::new(vec![record("one")]);
        assert_eq!(world.pass(31 * DAY, HOUR), [124, 4, 1]);
        world.now += 3 * HOUR - back;
        if restart {
            world.restart();
        }
        assert_eq!(world.tick(), [0; 3], "back by {back}");
        // The last run was 3 hours ago: seen from an hour earlier, 2. From 40 days earlier it is
        // still to come, and counts from now.
        let wait = if back == HOUR { 4 * HOUR } else { 6 * HOUR };
        assert_eq!(world.next(0, Operation::Optimize), Some(wait));
        assert_eq!(world.pass(wait - HOUR, HOUR), [0; 3], "back by {back}");
        assert_eq!(world.pass(HOUR, HOUR), [1, 0, 0], "back by {back}");
        let rest = 30 * DAY - wait;
        let [optimized, checkpoints, vacuums] = world.pass(rest, HOUR);
        assert_eq!(i64::from(optimized), rest / (6 * HOUR), "back by {back}");
        assert_eq!((checkpoints, vacuums), (4, 1), "back by {back}");
    }
}

#[test]
fn a_clock_jumping_forward_makes_each_run_once() {
    let mut world = World::new(vec![record("one"), record("two")]);
    assert_eq!(world.pass(7 * HOUR, HOUR), [2, 0, 0]);
    world.now += 1000 * DAY;
    let due = world.due();
    assert!(due.iter().all(|due| due.pressing), "{due:?}");
    let order: Vec<_> = due.iter().map(|due| due.task.operation as usize).collect();
    assert_eq!(order, [0, 0, 1, 1, 2, 2], "the quick ones first");
    assert_eq!(world.tick(), [2, 2, 2]);
    assert_eq!(world.tick(), [0; 3], "no burst");
    // And back to where it belongs: nothing is early, nothing is lost.
    world.now -= 1000 * DAY;
    assert_eq!(world.tick(), [0; 3]);
    assert_eq!(world.pass(30 * DAY, HOUR), [2 * 120, 2 * 4, 2]);
}

#[test]
fn a_task_is_pressing_when_another_interval_has_passed() {
    let mut world = World::new(vec![record("one")]);
    world.now += 12 * HOUR;
    let pressing = |world: &mut World| world.due()[0].pressing;
    assert!(!pressing(&mut world));
    world.now += 1;
    assert!(pressing(&mut world));
}

#[test]
fn new_databases_begin_now_and_removed_ones_are_forgotten() {
    let mut world = World::new(vec![record("one"), excluded("never")]);
    world.pass(29 * DAY, HOUR);
    world.records.push(record("two"));
    assert_eq!(world.tick(), [0; 3]);
    let later = world.pass(2 * DAY, HOUR);
    assert_eq!(
        later,
        [2 * 8, 0, 1],
        "the vacuum is that of the first alone"
    );
    assert_eq!(world.next(1 + 1, Operation::Vacuum), Some(28 * DAY));

    let gone = world.records.remove(0);
    assert_eq!(world.pass(6 * HOUR, HOUR), [1, 0, 0]);
    // Under the same identifier, as if it had never been there.
    world.records.push(gone);
    world.restart();
    assert_eq!(world.tick(), [0; 3]);
    assert_eq!(world.next(2, Operation::Optimize), Some(6 * HOUR));
}

#[test]
fn other_intervals_and_operations_turned_off() {
    let fs = Arc::new(SimulatedFileSystem::new(Path::new(ROOT)));
    let schedule = Schedule {
        optimize: None,
        checkpoint: Some(Duration::from_secs(3600)),
        ..Schedule::default()
    };
    let mut world = World::on(fs, vec![record("one")], schedule);
    assert_eq!(world.next(0, Operation::Optimize), None);
    assert_eq!(world.pass(30 * DAY, HOUR), [0, 30 * 24, 1]);
}

#[test]
fn a_failure_is_tried_again_after_a_pause() {
    let mut world = World::new(vec![record("one")]);
    let full = StoreError::NoSpace {
        operation: "VACUUM",
        needed: 300,
        free: 100,
    };
    let damaged = StoreError::StoreExists("any other".to_owned());
    for (error, pause) in [(full, 6 * HOUR), (damaged, HOUR)] {
        world.now += 30 * DAY;
        let task = world.task(0, Operation::Vacuum);
        assert_eq!(world.due()[2].task, task);
        world.maintenance.failed(&task, world.now, &error);
        assert_eq!(world.due().len(), 2, "the others go on");
        assert_eq!(world.next(0, Operation::Vacuum), Some(pause));
        let status = world.maintenance.status(world.now, &world.records);
        assert_eq!(status[2].failure, Some(error.to_string()));

        // A clock set back does not make the pause longer.
        world.now -= DAY;
        assert_eq!(world.next(0, Operation::Vacuum), Some(DAY));
        world.now += pause;
        assert!(world.due().iter().all(|due| due.task != task));
        world.now += DAY - pause;
        assert!(world.due().iter().any(|due| due.task == task));
        world.tick();
        let status = world.maintenance.status(world.now, &world.records);
        assert_eq!(status[2].failure, None);
    }
}

#[test]
fn on_a_disk_that_takes_nothing_the_schedule_goes_on_in_memory() {
    for fault in [Fault::Broken, Fault::Full] {
        let simulated = SimulatedFileSystem::new(Path::new(ROOT));
        let faulty = FaultyFileSystem::new(Arc::new(simulated.clone()), Some(simulated));
        faulty.strike(0, fault);
        let records = vec![record("one")];
        let mut world = World::on(Arc::new(faulty.clone()), records, Schedule::default());
        assert_eq!(world.pass(30 * DAY, HOUR), [120, 4, 1], "{fault:?}");
        faulty.heal();
        // Written as soon as the disk takes it.
        world.now += HOUR;
        assert_eq!(world.tick(), [0; 3], "{fault:?}");
        world.restart();
        assert_eq!(
            world.next(0, Operation::Optimize),
            Some(5 * HOUR),
            "{fault:?}"
        );
        let vacuum = world.next(0, Operation::Vacuum);
        assert_eq!(vacuum, Some(30 * DAY - HOUR), "{fault:?}");
    }
}
