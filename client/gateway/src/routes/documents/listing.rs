//! A page of documents. With bodies it is sent as it is read, so that it never lies in memory whole.

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use vault_client::{CHUNK_LIMIT, Error, Heads, Listed};

use super::head::{HeadJson, WithBody};
use crate::{caller::Caller, content, extract::Flag, failure::Failure, page::PageLimit};

/// What a page holds.
#[derive(Deserialize)]
pub(in crate::routes) struct ListQuery {
    #[serde(default)]
    limit: PageLimit,
    /// The id that the page before ended with.
    #[serde(default)]
    after: String,
    /// What ids begin with.
    #[serde(default)]
    prefix: String,
    /// With bodies.
    #[serde(default)]
    full: Flag,
}

/// A page of a store's documents.
pub(in crate::routes) async fn list_store(
    caller: Caller,
    store: &str,
    query: ListQuery,
) -> Result<Response, Failure> {
    let full = query.full.0;
    let heads = caller
        .client
        .list_after(store, &query.prefix, &query.after, full)
        .await?;
    let mut page = Page {
        heads,
        left: query.limit.get(),
        last: None,
        text: b"{\"documents\":[".to_vec(),
        damaged: Vec::new(),
        done: false,
    };
    // A listing that fails at once is an answer of its own, and not one that breaks off.
    let first = page.piece().await?;
    let rest = content::pieces(page, async |mut page| {
        Ok(page.piece().await?.map(|piece| (piece, page)))
    });
    let first = stream::iter(first.map(Ok::<_, Error>));
    let body = Body::from_stream(first.chain(rest));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// A page being written.
struct Page {
    heads: Heads,
    left: usize,
    last: Option<String>,
    text: Vec<u8>,
    damaged: Vec<String>,
    done: bool,
}

impl Page {
    /// The next piece of its JSON; `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.done && self.text.len() < CHUNK_LIMIT {
            match self.heads.next().await? {
                Some(Listed::Document(..)) if self.left == 0 => {
                    let last = self.last.take();
                    self.end(last.as_deref())?;
                }
                Some(Listed::Document(head, body)) => {
                    if self.last.is_some() {
                        self.text.push(b',');
                    }
                    match body {
                        Some(body) => self.json(&WithBody::new(&head, &body))?,
                        None => self.json(&HeadJson::from(&head))?,
                    }
                    self.left -= 1;
                    self.last = Some(head.id);
                }
                Some(Listed::Damaged(what)) => self.damaged.push(what),
                None => self.end(None)?,
            }
        }
        let text = std::mem::take(&mut self.text);
        Ok((!text.is_empty()).then(|| text.into()))
    }

    /// What comes after the documents. `next` is where the next page goes on.
    fn end(&mut self, next: Option<&str>) -> Result<(), Error> {
        self.done = true;
        self.text.extend_from_slice(b"],\"damaged\":");
        let damaged = std::mem::take(&mut self.damaged);
        self.json(&damaged)?;
        self.text.extend_from_slice(b",\"next\":");
        self.json(&next)?;
        self.text.push(b'}');
        Ok(())
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Error> {
        serde_json::to_writer(&mut self.text, value)
            .map_err(|error| Error::Local(error.to_string()))
    }
}
