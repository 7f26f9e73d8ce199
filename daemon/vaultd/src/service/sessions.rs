//! Sessions RPCs.

use tonic::{Request, Response, Status};
use vault_auth::{Session, Standing};
use vault_proto::v1::{
    self, ListSessionsRequest, ListSessionsResponse, ResetSessionsRequest, ResetSessionsResponse,
    RevokeSessionRequest, RevokeSessionResponse, sessions_server::Sessions,
};

use super::{auth::AuthServices, caller, convert};

/// The `Sessions` service.
#[derive(Clone)]
pub struct SessionsService(pub AuthServices);

fn describe(session: Session, own: &Standing) -> v1::Session {
    v1::Session {
        current: matches!(own, Standing::Session(id) if *id == session.id),
        expires: Some(convert::timestamp(session.expires_ms())),
        id: session.id,
        rp_id: session.rp_id.as_str().to_owned(),
        passkey_id: session.passkey_id,
        label: session.label,
        address: session.address,
        created: Some(convert::timestamp(session.created_ms)),
        last_used: Some(convert::timestamp(session.last_used_ms)),
    }
}

#[tonic::async_trait]
impl Sessions for SessionsService {
    async fn list(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let caller = caller(&request)?;
        let own = caller
            .judged()
            .map_or(Standing::Nobody, |judged| judged.admitted.standing.clone());
        let sessions = self.0.run(|auth| Ok(auth.tables().sessions())).await?;
        let described = sessions.into_iter().map(|session| describe(session, &own));
        Ok(Response::new(ListSessionsResponse {
            sessions: described.collect(),
        }))
    }

    async fn revoke(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        let id = request.into_inner().id;
        self.0.run(move |auth| auth.revoke_session(&id)).await?;
        Ok(Response::new(RevokeSessionResponse {}))
    }

    async fn reset(
        &self,
        _: Request<ResetSessionsRequest>,
    ) -> Result<Response<ResetSessionsResponse>, Status> {
        let ended = self.0.run(vault_auth::Auth::reset_sessions).await?;
        Ok(Response::new(ResetSessionsResponse { ended }))
    }
}
