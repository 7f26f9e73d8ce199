//! Vault RPCs: answered in every key state.

use std::{path::PathBuf, sync::Arc};

use tonic::{Request, Response, Status};
use vault_crypto::SecretBytes;
use vault_keyring::BackendKind;
use vault_proto::v1::{
    DoctorRequest, DoctorResponse, InitRequest, InitResponse, KeyState, LockRequest, LockResponse,
    MoveInRequest, MoveInResponse, Reason, StatusRequest, StatusResponse, UnlockRequest,
    UnlockResponse, vault_server::Vault,
};

use super::{Answer, Services, convert, doctor, locations, moving_in};
use crate::{error::refusal, key_state::Closed, platform::Hardening};

/// What the daemon is.
#[derive(Clone, Debug)]
pub struct DaemonInfo {
    /// The folder it serves.
    pub data_root: PathBuf,
    /// Where it listens.
    pub socket: PathBuf,
    /// Since when, in milliseconds since 1970.
    pub started_ms: i64,
    /// The key stays in memory.
    pub ephemeral: bool,
    /// What the platform gave.
    pub hardening: Hardening,
}

/// The `Vault` service.
#[derive(Clone)]
pub struct VaultService {
    services: Services,
    info: Arc<DaemonInfo>,
}

impl VaultService {
    /// The service of this daemon.
    pub fn new(services: Services, info: DaemonInfo) -> Self {
        Self {
            services,
            info: Arc::new(info),
        }
    }
}

/// A secret of a request; none where it is empty.
pub(super) fn secret(bytes: Vec<u8>) -> Option<SecretBytes> {
    let secret = SecretBytes::new(bytes);
    (!secret.is_empty()).then_some(secret)
}

#[tonic::async_trait]
impl Vault for VaultService {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let info = Arc::clone(&self.info);
        let response = self.services.run_at_once(move |keeper| {
            let status = keeper.status();
            let mut response = StatusResponse {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                data_root: info.data_root.to_string_lossy().into_owned(),
                socket: info.socket.to_string_lossy().into_owned(),
                vault_id: status.vault_id.unwrap_or_default(),
                keyring_backend: status.backend,
                started: Some(convert::timestamp(info.started_ms)),
                ephemeral: info.ephemeral,
                non_dumpable: info.hardening.non_dumpable,
                audit_problem: keeper.audit().problem().unwrap_or_default(),
                ..StatusResponse::default()
            };
            let mut locations = locations::describe(keeper, &response.keyring_backend);
            match status.vault {
                Ok(vault) => {
                    locations.set_secrets(convert::secret_place(vault.secret_place()));
                    response.set_key_state(KeyState::Open);
                    response.key_fingerprint = vault.fingerprint().to_string();
                    response.set_secret_place(convert::secret_place(vault.secret_place()));
                    response.secrets = vault.secret_count().unwrap_or_default();
                    response.stores = u32::try_from(vault.stores().len()).unwrap_or(u32::MAX);
                }
                Err(Closed {
                    state,
                    explanation,
                    remedies,
                    ..
                }) => {
                    response.set_key_state(state);
                    response.explanation = explanation;
                    response.remedies = remedies;
                }
            }
            response.storage_locations = Some(locations);
            Ok(response)
        });
        response.await.map(Response::new)
    }

    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let InitRequest {
            keyring_backend,
            passphrase,
        } = request.into_inner();
        let backend = match keyring_backend.as_str() {
            "" => None,
            name => Some(
                name.parse::<BackendKind>()
                    .map_err(|error| refusal(Reason::InvalidArgument, error.to_string(), &[]))?,
            ),
        };
        let passphrase = secret(passphrase);
        let response = self.services.run(move |keeper| {
            let vault = keeper.init(backend, passphrase.as_ref())?;
            Ok(InitResponse {
                vault_id: vault.id().to_string(),
                keyring_backend: vault.backend(),
            })
        });
        response.await.map(Response::new)
    }

    async fn lock(&self, _: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        let done = self.services.run(|keeper| {
            keeper.lock();
            Ok(LockResponse {})
        });
        done.await.map(Response::new)
    }

    async fn unlock(
        &self,
        request: Request<UnlockRequest>,
    ) -> Result<Response<UnlockResponse>, Status> {
        let passphrase = secret(request.into_inner().passphrase);
        let done = self.services.run(move |keeper| {
            keeper.unlock(passphrase.as_ref())?;
            Ok(UnlockResponse {})
        });
        done.await.map(Response::new)
    }

    async fn doctor(
        &self,
        request: Request<DoctorRequest>,
    ) -> Result<Response<DoctorResponse>, Status> {
        let fix = doctor::fix(&request.into_inner())?;
        let examined = self
            .services
            .run(move |keeper| Ok(doctor::examine(keeper, &fix)));
        examined.await.map(Response::new)
    }

    type MoveInStream = Answer<MoveInResponse>;

    async fn move_in(
        &self,
        request: Request<MoveInRequest>,
    ) -> Result<Response<Self::MoveInStream>, Status> {
        let answer = moving_in::begin(&self.services, request.into_inner());
        Ok(Response::new(answer))
    }
}
