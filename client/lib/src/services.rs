//! The generated clients: made for each call, all over one transport.

use vault_proto::{
    MESSAGE_LIMIT,
    v1::{
        archives_client::ArchivesClient, audit_client::AuditClient, auth_client::AuthClient,
        blobs_client::BlobsClient, connections_client::ConnectionsClient,
        databases_client::DatabasesClient, documents_client::DocumentsClient,
        files_client::FilesClient, keys_client::KeysClient, logins_client::LoginsClient,
        maintenance_client::MaintenanceClient, pairing_client::PairingClient,
        passkeys_client::PasskeysClient, secrets_client::SecretsClient,
        sessions_client::SessionsClient, stats_client::StatsClient, stores_client::StoresClient,
        tokens_client::TokensClient, vault_client::VaultClient,
    },
};

use crate::transport::Transport;

/// What makes them. A call needs a client of its own, and one made anew costs no more than a clone:
/// so a [`crate::Client`] is as small as its transport.
#[derive(Clone, Debug)]
pub(crate) struct Services(Transport);

impl Services {
    pub(crate) const fn new(transport: Transport) -> Self {
        Self(transport)
    }

    pub(crate) const fn transport(&self) -> &Transport {
        &self.0
    }

    pub(crate) fn vault(&self) -> VaultClient<Transport> {
        VaultClient::new(self.0.clone())
    }

    pub(crate) fn keys(&self) -> KeysClient<Transport> {
        KeysClient::new(self.0.clone())
    }

    pub(crate) fn archives(&self) -> ArchivesClient<Transport> {
        ArchivesClient::new(self.0.clone())
    }

    pub(crate) fn audit(&self) -> AuditClient<Transport> {
        AuditClient::new(self.0.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    pub(crate) fn stores(&self) -> StoresClient<Transport> {
        StoresClient::new(self.0.clone()).max_encoding_message_size(MESSAGE_LIMIT)
    }

    pub(crate) fn blobs(&self) -> BlobsClient<Transport> {
        BlobsClient::new(self.0.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    pub(crate) fn files(&self) -> FilesClient<Transport> {
        FilesClient::new(self.0.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    pub(crate) fn secrets(&self) -> SecretsClient<Transport> {
        SecretsClient::new(self.0.clone())
    }

    pub(crate) fn connections(&self) -> ConnectionsClient<Transport> {
        ConnectionsClient::new(self.0.clone())
    }

    pub(crate) fn documents(&self) -> DocumentsClient<Transport> {
        DocumentsClient::new(self.0.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    pub(crate) fn databases(&self) -> DatabasesClient<Transport> {
        DatabasesClient::new(self.0.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    pub(crate) fn maintenance(&self) -> MaintenanceClient<Transport> {
        MaintenanceClient::new(self.0.clone())
    }

    pub(crate) fn stats(&self) -> StatsClient<Transport> {
        StatsClient::new(self.0.clone())
    }

    pub(crate) fn auth(&self) -> AuthClient<Transport> {
        AuthClient::new(self.0.clone())
    }

    pub(crate) fn passkeys(&self) -> PasskeysClient<Transport> {
        PasskeysClient::new(self.0.clone())
    }

    pub(crate) fn sessions(&self) -> SessionsClient<Transport> {
        SessionsClient::new(self.0.clone())
    }

    pub(crate) fn tokens(&self) -> TokensClient<Transport> {
        TokensClient::new(self.0.clone())
    }

    pub(crate) fn pairing(&self) -> PairingClient<Transport> {
        PairingClient::new(self.0.clone())
    }

    pub(crate) fn logins(&self) -> LoginsClient<Transport> {
        LoginsClient::new(self.0.clone())
    }
}
