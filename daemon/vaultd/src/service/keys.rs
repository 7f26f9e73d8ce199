//! Keys RPCs.

use tokio::sync::mpsc;
use tonic::{Request, Response, Status};
use vault_auth::Permission;
use vault_crypto::{MasterKey, SecretBytes};
use vault_keyring::BackendKind;
use vault_proto::v1::{
    DeriveKeyRequest, DeriveKeyResponse, ExportKeyRequest, ExportKeyResponse, ImportKeyRequest,
    ImportKeyResponse, KeysStatusRequest, KeysStatusResponse, MoveKeyRequest, MoveKeyResponse,
    PauseRotationRequest, PauseRotationResponse, Reason, ResetKeyRequest, ResetKeyResponse,
    ResumeRotationRequest, RollBackRotationRequest, RotateRequest, RotateResponse, RotationDepth,
    RotationOutcome, RotationProgress, keys_server, rotate_response::Event,
};
use vault_store::{
    rotation::{self, Depth},
    vault::Vault,
};

use super::{
    ANSWER_DEPTH, Answer, Services, caller,
    key_status::{progress, status},
    sealing::{identities, nothing_opens, recipients},
    vault::secret,
};
use crate::{
    error::refusal,
    keeper::{
        Keeper,
        rotation::{Next, Rotating, RotationEvent, opens},
    },
    principal::Principal,
};

/// The `Keys` service.
#[derive(Clone)]
pub struct KeysService(pub Services);

/// A backend by its name, as a client gives it.
fn backend(name: &str) -> Result<BackendKind, Status> {
    name.parse()
        .map_err(|error: vault_keyring::ParseBackendKindError| {
            refusal(Reason::InvalidArgument, error.to_string(), &[])
        })
}

fn master(bytes: Vec<u8>) -> Result<MasterKey, Status> {
    let bytes = SecretBytes::new(bytes);
    MasterKey::from_bytes(bytes.expose())
        .ok_or_else(|| refusal(Reason::UnfitSecret, "a master key is 32 bytes", &[]))
}

impl KeysService {
    /// Follows a rotation: its progress, and how it ended.
    fn follow(&self, rotating: Rotating) -> Answer<RotateResponse> {
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let services = self.0.clone();
        tokio::spawn(async move {
            let Rotating {
                mut events,
                vault,
                credential,
            } = rotating;
            loop {
                let event = events.borrow_and_update().clone();
                let message = match event {
                    RotationEvent::Begun => None,
                    RotationEvent::Progress(now) => Some(Ok(Event::Progress(progress(&now)))),
                    RotationEvent::Ended(Ok(ended)) => {
                        let outcome = outcome(&ended, &vault, credential.as_ref());
                        let _ = sender.send(Ok(respond(Event::Outcome(outcome)))).await;
                        return;
                    }
                    RotationEvent::Ended(Err(error)) => {
                        let status = services.keeper.rotation_refusal(&error);
                        let _ = sender.send(Err(status)).await;
                        return;
                    }
                };
                if let Some(message) = message
                    && sender.send(message.map(respond)).await.is_err()
                {
                    return;
                }
                // The thread that rotates is gone only after it said how it ended.
                if events.changed().await.is_err() {
                    let text = "the rotation ended without a word; `vaultctl key status` shows it";
                    let _ = sender.send(Err(refusal(Reason::Internal, text, &[]))).await;
                    return;
                }
            }
        });
        Answer::new(receiver)
    }
}

/// Names no store to a caller who does not reach it.
fn hide_unreached(progress: &mut RotationProgress, caller: &Principal) {
    if !caller.reaches(&progress.store, Permission::Read) {
        progress.store.clear();
    }
}

fn respond(event: Event) -> RotateResponse {
    RotateResponse { event: Some(event) }
}

fn outcome(
    ended: &rotation::RotationOutcome,
    vault: &Vault,
    credential: Option<&SecretBytes>,
) -> RotationOutcome {
    use rotation::RotationOutcome as Ended;
    let kept = match ended {
        Ended::Done { kept } | Ended::RolledBack { kept } => kept.as_slice(),
        Ended::Paused | Ended::TurnedRound | Ended::AwaitsCredential => &[],
    };
    let export = vault.header().last_export;
    RotationOutcome {
        fingerprint: vault.fingerprint().to_string(),
        paused: matches!(ended, Ended::Paused),
        rolled_back: matches!(ended, Ended::RolledBack { .. } | Ended::TurnedRound),
        kept_keys: kept.iter().map(ToString::to_string).collect(),
        credential: credential
            .map(|secret| secret.expose().to_vec())
            .unwrap_or_default(),
        exports_outdated: export.is_some_and(|export| !opens(export.fingerprint, vault)),
    }
}

#[tonic::async_trait]
impl keys_server::Keys for KeysService {
    async fn status(
        &self,
        request: Request<KeysStatusRequest>,
    ) -> Result<Response<KeysStatusResponse>, Status> {
        let caller = caller(&request)?;
        let status = self.0.run_at_once(|keeper| Ok(status(keeper)));
        let mut status = status.await?;
        let rotation = status.rotation.as_mut();
        if let Some(progress) = rotation.and_then(|rotation| rotation.progress.as_mut()) {
            hide_unreached(progress, &caller);
        }
        Ok(Response::new(status))
    }

    type RotateStream = Answer<RotateResponse>;

    async fn rotate(
        &self,
        request: Request<RotateRequest>,
    ) -> Result<Response<Self::RotateStream>, Status> {
        let request = request.into_inner();
        let depth = match request.depth() {
            RotationDepth::Reencrypt => Depth::Reencrypt,
            RotationDepth::Rewrap | RotationDepth::Unspecified => Depth::Rewrap,
        };
        let next = match (request.master.is_empty(), request.random) {
            (false, true) => {
                let text = "the next key is derived or random, not both";
                return Err(refusal(Reason::InvalidArgument, text, &[]));
            }
            (false, false) => Next::Derived(master(request.master)?),
            (true, true) => Next::Random,
            (true, false) => Next::AsBefore,
        };
        let rotating = self.0.run(move |keeper| keeper.rotate(depth, next)).await?;
        Ok(Response::new(self.follow(rotating)))
    }

    async fn pause(
        &self,
        _: Request<PauseRotationRequest>,
    ) -> Result<Response<PauseRotationResponse>, Status> {
        self.0.run(Keeper::pause_rotation).await?;
        Ok(Response::new(PauseRotationResponse {}))
    }

    type ResumeStream = Answer<RotateResponse>;

    async fn resume(
        &self,
        _: Request<ResumeRotationRequest>,
    ) -> Result<Response<Self::ResumeStream>, Status> {
        let rotating = self.0.run(Keeper::resume_rotation).await?;
        Ok(Response::new(self.follow(rotating)))
    }

    type RollBackStream = Answer<RotateResponse>;

    async fn roll_back(
        &self,
        _: Request<RollBackRotationRequest>,
    ) -> Result<Response<Self::RollBackStream>, Status> {
        let rotating = self.0.run(Keeper::roll_back_rotation).await?;
        Ok(Response::new(self.follow(rotating)))
    }

    async fn export(
        &self,
        request: Request<ExportKeyRequest>,
    ) -> Result<Response<ExportKeyResponse>, Status> {
        let request = request.into_inner();
        let passphrase = secret(request.passphrase);
        let exported = self.0.run(move |keeper| {
            let recipients = recipients(passphrase.as_ref(), &request.recipients)?;
            keeper.export_key(&recipients)
        });
        let exported = exported.await?;
        Ok(Response::new(ExportKeyResponse {
            file: exported.file,
            vault_id: exported.vault.to_string(),
            fingerprint: exported.fingerprint.to_string(),
        }))
    }

    async fn import(
        &self,
        request: Request<ImportKeyRequest>,
    ) -> Result<Response<ImportKeyResponse>, Status> {
        let request = request.into_inner();
        let passphrase = secret(request.passphrase);
        let identity = secret(request.identity);
        let keyring_passphrase = secret(request.keyring_passphrase);
        let imported = self.0.run(move |keeper| {
            let identities = identities(passphrase.as_ref(), identity.as_ref())
                .ok_or_else(|| Box::new(nothing_opens()))?;
            keeper.import_key(&request.file, &identities, keyring_passphrase.as_ref())
        });
        let (vault, fingerprint) = imported.await?;
        Ok(Response::new(ImportKeyResponse {
            vault_id: vault.to_string(),
            fingerprint: fingerprint.to_string(),
        }))
    }

    async fn derive(
        &self,
        request: Request<DeriveKeyRequest>,
    ) -> Result<Response<DeriveKeyResponse>, Status> {
        let request = request.into_inner();
        let keyring_passphrase = secret(request.keyring_passphrase);
        let master = master(request.master)?;
        let derived = self
            .0
            .run(move |keeper| keeper.derive_key(master, keyring_passphrase.as_ref()))
            .await?;
        Ok(Response::new(DeriveKeyResponse {
            fingerprint: derived.fingerprint.to_string(),
            recovered: derived.recovered,
            credential: derived
                .credential
                .map(|secret| secret.expose().to_vec())
                .unwrap_or_default(),
        }))
    }

    async fn r#move(
        &self,
        request: Request<MoveKeyRequest>,
    ) -> Result<Response<MoveKeyResponse>, Status> {
        let request = request.into_inner();
        let to = backend(&request.to)?;
        let passphrase = secret(request.passphrase);
        let moved = self
            .0
            .run(move |keeper| keeper.move_key(to, passphrase.as_ref()))
            .await?;
        Ok(Response::new(MoveKeyResponse {
            keyring_backend: moved.backend,
            credential: moved
                .credential
                .map(|secret| secret.expose().to_vec())
                .unwrap_or_default(),
            left_behind: moved.left_behind.unwrap_or_default(),
        }))
    }

    async fn reset(
        &self,
        request: Request<ResetKeyRequest>,
    ) -> Result<Response<ResetKeyResponse>, Status> {
        let vault_id = request.into_inner().vault_id;
        let loss = self.0.run(move |keeper| {
            let confirmed = (!vault_id.is_empty()).then_some(vault_id.as_str());
            keeper.reset_key(confirmed)
        });
        let loss = loss.await?;
        Ok(Response::new(ResetKeyResponse {
            vault_id: loss.vault.to_string(),
            stores: loss.stores,
            store_count: loss.store_count,
            files: loss.files,
            bytes: loss.bytes,
            removed: loss.removed,
        }))
    }
}
