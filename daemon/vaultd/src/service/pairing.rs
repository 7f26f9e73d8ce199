//! Pairing RPCs.

use tonic::{Request, Response, Status};
use vault_auth::{AuthResult, Change, HostName};
use vault_proto::v1::{
    AddHostRequest, AddHostResponse, CancelPairingRequest, CancelPairingResponse,
    CreatePairingRequest, CreatePairingResponse, ListHostsRequest, ListHostsResponse,
    RemoveHostRequest, RemoveHostResponse, pairing_server::Pairing,
};

use super::{auth::AuthServices, convert};

/// The `Pairing` service.
#[derive(Clone)]
pub struct PairingService(pub AuthServices);

/// A host as the tables hold it.
fn parse(host: &str) -> AuthResult<String> {
    HostName::parse(host).map(|name| name.to_string())
}

#[tonic::async_trait]
impl Pairing for PairingService {
    async fn create(
        &self,
        request: Request<CreatePairingRequest>,
    ) -> Result<Response<CreatePairingResponse>, Status> {
        let host = Some(request.into_inner().host).filter(|host| !host.is_empty());
        let code = self.0.run(move |auth| auth.create_pairing(host.as_deref()));
        let code = code.await?;
        Ok(Response::new(CreatePairingResponse {
            code: code.code,
            expires: Some(convert::timestamp(code.expires_ms)),
            tries: code.tries,
        }))
    }

    async fn cancel(
        &self,
        _: Request<CancelPairingRequest>,
    ) -> Result<Response<CancelPairingResponse>, Status> {
        let cancelled = self.0.run(|auth| {
            auth.cancel_pairing();
            Ok(())
        });
        cancelled.await?;
        Ok(Response::new(CancelPairingResponse {}))
    }

    async fn list_hosts(
        &self,
        _: Request<ListHostsRequest>,
    ) -> Result<Response<ListHostsResponse>, Status> {
        let hosts = self.0.run(|auth| Ok(auth.tables().hosts())).await?;
        Ok(Response::new(ListHostsResponse { hosts }))
    }

    async fn add_host(
        &self,
        request: Request<AddHostRequest>,
    ) -> Result<Response<AddHostResponse>, Status> {
        let host = request.into_inner().host;
        let added = self.0.run(move |auth| {
            let host = parse(&host)?;
            auth.tables().change(Change::AddHost { host })
        });
        added.await?;
        Ok(Response::new(AddHostResponse {}))
    }

    async fn remove_host(
        &self,
        request: Request<RemoveHostRequest>,
    ) -> Result<Response<RemoveHostResponse>, Status> {
        let host = request.into_inner().host;
        let removed = self.0.run(move |auth| {
            let host = parse(&host)?;
            auth.tables().change(Change::RemoveHost { host })
        });
        removed.await?;
        Ok(Response::new(RemoveHostResponse {}))
    }
}
