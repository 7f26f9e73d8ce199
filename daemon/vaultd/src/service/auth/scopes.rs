//! Scopes on the wire and in vault-auth.

use tonic::Status;
use vault_auth::{Permission, StorePattern, StoreScope};
use vault_proto::v1;

use crate::service::out_of_turn;

/// What a client asks for.
pub(in crate::service) fn from_wire(scopes: Vec<v1::Scope>) -> Result<Vec<StoreScope>, Status> {
    let parse = |scope: v1::Scope| {
        let permission = match scope.permission() {
            v1::Permission::Read => Permission::Read,
            v1::Permission::Write => Permission::Write,
            v1::Permission::Admin => Permission::Admin,
            v1::Permission::Unspecified => {
                return Err(out_of_turn("a scope says how far: read, write or admin"));
            }
        };
        let stores = StorePattern::parse(&scope.stores);
        let stores = stores.map_err(|error| out_of_turn(&error.to_string()))?;
        Ok(StoreScope { stores, permission })
    };
    scopes.into_iter().map(parse).collect()
}

/// What a client is told.
pub(in crate::service) fn to_wire(scopes: &[StoreScope]) -> Vec<v1::Scope> {
    let describe = |scope: &StoreScope| v1::Scope {
        stores: scope.stores.clone().into(),
        permission: match scope.permission {
            Permission::Read => v1::Permission::Read,
            Permission::Write => v1::Permission::Write,
            Permission::Admin => v1::Permission::Admin,
        }
        .into(),
    };
    scopes.iter().map(describe).collect()
}
