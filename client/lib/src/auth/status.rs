//! As what a caller counts.

use vault_proto::v1::{self, AuthStatusRequest};

use super::AuthSettings;
use crate::{Client, Error, Scope};

/// As what a caller counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The user, over the socket.
    Owner,
    /// A bearer token.
    Token,
    /// A browser session.
    Session,
    /// The user, over a loopback that was verified.
    Loopback,
    /// Anybody: authentication is off, or everything is open until the first passkey.
    Open,
    /// Nobody.
    Nobody,
}

impl Principal {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Owner,
        Self::Token,
        Self::Session,
        Self::Loopback,
        Self::Open,
        Self::Nobody,
    ];

    pub(crate) const fn wire(self) -> v1::PrincipalKind {
        match self {
            Self::Owner => v1::PrincipalKind::Owner,
            Self::Token => v1::PrincipalKind::Token,
            Self::Session => v1::PrincipalKind::Session,
            Self::Loopback => v1::PrincipalKind::Loopback,
            Self::Open => v1::PrincipalKind::Open,
            Self::Nobody => v1::PrincipalKind::Nobody,
        }
    }

    pub(crate) const fn received(kind: v1::PrincipalKind) -> Self {
        match kind {
            v1::PrincipalKind::Owner => Self::Owner,
            v1::PrincipalKind::Token => Self::Token,
            v1::PrincipalKind::Session => Self::Session,
            v1::PrincipalKind::Loopback => Self::Loopback,
            v1::PrincipalKind::Open => Self::Open,
            // One of a later version is as little as is known of it.
            v1::PrincipalKind::Nobody | v1::PrincipalKind::Unspecified => Self::Nobody,
        }
    }

    /// `owner`, `token`, `session`, `loopback`, `open` or `nobody`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Token => "token",
            Self::Session => "session",
            Self::Loopback => "loopback",
            Self::Open => "open",
            Self::Nobody => "nobody",
        }
    }
}

/// What the caller is, and what it can do next.
#[derive(Clone, Debug)]
pub struct AuthStatus {
    /// As what it counts.
    pub principal: Principal,
    /// Its session.
    pub session_id: Option<String>,
    /// Its token.
    pub token_id: Option<String>,
    /// What its token may.
    pub scopes: Vec<Scope>,
    /// The relying party of its address, where there can be one.
    pub rp_id: Option<String>,
    /// Whether that has a passkey.
    pub paired: bool,
    /// Whether its Host is admitted.
    pub host_admitted: bool,
    /// Why there is no relying party, and what to use instead; empty otherwise.
    pub explanation: String,
    /// The rules, for whoever may administer.
    pub settings: Option<AuthSettings>,
    /// What is unsafe as it stands.
    pub warnings: Vec<String>,
    /// Whether an older copy of the tables would be found out.
    pub anchored: bool,
    /// The reason why nobody can be judged at the moment, such as `LOCKED` or `AUTH_ROLLED_BACK`;
    /// `explanation` says more.
    pub unavailable: Option<&'static str>,
}

impl Client {
    /// What the caller is, and what it can do next. For anybody.
    pub async fn auth_status(&self) -> Result<AuthStatus, Error> {
        let status = self.services.auth().status(AuthStatusRequest {}).await?;
        let status = status.into_inner();
        let unavailable = status.unavailable();
        let some = |text: String| (!text.is_empty()).then_some(text);
        Ok(AuthStatus {
            principal: Principal::received(status.principal()),
            session_id: some(status.session_id),
            token_id: some(status.token_id),
            scopes: status.scopes.into_iter().map(Scope::received).collect(),
            rp_id: some(status.rp_id),
            paired: status.paired,
            host_admitted: status.host_admitted,
            explanation: status.explanation,
            settings: status.settings.map(AuthSettings::received),
            warnings: status.warnings,
            anchored: status.anchored,
            unavailable: (unavailable != v1::Reason::Unspecified).then(|| unavailable.wire_name()),
        })
    }
}
