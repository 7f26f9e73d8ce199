//! `/api/blobs`: content under the hash of it.

use std::collections::BTreeMap;

use axum::{
    body::Body as RequestBody,
    response::{IntoResponse as _, Response},
    routing::on,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG},
};
use serde::{Deserialize, Serialize};
use vault_client::{Blob, ListedBlob, NewBlob};

use super::{Body, Method, Needs, Route};
use crate::{
    caller::Caller,
    content::{self, Part},
    extract::{Parameters, Segments},
    failure::Failure,
    json::time_of_ms,
    page::PageLimit,
    precondition,
    upload::Upload,
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: ALL,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list),
    },
    Route {
        method: Method::Put,
        path: ALL,
        needs: Needs::Credential,
        body: Body::Stream,
        handler: |method| on(method, put),
    },
    Route {
        method: Method::Post,
        path: ALL,
        needs: Needs::Credential,
        body: Body::Stream,
        handler: |method| on(method, put),
    },
    Route {
        method: Method::Get,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, get),
    },
    Route {
        method: Method::Delete,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, delete),
    },
];

const ALL: &str = "/api/blobs";
const ONE: &str = "/api/blobs/{reference}";

/// Damaged blobs that a listing names, at most.
const DAMAGED_LIMIT: usize = 100;

/// Which store; the one of blobs by default.
#[derive(Deserialize)]
struct StoreQuery {
    #[serde(default)]
    store: String,
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    store: String,
    #[serde(default)]
    limit: PageLimit,
    /// The ref that the page before ended with.
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
struct ReadQuery {
    #[serde(default)]
    store: String,
    /// As which kind of image it is to be shown.
    r#type: Option<String>,
}

/// A blob as JSON.
#[derive(Serialize)]
struct BlobJson {
    r#ref: String,
    size: u64,
    content_type: String,
    created: String,
    stored_bytes: u64,
    /// Of one that was put: whether it was there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    existed: Option<bool>,
}

impl From<Blob> for BlobJson {
    fn from(blob: Blob) -> Self {
        Self {
            r#ref: blob.reference,
            size: blob.size,
            content_type: blob.content_type,
            created: time_of_ms(blob.created_ms),
            stored_bytes: blob.stored_bytes,
            existed: None,
        }
    }
}

#[derive(Serialize)]
struct Page {
    blobs: Vec<BlobJson>,
    damaged: Vec<String>,
    next: Option<String>,
}

/// A page in the order of refs. The daemon lists in no order, so it is asked for all, and as many are
/// kept as the page holds.
async fn list(
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Failure> {
    let mut listed = caller.client.list_blobs(&query.store).await?;
    let limit = query.limit.get();
    let (mut first, mut damaged, mut more) = (BTreeMap::new(), Vec::new(), false);
    while let Some(entry) = listed.next().await? {
        match entry {
            ListedBlob::Blob(blob) if blob.reference > query.after => {
                first.insert(blob.reference.clone(), blob);
                if first.len() > limit {
                    first.pop_last();
                    more = true;
                }
            }
            ListedBlob::Damaged(blob) if damaged.len() < DAMAGED_LIMIT => {
                damaged.push(format!("{}: {}", blob.object, blob.detail));
            }
            ListedBlob::Blob(_) | ListedBlob::Damaged(_) => {}
        }
    }
    let last = first.last_key_value().map(|(reference, _)| reference);
    let next = last.filter(|_| more).cloned();
    let blobs = first.into_values().map(BlobJson::from).collect();
    let page = Page {
        blobs,
        damaged,
        next,
    };
    Ok(axum::Json(page).into_response())
}

async fn put(
    caller: Caller,
    Parameters(StoreQuery { store }): Parameters<StoreQuery>,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, Failure> {
    precondition::none(&headers)?;
    let upload = Upload::new(&headers, body);
    let given = headers.get(CONTENT_TYPE);
    let content_type = given.and_then(|given| given.to_str().ok());
    let new = NewBlob {
        content_type: content_type.unwrap_or_default().to_owned(),
        size: upload.size,
        ask_first: !upload.is_small(),
        ..NewBlob::default()
    };
    let send = |source| caller.client.upload_blob(&store, new, source, |_| {});
    let stored = upload.send(send).await?;
    let status = if stored.existed {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let blob = BlobJson {
        existed: Some(stored.existed),
        ..BlobJson::from(stored.blob)
    };
    Ok((status, axum::Json(blob)).into_response())
}

async fn get(
    caller: Caller,
    Segments(reference): Segments<String>,
    Parameters(query): Parameters<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let image = query.r#type.as_deref();
    if image.is_some_and(|image| !content::is_image(image)) {
        let text = "`type` is image/avif, image/gif, image/jpeg, image/png or image/webp";
        return Err(Failure::invalid(text));
    }
    let content_type = image.unwrap_or(content::BYTES);
    let (client, store) = (&caller.client, &query.store);
    let tag = format!("\"{reference}\"");
    let known = precondition::is_known(&headers, &tag);
    let head = caller.request.method == "HEAD";
    let mut part = Part::Whole;
    if known || head || Part::may_be_asked(&headers) {
        let blob = client.stat_blob(store, &reference).await?;
        if known {
            let response = StatusCode::NOT_MODIFIED.into_response();
            return Ok(described(response, &tag, content_type));
        }
        if head {
            let mut response = StatusCode::OK.into_response();
            let size = HeaderValue::from(blob.size);
            response.headers_mut().insert(CONTENT_LENGTH, size);
            return Ok(described(response, &tag, content_type));
        }
        part = Part::asked(&headers, blob.size, Some(&tag));
        if part == Part::Nowhere {
            return Ok(Part::nowhere(blob.size));
        }
    }
    let download = client.download_blob(store, &reference, part.content());
    let download = download.await?;
    let (size, whole) = (download.size(), download.blob().size);
    let pieces = content::pieces(download, async |mut download| {
        Ok(download.next().await?.map(|piece| (piece, download)))
    });
    let mut response = content::body(size, pieces);
    part.mark(&mut response, whole);
    Ok(described(response, &tag, content_type))
}

/// An answer that says what is known of a blob: its type is nobody's word but the asker's.
fn described(mut response: Response, tag: &str, content_type: &str) -> Response {
    let headers = response.headers_mut();
    content::describe(headers, content_type);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

async fn delete(
    caller: Caller,
    Segments(reference): Segments<String>,
    Parameters(StoreQuery { store }): Parameters<StoreQuery>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    precondition::none(&headers)?;
    caller.client.delete_blob(&store, &reference).await?;
    Ok(StatusCode::NO_CONTENT)
}
