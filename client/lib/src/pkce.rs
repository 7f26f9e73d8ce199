//! What proves that the program which trades a code is the one that asked for it (PKCE, RFC 7636).

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{Error, Secret};

/// Bytes of a verifier: what RFC 7636, section 4.1, recommends.
const BYTES: usize = 32;

/// A verifier and its challenge.
#[derive(Debug)]
pub struct Pkce {
    /// Kept until the code is traded: 43 characters.
    pub verifier: Secret,
    /// Goes with the request: base64url of the verifier's SHA-256, method `S256`.
    pub challenge: String,
}

impl Pkce {
    /// A new pair.
    pub fn new() -> Result<Self, Error> {
        Ok(Self::of(random_text()?))
    }

    fn of(verifier: Secret) -> Self {
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(verifier.expose()));
        Self {
            verifier,
            challenge,
        }
    }
}

/// 256 random bits as base64url: what nobody guesses.
pub fn random_text() -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Error::Local(format!("no random bytes: {error}")))?;
    Ok(Secret::from_text(BASE64URL_NOPAD.encode(&*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        // Appendix B.
        let verifier = b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let pkce = Pkce::of(Secret::new(verifier.to_vec()));
        assert_eq!(
            pkce.challenge,
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn no_two_verifiers_are_the_same() {
        let (one, two) = (Pkce::new().expect("random"), Pkce::new().expect("random"));
        assert_eq!(one.verifier.expose().len(), 43);
        assert_ne!(one.verifier.expose(), two.verifier.expose());
    }
}
