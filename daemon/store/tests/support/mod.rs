//! What several tests share.

pub(crate) mod blob_world;
pub(crate) mod crash;
pub(crate) mod disk;
pub(crate) mod faulty;
pub(crate) mod fixture;
pub(crate) mod gate;
pub(crate) mod keyring;
pub(crate) mod rotating;
pub(crate) mod scripted;
pub(crate) mod secrets;
pub(crate) mod settled;
pub(crate) mod simulated;
pub(crate) mod world;
