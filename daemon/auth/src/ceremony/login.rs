//! How a passkey signs in.

use data_encoding::BASE64URL_NOPAD;
use webauthn_rs::prelude::PublicKeyCredential;

use super::{
    CeremonyId, Challenge, Purpose, answer, at_admitted_host, not_begun, options, refused,
};
use crate::{
    Auth, AuthError, AuthResult, Change, NewSession, Standing, WebRequest, gate::Admitted, label,
};

impl Auth {
    /// Begins to sign in with any passkey of the address.
    pub fn begin_login(
        &self,
        request: &WebRequest,
        by: &Admitted,
        conditional: bool,
    ) -> AuthResult<Challenge> {
        at_admitted_host(request, by)?;
        let (rp_id, webauthn) = self.verifier(request)?;
        if !self.tables.is_paired(&rp_id) {
            return Err(AuthError::PairingRequired);
        }
        let address = request.peer.ip();
        self.attempts.begin_login(address, self.clock.now_ms())?;
        let (asked, state) = webauthn
            .start_discoverable_authentication()
            .map_err(|error| not_begun(&error))?;
        let options = options(&asked, |options| {
            options["publicKey"]["userVerification"] = "required".into();
            // The library asks for autofill, which a browser offers only where a form is.
            if let (false, Some(fields)) = (conditional, options.as_object_mut()) {
                fields.remove("mediation");
            }
        })?;
        let purpose = Purpose::Login(Box::new(state));
        self.begin_ceremony(request, by, (rp_id, webauthn), purpose, options)
    }

    /// Ends it with a new session, in place of the one the browser had.
    pub fn finish_login(
        &self,
        request: &WebRequest,
        by: &Admitted,
        ceremony: &CeremonyId,
        credential: &[u8],
    ) -> AuthResult<NewSession> {
        at_admitted_host(request, by)?;
        let ceremony = self.end_ceremony(request, by, ceremony)?;
        let Purpose::Login(state) = ceremony.purpose else {
            return Err(AuthError::CeremonyEnded);
        };
        let webauthn = &ceremony.webauthn;
        let answer: PublicKeyCredential = answer(credential)?;
        let (user_handle, id) = match webauthn.identify_discoverable_authentication(&answer) {
            Ok((user_handle, id)) => (user_handle, BASE64URL_NOPAD.encode(id)),
            Err(error) => return refused(&error),
        };
        let mut known = self.tables.passkeys(Some(&ceremony.rp_id)).into_iter();
        let known = known.find(|known| known.id == id && known.user_handle == user_handle);
        let Some(mut passkey) = known else {
            return refused("no such passkey is registered here");
        };
        let verified =
            webauthn.finish_discoverable_authentication_v2(&answer, *state, &passkey.credential);
        let verified = match verified {
            Ok(verified) if verified.user_verified() => verified,
            Ok(_) => return refused("the authenticator did not verify the user"),
            Err(error) => return refused(&error),
        };
        // Raises the counter; the rows refuse one that did not go up.
        passkey.credential.update_credential(&verified);
        passkey.last_used_ms = Some(self.clock.now_ms());
        let label = label::guess(request.user_agent.as_deref());
        let (session, begun) = self.begin_session(request, ceremony.rp_id, &passkey.id, &label)?;
        let replaces = match &by.standing {
            Standing::Session(id) => Some(id.clone()),
            _ => None,
        };
        let signed_in = self.tables.change(Change::AddSession {
            session,
            passkey,
            replaces,
        });
        signed_in?;
        self.attempts.succeeded(request.peer.ip());
        Ok(begun)
    }
}
