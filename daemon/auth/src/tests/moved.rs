//! A key that moves to another keyring while the tables are open.

use std::sync::Arc;

use super::world::{Remembered, World, admin_token};
use crate::Anchor;

#[test]
fn the_generation_goes_on_in_the_new_place() {
    let world = World::new();
    // From one that remembers nothing, too.
    world.anchor.keep_nothing(true);
    let opened = world.open();
    let tables = opened.auth.tables();
    admin_token(&opened.auth, None);
    let new = Arc::new(Remembered::default());
    tables
        .move_anchor(Arc::clone(&new) as Arc<dyn Anchor>)
        .expect("it answers");
    assert!(tables.is_anchored());
    assert_eq!(new.generation(), Some(tables.generation()));
    opened.auth.reset_tokens().expect("revoked");
    assert_eq!(new.generation(), Some(tables.generation()));
    assert_eq!(world.anchor.generation(), None);
}

#[test]
fn sound_tables_are_accepted_as_they_are() {
    let world = World::new();
    admin_token(&world.open().auth, None);
    let before = world.reopened();
    assert_eq!(world.accept().expect("accepted"), (0, 0));
    assert_eq!(world.reopened(), before);
}
