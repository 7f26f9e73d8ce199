//! Who names a blob and who removes it, at the same moment.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use vault_store::{StoreError, StoreResult, blobs::BlobRef, collection::Collected};

use super::{GRACE, stray};
use crate::support::{
    blob_world::{BlobWorld, collect, put, with_refs},
    fixture::{Fixture, name},
    gate::{Gate, Keeper, PATIENCE},
};

/// How long somebody is watched who must wait.
const WATCHED: Duration = Duration::from_millis(300);

/// A world with a blob that is due to be removed, over a gate.
fn due(
    stops: impl Fn(&str, &Path) -> bool + Send + Sync + 'static,
) -> (BlobWorld, BlobRef, Keeper) {
    let fixture = Fixture::new();
    let (gate, keeper) = Gate::new(fixture.simulated.clone(), stops);
    let world = BlobWorld::over(Fixture {
        fs: Arc::new(gate),
        ..fixture
    });
    world.put("before", "{}").expect("put");
    let blob = stray(&world, b"stray");
    world.collect(GRACE);
    world.pass(GRACE);
    (world, blob, keeper)
}

/// One of the folders that blobs lie in.
fn is_shard(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.len() == 1)
}

fn stopped(keeper: &Keeper) {
    keeper
        .reached
        .recv_timeout(PATIENCE)
        .expect("it stops there");
}

fn spawned<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
}

fn waits<T>(receiver: &mpsc::Receiver<T>) {
    assert!(receiver.recv_timeout(WATCHED).is_err(), "it does not wait");
}

/// Stops amid a write of a document that names the blob, and gives what comes of it.
fn naming(world: &BlobWorld, keeper: &Keeper, blob: BlobRef) -> mpsc::Receiver<StoreResult<()>> {
    let notes = world.notes();
    keeper.arm();
    let body = with_refs(&[blob]);
    let write = spawned(move || put(&notes, "a", &body).map(drop));
    stopped(keeper);
    write
}

/// What a collection did that has nothing to wait for any more.
fn ended(collection: &mpsc::Receiver<StoreResult<Collected>>) -> Collected {
    let collected = collection.recv_timeout(PATIENCE).expect("ended");
    collected.expect("collected")
}

fn collecting(world: &Arc<BlobWorld>) -> mpsc::Receiver<StoreResult<Collected>> {
    let world = Arc::clone(world);
    spawned(move || collect(&world.vault, GRACE))
}

#[test]
fn what_a_document_is_about_to_name_is_not_removed() {
    // While the document becomes durable.
    let (world, blob, keeper) = due(|call, path| call == "sync" && path.ends_with("objects"));
    let world = Arc::new(world);
    let write = naming(&world, &keeper, blob);
    let collection = collecting(&world);
    // What the documents name is not known before.
    waits(&collection);
    drop(keeper);
    write.recv_timeout(PATIENCE).expect("ended").expect("put");
    let collected = ended(&collection);
    assert_eq!(collected.removed, 0);
    assert!(world.holds(&blob));
    assert_eq!(world.collect(Duration::ZERO).named, 1);
}

#[test]
fn whoever_removes_waits_for_whoever_names() {
    // While the document becomes durable, and everything unnamed goes at once.
    let (world, blob, keeper) = due(|call, path| call == "sync" && path.ends_with("objects"));
    let world = Arc::new(world);
    let write = naming(&world, &keeper, blob);
    let at_once = Arc::clone(&world);
    let collection = spawned(move || collect(&at_once.vault, Duration::ZERO));
    waits(&collection);
    drop(keeper);
    write.recv_timeout(PATIENCE).expect("ended").expect("put");
    let collected = ended(&collection);
    assert_eq!(collected.removed, 0);
    assert!(world.holds(&blob));
}

#[test]
fn a_document_cannot_name_what_is_being_removed() {
    let (world, blob, keeper) = due(|call, path| call == "sync" && is_shard(path));
    let world = Arc::new(world);
    let notes = world.notes();
    keeper.arm();
    let collection = collecting(&world);
    stopped(&keeper);
    let body = with_refs(&[blob]);
    let write = spawned(move || put(&notes, "a", &body).map(drop));
    waits(&write);
    drop(keeper);
    let refused = write
        .recv_timeout(PATIENCE)
        .expect("ended")
        .expect_err("it is gone");
    assert!(
        matches!(refused, StoreError::BlobMissing(found) if found == blob),
        "{refused}"
    );
    let collected = ended(&collection);
    assert_eq!(collected.removed, 1);
}

#[test]
fn what_is_put_again_during_a_look_stays() {
    let (world, blob, keeper) = due(|call, path| call == "list" && is_shard(path));
    let world = Arc::new(world);
    keeper.arm();
    let collection = collecting(&world);
    stopped(&keeper);
    let blobs = world.vault.blobs(&name("blobs")).expect("open");
    assert!(blobs.put("text/plain", b"stray").expect("put").existed);
    drop(keeper);
    let collected = ended(&collection);
    assert_eq!(collected.removed, 0);
    assert!(world.holds(&blob));
    // It was named in this look: its time has not even begun.
    world.pass(GRACE);
    assert_eq!(world.collect(GRACE).removed, 0);
}

/// Another vault may be at work once this one is closed, and a removal that comes late would take
/// what was acknowledged there.
#[test]
fn a_vault_is_closed_once_nobody_removes_anything() {
    let (world, _, keeper) = due(|call, path| call == "sync" && is_shard(path));
    let world = Arc::new(world);
    keeper.arm();
    let collected = collecting(&world);
    stopped(&keeper);
    let closed = spawned({
        let world = Arc::clone(&world);
        move || world.vault.close()
    });
    waits(&closed);
    drop(keeper);
    closed.recv_timeout(PATIENCE).expect("closed");
    // It had removed the blob, or was told that it comes too late to note so.
    let late = collected.recv_timeout(PATIENCE).expect("it has ended");
    assert!(matches!(late, Ok(_) | Err(StoreError::Closed)), "{late:?}");
}

/// Whoever removes a store waits for an upload that is about to end, and keeps nobody waiting: the
/// upload may itself wait for somebody who asks which stores there are.
#[test]
fn a_store_that_waits_for_an_upload_to_be_removed_holds_up_nobody() {
    let (world, _, keeper) =
        due(|call, path| call == "open" && path.parent().is_some_and(is_shard));
    let world = Arc::new(world);
    let blobs = world.blobs();
    let folder = world.fixture.root().store(blobs.record().id);
    keeper.arm();
    let upload = spawned(move || blobs.put("text/plain", b"late").map(drop));
    stopped(&keeper);
    let remover = Arc::clone(&world);
    let removal = spawned(move || remover.vault.remove_store(&name("blobs")));
    let asked = Arc::clone(&world);
    let gone = spawned(move || {
        while asked.vault.blobs(&name("blobs")).is_ok() {
            thread::yield_now();
        }
        asked.vault.stores().len()
    });
    assert_eq!(gone.recv_timeout(PATIENCE).expect("answered"), 1);
    waits(&removal);
    drop(keeper);
    let _ = upload.recv_timeout(PATIENCE).expect("ended");
    removal
        .recv_timeout(PATIENCE)
        .expect("ended")
        .expect("removed");
    let files = world.fixture.fs.read_dir(&folder);
    assert!(files.is_err(), "its files are gone");
}
