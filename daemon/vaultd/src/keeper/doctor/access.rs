//! Tables of passkeys, sessions and tokens that nobody can be judged by.

use tonic_types::StatusExt as _;
use vault_proto::v1::{Reason, finding::Severity};
use vault_store::Vault;

use crate::{
    doctor::{Code, Finding},
    keeper::Keeper,
};

/// Reads them, where the vault has any.
pub(super) fn look_at(keeper: &Keeper, vault: &Vault, findings: &mut Vec<Finding>) {
    if !vault.has_auth_database() {
        return;
    }
    // The call that brought us here had them read, or knows why they could not be.
    let Some(status) = keeper.auth_problem() else {
        return;
    };
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.as_str());
    let text = status.message();
    let rolled_back = reason.and_then(Reason::from_wire_name) == Some(Reason::AuthRolledBack);
    findings.push(if rolled_back {
        Finding::new(Severity::Error, Code::AccessRolledBack, text).remedy(
            "run `vaultctl auth accept`: passkeys stay as they are in the copy, sessions and tokens \
             end",
        )
    } else {
        let text = format!("nobody is let in from outside the socket: {text}");
        Finding::new(Severity::Error, Code::AccessUnreadable, text).remedy(
            "unlock the desktop's keyring, or put the files of the tables back from a copy and run \
             `vaultctl auth accept`",
        )
    });
}
