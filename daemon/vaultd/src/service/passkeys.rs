//! Passkeys RPCs.

use tonic::{Request, Response, Status};
use vault_auth::{AuthResult, RpId};
use vault_proto::v1::{
    ListPasskeysRequest, ListPasskeysResponse, RenamePasskeyRequest, RenamePasskeyResponse,
    ResetPasskeysRequest, ResetPasskeysResponse, RevokePasskeyRequest, RevokePasskeyResponse,
    passkeys_server::Passkeys,
};

use super::auth::{AuthServices, describe_passkey};

/// The `Passkeys` service.
#[derive(Clone)]
pub struct PasskeysService(pub AuthServices);

/// The relying party that a request names, where it names one.
fn named(rp_id: &str) -> AuthResult<Option<RpId>> {
    let named = Some(rp_id).filter(|rp_id| !rp_id.is_empty());
    named.map(RpId::parse).transpose()
}

#[tonic::async_trait]
impl Passkeys for PasskeysService {
    async fn list(
        &self,
        request: Request<ListPasskeysRequest>,
    ) -> Result<Response<ListPasskeysResponse>, Status> {
        let rp_id = request.into_inner().rp_id;
        let listed = self.0.run(move |auth| {
            let mut passkeys = auth.tables().passkeys(named(&rp_id)?.as_ref());
            // Each relying party's stay in the order of their making.
            passkeys.sort_by(|one, other| one.rp_id.cmp(&other.rp_id));
            Ok(passkeys)
        });
        let passkeys = listed.await?;
        Ok(Response::new(ListPasskeysResponse {
            passkeys: passkeys.into_iter().map(describe_passkey).collect(),
        }))
    }

    async fn rename(
        &self,
        request: Request<RenamePasskeyRequest>,
    ) -> Result<Response<RenamePasskeyResponse>, Status> {
        let RenamePasskeyRequest { id, label } = request.into_inner();
        let renamed = self.0.run(move |auth| auth.rename_passkey(&id, &label));
        Ok(Response::new(RenamePasskeyResponse {
            passkey: Some(describe_passkey(renamed.await?)),
        }))
    }

    async fn revoke(
        &self,
        request: Request<RevokePasskeyRequest>,
    ) -> Result<Response<RevokePasskeyResponse>, Status> {
        let id = request.into_inner().id;
        self.0.run(move |auth| auth.revoke_passkey(&id)).await?;
        Ok(Response::new(RevokePasskeyResponse {}))
    }

    async fn reset(
        &self,
        request: Request<ResetPasskeysRequest>,
    ) -> Result<Response<ResetPasskeysResponse>, Status> {
        let rp_id = request.into_inner().rp_id;
        let revoked = self.0.run(move |auth| auth.reset_passkeys(named(&rp_id)?));
        Ok(Response::new(ResetPasskeysResponse {
            revoked: revoked.await?,
        }))
    }
}
