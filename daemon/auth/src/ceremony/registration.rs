//! How a passkey is registered.

use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use serde_json::{Value, json};
use webauthn_rs::prelude::{Credential, PasskeyRegistration, RegisterPublicKeyCredential, Uuid};

use super::{
    CeremonyId, Challenge, Purpose, SHOWN_NAME, answer, at_admitted_host, not_begun, options,
    refused,
};
use crate::{
    Auth, AuthError, AuthResult, Change, FirstPair, NewSession, Passkey, RpId, Standing,
    WebRequest, gate::Admitted, label, pairing::Reservation, token::checked_label,
};

/// Where the AAGUID stands in authenticator data (WebAuthn Level 3, section 6.1).
const AAGUID: std::ops::Range<usize> = 37..53;

/// A registration under way.
pub(super) struct Registration {
    state: PasskeyRegistration,
    user_handle: Uuid,
    /// What the person chose.
    label: Option<String>,
    right: Right,
}

/// Why somebody may register a passkey.
struct Right {
    /// The relying party had none: only one of those that are begun then comes to its end.
    first: bool,
    /// By a pairing code.
    code: Option<Reservation>,
}

impl Auth {
    /// Begins to register a passkey: for a session, for the verified loopback, or with a pairing code.
    /// A code that is given counts, whoever gives it.
    pub fn begin_registration(
        &self,
        request: &WebRequest,
        by: &Admitted,
        pairing_code: &str,
        label: &str,
    ) -> AuthResult<Challenge> {
        let (rp_id, webauthn) = self.verifier(request)?;
        let label = match label.trim() {
            "" => None,
            label => Some(checked_label(label)?),
        };
        let right = self.right_to_register(request, by, &rp_id, pairing_code)?;
        let known = self.tables.passkeys(Some(&rp_id));
        let user_handle = known.first().map_or_else(
            || Uuid::from_bytes(self.tables.user_handle()),
            |passkey| passkey.user_handle,
        );
        let known = known.iter().map(|passkey| passkey.credential.cred_id());
        let (creation, state) = webauthn
            .start_passkey_registration(
                user_handle,
                SHOWN_NAME,
                SHOWN_NAME,
                Some(known.cloned().collect()),
            )
            .map_err(|error| not_begun(&error))?;
        let options = options(&creation, ask_for_discoverable)?;
        let registration = Registration {
            state,
            user_handle,
            label,
            right,
        };
        let purpose = Purpose::Registration(Box::new(registration));
        self.begin_ceremony(request, by, (rp_id, webauthn), purpose, options)
    }

    /// Ends it. A session is begun, too, where the caller had none.
    pub fn finish_registration(
        &self,
        request: &WebRequest,
        by: &Admitted,
        ceremony: &CeremonyId,
        credential: &[u8],
    ) -> AuthResult<(Passkey, Option<NewSession>)> {
        let ceremony = self.end_ceremony(request, by, ceremony)?;
        let Purpose::Registration(registration) = ceremony.purpose else {
            return Err(AuthError::CeremonyEnded);
        };
        let answer: RegisterPublicKeyCredential = answer(credential)?;
        let verified = ceremony
            .webauthn
            .finish_passkey_registration(&answer, &registration.state);
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return self.failed(request, &error),
        };
        if !Credential::from(verified.clone()).user_verified {
            return self.failed(request, "the authenticator did not verify the user");
        }
        let guess = || label::guess_passkey(request.user_agent.as_deref(), aaguid(credential));
        let passkey = Passkey {
            id: BASE64URL_NOPAD.encode(verified.cred_id()),
            label: registration.label.unwrap_or_else(guess),
            rp_id: ceremony.rp_id,
            user_handle: registration.user_handle,
            created_ms: self.clock.now_ms(),
            last_used_ms: None,
            credential: verified,
        };
        let begun = self.add_passkey(request, by, &passkey, &registration.right)?;
        self.attempts.succeeded(request.peer.ip());
        Ok((passkey, begun))
    }

    fn right_to_register(
        &self,
        request: &WebRequest,
        by: &Admitted,
        rp_id: &RpId,
        pairing_code: &str,
    ) -> AuthResult<Right> {
        let paired = self.tables.is_paired(rp_id);
        if !pairing_code.trim().is_empty() {
            let code = self.try_code(request, by, pairing_code)?;
            if paired {
                return Err(self.admit_paired(&code));
            }
            return Ok(Right {
                first: true,
                code: Some(code),
            });
        }
        at_admitted_host(request, by)?;
        match by.standing {
            Standing::Session(_) | Standing::Loopback => Ok(Right {
                first: !paired,
                code: None,
            }),
            // What is open to everybody ends with the first, and makes no other way in that would not.
            Standing::Open if !paired && self.is_first_open() => Ok(Right {
                first: true,
                code: None,
            }),
            Standing::Token(_) => Err(AuthError::Denied(
                "a token registers no passkeys: sign in with a browser, or use a pairing code"
                    .to_owned(),
            )),
            Standing::Open | Standing::Nobody if paired => Err(AuthError::Unauthenticated),
            Standing::Open | Standing::Nobody => Err(AuthError::PairingRequired),
        }
    }

    /// Counts an answer that does not verify against the address it came from: it may be tried by a code.
    fn failed<T>(&self, request: &WebRequest, why: &(impl ToString + ?Sized)) -> AuthResult<T> {
        self.attempts.failed(request.peer.ip(), self.clock.now_ms());
        refused(why)
    }

    fn is_first_open(&self) -> bool {
        self.tables.settings().first_pair == FirstPair::Open
    }

    /// Judges a pairing code; a wrong one counts against the address it came from as well.
    fn try_code(
        &self,
        request: &WebRequest,
        by: &Admitted,
        typed: &str,
    ) -> AuthResult<Reservation> {
        let now_ms = self.clock.now_ms();
        let address = request.peer.ip();
        self.attempts.check(address, now_ms)?;
        let host = &request.host.name;
        let tried = self.pairing.reserve(typed, host, by.host_admitted, now_ms);
        tried.inspect_err(|_| self.attempts.failed(address, now_ms))
    }

    /// A code lets no second passkey in. Where it came from a host that is not admitted yet, it admits
    /// that: the first passkey may have come by another host of the same relying party.
    fn admit_paired(&self, code: &Reservation) -> AuthError {
        let Some(host) = code.host.clone() else {
            return AuthError::AlreadyPaired;
        };
        let admitted = self
            .pairing
            .redeem(code, || self.tables.change(Change::AddHost { host }));
        match admitted {
            Some(Err(error)) => error,
            _ => AuthError::AlreadyPaired,
        }
    }

    fn add_passkey(
        &self,
        request: &WebRequest,
        by: &Admitted,
        passkey: &Passkey,
        right: &Right,
    ) -> AuthResult<Option<NewSession>> {
        let (session, begun) = if let Standing::Session(_) = by.standing {
            (None, None)
        } else {
            let label = label::guess(request.user_agent.as_deref());
            let rp_id = passkey.rp_id.clone();
            let (row, begun) = self.begin_session(request, rp_id, &passkey.id, &label)?;
            (Some(row), Some(begun))
        };
        let add = Change::AddPasskey {
            passkey: passkey.clone(),
            first: right.first,
            session,
            host: right.code.as_ref().and_then(|code| code.host.clone()),
        };
        let add = || self.tables.change(add);
        match &right.code {
            None => add(),
            Some(code) => self.pairing.redeem(code, add).unwrap_or_else(|| {
                let faster = self.tables.is_paired(&passkey.rp_id);
                Err(if faster {
                    AuthError::AlreadyPaired
                } else {
                    AuthError::CeremonyEnded
                })
            }),
        }?;
        Ok(begun)
    }
}

/// Only a passkey that the authenticator finds by itself can sign in where no name is asked for.
fn ask_for_discoverable(options: &mut Value) {
    let selection = &mut options["publicKey"]["authenticatorSelection"];
    selection["residentKey"] = json!("required");
    selection["requireResidentKey"] = json!(true);
    selection["userVerification"] = json!("required");
}

/// What kind of authenticator it is, as browsers add to their answer. Nothing proves it, and nothing
/// but a label depends on it.
fn aaguid(credential: &[u8]) -> Option<u128> {
    let answer: Value = serde_json::from_slice(credential).ok()?;
    let data = answer["response"]["authenticatorData"].as_str()?.as_bytes();
    let data = BASE64URL_NOPAD
        .decode(data)
        .or_else(|_| BASE64URL.decode(data));
    let aaguid = data.ok()?.get(AAGUID)?.try_into().ok()?;
    Some(u128::from_be_bytes(aaguid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_authenticator_is_read_where_browsers_tell() {
        let told = |data: &str| {
            let answer = json!({ "response": { "authenticatorData": data } });
            aaguid(answer.to_string().as_bytes())
        };
        let mut data = vec![0xFF; AAGUID.end + 20];
        data[AAGUID].copy_from_slice(&0x0102_u128.to_be_bytes());
        assert_eq!(told(&BASE64URL_NOPAD.encode(&data)), Some(0x0102));
        assert_eq!(told(&BASE64URL.encode(&data)), Some(0x0102));
        assert_eq!(told(&BASE64URL_NOPAD.encode(&data[..AAGUID.end - 1])), None);
        assert_eq!(told("no base64"), None);
        assert_eq!(aaguid(b"{}"), None);
        assert_eq!(aaguid(b"no JSON"), None);
    }
}
