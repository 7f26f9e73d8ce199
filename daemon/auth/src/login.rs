//! How a program gets a token from somebody who is signed in: a code that is typed in (RFC 8628), or
//! one that is handed to a listener on the browser's machine (RFC 8252 with PKCE, RFC 7636).

use std::net::{IpAddr, Ipv6Addr};

use data_encoding::BASE64URL_NOPAD;
use url::{Host, Url};
use vault_crypto::credential::{self, HASH_LEN};

use crate::{
    Access, Auth, AuthError, AuthResult, NewToken, StoreScope, Token, TokenSecret, attempts,
    code::TypedCode,
    token::{checked_label, checked_scopes},
    waiting::Waiting,
};

/// A typed code counts for 10 minutes, in milliseconds.
const DEVICE_MS: i64 = 10 * 60 * 1000;
/// A code that a browser hands over counts for 60 s, in milliseconds.
const AUTHORIZATION_MS: i64 = 60_000;
/// Seconds between two tries of a program (RFC 8628, section 3.2).
const INTERVAL: u32 = 5;
/// So many seconds more whenever a program does not keep to it (section 3.5).
const SLOWER: u32 = 5;
/// Tokens of programs end when a browser's session ends at the latest: 90 days, in milliseconds.
const TOKEN_MS: i64 = 90 * 24 * 60 * 60 * 1000;

/// Logins under way, in memory only, bounded in number.
#[derive(Default)]
pub(crate) struct Logins {
    devices: Waiting<Device>,
    authorizations: Waiting<Authorized>,
}

/// A login by a typed code.
struct Device {
    code_hash: [u8; HASH_LEN],
    user_hash: [u8; HASH_LEN],
    request: LoginRequest,
    decision: Decision,
    /// What had been revoked when it was decided.
    revocations: u64,
    interval: u32,
    next_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Open,
    Approved,
    Refused,
}

/// A login that a browser approved, until its code is traded.
struct Authorized {
    code_hash: [u8; HASH_LEN],
    login: Authorization,
    /// See [`Device::revocations`].
    revocations: u64,
}

/// What a program asks for.
#[derive(Clone, Debug)]
pub struct LoginRequest {
    /// Who asks.
    pub label: String,
    /// For what.
    pub scopes: Vec<StoreScope>,
    /// Where it was begun.
    pub address: String,
    /// Milliseconds since 1970.
    pub begun_ms: i64,
}

/// A login by a typed code, as the program sees it.
pub struct DeviceLogin {
    /// Kept by the program.
    pub device_code: String,
    /// Typed by the person.
    pub user_code: String,
    /// Milliseconds since 1970.
    pub expires_ms: i64,
    /// Seconds between two tries.
    pub interval: u32,
}

/// A login by a listener, as the browser approves it.
pub struct Authorization {
    /// Who asks, and for what.
    pub request: LoginRequest,
    /// base64url of the SHA-256 of the verifier.
    pub code_challenge: String,
    /// Where the code goes: a loopback address.
    pub redirect_uri: String,
}

/// What a program trades for its token.
pub enum Exchange<'a> {
    /// See [`DeviceLogin`].
    Device {
        /// The program's code.
        device_code: &'a str,
    },
    /// See [`Authorization`].
    Authorization {
        /// What the listener was handed.
        code: &'a str,
        /// What the challenge is the hash of.
        verifier: &'a str,
        /// The same as before.
        redirect_uri: &'a str,
    },
}

impl Auth {
    /// Begins a login by a typed code.
    pub fn begin_device(&self, request: LoginRequest) -> AuthResult<DeviceLogin> {
        let request = checked(request)?;
        let now_ms = self.clock.now_ms();
        let expires_ms = now_ms.saturating_add(DEVICE_MS);
        let device_code = secret_code()?;
        let user_code = TypedCode::generate()?;
        let address = bucket(&request.address);
        let device = Device {
            code_hash: credential::hash(device_code.as_bytes()),
            user_hash: credential::hash(user_code.as_bytes()),
            request,
            decision: Decision::Open,
            revocations: 0,
            interval: INTERVAL,
            next_ms: now_ms,
        };
        self.logins
            .devices
            .add(device, &address, now_ms, expires_ms);
        Ok(DeviceLogin {
            device_code,
            user_code: user_code.to_string(),
            expires_ms,
            interval: INTERVAL,
        })
    }

    /// What a typed code asks for.
    pub fn describe_login(&self, user_code: &str) -> AuthResult<LoginRequest> {
        self.undecided(user_code, |device| Ok(device.request.clone()))
    }

    /// Approves it, as far as `by` reaches, or refuses it.
    pub fn decide_login(&self, by: &Access, user_code: &str, approve: bool) -> AuthResult<()> {
        self.undecided(user_code, |device| {
            if approve {
                reaches(by, &device.request)?;
            }
            device.revocations = self.tables.revocations();
            device.decision = if approve {
                Decision::Approved
            } else {
                Decision::Refused
            };
            Ok(())
        })
    }

    /// Approves a login by a listener: the code that goes to its address.
    pub fn authorize_login(&self, by: &Access, mut login: Authorization) -> AuthResult<String> {
        login.request = checked(login.request)?;
        check_redirect(&login.redirect_uri)?;
        let challenge = BASE64URL_NOPAD.decode(login.code_challenge.as_bytes());
        if !challenge.is_ok_and(|hash| hash.len() == HASH_LEN) {
            let text = "the code challenge is the base64url of a SHA-256 (RFC 7636, S256)";
            return Err(AuthError::Invalid(text.to_owned()));
        }
        reaches(by, &login.request)?;
        let code = secret_code()?;
        let now_ms = self.clock.now_ms();
        let expires_ms = now_ms.saturating_add(AUTHORIZATION_MS);
        let address = bucket(&login.request.address);
        let authorized = Authorized {
            code_hash: credential::hash(code.as_bytes()),
            login,
            revocations: self.tables.revocations(),
        };
        self.logins
            .authorizations
            .add(authorized, &address, now_ms, expires_ms);
        Ok(code)
    }

    /// The token, once; none where anything was revoked since it was approved, be it the approver or all
    /// tokens.
    pub fn exchange_login(&self, exchange: &Exchange<'_>) -> AuthResult<(Token, TokenSecret)> {
        let (request, revocations) = match *exchange {
            Exchange::Device { device_code } => self.exchange_device(device_code),
            Exchange::Authorization {
                code,
                verifier,
                redirect_uri,
            } => self.exchange_authorization(code, verifier, redirect_uri),
        }?;
        // Whoever approved it was asked about these very scopes.
        let by = Access::Scoped(request.scopes.clone());
        let new = NewToken {
            label: request.label,
            scopes: request.scopes,
            lifetime_ms: Some(TOKEN_MS),
        };
        self.create_approved_token(&by, new, revocations)
    }

    /// Does something to the login of a typed code that nobody has decided about.
    fn undecided<T>(
        &self,
        user_code: &str,
        then: impl FnOnce(&mut Device) -> AuthResult<T>,
    ) -> AuthResult<T> {
        let code = TypedCode::parse(user_code).ok_or(AuthError::LoginRefused)?;
        let user_hash = credential::hash(code.as_bytes());
        let is_open =
            |device: &Device| device.user_hash == user_hash && device.decision == Decision::Open;
        let devices = &self.logins.devices;
        let done = devices.with(self.clock.now_ms(), is_open, then);
        done.unwrap_or(Err(AuthError::LoginRefused))
    }

    fn exchange_device(&self, device_code: &str) -> AuthResult<(LoginRequest, u64)> {
        let code_hash = credential::hash(device_code.as_bytes());
        let its_own = |device: &Device| device.code_hash == code_hash;
        let now_ms = self.clock.now_ms();
        let devices = &self.logins.devices;
        let waits = devices.with(now_ms, its_own, |device| device.poll(now_ms));
        waits.ok_or(AuthError::LoginRefused)??;
        let decided = devices.take(now_ms, its_own);
        decided
            .filter(|device| device.decision == Decision::Approved)
            .map(|device| (device.request, device.revocations))
            .ok_or(AuthError::LoginRefused)
    }

    /// The code is gone whether the verifier is right or not: whoever stole it has one try.
    fn exchange_authorization(
        &self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
    ) -> AuthResult<(LoginRequest, u64)> {
        let code_hash = credential::hash(code.as_bytes());
        let its_own = |authorized: &Authorized| authorized.code_hash == code_hash;
        let taken = self
            .logins
            .authorizations
            .take(self.clock.now_ms(), its_own);
        let Authorized {
            login, revocations, ..
        } = taken.ok_or(AuthError::LoginRefused)?;
        let challenge = BASE64URL_NOPAD.encode(&credential::hash(verifier.as_bytes()));
        let proven = credential::equal(challenge.as_bytes(), login.code_challenge.as_bytes());
        if is_verifier(verifier) && proven && login.redirect_uri == redirect_uri {
            Ok((login.request, revocations))
        } else {
            Err(AuthError::LoginRefused)
        }
    }
}

impl Device {
    /// Whether the program has to wait on.
    fn poll(&mut self, now_ms: i64) -> AuthResult<()> {
        if self.decision != Decision::Open {
            return Ok(());
        }
        let early = now_ms < self.next_ms;
        if early {
            self.interval = self.interval.saturating_add(SLOWER);
        }
        self.next_ms = now_ms.saturating_add(i64::from(self.interval) * 1000);
        Err(if early {
            AuthError::RateLimited(self.interval)
        } else {
            AuthError::AuthorizationPending(self.interval)
        })
    }
}

/// Whoever has an IPv6 address has all of its neighbours, too.
fn bucket(address: &str) -> String {
    let parsed = address.parse::<IpAddr>().map(attempts::bucket);
    parsed.map_or_else(|_| address.to_owned(), |bucket| bucket.to_string())
}

/// 256 random bits that programs hand to each other.
fn secret_code() -> AuthResult<String> {
    let random = vault_crypto::random_bytes::<32>()?;
    Ok(BASE64URL_NOPAD.encode(&random))
}

/// What could not become a token is refused before anybody is asked.
fn checked(request: LoginRequest) -> AuthResult<LoginRequest> {
    checked_scopes(&request.scopes)?;
    Ok(LoginRequest {
        label: checked_label(&request.label)?,
        ..request
    })
}

fn reaches(by: &Access, request: &LoginRequest) -> AuthResult<()> {
    if by.includes(&request.scopes) {
        return Ok(());
    }
    let text = "a program reaches no further than whoever approves its login";
    Err(AuthError::Denied(text.to_owned()))
}

/// A listener on the browser's own machine, and nothing that could lead elsewhere: an address and not
/// `localhost`, which a hosts file may point anywhere (RFC 8252, section 8.3).
fn check_redirect(text: &str) -> AuthResult<()> {
    let fits = Url::parse(text).is_ok_and(|url| {
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
            Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
            _ => false,
        };
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        // Written as it is read: nothing for a second reader to take for something else.
        url.scheme() == "http" && loopback && url.port().is_some() && bare && url.as_str() == text
    });
    if fits {
        return Ok(());
    }
    Err(AuthError::Invalid(
        "the code goes to http://127.0.0.1:PORT/… or http://[::1]:PORT/… only".to_owned(),
    ))
}

/// RFC 7636, section 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_goes_to_a_listener_on_the_loopback_only() {
        for fit in [
            "http://127.0.0.1:5000/",
            "http://127.0.0.1:5000/callback",
            "http://[::1]:5000/callback",
        ] {
            assert!(check_redirect(fit).is_ok(), "{fit}");
        }
        for unfit in [
            "",
            "http://127.0.0.1/",
            "http://127.0.0.1:80/",
            "http://127.0.0.1:5000",
            "https://127.0.0.1:5000/",
            "http://localhost:5000/",
            "http://127.0.0.2:5000/",
            "http://127.1:5000/",
            "http://127.0.0.1:5000@evil.example/",
            "http://user@127.0.0.1:5000/",
            "http://evil.example:5000/",
            "http://127.0.0.1.evil.example:5000/",
            "http://127.0.0.1:5000/?next=http://evil.example",
            "http://127.0.0.1:5000/#there",
            "http://127.0.0.1:5000\\@evil.example/",
            "javascript:alert(1)",
        ] {
            assert!(check_redirect(unfit).is_err(), "{unfit}");
        }
    }

    #[test]
    fn a_verifier_is_long_and_plain() {
        assert!(is_verifier(&"a".repeat(43)) && is_verifier(&"-._~".repeat(32)));
        assert!(!is_verifier(&"a".repeat(42)) && !is_verifier(&"a".repeat(129)));
        assert!(!is_verifier(&"a ".repeat(30)));
    }
}
