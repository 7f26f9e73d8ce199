//! A browser with an authenticator in software, and the pages it shows.

use serde_json::{Value, json};
use webauthn_authenticator_rs::{AuthenticatorBackend, softpasskey::SoftPasskey};
use webauthn_rs::prelude::{CreationChallengeResponse, RequestChallengeResponse, Url};

use crate::{
    Admitted, Auth, AuthResult, Challenge, Credential, NewSession, Passkey, RequestParts,
    WebRequest,
};

/// Where most tests happen.
pub(super) const HERE: &str = "http://localhost:7787";

/// How long the authenticator may take, in milliseconds: it answers at once.
const TIMEOUT_MS: u32 = 60_000;

/// What a page of this origin sends to where it came from.
pub(super) fn page(origin: &str) -> WebRequest {
    page_from(origin, "127.0.0.1:50000")
}

/// The same, from this address.
pub(super) fn page_from(origin: &str, peer: &str) -> WebRequest {
    let (scheme, host) = origin.split_once("://").expect("an origin");
    WebRequest::parse(&RequestParts {
        method: "POST",
        scheme,
        host,
        origin: Some(origin),
        fetch_site: Some("same-origin"),
        peer,
        forwarded: false,
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    })
    .expect("a request")
}

/// As what it counts without a credential.
pub(super) fn nobody(auth: &Auth, request: &WebRequest) -> Admitted {
    let nothing = Credential::default();
    auth.judge(request, &nothing).expect("judged")
}

/// As what it counts with this session's cookie.
pub(super) fn signed_in(auth: &Auth, request: &WebRequest, session: &NewSession) -> Admitted {
    let credential = Credential {
        cookie: Some(session.cookie.clone()),
        ..Credential::default()
    };
    auth.judge(request, &credential).expect("judged")
}

/// A browser, with the passkeys that its authenticator made. It lets every page ask for every relying
/// party, as no honest one does.
pub(super) struct Browser {
    authenticator: SoftPasskey,
    made: Vec<(Value, Value)>,
    verifies: bool,
}

impl Browser {
    pub(super) fn new() -> Self {
        Self {
            authenticator: SoftPasskey::new(true),
            made: Vec::new(),
            verifies: true,
        }
    }

    /// From now on its authenticator asks for no PIN and no finger, whatever it is told.
    pub(super) fn stop_verifying(&mut self) {
        self.verifies = false;
    }

    /// `navigator.credentials.create`, on a page of this origin. The authenticator in software makes no
    /// passkey that it finds by itself, so it is not asked to.
    pub(super) fn create(&mut self, origin: &str, options: &[u8]) -> Vec<u8> {
        let mut options = read(options);
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        selection["residentKey"] = json!("discouraged");
        selection["requireResidentKey"] = json!(false);
        if !self.verifies {
            selection["userVerification"] = json!("discouraged");
        }
        let user_handle = options["publicKey"]["user"]["id"].clone();
        let asked: CreationChallengeResponse = serde_json::from_value(options).expect("options");
        let origin = Url::parse(origin).expect("an origin");
        let answer = self
            .authenticator
            .perform_register(origin, asked.public_key, TIMEOUT_MS);
        let answer = serde_json::to_value(answer.expect("a new passkey")).expect("JSON");
        self.made.push((answer["id"].clone(), user_handle));
        answer.to_string().into_bytes()
    }

    /// `navigator.credentials.get`, on a page of this origin. The authenticator in software finds no
    /// passkey by itself, so it is told of those it made: neither their list nor the handle is signed.
    pub(super) fn get(&mut self, origin: &str, options: &[u8]) -> Vec<u8> {
        let mut options = read(options);
        let list = self
            .made
            .iter()
            .map(|(id, _)| json!({ "type": "public-key", "id": id }));
        options["publicKey"]["allowCredentials"] = list.collect();
        if !self.verifies {
            options["publicKey"]["userVerification"] = json!("discouraged");
        }
        let asked: RequestChallengeResponse = serde_json::from_value(options).expect("options");
        let origin = Url::parse(origin).expect("an origin");
        let answer = self
            .authenticator
            .perform_auth(origin, asked.public_key, TIMEOUT_MS);
        let mut answer = serde_json::to_value(answer.expect("a signature")).expect("JSON");
        let used = self.made.iter().find(|(id, _)| *id == answer["id"]);
        let (_, user_handle) = used.expect("one of its own");
        answer["response"]["userHandle"] = user_handle.clone();
        answer.to_string().into_bytes()
    }
}

pub(super) fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("JSON")
}

/// An answer, or options, with a change.
pub(super) fn edited(json: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = read(json);
    edit(&mut value);
    value.to_string().into_bytes()
}

/// The first passkey of an address, by a pairing code that admits its host.
pub(super) fn pair(auth: &Auth, browser: &mut Browser, origin: &str) -> (Passkey, NewSession) {
    let request = page(origin);
    let name = request.host.name.to_string();
    let code = auth.create_pairing(Some(&name)).expect("a code").code;
    let nobody = nobody(auth, &request);
    let begun = auth.begin_registration(&request, &nobody, &code, "");
    let begun = begun.expect("begun");
    let answer = browser.create(origin, &begun.options);
    let registered = auth.finish_registration(&request, &nobody, &begun.ceremony, &answer);
    let (passkey, session) = registered.expect("registered");
    (passkey, session.expect("a session"))
}

/// Begins to sign in.
pub(super) fn begin(auth: &Auth, origin: &str) -> Challenge {
    let request = page(origin);
    let begun = auth.begin_login(&request, &nobody(auth, &request), false);
    begun.expect("begun")
}

/// Hands in an answer.
pub(super) fn finish(
    auth: &Auth,
    origin: &str,
    begun: &Challenge,
    answer: &[u8],
) -> AuthResult<NewSession> {
    let request = page(origin);
    let nobody = nobody(auth, &request);
    auth.finish_login(&request, &nobody, &begun.ceremony, answer)
}

/// Signs in.
pub(super) fn sign_in(auth: &Auth, browser: &mut Browser, origin: &str) -> AuthResult<NewSession> {
    let begun = begin(auth, origin);
    let answer = browser.get(origin, &begun.options);
    finish(auth, origin, &begun, &answer)
}
