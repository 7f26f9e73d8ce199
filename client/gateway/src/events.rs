//! Server-sent events: how long work goes on, told as it goes.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;

use crate::failure::Failure;

/// Time between two signs of life, so that no proxy takes a quiet stream for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// An event with JSON in it.
pub fn event(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    // Only a map whose keys are no text fails to be JSON, and none is sent.
    event
        .json_data(data)
        .unwrap_or_else(|_| Event::default().event("error"))
}

/// The last event of work that fails.
pub fn failed(failure: impl Into<Failure>) -> Event {
    event("error", &failure.into().told())
}

/// An answer of events.
pub fn answer(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.map(Ok::<_, Infallible>);
    let alive = KeepAlive::new().interval(HEARTBEAT);
    Sse::new(events).keep_alive(alive).into_response()
}

/// Events of work that is followed to its end: `next` gives one after another, and then none.
pub fn follow<S, F>(state: S, mut next: impl FnMut(S) -> F + Send + 'static) -> Response
where
    S: Send + 'static,
    F: Future<Output = Result<Option<(Event, S)>, Failure>> + Send + 'static,
{
    answer(stream::unfold(Some(state), move |state| {
        let step = state.map(&mut next);
        async move {
            match step?.await {
                Ok(Some((event, state))) => Some((event, Some(state))),
                Ok(None) => None,
                Err(failure) => Some((failed(failure), None)),
            }
        }
    }))
}
