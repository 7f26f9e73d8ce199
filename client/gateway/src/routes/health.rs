//! Whether the gateway runs, and nothing else.

use axum::routing::on;

use super::{Body, Method, Needs, Route};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/healthz",
    needs: Needs::Nothing,
    body: Body::Nothing,
    handler: |method| on(method, healthz),
}];

/// For anybody: so it must not tell whether the vault is open, or what is in it.
async fn healthz() -> &'static str {
    "ok"
}
