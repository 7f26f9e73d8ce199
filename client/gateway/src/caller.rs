//! On whose behalf a handler works.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use vault_client::{Client, WebRequest};

use crate::{app::App, failure::Failure};

/// Whoever sent the request: the first argument of every handler that reaches the vault.
pub struct Caller {
    /// Its calls are judged as those of whoever sent the request.
    pub client: Client,
    /// What is known of it.
    pub request: Arc<WebRequest>,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let request = parts.extensions.get::<Arc<WebRequest>>().cloned();
        // The layer that puts it there lies around every route.
        let request = request.ok_or_else(Failure::internal)?;
        let client = app.daemon.for_request().await?.on_behalf_of(&request);
        Ok(Self { client, request })
    }
}
