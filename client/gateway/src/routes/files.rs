//! `/api/files`: ordinary files under their own names. A name's slashes stand in an address as they are.

use axum::{
    body::Body as RequestBody,
    response::{IntoResponse as _, Response},
    routing::on,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH},
};
use serde::{Deserialize, Serialize};
use vault_client::{Client, File, ListedFile, NewFile, Precondition};

use super::{Body, Method, Needs, Route, stores::stores_of};
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
        path: "/api/files",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, stores),
    },
    Route {
        method: Method::Get,
        path: "/api/files/{store}",
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
        method: Method::Delete,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, delete),
    },
];

const ONE: &str = "/api/files/{store}/{*name}";

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    limit: PageLimit,
    /// The name that the page before ended with.
    #[serde(default)]
    after: String,
    /// What names begin with.
    #[serde(default)]
    prefix: String,
}

/// A file as JSON.
#[derive(Serialize)]
struct FileJson {
    name: String,
    size: u64,
    content_type: String,
    modified: String,
    sealed: bool,
}

impl From<File> for FileJson {
    fn from(file: File) -> Self {
        Self {
            name: file.name,
            size: file.size,
            content_type: file.content_type,
            modified: time_of_ms(file.modified_ms),
            sealed: file.sealed,
        }
    }
}

/// What lies there and cannot be used.
#[derive(Serialize)]
struct Skipped {
    name: String,
    detail: String,
}

#[derive(Default, Serialize)]
struct Page {
    files: Vec<FileJson>,
    skipped: Vec<Skipped>,
    next: Option<String>,
}

/// The stores of files.
async fn stores(caller: Caller) -> Result<Response, Failure> {
    stores_of(&caller, "files").await
}

async fn list(
    caller: Caller,
    Segments(store): Segments<String>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Failure> {
    let mut listed = caller.client.list_files(&store, &query.prefix).await?;
    let limit = query.limit.get();
    let mut page = Page::default();
    while let Some(entry) = listed.next().await? {
        match entry {
            ListedFile::File(file) if file.name <= query.after => {}
            ListedFile::File(_) if page.files.len() == limit => {
                page.next = page.files.last().map(|file| file.name.clone());
                break;
            }
            ListedFile::File(file) => page.files.push(file.into()),
            ListedFile::Skipped { name, detail } if page.skipped.len() < limit => {
                page.skipped.push(Skipped { name, detail });
            }
            ListedFile::Skipped { .. } => {}
        }
    }
    Ok(axum::Json(page).into_response())
}

async fn get(
    caller: Caller,
    Segments((store, name)): Segments<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client = &caller.client;
    let head = caller.request.method == "HEAD";
    let mut part = Part::Whole;
    if head || Part::may_be_asked(&headers) {
        let file = client.stat_file(&store, &name).await?;
        if head {
            let mut response = described(StatusCode::OK.into_response(), &file);
            let size = HeaderValue::from(file.size);
            response.headers_mut().insert(CONTENT_LENGTH, size);
            return Ok(response);
        }
        part = Part::asked(&headers, file.size, None);
        if part == Part::Nowhere {
            return Ok(Part::nowhere(file.size));
        }
    }
    let download = client.download_file(&store, &name, part.content()).await?;
    let (size, file) = (download.size(), download.file().clone());
    let pieces = content::pieces(download, async |mut download| {
        Ok(download.next().await?.map(|piece| (piece, download)))
    });
    let mut response = content::body(size, pieces);
    part.mark(&mut response, file.size);
    Ok(described(response, &file))
}

fn described(mut response: Response, file: &File) -> Response {
    let headers = response.headers_mut();
    content::describe(headers, &file.content_type);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

async fn put(
    caller: Caller,
    Segments((store, name)): Segments<(String, String)>,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, Failure> {
    let create = match precondition::of_write(&headers)? {
        Precondition::None => false,
        Precondition::Absent => true,
        Precondition::Present | Precondition::Revision(_) => {
            let text =
                "a file has no revision: `If-None-Match: *`, to only create, is all it takes";
            return Err(Failure::invalid(text));
        }
    };
    let upload = Upload::new(&headers, body);
    let new = NewFile {
        name,
        size: upload.size,
        create,
        ask_first: !upload.is_small(),
    };
    let client = &caller.client;
    let existed = !create && is_there(client, &store, &new.name).await?;
    let send = |source| client.put_file(&store, new, source, |_| {});
    let put = upload.send(send).await;
    let file = put.map_err(|failure| {
        if create {
            failure.of_precondition()
        } else {
            failure
        }
    })?;
    let status = if existed {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, axum::Json(FileJson::from(file))).into_response())
}

/// Whether there is such a file. Its store, too, may not be there yet.
async fn is_there(client: &Client, store: &str, name: &str) -> Result<bool, Failure> {
    match client.stat_file(store, name).await {
        Ok(_) => Ok(true),
        Err(error) if error.reason() == Some("NOT_FOUND") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn delete(
    caller: Caller,
    Segments((store, name)): Segments<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    precondition::none(&headers)?;
    caller.client.delete_file(&store, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
