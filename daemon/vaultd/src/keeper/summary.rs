//! The vault in one line, for whoever looks at the service.

use super::{Keeper, State};

impl Keeper {
    /// Something was done that may show in the summary.
    pub fn may_have_changed(&self) {
        self.changed.notify_one();
    }

    /// Resolves once for any number of changes since it resolved last.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// In which state the vault is and what is in it, or why it is not open.
    pub fn summary(&self) -> String {
        let vault = match &*self.read() {
            State::Open(vault) => vault.clone(),
            State::Closed(closed) => {
                let explanation = closed.explanation.replace('\n', " ");
                return format!("{}: {explanation}", word(closed.state.as_str_name()));
            }
        };
        let state = if self.is_rotating() {
            "open, rotating its key"
        } else {
            "open"
        };
        let stores = counted(vault.stores().len() as u64, "store");
        // Not to be had at this moment: the next time, then.
        match vault.secret_count() {
            Ok(secrets) => format!("{state}: {stores}, {}", counted(secrets, "secret")),
            Err(_) => format!("{state}: {stores}"),
        }
    }
}

/// `KEY_STATE_KEYRING_LOCKED` as people read it.
fn word(name: &str) -> String {
    let name = name.strip_prefix("KEY_STATE_").unwrap_or(name);
    name.to_lowercase().replace('_', " ")
}

/// A number of things.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_counts_are_words() {
        assert_eq!(word("KEY_STATE_KEYRING_LOCKED"), "keyring locked");
        assert_eq!(word("KEY_STATE_OPEN"), "open");
        assert_eq!(counted(1, "store"), "1 store");
        assert_eq!(counted(0, "secret"), "0 secrets");
    }
}
