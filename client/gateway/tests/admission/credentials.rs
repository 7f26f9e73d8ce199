//! What there is to be let in by: a session, and tokens that count or do not.

use std::time::Duration;

use http::{Request, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::{Value, json};
use url::Url;
use vault_client::{AuthSettingsChange, Client, Permission, Scope, Secret};
use webauthn_authenticator_rs::{WebauthnAuthenticator, softpasskey::SoftPasskey};

use crate::{
    http1::{Answer, Connection},
    vault::Vault,
};

/// A session's cookie, and the values of four tokens.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) cookie: String,
    /// It administers everything.
    pub(crate) token: String,
    pub(crate) revoked: String,
    pub(crate) expired: String,
    /// It reads one store, which no request names.
    pub(crate) narrow: String,
}

impl Credentials {
    /// Makes all of them, in place of all there were.
    pub(crate) async fn make(vault: &Vault, owner: &Client) -> Self {
        owner.reset_tokens().await.expect("no tokens any more");
        let everything = scope("*", Permission::Admin);
        let (token, _) = create(owner, everything.clone(), None).await;
        let (revoked, id) = create(owner, everything.clone(), None).await;
        owner.revoke_token(&id).await.expect("revoked");
        let (expired, _) = create(owner, everything, Some(Duration::from_millis(1))).await;
        let (narrow, _) = create(owner, scope("other", Permission::Read), None).await;
        Self {
            cookie: sign_in(vault, owner).await,
            token,
            revoked,
            expired,
            narrow,
        }
    }
}

fn scope(stores: &str, permission: Permission) -> Scope {
    let stores = stores.to_owned();
    Scope { stores, permission }
}

async fn create(owner: &Client, scope: Scope, lifetime: Option<Duration>) -> (String, String) {
    let created = owner.create_token("matrix", &[scope], lifetime).await;
    let (token, secret) = created.expect("a token");
    (text(&secret), token.id)
}

/// A secret that is text.
pub(crate) fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).expect("text")
}

/// Registers a passkey in place of all there were, as the machine's own user, and so begins a session:
/// its cookie, as it is sent back. The bypass is as it was afterwards.
async fn sign_in(vault: &Vault, owner: &Client) -> String {
    let settings = owner.auth_status().await.expect("served").settings;
    let bypassed = settings.expect("the rules").loopback_bypass;
    owner.reset_passkeys(None).await.expect("none any more");
    bypass(owner, true).await;
    let mut connection = Connection::to(vault.address());
    let answer = register(vault, &mut connection, json!({})).await;
    bypass(owner, bypassed).await;
    let cookie = answer.headers[header::SET_COOKIE].to_str().expect("text");
    cookie.split(';').next().expect("a value").to_owned()
}

/// Both halves of a registration with a new authenticator: the answer to the second.
pub(crate) async fn register(vault: &Vault, connection: &mut Connection, asked: Value) -> Answer {
    let begun = post(vault, connection, "/api/auth/register/begin", &asked).await;
    let begun = begun.json();
    let mut options = begun["options"].clone();
    // The authenticator in software makes no passkey that it finds by itself, so it is not asked to.
    let selection = &mut options["publicKey"]["authenticatorSelection"];
    selection["residentKey"] = json!("discouraged");
    selection["requireResidentKey"] = json!(false);
    let options = serde_json::from_value(options);
    let options = options.unwrap_or_else(|error| panic!("{error}: {begun}"));
    let origin = format!("http://{}", vault.authority("localhost"));
    let origin = Url::parse(&origin).expect("an origin");
    let credential = SoftPasskey::new(true).do_registration(origin, options);
    let credential = credential.expect("an authenticator's answer");
    let made = json!({ "ceremony": begun["ceremony"], "credential": credential });
    let finished = post(vault, connection, "/api/auth/register/finish", &made).await;
    assert_eq!(finished.status, 201, "{}", finished.text());
    finished
}

/// Sends JSON, as the console's page does.
pub(crate) async fn post(
    vault: &Vault,
    connection: &mut Connection,
    path: &str,
    body: &Value,
) -> Answer {
    let request = Request::post(path)
        .header(header::HOST, vault.authority("localhost"))
        .header(
            header::ORIGIN,
            format!("http://{}", vault.authority("localhost")),
        )
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())));
    connection.send(request.expect("a request")).await
}

/// Turns the loopback bypass on or off.
pub(crate) async fn bypass(owner: &Client, on: bool) {
    let change = AuthSettingsChange {
        loopback_bypass: Some(on),
        ..AuthSettingsChange::default()
    };
    owner.configure_auth(change).await.expect("configured");
}
