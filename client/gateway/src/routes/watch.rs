//! `/api/stores/{store}/watch`: changes as they happen, as server-sent events.

use std::time::Duration;

use axum::{
    extract::State,
    response::{Response, sse::Event},
    routing::on,
};
use http::HeaderMap;
use serde::Deserialize;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};
use vault_client::{ChangeStream, Client};

use super::{Body, Method, Needs, Route, documents::HeadJson};
use crate::{
    app::App,
    caller::Caller,
    events,
    extract::{Parameters, Segments},
    failure::Failure,
};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/api/stores/{store}/watch",
    needs: Needs::Credential,
    body: Body::Nothing,
    handler: |method| on(method, watch),
}];

/// How often the daemon is asked anew: whoever may not watch any more hears no later than this that
/// it is over.
const RENEWAL: Duration = Duration::from_secs(30);
/// How long one answer goes on. A browser comes back by itself, with the last event it saw.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize)]
struct WatchQuery {
    /// Changes after this revision; all there is by default.
    #[serde(default)]
    since: u64,
}

/// A watch under way.
struct Watch {
    client: Client,
    store: String,
    since: u64,
    changes: ChangeStream,
    renewal: Instant,
    end: Instant,
    _place: OwnedSemaphorePermit,
}

async fn watch(
    State(app): State<App>,
    caller: Caller,
    Segments(store): Segments<String>,
    Parameters(query): Parameters<WatchQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let since = last_event(&headers)?.unwrap_or(query.since);
    let client = caller.client;
    let changes = client.watch(&store, since).await?;
    let now = Instant::now();
    let watch = Watch {
        client,
        store,
        since,
        changes,
        renewal: now + RENEWAL,
        end: now + LIFETIME,
        _place: app.place_to_watch()?,
    };
    Ok(events::follow(watch, Watch::next))
}

/// Where a browser that comes back goes on.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let revision = id.to_str().ok().and_then(|id| id.parse().ok());
    revision
        .map(Some)
        .ok_or_else(|| Failure::invalid("`Last-Event-ID` is the revision of a change"))
}

impl Watch {
    /// The next change, waiting for it; `None` at the end.
    async fn next(mut self) -> Result<Option<(Event, Self)>, Failure> {
        loop {
            tokio::select! {
                change = self.changes.next() => {
                    let Some(head) = change? else {
                        return Ok(None);
                    };
                    self.since = head.revision;
                    let id = head.revision.to_string();
                    let event = events::event("change", &HeadJson::from(&head)).id(id);
                    return Ok(Some((event, self)));
                }
                () = sleep_until(self.renewal) => {
                    if self.renewal >= self.end {
                        return Ok(None);
                    }
                    self.changes = self.client.watch(&self.store, self.since).await?;
                    self.renewal += RENEWAL;
                }
            }
        }
    }
}
