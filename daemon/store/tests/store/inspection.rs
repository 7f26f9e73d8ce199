//! Whoever only looks changes nothing: not on the disk, and not in the keyring.

use std::path::Path;

use vault_crypto::{MasterKey, Salt, StorageKey};
use vault_store::{
    KeyEntry, StoreError,
    catalogue::Protection,
    kind::StoreStats,
    rotation::Depth,
    vault::{NextKey, SaltState, Unsound},
};

use crate::{
    archive_world::rich,
    support::{
        fixture::{Fixture, ROOT, name, put, store_of},
        rotating::advance,
        simulated::Image,
    },
};

/// Leaves in every folder what a crash leaves half-written.
fn leave_rubbish(fixture: &Fixture) {
    for folder in fixture.simulated.image().tree.keys() {
        let path = folder.join(".tmp-0000000000000000");
        let mut file = fixture.fs.create_new(&path).expect("created");
        file.write_all(b"half").expect("written");
    }
}

#[test]
fn a_store_that_nobody_opened_is_read_as_it_lies_there() {
    let fixture = Fixture::new();
    drop(rich(&fixture));
    let vault = fixture.open().expect("open");
    leave_rubbish(&fixture);
    fixture.simulated.settle();
    let stores = vault.stores();
    let examine = |record| vault.examine_store(record).expect("examined");
    let examined: Vec<StoreStats> = stores.iter().map(|record| examine(&record.name)).collect();
    assert!(fixture.simulated.log().is_empty(), "it wrote");
    for (record, examined) in stores.iter().zip(&examined) {
        let open = vault.open_store(&record.name).expect("open");
        assert_eq!(open.stats().expect("stats"), *examined, "{}", record.name);
        // An open one tells of itself.
        assert_eq!(examine(&record.name), *examined);
    }
    assert!(!fixture.simulated.log().is_empty(), "opening clears away");
    vault.close();
    let closed = vault.examine_store(&stores[0].name);
    assert!(matches!(closed, Err(StoreError::Closed)));
}

#[test]
fn damage_shows_in_a_store_that_nobody_opened() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture, Protection::Protected);
    put(&store, "a", "a");
    put(&store, "b", "b");
    let object = |image: &Image| {
        let mut objects = image
            .tree
            .iter()
            .filter(|(folder, _)| folder.ends_with("objects"));
        let (folder, entries) = objects.next().expect("a folder of objects");
        folder.join(entries.keys().next().expect("an object"))
    };
    let path = object(&fixture.simulated.image());
    drop((vault, store));
    fixture.fs.remove_file(&path).expect("removed");
    let mut file = fixture.fs.create_new(&path).expect("created");
    file.write_all(b"damage").expect("written");
    let vault = fixture.open().expect("open");
    let examined = vault.examine_store(&name("notes")).expect("examined");
    assert_eq!((examined.objects, examined.damaged), (1, 1));
}

#[test]
fn a_copy_of_the_salt_that_is_gone_is_told_of_and_mended_on_request() {
    let fixture = Fixture::new();
    let vault = fixture.create().expect("a new vault");
    let master = MasterKey::from_bytes(&[3; 32]).expect("32 bytes");
    let salt = Salt::generate().expect("random source");
    let key = StorageKey::derive(&master, &salt);
    let next = NextKey::Derived { key, salt };
    let begun = vault.begin_rotation(&fixture.keyring, Depth::Rewrap, next);
    begun.expect("begun");
    advance(&vault, &fixture.keyring).expect("rotated");
    let sidecar = Path::new(ROOT).join("derivation.json");
    let whole = fixture.simulated.image();
    let look = || vault.inspect(&fixture.keyring).expect("inspected").unsound;
    assert_eq!((look(), vault.salt()), (Vec::new(), SaltState::Fine));

    fixture.fs.remove_file(&sidecar).expect("removed");
    fixture.simulated.settle();
    let entries = fixture.keyring.entries();
    assert!(matches!(look()[..], [Unsound::Salt(_)]));
    assert!(matches!(vault.salt(), SaltState::OneCopy(_)));
    assert!(fixture.simulated.log().is_empty() && fixture.keyring.entries() == entries);
    let mended = vault.mend(&fixture.keyring).expect("written");
    mended.expect("kept");
    assert_eq!((look(), vault.salt()), (Vec::new(), SaltState::Fine));
    let image = fixture.simulated.image();
    assert!(image.file(&sidecar) == whole.file(&sidecar), "put back");

    fixture.keyring.present(vault.id(), KeyEntry::Salt, None);
    fixture.simulated.settle();
    assert!(matches!(look()[..], [Unsound::Salt(_)]));
    assert!(fixture.simulated.log().is_empty(), "it wrote");
    vault
        .mend(&fixture.keyring)
        .expect("written")
        .expect("kept");
    assert_eq!(fixture.keyring.entries(), entries);
}
