//! A passkey over the wire, from the pairing code to its end: sessions, and logins of programs that
//! they approve.

use serde_json::{Value, json};
use url::Url;
use vault_client::Error;
use vault_proto::v1::{
    AddHostRequest, BeginDeviceRequest, BeginLoginRequest, BeginRegistrationRequest,
    CreatePairingRequest, DecideLoginRequest, DescribeLoginRequest, ExchangeLoginRequest,
    FinishLoginRequest, FinishRegistrationRequest, ListSessionsRequest, LogoutRequest, NewSession,
    Permission, PrincipalKind, RevokePasskeyRequest, auth_client::AuthClient,
    exchange_login_request::Grant, logins_client::LoginsClient, pairing_client::PairingClient,
    passkeys_client::PasskeysClient, sessions_client::SessionsClient,
};
use webauthn_authenticator_rs::{WebauthnAuthenticator, softpasskey::SoftPasskey};

use super::with_stores;
use crate::support::{
    Daemon, Home,
    callers::{Calls, Sent, get, put, scope, whoami},
    reason,
};

const HOST: &str = "vault.example.org";
const ORIGIN: &str = "https://vault.example.org";

/// A page of [`HOST`], which changes things.
fn page() -> Sent {
    Sent::web(HOST).but(|http| {
        http.method = "POST".into();
        http.origin = Some(ORIGIN.into());
        http.fetch_site = Some("same-origin".into());
    })
}

fn signed_in(cookie: &str) -> Sent {
    Sent {
        cookie: Some(cookie.to_owned()),
        ..page()
    }
}

/// An authenticator in software, and the passkey it made.
struct Browser {
    authenticator: SoftPasskey,
    made: Option<(Value, Value)>,
}

impl Browser {
    fn new() -> Self {
        Self {
            authenticator: SoftPasskey::new(true),
            made: None,
        }
    }

    /// One in software makes no passkey that it finds by itself, so it is not asked to.
    fn create(&mut self, options: &[u8]) -> Vec<u8> {
        let mut options: Value = serde_json::from_slice(options).expect("JSON");
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        selection["residentKey"] = json!("discouraged");
        selection["requireResidentKey"] = json!(false);
        let user_handle = options["publicKey"]["user"]["id"].clone();
        let asked = serde_json::from_value(options).expect("options");
        let origin = Url::parse(ORIGIN).expect("an origin");
        let answer = self.authenticator.do_registration(origin, asked);
        let answer = serde_json::to_value(answer.expect("a passkey")).expect("JSON");
        self.made = Some((answer["id"].clone(), user_handle));
        answer.to_string().into_bytes()
    }

    /// One in software finds no passkey by itself, and is told of the one it made.
    fn sign(&mut self, options: &[u8]) -> Vec<u8> {
        let mut options: Value = serde_json::from_slice(options).expect("JSON");
        let (id, user_handle) = self.made.clone().expect("it made one");
        options["publicKey"]["allowCredentials"] = json!([{ "type": "public-key", "id": id }]);
        let asked = serde_json::from_value(options).expect("options");
        let origin = Url::parse(ORIGIN).expect("an origin");
        let answer = self.authenticator.do_authentication(origin, asked);
        let mut answer = serde_json::to_value(answer.expect("a signature")).expect("JSON");
        answer["response"]["userHandle"] = user_handle;
        answer.to_string().into_bytes()
    }
}

async fn register(calls: &Calls, browser: &mut Browser, code: &str) -> Result<NewSession, Error> {
    let mut auth = AuthClient::new(calls.clone());
    let begun = auth.begin_registration(BeginRegistrationRequest {
        pairing_code: code.into(),
        label: "a key".into(),
    });
    let begun = begun.await?.into_inner();
    let finished = auth.finish_registration(FinishRegistrationRequest {
        credential: browser.create(&begun.options),
        ceremony: begun.ceremony,
    });
    Ok(finished.await?.into_inner().session.expect("a session"))
}

async fn sign_in(calls: &Calls, browser: &mut Browser) -> Result<NewSession, Error> {
    let mut auth = AuthClient::new(calls.clone());
    let begun = auth
        .begin_login(BeginLoginRequest::default())
        .await?
        .into_inner();
    let finished = auth.finish_login(FinishLoginRequest {
        credential: browser.sign(&begun.options),
        ceremony: begun.ceremony,
    });
    Ok(finished.await?.into_inner().session.expect("a session"))
}

async fn pairing_code(daemon: &Daemon) -> String {
    let mut pairing = PairingClient::new(daemon.channel().await);
    let code = pairing
        .create(CreatePairingRequest { host: HOST.into() })
        .await;
    code.expect("a code").into_inner().code
}

#[tokio::test]
async fn a_passkey_from_its_code_to_its_end() {
    let home = Home::new().with("VAULTD_LOG", "trace");
    let mut daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let channel = daemon.channel().await;
    let nobody = page().on(&channel);
    let mut browser = Browser::new();
    let wrong = register(&nobody, &mut browser, "AAAA-AAAA").await;
    assert_eq!(reason(wrong), "PAIRING_CODE_WRONG");
    let code = pairing_code(&daemon).await;
    let session = register(&nobody, &mut browser, &code)
        .await
        .expect("paired");
    assert_eq!(session.cookie_name, "__Host-vaultd_sess");

    // Its host is admitted now, and the session reaches everything.
    let calls = signed_in(&session.cookie).on(&channel);
    let status = whoami(&calls).await;
    assert_eq!(status.principal(), PrincipalKind::Session);
    assert_eq!(
        (status.session_id.as_str(), status.rp_id.as_str()),
        (session.id.as_str(), HOST)
    );
    assert!(status.paired && status.host_admitted && status.settings.is_some());
    assert!(put(&calls, "notes").await.is_ok());
    let forged =
        signed_in(&session.cookie).but(|http| http.origin = Some("https://evil.org".into()));
    assert_eq!(
        reason(put(&forged.on(&channel), "notes").await),
        "CROSS_ORIGIN"
    );
    let mut changed = session.cookie.clone();
    changed.push('A');
    let refused = get(&signed_in(&changed).on(&channel), "notes").await;
    assert_eq!(reason(refused), "UNAUTHENTICATED");

    // The same code again, and another without one.
    let again = register(&nobody, &mut Browser::new(), &code).await;
    assert_eq!(reason(again), "PAIRING_CODE_WRONG");
    let without = register(&nobody, &mut Browser::new(), "").await;
    assert!(matches!(without, Err(Error::Refused(_))));

    // Signed out, signed in.
    let mut auth = AuthClient::new(calls.clone());
    auth.logout(LogoutRequest {}).await.expect("signed out");
    assert_eq!(reason(get(&calls, "notes").await), "UNAUTHENTICATED");
    let second = sign_in(&nobody, &mut browser).await.expect("signed in");
    let calls = signed_in(&second.cookie).on(&channel);
    let listed = SessionsClient::new(calls.clone())
        .list(ListSessionsRequest {})
        .await;
    let listed = listed.expect("listed").into_inner().sessions;
    assert_eq!(
        (listed.len(), listed[0].current, &listed[0].id),
        (1, true, &second.id)
    );

    // Revoked with its passkey, at once.
    let id = listed[0].passkey_id.clone();
    let mut passkeys = PasskeysClient::new(daemon.channel().await);
    passkeys
        .revoke(RevokePasskeyRequest { id })
        .await
        .expect("revoked");
    assert_eq!(reason(get(&calls, "notes").await), "PAIRING_REQUIRED");

    assert!(daemon.terminate().await.success());
    let log = daemon.log();
    for secret in [&code, &session.cookie, &second.cookie] {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "{line:?}");
    }
    assert!(
        log.contains("sign-in") && log.contains("registration"),
        "{log}"
    );
}

#[tokio::test]
async fn a_program_gets_a_token_from_whoever_is_signed_in() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes", "other"]).await;
    let channel = daemon.channel().await;
    let nobody = page().on(&channel);
    let code = pairing_code(&daemon).await;
    let session = register(&nobody, &mut Browser::new(), &code)
        .await
        .expect("paired");
    let mut approver = LoginsClient::new(signed_in(&session.cookie).on(&channel));
    let mut program = LoginsClient::new(Sent::web(HOST).on(&channel));

    let begun = program.begin_device(BeginDeviceRequest {
        label: "vaultctl on laptop".into(),
        scopes: vec![scope("notes", Permission::Read)],
    });
    let begun = begun.await.expect("begun").into_inner();
    let exchange = || ExchangeLoginRequest {
        grant: Some(Grant::DeviceCode(begun.device_code.clone())),
    };
    let early = program.exchange(exchange()).await.map_err(Error::from);
    assert_eq!(reason(early), "AUTHORIZATION_PENDING");
    let user_code = begun.user_code.clone();
    let asked = approver.describe(DescribeLoginRequest { user_code }).await;
    let asked = asked.expect("described").into_inner();
    assert_eq!(
        (asked.label.as_str(), asked.address.as_str()),
        ("vaultctl on laptop", "192.0.2.7")
    );
    let decide = DecideLoginRequest {
        user_code: begun.user_code.clone(),
        approve: true,
    };
    let itself = program.decide(decide.clone()).await.map_err(Error::from);
    assert_eq!(reason(itself), "UNAUTHENTICATED");
    approver.decide(decide).await.expect("approved");

    let traded = program.exchange(exchange()).await;
    let token = traded.expect("a token").into_inner().secret;
    let calls = Sent::token(&token).on(&daemon.channel().await);
    assert!(get(&calls, "notes").await.is_ok());
    assert_eq!(reason(get(&calls, "other").await), "PERMISSION_DENIED");
}

#[tokio::test]
async fn an_address_has_no_passkey_and_says_what_to_use_instead() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_stores(&daemon.client().await, &["notes"]).await;
    let mut pairing = PairingClient::new(daemon.channel().await);
    let host = "192.0.2.1".to_owned();
    pairing
        .add_host(AddHostRequest { host })
        .await
        .expect("admitted");
    let calls = Sent::web("192.0.2.1").on(&daemon.channel().await);
    let status = whoami(&calls).await;
    assert!(status.host_admitted && status.rp_id.is_empty());
    assert!(!status.explanation.is_empty());
    let login = AuthClient::new(calls.clone())
        .begin_login(BeginLoginRequest::default())
        .await;
    assert_eq!(reason(login.map_err(Error::from)), "ORIGIN_UNFIT");
    assert_eq!(reason(get(&calls, "notes").await), "UNAUTHENTICATED");
}
