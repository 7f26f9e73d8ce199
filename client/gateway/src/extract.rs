//! What handlers read of a request; what does not fit is refused as JSON that says why.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use http::request::Parts;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::{app::App, failure::Failure};

/// A JSON body. Without the content type it is refused: a form of another site's page cannot send it.
pub struct Input<T>(pub T);

/// The parts of an address that are not fixed, decoded.
pub struct Segments<T>(pub T);

/// What stands behind the `?`.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Input<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let Json(body) = Json::<T>::from_request(request, app).await?;
        Ok(Self(body))
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Segments<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Path(segments) = Path::<T>::from_request_parts(parts, app).await?;
        Ok(Self(segments))
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Query(parameters) = Query::<T>::from_request_parts(parts, app).await?;
        Ok(Self(parameters))
    }
}

/// A parameter that is on or off: `1` or `true`, `0` or `false`; off where it is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "1" | "true" => Ok(Self(true)),
            "0" | "false" => Ok(Self(false)),
            _ => Err(serde::de::Error::custom("it is 1 or 0")),
        }
    }
}
