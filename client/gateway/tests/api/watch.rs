//! Changes, as server-sent events.

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use serde_json::Value;

use crate::support::Gateway;

/// Events as they come.
struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    async fn open(gateway: &Gateway, last: Option<&str>) -> Self {
        let mut request = Request::get("/api/stores/notes/watch");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let response = gateway.open(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// Name, id and data of the next event; `None` at the end.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines();
                    let value = lines.find_map(|line| line.strip_prefix(name));
                    value.unwrap_or_default().to_owned()
                };
                let data = serde_json::from_str(&field("data: ")).unwrap_or_default();
                let event = (field("event: "), field("id: "), data);
                self.text = String::from(rest);
                return Some(event);
            }
            let frame = self.body.frame().await?.expect("a frame");
            let data = frame.into_data().expect("data");
            self.text
                .push_str(std::str::from_utf8(&data).expect("text"));
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_where_it_ended_and_ends_with_the_lock() {
    let gateway = Gateway::start().await;
    gateway.store("notes", "documents", "chat").await;
    let put = async |id: &str| {
        let path = format!("/api/stores/notes/documents/{id}");
        let put = gateway.json(Method::PUT, &path, "{}").await;
        put.json()["revision"].to_string()
    };
    let first = put("a").await;
    let mut events = Events::open(&gateway, None).await;
    let (name, id, head) = events.next().await.expect("a change");
    assert_eq!(
        (&*name, &id, &head["id"]),
        ("change", &first, &Value::from("a"))
    );
    let second = put("b").await;
    let (_, id, head) = events.next().await.expect("a change");
    assert_eq!((&id, &head["id"]), (&second, &Value::from("b")));
    drop(events);

    let third = put("c").await;
    let mut events = Events::open(&gateway, Some(&second)).await;
    let (_, id, head) = events.next().await.expect("what was missed");
    assert_eq!((&id, &head["id"]), (&third, &Value::from("c")));
    let gone = gateway.call(Method::DELETE, "/api/stores/notes/documents/a", &[], "");
    assert_eq!(gone.await.status, StatusCode::OK);
    let (_, _, head) = events.next().await.expect("a change");
    assert_eq!(
        (&head["id"], &head["deleted"]),
        (&Value::from("a"), &Value::from(true))
    );

    gateway.owner().await.lock().await.expect("locked");
    let (name, _, failure) = events.next().await.expect("why it ends");
    assert_eq!(
        (&*name, &failure["error"]["reason"]),
        ("error", &Value::from("LOCKED"))
    );
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn an_alias_has_a_watch() {
    let gateway = Gateway::start().await;
    gateway
        .store("chat/conversations", "documents", "chat")
        .await;
    let request = Request::get("/api/conversations/watch");
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    let response = gateway.open(request).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
}

#[tokio::test]
async fn a_watch_of_nothing_is_refused() {
    let gateway = Gateway::start().await;
    let missing = gateway.get("/api/stores/nothing/watch").await;
    assert_eq!(missing.refusal(), (404, "NOT_FOUND".to_owned()));
    gateway.store("notes", "documents", "chat").await;
    let headers = [("last-event-id", "x")];
    let unfit = gateway.call(Method::GET, "/api/stores/notes/watch", &headers, "");
    assert_eq!(unfit.await.refusal(), (400, "INVALID_ARGUMENT".to_owned()));
}
