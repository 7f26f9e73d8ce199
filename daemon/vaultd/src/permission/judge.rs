//! Judges a call by its row of the table.

use tonic::Status;
use vault_auth::{Access, AuthError};
use vault_proto::v1::Reason;
use vault_store::StoreName;

use super::{
    reach::{Decode, Named, Reach},
    table::Rule,
};
use crate::{auth_error::auth_error, error::refusal, principal::Principal};

/// What is still to be found out.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing.
    Admitted,
    /// Which stores the first message names.
    ByStores(Decode),
}

/// A method that is not in the table. Told apart from one that is and may not be called: a program
/// that is newer than the daemon does without it.
pub fn no_such_method(method: &str) -> Status {
    refusal(
        Reason::UnknownMethod,
        "there is no such method: where the daemon is older than its client, update or restart it",
        &[("method", method)],
    )
}

/// Judges a caller by the row of its method: by who it is, and by how far it reaches.
pub fn judge(rule: &Rule, caller: &Principal) -> Result<Verdict, Box<Status>> {
    admit_host(rule, caller)?;
    if !rule.principals.contains(&caller.kind()) {
        return Err(Box::new(not_for(rule, caller)));
    }
    // Whoever is nobody calls what asks nothing of anybody, or is not in the row.
    let Some(access @ Access::Scoped(_)) = caller.access() else {
        return Ok(Verdict::Admitted);
    };
    let needed = rule.scope.permission();
    let admitted = match rule.reach {
        Reach::Nothing => true,
        Reach::Vault => access.allows_all(needed),
        Reach::Listing => access.allows_any(needed),
        Reach::Fixed(store) => access.allows(store, needed),
        Reach::Named(decode) => return Ok(Verdict::ByStores(decode)),
    };
    if admitted {
        Ok(Verdict::Admitted)
    } else {
        Err(Box::new(out_of_reach(rule)))
    }
}

/// Judges a caller by the stores that the first message of its call names.
pub fn judge_stores(rule: &Rule, caller: &Principal, stores: &[Named]) -> Result<(), Box<Status>> {
    let needed = rule.scope.permission();
    let reached = |named: &Named| match named {
        Named::Store(store) if StoreName::parse(store).is_ok() => caller.reaches(store, needed),
        // What is no name is below none: whoever reaches all is told so by the service.
        Named::Store(_) | Named::Every => caller.reaches_all(needed),
    };
    // A message that names none is no first message: its service would say so, too.
    if stores.is_empty() {
        let text = "the first message of this call names its store";
        Err(Box::new(refusal(Reason::InvalidArgument, text, &[])))
    } else if stores.iter().all(reached) {
        Ok(())
    } else {
        Err(Box::new(out_of_reach(rule)))
    }
}

/// A Host that is not admitted can be admitted, and nothing else.
fn admit_host(rule: &Rule, caller: &Principal) -> Result<(), Box<Status>> {
    let Some(judged) = caller.judged() else {
        return Ok(());
    };
    match &judged.request {
        Some(request) if !judged.admitted.host_admitted && !rule.is_for_any_host() => {
            let host = request.host.name.to_string();
            Err(Box::new(auth_error(&AuthError::HostNotAdmitted(host))))
        }
        _ => Ok(()),
    }
}

/// Why a caller may not call a method at all.
fn not_for(rule: &Rule, caller: &Principal) -> Status {
    match caller.judged() {
        Some(judged) if judged.admitted.access.is_none() => {
            let awaits_first = judged.admitted.relying_party.is_some() && !judged.admitted.paired;
            let error = if awaits_first {
                AuthError::PairingRequired
            } else {
                AuthError::Unauthenticated
            };
            auth_error(&error)
        }
        _ => refusal(
            Reason::PermissionDenied,
            format!(
                "a caller that counts as {} may not call this method",
                caller.kind().as_str()
            ),
            &[("method", rule.method)],
        ),
    }
}

fn out_of_reach(rule: &Rule) -> Status {
    let permission = match rule.scope.permission() {
        vault_auth::Permission::Read => "read",
        vault_auth::Permission::Write => "write",
        vault_auth::Permission::Admin => "admin",
    };
    refusal(
        Reason::PermissionDenied,
        format!(
            "the token's scopes do not cover this: it takes {permission} on the store, or on `*`"
        ),
        &[("method", rule.method), ("permission", permission)],
    )
}

#[cfg(test)]
mod tests;
