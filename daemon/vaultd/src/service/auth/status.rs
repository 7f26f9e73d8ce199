//! What a caller is, and what it can do next.

use tonic_types::StatusExt as _;
use vault_auth::{Access, Auth, FirstPair, Permission, Settings, Standing};
use vault_proto::v1::{self, AuthSettings, AuthStatusResponse, Reason};

use super::to_wire;
use crate::{
    auth_error::for_strangers,
    keeper::Keeper,
    principal::{Judged, Principal, PrincipalKind},
};

/// Describes a caller to itself. It serves a vault that is closed, too, and says that it is.
pub(super) fn describe(keeper: &Keeper, caller: &Principal) -> AuthStatusResponse {
    let mut response = AuthStatusResponse {
        principal: caller.kind().on_the_wire().into(),
        // On the socket there is no Host.
        host_admitted: true,
        ..AuthStatusResponse::default()
    };
    let auth = keeper.auth();
    if let Some(judged) = caller.judged() {
        describe_judged(judged, auth.as_deref().ok(), &mut response);
    }
    match auth {
        Ok(auth) if caller.reaches_all(Permission::Admin) => describe_rules(&auth, &mut response),
        Ok(_) => {}
        Err(status) => {
            let found = status.get_error_details();
            let found = found.error_info().map(|info| info.reason.as_str());
            let found = found.and_then(Reason::from_wire_name);
            response.set_unavailable(found.unwrap_or(Reason::AuthUnavailable));
            let told = if caller.kind() == PrincipalKind::Owner {
                let warning = "while the tables cannot be read, nobody knows whether `strict` is on: \
                               programs of this user need no token on the socket";
                response.warnings.push(warning.to_owned());
                *status
            } else {
                for_strangers(&status)
            };
            told.message().clone_into(&mut response.explanation);
        }
    }
    response
}

fn describe_judged(judged: &Judged, auth: Option<&Auth>, response: &mut AuthStatusResponse) {
    let admitted = &judged.admitted;
    match &admitted.standing {
        Standing::Token(id) => response.token_id.clone_from(id),
        Standing::Session(id) => response.session_id.clone_from(id),
        Standing::Loopback | Standing::Open | Standing::Nobody => {}
    }
    if let Some(Access::Scoped(scopes)) = admitted.access.as_deref() {
        response.scopes = to_wire(scopes);
    }
    let Some(request) = &judged.request else {
        return;
    };
    response.host_admitted = admitted.host_admitted;
    response.paired = admitted.paired;
    let relying_party = match auth {
        Some(auth) => auth.relying_party(request),
        None => request.relying_party(),
    };
    match relying_party {
        Ok(relying_party) => relying_party.as_str().clone_into(&mut response.rp_id),
        Err(unfit) => response.explanation = unfit.to_string(),
    }
}

fn describe_rules(auth: &Auth, response: &mut AuthStatusResponse) {
    response.settings = Some(settings(auth.tables().settings()));
    response.warnings = auth.warnings();
    response.anchored = auth.tables().is_anchored();
}

/// The rules in force.
pub(super) fn settings(settings: Settings) -> AuthSettings {
    let first_pair = match settings.first_pair {
        FirstPair::Code => v1::FirstPair::Code,
        FirstPair::Open => v1::FirstPair::Open,
    };
    AuthSettings {
        require_auth: settings.require_auth,
        loopback_bypass: settings.loopback_bypass,
        first_pair: first_pair.into(),
        strict: settings.strict,
        query_tokens: settings.query_tokens,
    }
}
