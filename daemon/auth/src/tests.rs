//! Tests of the rules, over a vault on disk, with a keyring and a clock that tests control.

mod browser;
mod bypasses;
mod gate;
mod moved;
mod pairings;
mod programs;
mod registrations;
mod restored;
mod rollback;
mod rows;
mod sessions;
mod signins;
mod tailnets;
mod tokens;
mod world;
