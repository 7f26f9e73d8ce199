//! What must stay unsaid is in no log, however much is logged.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use http::{Method, Request, header};
use http_body_util::Full;
use hyper::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use vault_client::{AuthSettingsChange, Client, Options, StoreOptions};

use crate::{
    credentials::{Credentials, bypass, register, text},
    http1::{Answer, Connection},
    vault::Vault,
};

/// Where the planted document is kept.
const STORE: &str = "notes";
/// Recognisable wherever they turn up.
const DOCUMENT_ID: &str = "needle-of-an-id";
const DOCUMENT: &str = "needle in the text of a document";
const KEY: &str = "sk-needle-of-a-connection-0123456789";
const CREDENTIAL: &str = "needle-of-an-authenticator";
const FORGED_TOKEN: &str = "vaultd_needlethatisnotoken";
const FORGED_COOKIE: &str = "needle.ofaforged.cookie";

/// Somebody who asks over HTTP, and all that must not be said of it.
struct Asking<'a> {
    vault: &'a Vault,
    connection: Connection,
    planted: Vec<String>,
}

impl Asking<'_> {
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(header::HOST, self.vault.authority("localhost"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::from(body.to_owned());
        let request: Request<Full<Bytes>> = request
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("a request");
        self.connection.send(request).await
    }

    /// The same for JSON that must be answered well.
    async fn json(&mut self, method: Method, path: &str, token: &str, body: Value) -> Value {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let answer = self.send(method, path, &headers, &body.to_string()).await;
        assert!(
            answer.status.is_success(),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn plant(&mut self, secret: impl Into<String>) {
        self.planted.push(secret.into());
    }

    /// A secret of an answer.
    fn plant_from(&mut self, answer: &Value, name: &str) -> String {
        let secret = answer[name].as_str().expect("a secret").to_owned();
        self.plant(secret.clone());
        secret
    }
}

/// As which a secret could stand in a log.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let decimal: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![
        secret.to_owned(),
        secret.to_ascii_uppercase(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        HEXLOWER.encode(bytes),
        decimal.join(", "),
    ];
    // Amid other bytes it begins at any of three places of a group; its ends mix with what is there.
    for before in 0..3 {
        let padded = [&[0; 3][..before], bytes].concat();
        let whole = padded.len() - padded.len() % 3;
        let from = if before == 0 { 0 } else { 4 };
        for alphabet in [BASE64_NOPAD, BASE64URL_NOPAD] {
            forms.push(alphabet.encode(&padded[..whole])[from..].to_owned());
        }
    }
    forms
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = "a secret of some length";
    for form in [
        BASE64_NOPAD.encode(format!("x{secret}y").as_bytes()),
        BASE64URL_NOPAD.encode(format!("xy{secret}").as_bytes()),
        format!("{:?}", secret.as_bytes()),
        "a%20secret%20of%20some%20length".to_owned(),
    ] {
        let found = forms(secret).iter().any(|known| form.contains(known));
        assert!(found, "{form}");
    }
}

/// Documents, by a token in each place it may stand in, and by what does not count.
async fn read_and_write(asking: &mut Asking<'_>, who: &Credentials) {
    let path = format!("/api/stores/{STORE}/documents/{DOCUMENT_ID}");
    let body = json!({ "text": DOCUMENT });
    asking
        .json(Method::PUT, &path, &who.token, body.clone())
        .await;
    asking
        .json(Method::PATCH, &path, &who.token, body.clone())
        .await;
    let read = asking
        .json(Method::GET, &path, &who.token, Value::Null)
        .await;
    assert_eq!(read, body);
    let listing = format!("/api/stores/{STORE}/documents?full=1");
    asking
        .json(Method::GET, &listing, &who.token, Value::Null)
        .await;
    let in_address = format!("{path}?api_token={}", who.token);
    let answer = asking.send(Method::GET, &in_address, &[], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let host = asking.vault.authority("unlisted.example");
    let body = body.to_string();
    for headers in [
        [("authorization", format!("Bearer {}", who.revoked))],
        [("authorization", format!("Bearer {}", who.narrow))],
        [("authorization", format!("Bearer {FORGED_TOKEN}"))],
        [("authorization", format!("Basic {FORGED_TOKEN}"))],
        [("cookie", format!("vaultd_sess={FORGED_COOKIE}"))],
        [("cookie", who.cookie.clone())],
        [("origin", "https://attacker.example".to_owned())],
        [("host", host)],
    ] {
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let answer = asking.send(Method::PUT, &path, &headers, &body).await;
        assert!(
            answer.status.is_client_error(),
            "{headers:?}: {}",
            answer.status
        );
    }
    let connection = "/api/connections/planted";
    let body = json!({ "base_url": "https://api.example/v1", "key": KEY });
    asking.json(Method::PUT, connection, &who.token, body).await;
}

/// A login of a program, from its beginning to its token.
async fn log_in(asking: &mut Asking<'_>, who: &Credentials) {
    let origin = format!("http://{}", asking.vault.authority("localhost"));
    let signed_in = [("cookie", who.cookie.as_str()), ("origin", origin.as_str())];
    let asked = r#"{"label":"a program","scopes":[{"stores":"*","permission":"read"}]}"#;
    let begun = asking
        .send(Method::POST, "/api/auth/device", &[], asked)
        .await;
    let device = asking.plant_from(&begun.json(), "device_code");
    let code = asking.plant_from(&begun.json(), "user_code");
    let path = format!("/api/auth/device/{code}");
    let shown = asking.send(Method::GET, &path, &signed_in, "").await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let decided = asking
        .send(Method::POST, &path, &signed_in, r#"{"approve":true}"#)
        .await;
    assert_eq!(decided.status, 204, "{}", decided.text());
    let grant = json!({ "device_code": device }).to_string();
    let made = asking
        .send(Method::POST, "/api/auth/exchange", &[], &grant)
        .await;
    assert_eq!(made.status, 200, "{}", made.text());
    asking.plant_from(&made.json(), "secret");
}

/// A ceremony that fails, and the end of a session by its id.
async fn sign_out(asking: &mut Asking<'_>, who: &Credentials) {
    let begun = asking
        .send(Method::POST, "/api/auth/login/begin", &[], "{}")
        .await;
    let ceremony = asking.plant_from(&begun.json(), "ceremony");
    let made = json!({ "ceremony": ceremony, "credential": { "id": CREDENTIAL } });
    let refused = asking
        .send(
            Method::POST,
            "/api/auth/login/finish",
            &[],
            &made.to_string(),
        )
        .await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    let sessions = asking
        .json(Method::GET, "/api/auth/sessions", &who.token, Value::Null)
        .await;
    let id = sessions["sessions"][0]["id"]
        .as_str()
        .expect("a session")
        .to_owned();
    let path = format!("/api/auth/sessions/{id}");
    asking.plant(id);
    asking
        .json(Method::DELETE, &path, &who.token, Value::Null)
        .await;
}

/// The same document over gRPC-Web and over the socket, each with a token.
async fn call(options: Options) {
    let client = Client::connect(&options).await.expect("connected");
    let read = client.get(STORE, DOCUMENT_ID).await.expect("read");
    assert!(String::from_utf8_lossy(&read.body).contains(DOCUMENT));
}

#[tokio::test]
async fn no_log_says_what_must_stay_unsaid() {
    let vault = Vault::start("trace");
    let owner = vault.owner().await;
    let created = owner.create_store(STORE, &StoreOptions::default()).await;
    created.expect("a store");
    bypass(&owner, false).await;
    let mut asking = Asking {
        connection: Connection::to(vault.address()),
        vault: &vault,
        planted: Vec::new(),
    };
    for planted in [
        DOCUMENT_ID,
        DOCUMENT,
        KEY,
        CREDENTIAL,
        FORGED_TOKEN,
        FORGED_COOKIE,
    ] {
        asking.plant(planted);
    }

    let code = text(&owner.create_pairing(None).await.expect("a code").code);
    let wrong = json!({ "pairing_code": "BCDF-GHJK" }).to_string();
    let refused = asking
        .send(Method::POST, "/api/auth/register/begin", &[], &wrong)
        .await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let given = json!({ "pairing_code": code });
    register(&vault, &mut asking.connection, given).await;
    asking.plant(code);

    let who = Credentials::make(&vault, &owner).await;
    let change = AuthSettingsChange {
        query_tokens: Some(true),
        ..AuthSettingsChange::default()
    };
    owner.configure_auth(change).await.expect("configured");
    for token in [&who.token, &who.revoked, &who.expired, &who.narrow] {
        asking.plant(token);
    }
    let (_, cookie) = who.cookie.split_once('=').expect("a name and a value");
    for part in cookie.split('.') {
        asking.plant(part);
    }
    read_and_write(&mut asking, &who).await;
    log_in(&mut asking, &who).await;
    call(vault.over_web(&who.token)).await;
    call(vault.over_socket(&who.token)).await;
    sign_out(&mut asking, &who).await;

    let planted = std::mem::take(&mut asking.planted);
    drop(asking);
    for (log, name) in vault.stop().iter().zip(["daemon", "gateway"]) {
        assert!(
            log.contains(" INFO ") || log.contains("\"INFO\""),
            "{name} logs:\n{log}"
        );
        assert!(
            log.lines().count() > 10,
            "{name} logs at its most talkative:\n{log}"
        );
        for secret in &planted {
            for form in forms(secret) {
                let said = log.lines().find(|line| line.contains(&form));
                assert_eq!(said, None, "the {name} says {secret}");
            }
        }
    }
}
