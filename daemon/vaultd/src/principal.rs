//! On whose behalf a call runs.

/// The process at the other end of a connection, as the operating system names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user; the daemon's own, since others are refused before a byte is read.
    pub uid: Option<u32>,
    /// Its process, where the platform tells.
    pub pid: Option<i32>,
}

/// On whose behalf a call runs. Client tokens and browser sessions will join the owner here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The user whose vault it is.
    Owner(Peer),
}

/// The kinds of principal, as the permission table names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// See [`Principal::Owner`].
    Owner,
}

impl Principal {
    /// Its kind.
    pub const fn kind(&self) -> PrincipalKind {
        match self {
            Self::Owner(_) => PrincipalKind::Owner,
        }
    }

    /// The process behind it.
    pub const fn peer(&self) -> Peer {
        match self {
            Self::Owner(peer) => *peer,
        }
    }
}
