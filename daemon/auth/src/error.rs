//! What can go wrong, one kind for each answer a caller gets.

use vault_store::StoreError;

/// Short for what most of this crate returns.
pub type AuthResult<T> = Result<T, AuthError>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No credential, or none that counts any more.
    #[error("sign in first, or send a token")]
    Unauthenticated,
    /// Text that cannot be a token: its checksum does not fit.
    #[error("this is no complete token: copy it once more, from `vaultd_` to its last character")]
    TokenMalformed,
    /// It counts, and does not reach so far.
    #[error("{0}")]
    Denied(String),
    /// The Host header names an address that was never admitted.
    #[error("this address is not admitted; `vaultctl auth pair --host {0}` admits it")]
    HostNotAdmitted(String),
    /// A change that another site's page asked for.
    #[error("the request comes from another site")]
    CrossOrigin,
    /// The relying party has no passkey yet.
    #[error("no passkey yet at this address; `vaultctl auth pair` makes a code for the first one")]
    PairingRequired,
    /// The code does not count. How many tries are left.
    #[error("the pairing code is wrong, used up or too old; {0} tries are left")]
    PairingCodeWrong(u32),
    /// Another browser registered the first passkey meanwhile.
    #[error("another browser was faster: this address has its first passkey")]
    AlreadyPaired,
    /// Unknown, over, used, or begun by another browser or for something else.
    #[error("this ceremony is over; begin it anew")]
    CeremonyEnded,
    /// The authenticator's answer does not verify. The text is for the log.
    #[error("the passkey's answer does not verify")]
    PasskeyRefused(String),
    /// No passkeys can be had at this address; what to use instead, where it is known.
    #[error("{text}")]
    OriginUnfit {
        /// Why.
        text: String,
        /// An address to use instead.
        instead: Option<String>,
    },
    /// The tables are older than the keyring remembers.
    #[error(
        "the tables of passkeys, sessions and tokens are of generation {found}, and {anchored} was \
         reached: an older copy was put back. `vaultctl auth accept` takes them as they are"
    )]
    RolledBack {
        /// What the tables say.
        found: u64,
        /// What the keyring says.
        anchored: u64,
    },
    /// The keyring remembers none, though the tables, of this generation, were anchored once.
    #[error(
        "the tables of passkeys, sessions and tokens are of generation {0}, and the keyring has \
         forgotten which was reached: they may be an older copy. `vaultctl auth accept` takes them as \
         they are"
    )]
    AnchorLost(u64),
    /// The keyring does not say, or did not remember, the generation.
    #[error("the keyring did not keep the generation of the tables: {0}")]
    Anchor(#[from] crate::AnchorError),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// With `strict` on, nobody could turn it off again.
    #[error(
        "`strict` needs a token that may administer everything, for another day at least: make one \
         first (`vaultctl auth tokens create`), or turn `strict` off before the last one goes \
         (`vaultctl auth configure --strict off`)"
    )]
    AdminTokenMissing,
    /// Nobody has decided yet; seconds to wait before the next try.
    #[error("nobody has decided yet")]
    AuthorizationPending(u32),
    /// Refused, unknown or over.
    #[error("the login was refused, or its code is over")]
    LoginRefused,
    /// Too many tries; seconds until the next try.
    #[error("too many tries; try again in {0} s")]
    RateLimited(u32),
    /// There is no such passkey, session, token or host.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// What was given makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl From<vault_crypto::RandomError> for AuthError {
    fn from(error: vault_crypto::RandomError) -> Self {
        StoreError::from(error).into()
    }
}
