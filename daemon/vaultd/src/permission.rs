//! Permission, decided in one place: a table of every method with who may call it and how far that
//! must reach, and a layer that puts it in front of every service. A method that is not in the table
//! is refused.

mod judge;
mod lasting;
mod layer;
mod names;
mod peek;
mod reach;
mod table;

pub use layer::{Guarded, PermissionLayer};
pub use reach::{Named, NamesStores, Reach};
pub use table::{Recorded, Rule, Scope, Shape, TABLE, find};
