//! Connections RPCs.

mod key_like;
mod profile;
mod profiles;

use std::sync::Arc;

use tokio::sync::Mutex;
use tonic::{Request, Response, Status};
use vault_crypto::SecretBytes;
use vault_proto::v1::{
    ActivateConnectionRequest, ActivateConnectionResponse, Connection, DeleteConnectionRequest,
    DeleteConnectionResponse, GetConnectionRequest, GetConnectionResponse, ListConnectionsRequest,
    ListConnectionsResponse, Reason, SaveConnectionRequest, SaveConnectionResponse,
    connections_server::Connections,
};
use vault_store::{StoreResult, Vault};

use self::{
    profile::{ConnectionId, Profile},
    profiles::{Found, Profiles, Save},
};
use super::{Services, convert};
use crate::error::refusal;

/// The `Connections` service.
#[derive(Clone)]
pub struct ConnectionsService {
    services: Services,
    /// Whoever changes a connection has the turn: a key and its profile are two writes, and those
    /// of two calls must not mix.
    turn: Arc<Mutex<()>>,
}

impl ConnectionsService {
    /// The service.
    pub fn new(services: Services) -> Self {
        let turn = Arc::default();
        Self { services, turn }
    }

    /// Runs `work` in turn. The turn goes with the work: it goes on where its caller goes away.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Profiles<'_>) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let in_turn = move |vault: &Vault| {
            let _turn = turn;
            work(&Profiles::new(vault)?)
        };
        self.services.with_vault(in_turn).await
    }
}

#[tonic::async_trait]
impl Connections for ConnectionsService {
    async fn save(
        &self,
        request: Request<SaveConnectionRequest>,
    ) -> Result<Response<SaveConnectionResponse>, Status> {
        let request = request.into_inner();
        // First: whatever comes of the call, the key is zeroed.
        let key = request.key.map(SecretBytes::new);
        let connection = request.connection.unwrap_or_default();
        let save = Save {
            id: ConnectionId::parse(&connection.id)?,
            activate: connection.active,
            profile: Profile::given(connection)?,
            key,
            create: request.create,
        };
        let saved = self.change(move |profiles| profiles.save(save)).await?;
        Ok(Response::new(SaveConnectionResponse {
            connection: Some(wire(saved)),
        }))
    }

    async fn get(
        &self,
        request: Request<GetConnectionRequest>,
    ) -> Result<Response<GetConnectionResponse>, Status> {
        let id = request.into_inner().id;
        let found = if id.is_empty() {
            let active = |vault: &Vault| Profiles::new(vault)?.active();
            let active = self.services.with_vault(active).await?;
            active.ok_or_else(none_active)?
        } else {
            let id = ConnectionId::parse(&id)?;
            let get = move |vault: &Vault| Profiles::new(vault)?.get(&id);
            self.services.with_vault(get).await?
        };
        Ok(Response::new(GetConnectionResponse {
            connection: Some(wire(found)),
        }))
    }

    async fn list(
        &self,
        _request: Request<ListConnectionsRequest>,
    ) -> Result<Response<ListConnectionsResponse>, Status> {
        let list = |vault: &Vault| Profiles::new(vault)?.list();
        let (found, damaged) = self.services.with_vault(list).await?;
        Ok(Response::new(ListConnectionsResponse {
            connections: found.into_iter().map(wire).collect(),
            damaged,
        }))
    }

    async fn activate(
        &self,
        request: Request<ActivateConnectionRequest>,
    ) -> Result<Response<ActivateConnectionResponse>, Status> {
        let id = ConnectionId::parse(&request.into_inner().id)?;
        let active = self.change(move |profiles| profiles.activate(&id)).await?;
        Ok(Response::new(ActivateConnectionResponse {
            connection: Some(wire(active)),
        }))
    }

    async fn delete(
        &self,
        request: Request<DeleteConnectionRequest>,
    ) -> Result<Response<DeleteConnectionResponse>, Status> {
        let request = request.into_inner();
        let id = ConnectionId::parse(&request.id)?;
        self.change(move |profiles| profiles.delete(&id, request.key_only))
            .await?;
        Ok(Response::new(DeleteConnectionResponse {}))
    }
}

fn none_active() -> Status {
    let text = "no connection is active; `vaultctl connection activate ID` makes one so";
    refusal(Reason::NotFound, text, &[])
}

fn wire(found: Found) -> Connection {
    Connection {
        id: found.head.id().as_str().to_owned(),
        extra: found.profile.extra(),
        name: found.profile.name,
        base_url: found.profile.base_url,
        compatibility: found.profile.compatibility,
        has_secret: found.has_secret,
        active: profiles::is_active(&found.head),
        created: Some(convert::timestamp(found.head.created_ms())),
        modified: Some(convert::timestamp(found.head.modified_ms())),
        revision: found.head.revision().0,
    }
}
