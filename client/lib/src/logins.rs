//! How a program gets a token from somebody who is signed in with a browser.

use std::time::{Duration, SystemTime};

use vault_proto::v1::{
    AuthorizationCode, AuthorizeLoginRequest, BeginDeviceRequest, DecideLoginRequest,
    DescribeLoginRequest, ExchangeLoginRequest, exchange_login_request::Grant,
};

use crate::{Client, Error, Scope, Secret, Token, auth::time};

/// A login by a code that a person types in.
#[derive(Debug)]
pub struct DeviceLogin {
    /// Kept by the program.
    pub device_code: Secret,
    /// Shown to the person.
    pub user_code: String,
    /// When it ends.
    pub expires: SystemTime,
    /// Time between two tries.
    pub interval: Duration,
}

/// What a login asks for.
#[derive(Clone, Debug)]
pub struct LoginRequest {
    /// Who asks.
    pub label: String,
    /// For what.
    pub scopes: Vec<Scope>,
    /// Where it was begun.
    pub address: String,
    /// When.
    pub begun: SystemTime,
}

/// What a program trades for a token.
#[derive(Debug)]
pub enum LoginGrant {
    /// See [`DeviceLogin`].
    Device {
        /// The program's code.
        device_code: Secret,
    },
    /// A code that a listener was handed.
    Authorization {
        /// The code.
        code: Secret,
        /// What the challenge is the hash of.
        verifier: Secret,
        /// The listener's address.
        redirect_uri: String,
    },
}

/// A login by a listener, to be approved.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Who asks.
    pub label: String,
    /// For what.
    pub scopes: Vec<Scope>,
    /// base64url of the SHA-256 of the verifier.
    pub code_challenge: String,
    /// The listener's address.
    pub redirect_uri: String,
}

impl LoginGrant {
    fn wire(&self) -> Result<Grant, Error> {
        Ok(match self {
            Self::Device { device_code } => Grant::DeviceCode(device_code.to_text()?),
            Self::Authorization {
                code,
                verifier,
                redirect_uri,
            } => Grant::Authorization(AuthorizationCode {
                code: code.to_text()?,
                code_verifier: verifier.to_text()?,
                redirect_uri: redirect_uri.clone(),
            }),
        })
    }
}

impl Client {
    /// Begins a login by a typed code. For anybody.
    pub async fn begin_device_login(
        &self,
        label: &str,
        scopes: &[Scope],
    ) -> Result<DeviceLogin, Error> {
        let request = BeginDeviceRequest {
            label: label.to_owned(),
            scopes: scopes.iter().map(Scope::wire).collect(),
        };
        let begun = self
            .services
            .logins()
            .begin_device(request)
            .await?
            .into_inner();
        Ok(DeviceLogin {
            device_code: Secret::from_text(begun.device_code),
            user_code: begun.user_code,
            expires: time(begun.expires),
            interval: Duration::from_secs(begun.interval.into()),
        })
    }

    /// What a typed code asks for.
    pub async fn describe_login(&self, user_code: &str) -> Result<LoginRequest, Error> {
        let request = DescribeLoginRequest {
            user_code: user_code.to_owned(),
        };
        let login = self.services.logins().describe(request).await?.into_inner();
        Ok(LoginRequest {
            label: login.label,
            scopes: login.scopes.into_iter().map(Scope::received).collect(),
            address: login.address,
            begun: time(login.begun),
        })
    }

    /// Approves or refuses it.
    pub async fn decide_login(&self, user_code: &str, approve: bool) -> Result<(), Error> {
        let request = DecideLoginRequest {
            user_code: user_code.to_owned(),
            approve,
        };
        self.services.logins().decide(request).await?;
        Ok(())
    }

    /// Approves a login by a listener: the code that goes to its address.
    pub async fn authorize_login(&self, login: &Authorization) -> Result<Secret, Error> {
        let request = AuthorizeLoginRequest {
            label: login.label.clone(),
            scopes: login.scopes.iter().map(Scope::wire).collect(),
            code_challenge: login.code_challenge.clone(),
            redirect_uri: login.redirect_uri.clone(),
        };
        let authorized = self.services.logins().authorize(request).await?;
        Ok(Secret::from_text(authorized.into_inner().code))
    }

    /// The token that a login ends with. For anybody who has the grant; `AUTHORIZATION_PENDING`
    /// while nobody has decided.
    pub async fn exchange_login(&self, grant: &LoginGrant) -> Result<(Token, Secret), Error> {
        let request = ExchangeLoginRequest {
            grant: Some(grant.wire()?),
        };
        let exchanged = self.services.logins().exchange(request).await?.into_inner();
        let secret = Secret::from_text(exchanged.secret);
        Ok((exchanged.token.unwrap_or_default().into(), secret))
    }
}
