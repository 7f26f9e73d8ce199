//! Finds out on whose behalf a call runs.

use std::sync::Arc;

use http::HeaderMap;
use tonic::Status;
use vault_auth::{Admitted, Auth, AuthError, WebRequest};
use vault_proto::v1::Reason;

use crate::{
    auth_error::{auth_error, for_strangers},
    error::refusal,
    keeper::Keeper,
    listener::ConnectionInfo,
    permission::Rule,
    platform,
    principal::{Judged, Peer, Principal},
    web_call::{self, Sent, WebCall},
};

/// Marks a connection that carries a call of the gateway: in the order in which calls come, before
/// any of them is judged.
pub fn mark(connection: &ConnectionInfo, headers: &HeaderMap) {
    if web_call::is_web(headers) {
        connection.declare_gateway();
    }
}

/// Finds out on whose behalf calls run.
pub struct Callers {
    keeper: Arc<Keeper>,
    /// `strict` holds for nobody: whoever may start the daemon with this is the user.
    without_strict: bool,
}

/// A call that does not run for anybody.
pub struct Refused {
    /// Who it was judged to be; none where nobody could be judged, which is no refusal to record.
    pub caller: Option<Principal>,
    /// Why.
    pub status: Box<Status>,
}

impl From<Box<Status>> for Refused {
    fn from(status: Box<Status>) -> Self {
        Self {
            caller: None,
            status,
        }
    }
}

impl Refused {
    fn judged(caller: Principal, status: Box<Status>) -> Self {
        Self {
            caller: Some(caller),
            status,
        }
    }
}

impl Callers {
    /// Callers of the vault in `keeper`.
    pub fn new(keeper: Arc<Keeper>, without_strict: bool) -> Self {
        Self {
            keeper,
            without_strict,
        }
    }

    /// A call was answered, and may have changed what the vault holds.
    pub fn served(&self) {
        self.keeper.may_have_changed();
    }

    /// On whose behalf a call runs that came over `connection` with these headers.
    pub async fn find(
        &self,
        rule: &Rule,
        connection: &ConnectionInfo,
        headers: &HeaderMap,
    ) -> Result<Principal, Refused> {
        let peer = connection.peer.clone();
        if web_call::is_bare(headers) {
            return if connection.is_gateway() {
                Ok(nobody(peer, None))
            } else {
                self.owner(rule, peer).await
            };
        }
        let sent = web_call::read(headers)
            .map_err(|status| Refused::judged(nobody(peer.clone(), None), status))?;
        match sent {
            Sent::Web(call) => self.web(rule, peer, *call).await,
            // Whatever the gateway sends without a request is nobody's, a token included: its
            // Host and its origin could not be judged.
            Sent::Nothing | Sent::Token(_) if connection.is_gateway() => Ok(nobody(peer, None)),
            Sent::Nothing => self.owner(rule, peer).await,
            Sent::Token(token) => self.token(rule, peer, token).await,
        }
    }

    /// A client on the socket that sends no token: the user, where no token is asked for.
    async fn owner(&self, rule: &Rule, peer: Peer) -> Result<Principal, Refused> {
        let owner = Principal::Owner(peer.clone());
        if self.keeper.is_known_not_strict() || self.without_strict || rule.needs_no_token() {
            return Ok(owner);
        }
        let keeper = Arc::clone(&self.keeper);
        let closed = rule.closed;
        let strict = on_blocking_thread(move || keeper.is_strict(closed)).await?;
        if !strict {
            return Ok(owner);
        }
        let text = "this vault asks for a token on its socket, too (`strict`): send one as \
                    `authorization: Bearer TOKEN`, or start the daemon with `--without-strict`";
        let status = Box::new(refusal(Reason::Unauthenticated, text, &[]));
        Err(Refused::judged(nobody(peer, None), status))
    }

    /// A client on the socket that sends a token, and so is nothing but that.
    async fn token(&self, rule: &Rule, peer: Peer, token: String) -> Result<Principal, Refused> {
        let auth = match self.auth().await {
            Ok(auth) => auth,
            // Where it would be let in without one, it is with one that nobody can judge: a client that
            // sends its token always must be able to unlock the vault.
            Err(_) if rule.closed => return self.owner(rule, peer).await,
            Err(status) => return Err(status.into()),
        };
        let judged = auth.judge_token(&token);
        let admitted = judged.map_err(|error| {
            let status = Box::new(auth_error(&error));
            Refused::judged(nobody(peer.clone(), None), status)
        })?;
        Ok(principal(peer, admitted, None))
    }

    /// Somebody who asks over HTTP.
    async fn web(&self, rule: &Rule, peer: Peer, call: WebCall) -> Result<Principal, Refused> {
        let WebCall {
            mut request,
            credential,
            local,
        } = call;
        let auth = match self.auth().await {
            Ok(auth) => auth,
            // Says itself that nobody can be judged.
            Err(_) if rule.answers_unjudged() => return Ok(nobody(peer, Some(request))),
            Err(status) => return Err(Box::new(for_strangers(&status)).into()),
        };
        if auth.needs_peer(&request, &credential) {
            let remote = request.peer;
            let owner = on_blocking_thread(move || {
                Ok(peer
                    .pid
                    .and_then(|gateway| platform::tcp_owner(gateway, remote, local)))
            })
            .await?;
            request.owned = owner.is_some() && owner == platform::user_id();
        }
        match auth.judge(&request, &credential) {
            Ok(admitted) => Ok(principal(peer, admitted, Some(request))),
            Err(error) => {
                let caller = nobody(peer, Some(request));
                Err(Refused::judged(caller, Box::new(auth_error(&error))))
            }
        }
    }

    /// Whether whoever was let in for a long call still counts. Where the tables went meanwhile, so
    /// did the vault's keys, and its services end the call.
    pub fn still_counts(&self, judged: &Judged) -> Result<(), Box<Status>> {
        let auth = self.keeper.auth_at_hand();
        let counts =
            auth.is_none_or(|auth| auth.still_counts(&judged.admitted, judged.request.as_ref()));
        if counts {
            Ok(())
        } else {
            Err(Box::new(auth_error(&AuthError::Unauthenticated)))
        }
    }

    /// The tables: at hand, or read on a thread that may block.
    async fn auth(&self) -> Result<Arc<Auth>, Box<Status>> {
        if let Some(auth) = self.keeper.auth_at_hand() {
            return Ok(auth);
        }
        let keeper = Arc::clone(&self.keeper);
        on_blocking_thread(move || keeper.auth()).await
    }
}

async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Box<Status>> + Send + 'static,
) -> Result<T, Box<Status>> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "a caller was not judged for a defect of vaultd");
            let text = "a defect of vaultd; its log has the detail";
            Err(Box::new(refusal(Reason::Internal, text, &[])))
        })
}

fn principal(peer: Peer, admitted: Admitted, request: Option<WebRequest>) -> Principal {
    Principal::Judged(Arc::new(Judged {
        peer,
        admitted,
        request,
    }))
}

/// Whoever could not be judged, or has nothing to be judged by.
fn nobody(peer: Peer, request: Option<WebRequest>) -> Principal {
    principal(peer, Admitted::default(), request)
}
