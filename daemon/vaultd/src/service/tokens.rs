//! Tokens RPCs.

use prost_types::Duration;
use tonic::{Request, Response, Status};
use vault_auth::{Access, Auth, NewToken, Token};
use vault_proto::v1::{
    self, CreateTokenRequest, CreateTokenResponse, ListTokensRequest, ListTokensResponse, Reason,
    ResetTokensRequest, ResetTokensResponse, RevokeTokenRequest, RevokeTokenResponse,
    tokens_server::Tokens,
};
use vault_store::{Clock as _, SystemClock};

use super::{
    auth::{AuthServices, from_wire, to_wire},
    caller, convert, out_of_turn,
};
use crate::error::refusal;

/// The `Tokens` service.
#[derive(Clone)]
pub struct TokensService(pub AuthServices);

pub(super) fn describe(token: Token) -> v1::Token {
    let over = |expires| expires <= SystemClock.now_ms();
    v1::Token {
        expired: token.expires_ms.is_some_and(over),
        id: token.id,
        label: token.label,
        scopes: to_wire(&token.scopes),
        created: Some(convert::timestamp(token.created_ms)),
        last_used: token.last_used_ms.map(convert::timestamp),
        expires: token.expires_ms.map(convert::timestamp),
    }
}

/// How long a token counts, in milliseconds.
fn lifetime(given: Duration) -> Result<i64, Status> {
    let millis = given.seconds.checked_mul(1000);
    let millis = millis.and_then(|millis| millis.checked_add(i64::from(given.nanos / 1_000_000)));
    millis.filter(|millis| *millis > 0).ok_or_else(|| {
        out_of_turn("a token's lifetime is over zero; leave it away for one that counts for ever")
    })
}

#[tonic::async_trait]
impl Tokens for TokensService {
    async fn list(
        &self,
        _: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let tokens = self.0.run(|auth| Ok(auth.tables().tokens())).await?;
        Ok(Response::new(ListTokensResponse {
            tokens: tokens.into_iter().map(describe).collect(),
        }))
    }

    async fn create(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let by = reach(&request)?;
        let given = request.into_inner();
        let new = NewToken {
            label: given.label,
            scopes: from_wire(given.scopes)?,
            lifetime_ms: given.lifetime.map(lifetime).transpose()?,
        };
        let created = self.0.run(move |auth| auth.create_token(&by, new));
        let (token, secret) = created.await?;
        Ok(Response::new(CreateTokenResponse {
            token: Some(describe(token)),
            secret: secret.0.to_string(),
        }))
    }

    async fn revoke(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let id = request.into_inner().id;
        self.0.run(move |auth| auth.revoke_token(&id)).await?;
        Ok(Response::new(RevokeTokenResponse {}))
    }

    async fn reset(
        &self,
        _: Request<ResetTokensRequest>,
    ) -> Result<Response<ResetTokensResponse>, Status> {
        let revoked = self.0.run(Auth::reset_tokens).await?;
        Ok(Response::new(ResetTokensResponse { revoked }))
    }
}

/// How far the caller reaches: what it grants reaches no further.
pub(super) fn reach<T>(request: &Request<T>) -> Result<Access, Status> {
    let access = caller(request)?.access().cloned();
    access.ok_or_else(|| {
        refusal(
            Reason::Unauthenticated,
            "sign in first, or send a token",
            &[],
        )
    })
}
