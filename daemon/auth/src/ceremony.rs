//! Registrations and logins under way: state on the server, for one try and 300 s, removed before the
//! answer is verified.

mod login;
mod registration;

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;
use vault_crypto::credential;
use webauthn_rs::prelude::{DiscoverableAuthentication, Webauthn, WebauthnBuilder, WebauthnError};

use self::registration::Registration;
use crate::{
    Auth, AuthError, AuthResult, Origin, RpId, Standing, WebRequest, attempts, gate::Admitted,
    waiting::Waiting,
};

/// How long an answer is awaited.
const LIFETIME: Duration = Duration::from_secs(300);
/// The same, in milliseconds.
const LIFETIME_MS: i64 = 300_000;
/// What authenticators show as the site's name and the person's.
const SHOWN_NAME: &str = "vaultd";

/// Names a ceremony. Whoever knows it began it: it is as long as a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CeremonyId(pub String);

/// What the browser is asked.
pub struct Challenge {
    /// Its name.
    pub ceremony: CeremonyId,
    /// Options of `navigator.credentials`, as JSON.
    pub options: Vec<u8>,
}

/// Those under way, bounded in number.
#[derive(Default)]
pub(crate) struct Ceremonies(Waiting<Ceremony>);

/// One under way, bound to what it was begun by.
struct Ceremony {
    id_hash: [u8; credential::HASH_LEN],
    standing: Standing,
    origin: Origin,
    rp_id: RpId,
    /// For this relying party and this very origin, port included.
    webauthn: Webauthn,
    purpose: Purpose,
}

/// What for, with what verifies the answer.
enum Purpose {
    Registration(Box<Registration>),
    Login(Box<DiscoverableAuthentication>),
}

impl Auth {
    /// Keeps a ceremony until its answer comes.
    fn begin_ceremony(
        &self,
        request: &WebRequest,
        by: &Admitted,
        (rp_id, webauthn): (RpId, Webauthn),
        purpose: Purpose,
        options: Vec<u8>,
    ) -> AuthResult<Challenge> {
        let id = BASE64URL_NOPAD.encode(&vault_crypto::random_bytes::<32>()?);
        let ceremony = Ceremony {
            id_hash: credential::hash(id.as_bytes()),
            standing: by.standing.clone(),
            origin: request.own_origin(),
            rp_id,
            webauthn,
            purpose,
        };
        let now_ms = self.clock.now_ms();
        let from = attempts::bucket(request.peer.ip()).to_string();
        let expires_ms = now_ms.saturating_add(LIFETIME_MS);
        self.ceremonies.0.add(ceremony, &from, now_ms, expires_ms);
        Ok(Challenge {
            ceremony: CeremonyId(id),
            options,
        })
    }

    /// Takes a ceremony out, whatever comes of it, and checks by whom it was begun and where.
    fn end_ceremony(
        &self,
        request: &WebRequest,
        by: &Admitted,
        id: &CeremonyId,
    ) -> AuthResult<Ceremony> {
        let id_hash = credential::hash(id.0.as_bytes());
        let now_ms = self.clock.now_ms();
        let taken = self.ceremonies.0.take(now_ms, |one| one.id_hash == id_hash);
        taken
            .filter(|one| one.standing == by.standing && one.origin == request.own_origin())
            .ok_or(AuthError::CeremonyEnded)
    }

    /// The relying party of a ceremony here. Where there can be none, the error names an address to use
    /// instead, if one is known.
    pub fn relying_party(&self, request: &WebRequest) -> AuthResult<RpId> {
        request.relying_party().map_err(|error| match error {
            // Strangers at an address that nobody admitted are told of no other.
            AuthError::OriginUnfit {
                text,
                instead: None,
            } if self.tables.admits(&request.host.name.to_string()) => {
                let name = self.tables.named_host();
                let instead = name.map(|name| format!("https://{name}"));
                let text = match &instead {
                    Some(instead) => format!("{text}, {instead} for one"),
                    None => text,
                };
                AuthError::OriginUnfit { text, instead }
            }
            other => other,
        })
    }

    /// What verifies for one relying party, and for no other origin than this one.
    fn verifier(&self, request: &WebRequest) -> AuthResult<(RpId, Webauthn)> {
        let rp_id = self.relying_party(request)?;
        let origin = request.own_origin().0;
        let origin = Url::parse(&origin).map_err(|_| unfit(&origin))?;
        let webauthn = WebauthnBuilder::new(rp_id.as_str(), &origin)
            .and_then(|builder| builder.rp_name(SHOWN_NAME).timeout(LIFETIME).build())
            .map_err(|_| unfit(origin.as_str()))?;
        Ok((rp_id, webauthn))
    }
}

/// An answer that does not verify.
fn refused<T>(why: &(impl ToString + ?Sized)) -> AuthResult<T> {
    Err(AuthError::PasskeyRefused(why.to_string()))
}

/// An address that is not admitted reaches pairing by a code, and nothing else.
fn at_admitted_host(request: &WebRequest, by: &Admitted) -> AuthResult<()> {
    if by.host_admitted {
        return Ok(());
    }
    let host = request.host.name.to_string();
    Err(AuthError::HostNotAdmitted(host))
}

fn unfit(origin: &str) -> AuthError {
    AuthError::OriginUnfit {
        text: format!("there can be no passkeys at {origin}"),
        instead: None,
    }
}

/// The authenticator's answer, as JSON.
fn answer<T: DeserializeOwned>(json: &[u8]) -> AuthResult<T> {
    let parsed = serde_json::from_slice(json);
    parsed.map_err(|_| AuthError::Invalid("the passkey's answer is not well formed".to_owned()))
}

/// The options as JSON, after an edit of what the library has no word for.
fn options(options: &impl Serialize, edit: impl FnOnce(&mut Value)) -> AuthResult<Vec<u8>> {
    let unwritable = |_| AuthError::Invalid("the options cannot be written".to_owned());
    let mut value = serde_json::to_value(options).map_err(unwritable)?;
    edit(&mut value);
    serde_json::to_vec(&value).map_err(unwritable)
}

/// What kept a ceremony from beginning: a fault of this program.
fn not_begun(error: &WebauthnError) -> AuthError {
    AuthError::PasskeyRefused(format!("the ceremony could not begin: {error}"))
}
