//! Secrets RPCs.

use tonic::{Request, Response, Status};
use vault_crypto::{SecretBytes, SecretName};
use vault_proto::v1::{
    self, DeleteSecretRequest, DeleteSecretResponse, GetSecretRequest, GetSecretResponse,
    ListSecretsRequest, ListSecretsResponse, Reason, SetSecretRequest, SetSecretResponse,
    secrets_server::Secrets,
};
use vault_store::{
    StoreError,
    secrets::{NewSecret, SecretInfo},
};

use super::{Services, convert};
use crate::error::refusal;

/// The `Secrets` service.
#[derive(Clone)]
pub struct SecretsService(pub Services);

fn parse(name: &str) -> Result<SecretName, Status> {
    SecretName::parse(name).map_err(|error| refusal(Reason::InvalidId, error.to_string(), &[]))
}

fn describe(info: SecretInfo) -> v1::SecretInfo {
    v1::SecretInfo {
        name: info.name.to_string(),
        label: info.label,
        created: Some(convert::timestamp(info.created_ms)),
        modified: Some(convert::timestamp(info.modified_ms)),
        last_used: info.last_used_ms.map(convert::timestamp),
        place: convert::secret_place(info.place).into(),
        value_missing: false,
    }
}

#[tonic::async_trait]
impl Secrets for SecretsService {
    async fn set(
        &self,
        request: Request<SetSecretRequest>,
    ) -> Result<Response<SetSecretResponse>, Status> {
        let request = request.into_inner();
        let new = NewSecret {
            // First: whatever comes of the call, the value is zeroed.
            value: SecretBytes::new(request.value),
            name: parse(&request.name)?,
            label: request.label,
            create: request.create,
        };
        let set = self
            .0
            .with_vault(move |vault| vault.secrets_or_create()?.set(&new));
        Ok(Response::new(SetSecretResponse {
            secret: Some(describe(set.await?)),
        }))
    }

    async fn get(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let name = parse(&request.into_inner().name)?;
        let read = self.0.with_vault(move |vault| match vault.secrets()? {
            Some(secrets) => secrets.get(&name),
            None => Err(StoreError::NoSuchSecret(name.to_string())),
        });
        let (info, value) = read.await?;
        Ok(Response::new(GetSecretResponse {
            secret: Some(describe(info)),
            value: value.expose().to_vec(),
        }))
    }

    async fn list(
        &self,
        request: Request<ListSecretsRequest>,
    ) -> Result<Response<ListSecretsResponse>, Status> {
        let prefix = request.into_inner().prefix;
        let listed = self.0.with_vault(move |vault| {
            let Some(secrets) = vault.secrets()? else {
                return Ok((Vec::new(), Vec::new()));
            };
            // The list is there whether or not the keyring is.
            let found = secrets.inspect().unwrap_or_default();
            Ok((secrets.list(&prefix)?, found.missing))
        });
        let (listed, missing) = listed.await?;
        let secrets = listed.into_iter().map(|info| v1::SecretInfo {
            value_missing: missing.contains(&info.name),
            ..describe(info)
        });
        Ok(Response::new(ListSecretsResponse {
            secrets: secrets.collect(),
        }))
    }

    async fn delete(
        &self,
        request: Request<DeleteSecretRequest>,
    ) -> Result<Response<DeleteSecretResponse>, Status> {
        let name = parse(&request.into_inner().name)?;
        let deleted = self.0.with_vault(move |vault| match vault.secrets()? {
            Some(secrets) => secrets.delete(&name),
            None => Err(StoreError::NoSuchSecret(name.to_string())),
        });
        deleted.await?;
        Ok(Response::new(DeleteSecretResponse {}))
    }
}
