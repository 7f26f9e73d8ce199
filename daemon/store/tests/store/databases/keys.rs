//! A database whose key changes while it is in use.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use vault_store::{
    databases::{Parameters, SqlError, Value},
    kind::Store as _,
};

use super::{Kept, World, call, insert, insertion, sql_error};
use crate::support::rotating::reencrypt;

fn rotate(world: &World) {
    reencrypt(&world.disk.vault, &world.disk.keyring);
}

#[test]
fn a_rotation_makes_a_new_file_and_removes_the_old_one() {
    let mut world = World::with_notes();
    world.add("a");
    let first = world.files();
    rotate(&world);
    world.add("b");
    let second = world.files();
    assert_eq!(
        second.len(),
        4,
        "file, log, index of the log, head: {second:?}"
    );
    assert!(
        first
            .iter()
            .all(|file| file == "head" || !second.contains(file))
    );
    rotate(&world);
    assert_eq!(world.notes(), ["a", "b"]);
    world.reopen();
    assert_eq!(world.notes(), ["a", "b"]);
    assert!(
        second
            .iter()
            .all(|file| file == "head" || !world.files().contains(file))
    );
    assert!(
        world
            .database
            .older_keys_in_use()
            .expect("known")
            .is_empty()
    );
}

#[test]
fn a_reader_finishes_on_the_file_it_began_with() {
    let world = World::with_notes();
    world.add("a");
    let before = world.files();
    let old = before.iter().find(|file| file.len() == 19).expect("a file");
    let mut view = world.database.begin(&call(), true).expect("begun");
    rotate(&world);
    world.add("b");
    let mut kept = Kept::default();
    view.query("SELECT text FROM note", &Parameters::default(), &mut kept)
        .expect("rows");
    assert_eq!(kept.rows, [[Value::Text("a".to_owned())]]);
    assert!(world.files().contains(old));
    drop(view);
    assert!(!world.files().iter().any(|file| file.starts_with(old)));
    assert_eq!(world.notes(), ["a", "b"]);
}

#[test]
fn a_client_that_keeps_its_transaction_open_loses_it_and_may_try_again() {
    let world = World::with_notes();
    let call = call();
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    call.stop
        .on_stop(move || told.store(true, Ordering::Release));
    let mut open = world.database.begin(&call, false).expect("begun");
    open.execute(&insertion("a")).expect("inserted");
    thread::scope(|scope| {
        let rotation = scope.spawn(|| rotate(&world));
        // A client that thinks, and whose daemon listens for its next statement and for the end.
        while !ended.load(Ordering::Acquire) {
            thread::yield_now();
        }
        assert_eq!(
            sql_error(open.execute(&insertion("b"))),
            SqlError::TransactionEnded
        );
        drop(open);
        rotation.join().expect("rotated");
    });
    assert_eq!(world.notes(), [""; 0]);
    world.add("a");
    assert_eq!(world.notes(), ["a"]);
}

#[test]
fn writers_and_readers_go_on_through_rotations() {
    let mut world = World::with_notes();
    let done = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (database, done) = (&world.database, &done);
                scope.spawn(move || {
                    let mut written = Vec::new();
                    while !done.load(Ordering::Acquire) {
                        let text = format!("{writer}-{}", written.len());
                        insert(database, &text).expect("inserted");
                        written.push(text);
                    }
                    written
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Acquire) {
                let now = world.notes().len();
                assert!(now >= seen, "{now} after {seen}");
                seen = now;
            }
        });
        for _ in 0..5 {
            rotate(&world);
        }
        done.store(true, Ordering::Release);
        reader.join().expect("read");
        writers
            .into_iter()
            .flat_map(|writer| writer.join().expect("wrote"))
            .collect::<Vec<_>>()
    });
    assert!(written.len() > 5);
    world.reopen();
    let mut notes = world.notes();
    notes.sort();
    let mut written = written;
    written.sort();
    assert_eq!(notes, written);
}
