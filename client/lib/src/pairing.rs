//! How the first passkey of an address comes about, and which addresses count.

use std::time::SystemTime;

use vault_proto::v1::{
    AddHostRequest, CancelPairingRequest, CreatePairingRequest, ListHostsRequest, RemoveHostRequest,
};

use crate::{Client, Error, Secret, auth::time};

/// A pairing code.
#[derive(Debug)]
pub struct PairingCode {
    /// "ABCD-EFGH"
    pub code: Secret,
    /// When it ends.
    pub expires: SystemTime,
    /// How many tries it has.
    pub tries: u32,
}

impl Client {
    /// Makes the one pairing code there is. `host` is admitted once it is used from there.
    pub async fn create_pairing(&self, host: Option<&str>) -> Result<PairingCode, Error> {
        let request = CreatePairingRequest {
            host: host.unwrap_or_default().to_owned(),
        };
        let created = self.services.pairing().create(request).await?.into_inner();
        Ok(PairingCode {
            code: Secret::from_text(created.code),
            expires: time(created.expires),
            tries: created.tries,
        })
    }

    /// Takes it back.
    pub async fn cancel_pairing(&self) -> Result<(), Error> {
        self.services
            .pairing()
            .cancel(CancelPairingRequest {})
            .await?;
        Ok(())
    }

    /// Hosts that are admitted besides those of the loopback.
    pub async fn hosts(&self) -> Result<Vec<String>, Error> {
        let listed = self
            .services
            .pairing()
            .list_hosts(ListHostsRequest {})
            .await?;
        Ok(listed.into_inner().hosts)
    }

    /// Admits a host.
    pub async fn add_host(&self, host: &str) -> Result<(), Error> {
        let request = AddHostRequest {
            host: host.to_owned(),
        };
        self.services.pairing().add_host(request).await?;
        Ok(())
    }

    /// Admits it no more.
    pub async fn remove_host(&self, host: &str) -> Result<(), Error> {
        let request = RemoveHostRequest {
            host: host.to_owned(),
        };
        self.services.pairing().remove_host(request).await?;
        Ok(())
    }
}
