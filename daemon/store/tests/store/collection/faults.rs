//! The disk fails while it is noted since when blobs are not named: none is removed too early.

use std::sync::Arc;

use super::{GRACE, stray};
use crate::support::{
    blob_world::BlobWorld,
    faulty::{Fault, FaultyFileSystem, Struck},
    fixture::Fixture,
};

/// What could not be noted may be on the disk all the same; a blob that is put again lives on.
#[test]
fn a_blob_put_again_after_a_fault_lives_for_its_time() {
    for fault in Fault::ALL {
        for call in 0.. {
            let fixture = Fixture::new();
            let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), None);
            let mut world = BlobWorld::over(Fixture {
                fs: Arc::new(faulty.clone()),
                ..fixture
            });
            stray(&world, b"stray");
            faulty.strike(call, fault);
            let _ = world.try_to_collect(GRACE);
            if faulty.heal() == Struck::Never {
                break;
            }
            world.pass(GRACE);
            stray(&world, b"stray");
            world.reopen();
            let context = format!("{fault:?} at call {call}");
            assert_eq!(world.collect(GRACE).removed, 0, "{context}");
        }
    }
}
