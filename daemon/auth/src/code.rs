//! Codes that a person reads in one place and types in another.

use std::fmt;

use vault_store::StoreError;
use zeroize::Zeroizing;

use crate::AuthResult;

/// Letters and digits that nobody takes for another: no I, O, 0, 1. 32 of them are 5 bits each.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters in a code: 40 bits, out of reach of five tries.
const CODE_LEN: usize = 8;

/// Eight characters, shown as "ABCD-EFGH".
pub(crate) struct TypedCode(Zeroizing<[u8; CODE_LEN]>);

impl TypedCode {
    /// A new one.
    pub(crate) fn generate() -> AuthResult<Self> {
        let drawn = vault_crypto::random_bytes::<CODE_LEN>();
        let drawn = Zeroizing::new(drawn.map_err(StoreError::from)?);
        // 32 divides 256, so every character is as likely as the others.
        let code = drawn.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]);
        Ok(Self(Zeroizing::new(code)))
    }

    /// What a person typed: in either case, with whatever stands between the characters.
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        let mut code = Zeroizing::new([0; CODE_LEN]);
        let mut places = code.iter_mut();
        for byte in typed.bytes() {
            if byte == b'-' || byte == b' ' {
                continue;
            }
            let upper = byte.to_ascii_uppercase();
            *places.next()? = ALPHABET.contains(&upper).then_some(upper)?;
        }
        places.next().is_none().then_some(Self(code))
    }

    /// What is hashed and compared.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Display for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if at == CODE_LEN / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*byte))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = TypedCode::generate().expect("random").to_string();
        assert_eq!(code.len(), 9);
        let read = |typed: &str| TypedCode::parse(typed).map(|code| code.to_string());
        assert_eq!(read(&code).as_ref(), Some(&code));
        assert_eq!(read(&code.to_lowercase()).as_ref(), Some(&code));
        assert_eq!(read(&code.replace('-', "")).as_ref(), Some(&code));
        assert_eq!(
            read(&format!(" {} ", code.replace('-', " "))).as_ref(),
            Some(&code)
        );
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for typed in [
            "",
            "ABCD-EFG",
            "ABCD-EFGHJ",
            "ABCD-EFG0",
            "ABCD-EFGI",
            "ABCD_EFGH",
            "ÄBCD-EFG",
        ] {
            assert!(TypedCode::parse(typed).is_none(), "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_to_be_typed(typed in any::<String>()) {
            if let Some(code) = TypedCode::parse(&typed) {
                prop_assert!(code.as_bytes().iter().all(|byte| ALPHABET.contains(byte)));
            }
        }
    }
}
