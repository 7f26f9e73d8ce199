//! Upkeep of a real vault, by a clock that the test moves.

use std::sync::atomic::AtomicI64;

use tempfile::TempDir;
use vault_store::{
    SizeClass,
    catalogue::{DatabaseOptions, Kind, Protection},
    databases::Statement,
    vault::NewStore,
};

use super::*;
use crate::config::{Config, Flags};

const HOUR: i64 = 60 * 60 * 1000;
const BEGIN: i64 = 1_700_000_000_000;

struct Moved(AtomicI64);

impl Clock for Moved {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct World {
    clock: Moved,
    keeper: Keeper,
    _folder: TempDir,
}

impl World {
    /// An open vault with a database that is looked after and one that is not.
    fn new(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, configuration).expect("written");
        let flags = Flags {
            config: Some(file),
            data_dir: Some(folder.path().join("root")),
            ephemeral: true,
            ..Flags::default()
        };
        let config = Config::load(&flags).expect("valid");
        let _lock = vault_store::root::RootLock::acquire(&config.place.data_root).expect("mine");
        let keeper = Keeper::new(&config);
        let vault = keeper.init(None, None).expect("a new vault");
        for (name, without_maintenance) in [("one", false), ("plugins/two", true)] {
            create(&vault, name, without_maintenance);
        }
        Self {
            clock: Moved(AtomicI64::new(BEGIN)),
            keeper,
            _folder: folder,
        }
    }

    fn vault(&self) -> Arc<Vault> {
        self.keeper.vault().expect("open")
    }

    fn maintain(&self) -> Duration {
        self.keeper.maintain(&self.clock)
    }

    fn pass(&self, time: i64) {
        self.clock.0.fetch_add(time, Ordering::Relaxed);
    }

    /// When each operation was last done, since the beginning.
    fn last(&self) -> [Option<i64>; 3] {
        let status = self.keeper.upkeep_status(&self.vault(), &self.clock);
        let tasks: [TaskStatus; 3] = status.tasks.try_into().expect("three of the first alone");
        tasks.map(|task| Some(task.last? - BEGIN))
    }
}

fn name(text: &str) -> StoreName {
    StoreName::parse(text).expect("a good name")
}

fn create(vault: &Vault, text: &str, without_maintenance: bool) {
    let new = NewStore {
        name: name(text),
        kind: Kind::Database,
        protection: Protection::Protected,
        size_class: SizeClass::Chat,
        attachments: vault_store::catalogue::AttachmentOptions::default(),
        database: DatabaseOptions {
            without_maintenance,
            ..DatabaseOptions::default()
        },
    };
    vault.create_store(new).expect("created");
    let database = vault.database(&name(text)).expect("open");
    let statement = Statement::new("CREATE TABLE notes (text)");
    let call = Call::within(Duration::from_secs(20));
    database.execute(&call, &statement).expect("executed");
}

#[test]
fn what_is_due_is_done_in_the_open_vault() {
    let world = World::new("[maintenance]\nidle_seconds = 0\nvacuum = \"5d\"");
    assert_eq!(world.maintain(), Duration::from_secs(300));
    assert_eq!(world.last(), [None, None, None]);
    world.pass(6 * HOUR);
    world.maintain();
    assert_eq!(world.last(), [Some(6 * HOUR), None, None]);
    world.pass(114 * HOUR);
    world.maintain();
    assert_eq!(world.last(), [Some(120 * HOUR), None, Some(120 * HOUR)]);
}

#[test]
fn a_database_that_was_used_just_now_is_left_alone() {
    let world = World::new("");
    world.maintain();
    world.pass(6 * HOUR);
    let wait = world.maintain();
    assert_eq!(world.last(), [None, None, None]);
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
    assert!(wait > Duration::from_secs(30), "{wait:?}");
}

#[test]
fn a_locked_vault_stays_locked() {
    let world = World::new("[maintenance]\nidle_seconds = 0");
    world.maintain();
    world.pass(6 * HOUR);
    world.keeper.lock();
    assert_eq!(world.maintain(), CLOSED);
    assert!(world.keeper.status().vault.is_err());
}

#[test]
fn upkeep_puts_no_lock_off_and_begins_nothing_before_one() {
    let settings = "[maintenance]\nidle_seconds = 0";
    let world = World::new(&format!("idle_lock = \"1h\"\n{settings}"));
    world.maintain();
    world.pass(6 * HOUR);
    let before = world.keeper.activity.rest();
    world.maintain();
    assert!(world.keeper.activity.rest() < before, "the time runs on");
    assert_eq!(world.last()[0], Some(6 * HOUR));

    let world = World::new(&format!("idle_lock = \"20ms\"\n{settings}"));
    world.maintain();
    world.pass(6 * HOUR);
    while world.keeper.activity.rest() > Some(Duration::from_millis(4)) {
        std::hint::spin_loop();
    }
    world.maintain();
    assert_eq!(world.last()[0], None);
}

#[test]
fn what_is_asked_for_is_one_two_or_all() {
    let world = World::new("");
    let vault = world.vault();
    let tasks = |database: Option<&str>, operation| {
        let database = database.map(name);
        Keeper::upkeep_tasks(&vault, database.as_ref(), operation)
    };
    let all = tasks(None, None).expect("known");
    assert_eq!(all.len(), 3, "the excluded one is not among them");
    let vacuum = Some(Operation::Vacuum);
    let named = tasks(Some("plugins/two"), vacuum).expect("by name it is");
    assert_eq!(named.len(), 1);
    assert!(tasks(Some("three"), None).is_err());
    let call = Call::within(Duration::from_secs(20));
    for task in all.iter().chain(&named) {
        let done = world.keeper.upkeep_now(&vault, task, &call, &world.clock);
        done.expect("done, though nothing is due and the database was used just now");
    }
    assert_eq!(world.last(), [Some(0); 3]);
    let status = world.keeper.upkeep_status(&vault, &world.clock);
    assert_eq!(status.excluded, [name("plugins/two")]);
}
