//! `/api/stores/{store}/documents`: documents and their bodies. The entity tag of one is its revision.

mod head;
mod listing;

use axum::{
    body::{Body as RequestBody, Bytes},
    response::{IntoResponse as _, Response},
    routing::on,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG},
};
use serde::{Deserialize, Serialize};
use vault_client::{
    Client, DocumentUpload, Head, Listed, NewDocument, Precondition, UNARY_BODY_LIMIT,
};

use super::{Body, Method, Needs, Route};
use crate::{
    caller::Caller,
    content,
    extract::{Flag, Parameters, Segments},
    failure::Failure,
    precondition,
    upload::Upload,
};

pub(super) use head::HeadJson;
pub(super) use listing::{ListQuery, list_store};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/stores/{store}/documents",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list),
    },
    Route {
        method: Method::Get,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, get),
    },
    Route {
        method: Method::Put,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Stream,
        handler: |method| on(method, put),
    },
    Route {
        method: Method::Patch,
        path: ONE,
        needs: Needs::Credential,
        body: Body::UpTo(UNARY_BODY_LIMIT),
        handler: |method| on(method, patch),
    },
    Route {
        method: Method::Delete,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, delete),
    },
];

const ONE: &str = "/api/stores/{store}/documents/{id}";

/// Bytes of a body with its attachments in it, at most: it is put together in memory.
const INLINE_LIMIT: u64 = 64 << 20;

/// How a document is read.
#[derive(Deserialize)]
pub(super) struct ReadQuery {
    /// With the content of its attachments in it.
    #[serde(default)]
    inline: Flag,
}

async fn list(
    caller: Caller,
    Segments(store): Segments<String>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Failure> {
    list_store(caller, &store, query).await
}

async fn get(
    caller: Caller,
    Segments((store, id)): Segments<(String, String)>,
    Parameters(query): Parameters<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    read(caller, &store, &id, &query, &headers).await
}

async fn put(
    caller: Caller,
    Segments((store, id)): Segments<(String, String)>,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, Failure> {
    write(caller, &store, id, &headers, body).await
}

async fn patch(
    caller: Caller,
    Segments((store, id)): Segments<(String, String)>,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, Failure> {
    merge(caller, &store, &id, &headers, body).await
}

async fn delete(
    caller: Caller,
    Segments((store, id)): Segments<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    remove(caller, &store, &id, &headers).await
}

/// A document's body, with what is known of it in the headers.
pub(super) async fn read(
    caller: Caller,
    store: &str,
    id: &str,
    query: &ReadQuery,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let client = &caller.client;
    if caller.request.method == "HEAD"
        && !query.inline.0
        && let Some(head) = find(client, store, id).await?
    {
        let length = head.body_bytes;
        let mut response = described(&head, StatusCode::OK.into_response());
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        return Ok(response);
    }
    if query.inline.0 {
        // Other bytes than those of the revision: no entity tag stands for them.
        let document = client.get(store, id).await?;
        let body = client.inline_attachments(store, &document.body, INLINE_LIMIT);
        let mut response = described(&document.head, Bytes::from(body.await?).into_response());
        response.headers_mut().remove(ETAG);
        return Ok(response);
    }
    let document = client.open_document(store, id).await?;
    let head = document.head().clone();
    if precondition::is_known(headers, &precondition::tag(head.revision)) {
        return Ok(described(&head, StatusCode::NOT_MODIFIED.into_response()));
    }
    let pieces = content::pieces(document, async |mut document| {
        Ok(document.next().await?.map(|piece| (piece, document)))
    });
    Ok(described(&head, content::body(head.body_bytes, pieces)))
}

/// An answer that says what is known of a document.
fn described(head: &Head, mut response: Response) -> Response {
    let headers = response.headers_mut();
    content::describe(headers, &head.content_type);
    head::write(headers, head);
    response
}

/// A document's head, without its body; `None` where none can be read.
async fn find(client: &Client, store: &str, id: &str) -> Result<Option<Head>, Failure> {
    match client.list(store, id, false).await?.next().await? {
        Some(Listed::Document(head, _)) if head.id == id => Ok(Some(head)),
        _ => Ok(None),
    }
}

/// Writes a document. One of any size goes on to the daemon as it comes.
pub(super) async fn write(
    caller: Caller,
    store: &str,
    id: String,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Response, Failure> {
    let client = &caller.client;
    let precondition = precondition::of_write(headers)?;
    let content_type = given_type(headers)?;
    let labels = head::labels(headers)?;
    let upload = Upload::new(headers, body);
    let written = match upload.size {
        Some(size) if !upload.is_small() => {
            let document = DocumentUpload {
                id,
                size,
                content_type,
                labels,
                precondition,
            };
            let send = |source| client.upload_document(store, document, source);
            upload.send(send).await
        }
        size => {
            if size.is_none() {
                // Much is gathered only for somebody who may read here at least.
                find(client, store, &id).await?;
            }
            let body = upload.gather(UNARY_BODY_LIMIT).await?.ok_or_else(|| {
                let message = "a body of more than 1 MiB comes with its length";
                Failure::new(StatusCode::LENGTH_REQUIRED, "LENGTH_REQUIRED", message)
            })?;
            let document = NewDocument {
                id,
                body: body.into(),
                content_type,
                labels,
                precondition,
            };
            client.put(store, document).await.map_err(Failure::from)
        }
    };
    let created = |head: &Head| match precondition {
        Precondition::Absent => true,
        Precondition::Present | Precondition::Revision(_) => false,
        Precondition::None => head.created_ms == head.modified_ms,
    };
    let status = match &written {
        Ok(head) if created(head) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok((status, changed(written, headers)?).into_response())
}

/// Applies a JSON Merge Patch (RFC 7396).
pub(super) async fn merge(
    caller: Caller,
    store: &str,
    id: &str,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Response, Failure> {
    let revision = precondition::revision_of_change(headers)?;
    if !content::is_json(&given_type(headers)?) {
        let message = "a patch is of the type application/merge-patch+json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Failure::new(status, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    let client = &caller.client;
    let upload = Upload::new(headers, body);
    if !upload.is_small() {
        find(client, store, id).await?;
    }
    let patch = upload.gather(UNARY_BODY_LIMIT).await?;
    let patch = patch.ok_or_else(|| Failure::too_large(UNARY_BODY_LIMIT as u64))?;
    let patched = client.patch(store, id, patch.into(), revision).await;
    changed(patched.map_err(Failure::from), headers)
}

/// Deletes a document; says the revision of its tombstone.
pub(super) async fn remove(
    caller: Caller,
    store: &str,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    #[derive(Serialize)]
    struct Deleted<'a> {
        id: &'a str,
        revision: u64,
    }
    let if_revision = precondition::revision_of_change(headers)?;
    let deleted = caller.client.delete(store, id, if_revision).await;
    let revision = deleted.map_err(|error| conflict(error.into(), headers))?;
    Ok(axum::Json(Deleted { id, revision }).into_response())
}

/// The answer to a write: the new head.
fn changed(written: Result<Head, Failure>, headers: &HeaderMap) -> Result<Response, Failure> {
    let head = written.map_err(|failure| conflict(failure, headers))?;
    let mut response = axum::Json(HeadJson::from(&head)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&precondition::tag(head.revision)) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

fn conflict(failure: Failure, headers: &HeaderMap) -> Failure {
    if precondition::is_conditional(headers) {
        failure.of_precondition()
    } else {
        failure
    }
}

/// The content type of a request; JSON where it has none.
fn given_type(headers: &HeaderMap) -> Result<String, Failure> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok("application/json".to_owned());
    };
    let text = given.to_str().map(str::to_owned);
    text.map_err(|_| Failure::invalid("`Content-Type` is not text"))
}
