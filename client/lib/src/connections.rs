//! Connection profiles: where an application reaches a service. The key is a secret of its own.

use vault_proto::v1::{
    self, ActivateConnectionRequest, DeleteConnectionRequest, GetConnectionRequest,
    ListConnectionsRequest, SaveConnectionRequest,
};

use crate::{Client, Error, Secret, vault::millis};

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its id; its key is the secret `connection:<id>`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Where requests go.
    pub base_url: String,
    /// Which dialect the service speaks, in the application's words.
    pub compatibility: String,
    /// What else an application keeps of it, as a JSON object; empty where it is nothing.
    pub extra: Vec<u8>,
    /// There is a key.
    pub has_secret: bool,
    /// It is the active one.
    pub active: bool,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
    /// Its revision.
    pub revision: u64,
}

impl From<v1::Connection> for Connection {
    fn from(connection: v1::Connection) -> Self {
        Self {
            id: connection.id,
            name: connection.name,
            base_url: connection.base_url,
            compatibility: connection.compatibility,
            extra: connection.extra,
            has_secret: connection.has_secret,
            active: connection.active,
            created_ms: millis(connection.created),
            modified_ms: millis(connection.modified),
            revision: connection.revision,
        }
    }
}

/// A profile that is to be saved.
#[derive(Debug, Default)]
pub struct NewConnection {
    /// 1 to 64 letters, digits, `_`, `-` or `.`.
    pub id: String,
    /// For people.
    pub name: String,
    /// http or https, without user, password or key in it.
    pub base_url: String,
    /// Which dialect the service speaks, in the application's words.
    pub compatibility: String,
    /// What else to keep of it, as a JSON object without a key in it; empty where it is nothing.
    pub extra: Vec<u8>,
    /// The key. The one stored before stays where there is none.
    pub key: Option<Secret>,
    /// Refuse where there is a profile of this id.
    pub create: bool,
    /// Make it the active one.
    pub activate: bool,
}

impl Client {
    /// Saves a connection: the key first, the profile second. Creates the store `connections`
    /// where it is not there.
    pub async fn save_connection(&self, new: NewConnection) -> Result<Connection, Error> {
        let request = SaveConnectionRequest {
            connection: Some(v1::Connection {
                id: new.id,
                name: new.name,
                base_url: new.base_url,
                compatibility: new.compatibility,
                extra: new.extra,
                active: new.activate,
                ..v1::Connection::default()
            }),
            key: new.key.map(Secret::into_wire),
            create: new.create,
        };
        let mut connections = if request.key.is_some() {
            self.apart().await?.connections()
        } else {
            self.services.connections()
        };
        let saved = connections.save(request).await?.into_inner();
        Ok(saved.connection.unwrap_or_default().into())
    }

    /// A connection by its id.
    pub async fn connection(&self, id: &str) -> Result<Connection, Error> {
        let request = GetConnectionRequest { id: id.to_owned() };
        let found = self.services.connections().get(request).await?.into_inner();
        Ok(found.connection.unwrap_or_default().into())
    }

    /// The active connection; `NOT_FOUND` where none is.
    pub async fn active_connection(&self) -> Result<Connection, Error> {
        self.connection("").await
    }

    /// Every connection, ordered by id, and what is wrong with profiles that cannot be read.
    pub async fn connections(&self) -> Result<(Vec<Connection>, Vec<String>), Error> {
        let request = ListConnectionsRequest {};
        let listed = self
            .services
            .connections()
            .list(request)
            .await?
            .into_inner();
        let connections = listed.connections.into_iter().map(Connection::from);
        Ok((connections.collect(), listed.damaged))
    }

    /// Makes a connection the active one, and no other.
    pub async fn activate_connection(&self, id: &str) -> Result<Connection, Error> {
        let request = ActivateConnectionRequest { id: id.to_owned() };
        let active = self.services.connections().activate(request).await?;
        Ok(active.into_inner().connection.unwrap_or_default().into())
    }

    /// Deletes a connection with its key, or the key alone.
    pub async fn delete_connection(&self, id: &str, key_only: bool) -> Result<(), Error> {
        let request = DeleteConnectionRequest {
            id: id.to_owned(),
            key_only,
        };
        self.services.connections().delete(request).await?;
        Ok(())
    }
}
