//! Public identifiers: random, printed as lower-case hex, never secret.

use data_encoding::HEXLOWER;

/// Text that is not the hex form of an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} lower-case hex digits")]
pub struct ParseIdError {
    expected: usize,
}

pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    let wrong = ParseIdError { expected: 2 * N };
    let bytes = HEXLOWER
        .decode(text.as_bytes())
        .map_err(|_| wrong.clone())?;
    bytes.try_into().map_err(|_| wrong)
}

/// Declares an identifier of a fixed number of random bytes.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// A new random identifier.
            pub fn generate() -> Result<Self, $crate::RandomError> {
                let mut bytes = [0; $len];
                $crate::primitives::fill_random(&mut bytes)?;
                Ok(Self(bytes))
            }

            /// An identifier read from a file.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&::data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::id::ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::parse_hex(text).map(Self)
            }
        }
    };
}
pub(crate) use id_type;

id_type!(
    /// Names a vault for ever: in its header, its key table and its keyring entries. 16 bytes.
    VaultId,
    16
);
id_type!(
    /// Names a data key inside the key table; every envelope says which key opens it. 8 bytes.
    KeyId,
    8
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_round_trip_as_lower_case_hex() {
        let id = VaultId::from_bytes([0xA5; 16]);
        assert_eq!(id.to_string(), "a5".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "a5",
            &"A5".repeat(16),
            &"a5".repeat(17),
            &"g0".repeat(16),
        ] {
            assert!(bad.parse::<VaultId>().is_err(), "{bad}");
        }
    }
}
