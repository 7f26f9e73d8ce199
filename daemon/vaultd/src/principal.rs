//! On whose behalf a call runs.

use std::sync::Arc;

use vault_auth::{Access, Admitted, Permission, Standing, WebRequest};
use vault_proto::v1;

use crate::platform::PeerProcess;

/// The process at the other end of a connection, as the operating system names it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its user; the daemon's own, since others are refused before a byte is read.
    pub uid: Option<u32>,
    /// Its process, where the platform tells.
    pub pid: Option<i32>,
    /// What else is known of that.
    pub process: Option<Arc<PeerProcess>>,
}

impl Peer {
    /// Whether it is the daemon itself, which finds out that way whether it still answers.
    pub fn is_self(&self) -> bool {
        self.pid.is_some() && self.pid == i32::try_from(std::process::id()).ok()
    }
}

/// On whose behalf a call runs. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Principal {
    /// The user whose vault it is, over the socket.
    Owner(Peer),
    /// Whoever a credential, or the want of one, was judged to be.
    Judged(Arc<Judged>),
}

/// A caller that vault-auth judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The process at the other end of the socket: the gateway, or a client with a token.
    pub peer: Peer,
    /// As what it counts, and how far it reaches.
    pub admitted: Admitted,
    /// What it asked over HTTP; none of a client on the socket.
    pub request: Option<WebRequest>,
}

/// The kinds of principal, as the permission table names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// See [`Principal::Owner`].
    Owner,
    /// A bearer token of a client on the socket.
    SocketToken,
    /// A bearer token that came over HTTP.
    WebToken,
    /// A browser session.
    Session,
    /// The user, over HTTP on a loopback that was verified.
    Loopback,
    /// Anybody, while nothing is asked of anybody.
    Open,
    /// No credential, or none that counts.
    Nobody,
}

impl Principal {
    /// Its kind.
    pub fn kind(&self) -> PrincipalKind {
        let Self::Judged(judged) = self else {
            return PrincipalKind::Owner;
        };
        match &judged.admitted.standing {
            Standing::Token(_) if judged.request.is_none() => PrincipalKind::SocketToken,
            Standing::Token(_) => PrincipalKind::WebToken,
            Standing::Session(_) => PrincipalKind::Session,
            Standing::Loopback => PrincipalKind::Loopback,
            Standing::Open => PrincipalKind::Open,
            Standing::Nobody => PrincipalKind::Nobody,
        }
    }

    /// The process behind it.
    pub fn peer(&self) -> &Peer {
        match self {
            Self::Owner(peer) => peer,
            Self::Judged(judged) => &judged.peer,
        }
    }

    /// What was judged; nothing of the owner.
    pub fn judged(&self) -> Option<&Judged> {
        match self {
            Self::Owner(_) => None,
            Self::Judged(judged) => Some(judged),
        }
    }

    /// How far it reaches; nowhere for nobody.
    pub fn access(&self) -> Option<&Access> {
        match self {
            Self::Owner(_) => Some(&Access::Full),
            Self::Judged(judged) => judged.admitted.access.as_deref(),
        }
    }

    /// Whether it reaches a store so far.
    pub fn reaches(&self, store: &str, needed: Permission) -> bool {
        self.access()
            .is_some_and(|access| access.allows(store, needed))
    }

    /// Whether it reaches the vault as a whole so far.
    pub fn reaches_all(&self, needed: Permission) -> bool {
        self.access()
            .is_some_and(|access| access.allows_all(needed))
    }

    /// Where it asked from over HTTP; empty on the socket.
    pub fn address(&self) -> String {
        let request = self.judged().and_then(|judged| judged.request.as_ref());
        request.map_or_else(String::new, |request| {
            request.peer.ip().to_canonical().to_string()
        })
    }

    /// The label of its token or passkey, or its process.
    pub fn label(&self) -> String {
        match self {
            Self::Owner(Peer { pid: Some(pid), .. }) => format!("process {pid}"),
            Self::Owner(_) => String::new(),
            Self::Judged(judged) => judged.admitted.label.clone(),
        }
    }
}

impl PrincipalKind {
    /// The word of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::SocketToken | Self::WebToken => "token",
            Self::Session => "session",
            Self::Loopback => "loopback",
            Self::Open => "open",
            Self::Nobody => "nobody",
        }
    }

    /// The word of the wire.
    pub const fn on_the_wire(self) -> v1::PrincipalKind {
        match self {
            Self::Owner => v1::PrincipalKind::Owner,
            Self::SocketToken | Self::WebToken => v1::PrincipalKind::Token,
            Self::Session => v1::PrincipalKind::Session,
            Self::Loopback => v1::PrincipalKind::Loopback,
            Self::Open => v1::PrincipalKind::Open,
            Self::Nobody => v1::PrincipalKind::Nobody,
        }
    }
}
