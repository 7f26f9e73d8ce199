//! What of the rules can be set.

use serde::{Deserialize, Serialize};

use crate::{Auth, AuthResult, Change};

/// Who may register the first passkey of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstPair {
    /// Whoever has a code, or the user on a verified loopback.
    Code,
    /// Anybody, and anybody may everything until then.
    Open,
}

/// The rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Off: everybody who reaches the gateway counts as the user.
    pub require_auth: bool,
    /// The user's own processes need no passkey over loopback.
    pub loopback_bypass: bool,
    /// See there.
    pub first_pair: FirstPair,
    /// Clients on the socket need a token, too; nobody counts without a credential, whatever the other
    /// settings say.
    pub strict: bool,
    /// `?api_token=` counts, for GET.
    pub query_tokens: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            require_auth: true,
            loopback_bypass: true,
            first_pair: FirstPair::Code,
            strict: false,
            query_tokens: false,
        }
    }
}

/// What is to change.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingsChange {
    /// See [`Settings`].
    pub require_auth: Option<bool>,
    /// See [`Settings`].
    pub loopback_bypass: Option<bool>,
    /// See [`Settings`].
    pub first_pair: Option<FirstPair>,
    /// See [`Settings`].
    pub strict: Option<bool>,
    /// See [`Settings`].
    pub query_tokens: Option<bool>,
}

impl SettingsChange {
    /// `settings`, with this changed.
    pub(crate) fn applied_to(self, settings: Settings) -> Settings {
        Settings {
            require_auth: self.require_auth.unwrap_or(settings.require_auth),
            loopback_bypass: self.loopback_bypass.unwrap_or(settings.loopback_bypass),
            first_pair: self.first_pair.unwrap_or(settings.first_pair),
            strict: self.strict.unwrap_or(settings.strict),
            query_tokens: self.query_tokens.unwrap_or(settings.query_tokens),
        }
    }
}

impl Auth {
    /// Changes the rules. `strict` is refused while no token may administer everything for another
    /// day: nobody could turn it off again.
    pub fn configure(&self, change: &SettingsChange) -> AuthResult<Settings> {
        self.tables
            .change(Change::Configure { settings: *change })?;
        Ok(self.tables.settings())
    }

    /// What is unsafe as it stands, for people. `strict` turns off what would let anybody in without a
    /// credential.
    pub fn warnings(&self) -> Vec<String> {
        let settings = self.tables.settings();
        let warnings = [
            (
                !settings.require_auth && !settings.strict,
                "authentication is off: whoever reaches the gateway may do everything \
                 (`require_auth`)",
            ),
            (
                settings.first_pair == FirstPair::Open && !settings.strict,
                "an address without a passkey is open to everybody until its first one \
                 (`first_pair`)",
            ),
            (
                settings.query_tokens,
                "tokens count in addresses, which histories and proxies keep (`query_tokens`)",
            ),
        ];
        let true_ones = warnings.into_iter().filter(|(holds, _)| *holds);
        true_ones.map(|(_, text)| text.to_owned()).collect()
    }
}
