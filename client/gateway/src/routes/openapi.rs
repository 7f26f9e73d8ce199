//! `/api/openapi.json`: what there is, for programs.

use axum::{
    response::{IntoResponse as _, Response},
    routing::on,
};
use http::header::CONTENT_TYPE;

use super::{Body, Method, Needs, Route};
use crate::{failure::Failure, openapi};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/api/openapi.json",
    needs: Needs::Nothing,
    body: Body::Nothing,
    handler: |method| on(method, document),
}];

async fn document() -> Result<Response, Failure> {
    let text = openapi::text().ok_or_else(Failure::internal)?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}
