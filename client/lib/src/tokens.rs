//! Bearer tokens, for scripts and programs.

use std::time::{Duration, SystemTime};

use vault_proto::v1::{
    self, CreateTokenRequest, ListTokensRequest, ResetTokensRequest, RevokeTokenRequest,
};

use crate::{
    Client, Error, Scope, Secret,
    auth::{past, time},
};

/// A bearer token, without itself.
#[derive(Clone, Debug)]
pub struct Token {
    /// Names the row.
    pub id: String,
    /// For people.
    pub label: String,
    /// What it reaches.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created: SystemTime,
    /// When it was last used, to the minute.
    pub last_used: Option<SystemTime>,
    /// When it ends.
    pub expires: Option<SystemTime>,
    /// Whether it has ended.
    pub expired: bool,
}

impl From<v1::Token> for Token {
    fn from(token: v1::Token) -> Self {
        Self {
            id: token.id,
            label: token.label,
            scopes: token.scopes.into_iter().map(Scope::received).collect(),
            created: time(token.created),
            last_used: token.last_used.and_then(past),
            expires: token.expires.and_then(past),
            expired: token.expired,
        }
    }
}

impl Client {
    /// Tokens, the newest first.
    pub async fn tokens(&self) -> Result<Vec<Token>, Error> {
        let listed = self.services.tokens().list(ListTokensRequest {}).await?;
        let tokens = listed.into_inner().tokens.into_iter();
        Ok(tokens.map(Token::from).collect())
    }

    /// Makes a token, which counts for ever where no lifetime is given. The secret stands nowhere
    /// else.
    pub async fn create_token(
        &self,
        label: &str,
        scopes: &[Scope],
        lifetime: Option<Duration>,
    ) -> Result<(Token, Secret), Error> {
        let lifetime = lifetime.map(prost_types::Duration::try_from).transpose();
        let request = CreateTokenRequest {
            label: label.to_owned(),
            scopes: scopes.iter().map(Scope::wire).collect(),
            lifetime: lifetime.map_err(|_| Error::Local("the lifetime is too long".to_owned()))?,
        };
        let created = self.services.tokens().create(request).await?.into_inner();
        let secret = Secret::from_text(created.secret);
        Ok((created.token.unwrap_or_default().into(), secret))
    }

    /// Revokes one.
    pub async fn revoke_token(&self, id: &str) -> Result<(), Error> {
        let request = RevokeTokenRequest { id: id.to_owned() };
        self.services.tokens().revoke(request).await?;
        Ok(())
    }

    /// Revokes all; how many.
    pub async fn reset_tokens(&self) -> Result<u32, Error> {
        let reset = self.services.tokens().reset(ResetTokensRequest {}).await?;
        Ok(reset.into_inner().revoked)
    }
}
