//! A secret that the daemon hands out, or is given.

use std::fmt;

use zeroize::Zeroizing;

use crate::Error;

/// Secret bytes: zeroed when dropped, and not printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Takes over a text.
    pub(crate) fn from_text(text: String) -> Self {
        Self::new(text.into_bytes())
    }

    /// A message's copy of a text; it goes away with the call.
    pub(crate) fn to_text(&self) -> Result<String, Error> {
        let text = std::str::from_utf8(&self.0);
        let text = text.map_err(|_| Error::Local("the code is not text".to_owned()))?;
        Ok(text.to_owned())
    }

    /// What a message takes over. Such messages are not zeroed: they go away with the call.
    pub(crate) fn into_wire(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }

    /// None where the wire brought nothing.
    pub(crate) fn received(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self::new(bytes))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::received(b"hush".to_vec()).expect("not empty");
        assert_eq!(secret.expose(), b"hush");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert!(Secret::received(Vec::new()).is_none());
    }
}
