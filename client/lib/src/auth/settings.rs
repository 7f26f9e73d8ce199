//! What of the rules can be set.

use vault_proto::v1::{self, ConfigureAuthRequest};

use crate::{Client, Error};

/// Who may register the first passkey of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPair {
    /// Whoever has a code.
    Code,
    /// Anybody, and everything is open until then.
    Open,
}

impl FirstPair {
    const fn received(first_pair: v1::FirstPair) -> Self {
        match first_pair {
            v1::FirstPair::Open => Self::Open,
            v1::FirstPair::Code | v1::FirstPair::Unspecified => Self::Code,
        }
    }

    const fn wire(self) -> v1::FirstPair {
        match self {
            Self::Code => v1::FirstPair::Code,
            Self::Open => v1::FirstPair::Open,
        }
    }

    /// `code` or `open`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Open => "open",
        }
    }
}

/// The rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is a switch of its own.
pub struct AuthSettings {
    /// Off: everybody who reaches the gateway is let in.
    pub require_auth: bool,
    /// The user's own processes need no passkey over loopback.
    pub loopback_bypass: bool,
    /// See there.
    pub first_pair: FirstPair,
    /// Clients on the socket need a token, too.
    pub strict: bool,
    /// `?api_token=` counts, for GET.
    pub query_tokens: bool,
}

/// What is to change of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthSettingsChange {
    /// See [`AuthSettings`].
    pub require_auth: Option<bool>,
    /// See [`AuthSettings`].
    pub loopback_bypass: Option<bool>,
    /// See [`AuthSettings`].
    pub first_pair: Option<FirstPair>,
    /// See [`AuthSettings`].
    pub strict: Option<bool>,
    /// See [`AuthSettings`].
    pub query_tokens: Option<bool>,
}

impl AuthSettings {
    pub(super) fn received(settings: v1::AuthSettings) -> Self {
        Self {
            first_pair: FirstPair::received(settings.first_pair()),
            require_auth: settings.require_auth,
            loopback_bypass: settings.loopback_bypass,
            strict: settings.strict,
            query_tokens: settings.query_tokens,
        }
    }
}

impl Client {
    /// Changes the rules; those in force afterwards.
    pub async fn configure_auth(&self, change: AuthSettingsChange) -> Result<AuthSettings, Error> {
        let request = ConfigureAuthRequest {
            require_auth: change.require_auth,
            loopback_bypass: change.loopback_bypass,
            first_pair: change.first_pair.map(|first_pair| first_pair.wire().into()),
            strict: change.strict,
            query_tokens: change.query_tokens,
        };
        let configured = self.services.auth().configure(request).await?.into_inner();
        Ok(AuthSettings::received(
            configured.settings.unwrap_or_default(),
        ))
    }
}
