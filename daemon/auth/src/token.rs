//! Bearer tokens.
//!
//! `vaultd_` and 58 letters and digits: base32 of 256 random bits and a checksum of 32. The prefix
//! shows people and scanners what it is, the checksum tells a slip in copying from a token that was
//! revoked. The first 8 characters after the prefix name the row; the other 216 bits stay secret.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use serde::{Deserialize, Serialize};
use vault_crypto::credential::{self, CHECKSUM_LEN};
use zeroize::Zeroizing;

use crate::{Access, Auth, AuthError, AuthResult, Change, StoreScope, tables::HeldToken};

/// Begins every token.
const PREFIX: &str = "vaultd_";

/// Random bytes in a token.
const SECRET_LEN: usize = 32;

/// Characters of a token that are its id.
const ID_LEN: usize = 8;

/// Most scopes of one token.
const MOST_SCOPES: usize = 16;

/// Longest label, in characters.
pub(crate) const LONGEST_LABEL: usize = 64;

/// A token's row: never the token, only its hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Names the row.
    pub id: String,
    /// SHA-256 of its random bits.
    pub hash: [u8; 32],
    /// For people.
    pub label: String,
    /// What it reaches.
    pub scopes: Vec<StoreScope>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// The same, to the minute.
    pub last_used_ms: Option<i64>,
    /// The same.
    pub expires_ms: Option<i64>,
}

/// What is to be made.
pub struct NewToken {
    /// 1 to 64 characters.
    pub label: String,
    /// 1 to 16.
    pub scopes: Vec<StoreScope>,
    /// In milliseconds.
    pub lifetime_ms: Option<i64>,
}

/// `vaultd_`, 256 random bits and a checksum. Shown once.
pub struct TokenSecret(pub Zeroizing<String>);

impl Token {
    /// Whether it has not expired by then.
    pub fn counts(&self, now_ms: i64) -> bool {
        self.expires_ms.is_none_or(|expires_ms| now_ms < expires_ms)
    }
}

impl TokenSecret {
    fn of(secret: &[u8; SECRET_LEN]) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_LEN + CHECKSUM_LEN]);
        bytes[..SECRET_LEN].copy_from_slice(secret);
        bytes[SECRET_LEN..].copy_from_slice(&credential::checksum(secret));
        // As long as it will be from the beginning: growing would leave copies behind.
        let len = PREFIX.len() + BASE32_NOPAD.encode_len(bytes.len());
        let mut text = Zeroizing::new(String::with_capacity(len));
        text.push_str(PREFIX);
        BASE32_NOPAD.encode_append(&*bytes, &mut text);
        text.make_ascii_lowercase();
        Self(text)
    }
}

/// The id and the random bits of a token, in whatever case it was typed.
fn parse(token: &str) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let text = token.trim().strip_prefix(PREFIX)?;
    let mut bytes = Zeroizing::new(BASE32_NOPAD_NOCASE.decode(text.as_bytes()).ok()?);
    let (secret, checksum) = bytes.split_at_checked(SECRET_LEN)?;
    if checksum != credential::checksum(secret) {
        return None;
    }
    bytes.truncate(SECRET_LEN);
    Some((text.get(..ID_LEN)?.to_ascii_lowercase(), bytes))
}

/// Whether people can tell rows apart by it.
pub(crate) fn checked_label(label: &str) -> AuthResult<String> {
    let label = label.trim();
    let fits = (1..=LONGEST_LABEL).contains(&label.chars().count());
    if fits && !label.chars().any(char::is_control) {
        return Ok(label.to_owned());
    }
    Err(AuthError::Invalid(format!(
        "a label has 1 to {LONGEST_LABEL} characters, none of them a control character"
    )))
}

/// As many scopes as a token may have.
pub(crate) fn checked_scopes(scopes: &[StoreScope]) -> AuthResult<()> {
    if (1..=MOST_SCOPES).contains(&scopes.len()) {
        return Ok(());
    }
    let text = format!("a token has 1 to {MOST_SCOPES} scopes");
    Err(AuthError::Invalid(text))
}

impl Auth {
    /// Makes a token that reaches no further than `by`.
    pub fn create_token(&self, by: &Access, new: NewToken) -> AuthResult<(Token, TokenSecret)> {
        let (token, secret) = self.new_token(by, new)?;
        let added = Change::AddToken {
            token: token.clone(),
        };
        self.tables.change(added)?;
        Ok((token, secret))
    }

    /// The same, of what was approved when so much had been revoked.
    pub(crate) fn create_approved_token(
        &self,
        by: &Access,
        new: NewToken,
        revocations: u64,
    ) -> AuthResult<(Token, TokenSecret)> {
        let (token, secret) = self.new_token(by, new)?;
        self.tables.add_approved_token(token.clone(), revocations)?;
        Ok((token, secret))
    }

    /// A token that counts once its row was added.
    fn new_token(&self, by: &Access, new: NewToken) -> AuthResult<(Token, TokenSecret)> {
        let label = checked_label(&new.label)?;
        checked_scopes(&new.scopes)?;
        if new.lifetime_ms.is_some_and(|lifetime_ms| lifetime_ms <= 0) {
            return Err(AuthError::Invalid(
                "a lifetime is longer than nothing".to_owned(),
            ));
        }
        if !by.includes(&new.scopes) {
            let text = "a token reaches no further than whoever makes it";
            return Err(AuthError::Denied(text.to_owned()));
        }
        let random = Zeroizing::new(vault_crypto::random_bytes::<SECRET_LEN>()?);
        let secret = TokenSecret::of(&random);
        let now_ms = self.clock.now_ms();
        let id = secret.0.chars().skip(PREFIX.len()).take(ID_LEN);
        let token = Token {
            id: id.collect(),
            hash: credential::hash(&*random),
            label,
            scopes: new.scopes,
            created_ms: now_ms,
            last_used_ms: None,
            expires_ms: new
                .lifetime_ms
                .map(|lifetime_ms| now_ms.saturating_add(lifetime_ms)),
        };
        Ok((token, secret))
    }

    /// The row of a token, where it counts.
    pub(crate) fn token_of(&self, bearer: &str, now_ms: i64) -> AuthResult<HeldToken> {
        let (id, secret) = parse(bearer).ok_or(AuthError::TokenMalformed)?;
        let held = self.tables.token(&id).ok_or(AuthError::Unauthenticated)?;
        let is_its_own = credential::equal(&held.row.hash, &credential::hash(&secret));
        if is_its_own && held.row.counts(now_ms) {
            Ok(held)
        } else {
            Err(AuthError::Unauthenticated)
        }
    }

    /// Makes one invalid, at once.
    pub fn revoke_token(&self, id: &str) -> AuthResult<()> {
        let id = id.to_owned();
        self.tables.change(Change::RemoveToken { id }).map(drop)
    }

    /// Makes all invalid. How many there were.
    pub fn reset_tokens(&self) -> AuthResult<u32> {
        self.tables.change(Change::RemoveTokens)
    }
}
