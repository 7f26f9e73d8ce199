//! Auth RPCs: who the caller is, ceremonies with passkeys, the rules.

mod scopes;
mod status;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use vault_auth::{
    Admitted, Auth as AuthTables, AuthError, AuthResult, CeremonyId, FirstPair, NewSession, Older,
    Passkey, SettingsChange, Standing, WebRequest,
};
use vault_proto::v1::{
    self, AcceptAuthRequest, AcceptAuthResponse, ActivityEvent, AuthActivityRequest,
    AuthActivityResponse, AuthStatusRequest, AuthStatusResponse, BeginLoginRequest,
    BeginLoginResponse, BeginRegistrationRequest, BeginRegistrationResponse, ConfigureAuthRequest,
    ConfigureAuthResponse, FinishLoginRequest, FinishLoginResponse, FinishRegistrationRequest,
    FinishRegistrationResponse, LogoutRequest, LogoutResponse, auth_server::Auth,
};

pub(super) use self::scopes::{from_wire, to_wire};
use super::{Services, caller, convert, out_of_turn};
use crate::{
    audit::{Auditor, Ended, Event},
    auth_error::auth_error,
    keeper::Keeper,
    principal::{Judged, Principal, PrincipalKind},
};

/// Events in one answer where the request does not say, and at most.
const EVENTS: usize = 100;
const MOST_EVENTS: usize = 1000;

/// What the services of vault-auth stand on.
#[derive(Clone)]
pub struct AuthServices {
    services: Services,
}

impl AuthServices {
    /// Services of the vault that `services` are of.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    fn audit(&self) -> &Auditor {
        self.services.keeper.audit()
    }

    /// Runs `work` on the tables, on a thread that may block.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AuthTables) -> AuthResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        let on_tables = |keeper: &Keeper| {
            let auth = keeper.auth_or_create()?;
            work(&auth).map_err(|error| Box::new(auth_error(&error)))
        };
        self.services.run(on_tables).await
    }

    /// Records that something was granted: durably, before it is handed out.
    pub(super) async fn granted(
        &self,
        action: &'static str,
        caller: &Principal,
        detail: &str,
    ) -> Result<(), Status> {
        let call = self.audit().call(action, Some(caller)).with(detail);
        self.audit().admitted(&call, caller);
        let recorded = self.audit().end(&call, &Ended::Done).await;
        recorded.map_err(|status| *status)
    }

    /// Whether what is about to be granted could be recorded: nothing changes while it could not.
    pub(super) async fn recordable(
        &self,
        action: &'static str,
        caller: &Principal,
    ) -> Result<(), Status> {
        let call = self.audit().call(action, Some(caller));
        self.audit().ready(&call).await.map_err(|status| *status)
    }

    /// Records that something was refused.
    fn refused(&self, action: &'static str, caller: &Principal, status: &Status) {
        let call = self.audit().call(action, Some(caller));
        self.audit().refused(&call, Some(caller), Some(status));
    }

    /// Runs `work` as [`Self::run`] does, and what came of it goes into the record as `action`.
    pub(super) async fn record<T: Send + 'static>(
        &self,
        action: &'static str,
        caller: &Principal,
        work: impl FnOnce(&AuthTables) -> AuthResult<(T, String)> + Send + 'static,
    ) -> Result<T, Status> {
        self.recordable(action, caller).await?;
        match self.run(work).await {
            Ok((done, detail)) => {
                self.granted(action, caller, &detail).await?;
                Ok(done)
            }
            Err(status) => {
                self.refused(action, caller, &status);
                Err(status)
            }
        }
    }
}

/// A caller in a browser: who it is, and what it asked over HTTP.
struct Browser(Arc<Judged>);

impl Browser {
    fn of(caller: &Principal) -> Result<Self, Status> {
        match caller {
            Principal::Judged(judged) if judged.request.is_some() => Ok(Self(Arc::clone(judged))),
            _ => Err(out_of_turn(
                "a passkey takes a browser: this call did not come over HTTP",
            )),
        }
    }

    fn parts(&self) -> AuthResult<(&WebRequest, &Admitted)> {
        let request = self.0.request.as_ref();
        let request = request.ok_or_else(|| AuthError::Invalid("no request over HTTP".into()))?;
        Ok((request, &self.0.admitted))
    }
}

/// The `Auth` service.
#[derive(Clone)]
pub struct AuthService(pub AuthServices);

#[tonic::async_trait]
impl Auth for AuthService {
    async fn status(
        &self,
        request: Request<AuthStatusRequest>,
    ) -> Result<Response<AuthStatusResponse>, Status> {
        let caller = caller(&request)?;
        let work = move |keeper: &Keeper| Ok(status::describe(keeper, &caller));
        let status = self.0.services.run_at_once(work).await?;
        Ok(Response::new(status))
    }

    async fn begin_registration(
        &self,
        request: Request<BeginRegistrationRequest>,
    ) -> Result<Response<BeginRegistrationResponse>, Status> {
        let caller = caller(&request)?;
        let browser = Browser::of(&caller)?;
        let given = request.into_inner();
        let work = move |auth: &AuthTables| {
            let (request, admitted) = browser.parts()?;
            auth.begin_registration(request, admitted, &given.pairing_code, &given.label)
        };
        // Only a code that is tried is worth a line: a refusal of it.
        let challenge = match self.0.run(work).await {
            Ok(challenge) => challenge,
            Err(status) => {
                self.0.refused("pairing", &caller, &status);
                return Err(status);
            }
        };
        Ok(Response::new(BeginRegistrationResponse {
            ceremony: challenge.ceremony.0,
            options: challenge.options,
        }))
    }

    async fn finish_registration(
        &self,
        request: Request<FinishRegistrationRequest>,
    ) -> Result<Response<FinishRegistrationResponse>, Status> {
        let caller = caller(&request)?;
        let browser = Browser::of(&caller)?;
        let given = request.into_inner();
        let work = move |auth: &AuthTables| {
            let (request, admitted) = browser.parts()?;
            let ceremony = CeremonyId(given.ceremony);
            let done = auth.finish_registration(request, admitted, &ceremony, &given.credential)?;
            let detail = done.0.rp_id.as_str().to_owned();
            Ok((done, detail))
        };
        let (passkey, session) = self.0.record("registration", &caller, work).await?;
        Ok(Response::new(FinishRegistrationResponse {
            passkey: Some(describe_passkey(passkey)),
            session: session.map(describe_session),
        }))
    }

    async fn begin_login(
        &self,
        request: Request<BeginLoginRequest>,
    ) -> Result<Response<BeginLoginResponse>, Status> {
        let browser = Browser::of(&caller(&request)?)?;
        let conditional = request.into_inner().conditional;
        let begun = self.0.run(move |auth| {
            let (request, admitted) = browser.parts()?;
            auth.begin_login(request, admitted, conditional)
        });
        let challenge = begun.await?;
        Ok(Response::new(BeginLoginResponse {
            ceremony: challenge.ceremony.0,
            options: challenge.options,
        }))
    }

    async fn finish_login(
        &self,
        request: Request<FinishLoginRequest>,
    ) -> Result<Response<FinishLoginResponse>, Status> {
        let caller = caller(&request)?;
        let browser = Browser::of(&caller)?;
        let given = request.into_inner();
        let work = move |auth: &AuthTables| {
            let (request, admitted) = browser.parts()?;
            let ceremony = CeremonyId(given.ceremony);
            let session = auth.finish_login(request, admitted, &ceremony, &given.credential)?;
            Ok((session, request.host.name.to_string()))
        };
        let session = self.0.record("sign-in", &caller, work).await?;
        Ok(Response::new(FinishLoginResponse {
            session: Some(describe_session(session)),
        }))
    }

    async fn logout(
        &self,
        request: Request<LogoutRequest>,
    ) -> Result<Response<LogoutResponse>, Status> {
        let caller = caller(&request)?;
        let standing = caller
            .judged()
            .map(|judged| judged.admitted.standing.clone());
        match standing {
            Some(Standing::Session(id)) => {
                let work = move |auth: &AuthTables| Ok((auth.revoke_session(&id)?, String::new()));
                self.0.record("sign-out", &caller, work).await?;
            }
            // Its own row, however narrow it is.
            Some(Standing::Token(id)) => {
                let work = move |auth: &AuthTables| Ok((auth.revoke_token(&id)?, String::new()));
                self.0.record("sign-out", &caller, work).await?;
            }
            // Whoever has no credential any more is signed out already.
            Some(Standing::Loopback | Standing::Open | Standing::Nobody) | None => {}
        }
        Ok(Response::new(LogoutResponse {}))
    }

    async fn configure(
        &self,
        request: Request<ConfigureAuthRequest>,
    ) -> Result<Response<ConfigureAuthResponse>, Status> {
        let given = request.into_inner();
        let first_pair = match given.first_pair.map(v1::FirstPair::try_from) {
            None => None,
            Some(Ok(v1::FirstPair::Code)) => Some(FirstPair::Code),
            Some(Ok(v1::FirstPair::Open)) => Some(FirstPair::Open),
            Some(_) => return Err(out_of_turn("first_pair is `code` or `open`")),
        };
        let change = SettingsChange {
            require_auth: given.require_auth,
            loopback_bypass: given.loopback_bypass,
            first_pair,
            strict: given.strict,
            query_tokens: given.query_tokens,
        };
        let services = &self.0.services;
        let changed = services.run(move |keeper| keeper.configure_auth(change));
        Ok(Response::new(ConfigureAuthResponse {
            settings: Some(status::settings(changed.await?)),
        }))
    }

    async fn accept(
        &self,
        request: Request<AcceptAuthRequest>,
    ) -> Result<Response<AcceptAuthResponse>, Status> {
        if request.into_inner().preview {
            let told = self.0.services.run(Keeper::older_auth).await?;
            let previewed = told.map(preview).unwrap_or_default();
            return Ok(Response::new(previewed));
        }
        let accepted = self.0.services.run(Keeper::accept_auth);
        let (sessions_ended, tokens_revoked) = accepted.await?;
        Ok(Response::new(AcceptAuthResponse {
            sessions_ended,
            tokens_revoked,
            older: None,
        }))
    }

    async fn activity(
        &self,
        request: Request<AuthActivityRequest>,
    ) -> Result<Response<AuthActivityResponse>, Status> {
        let limit = match usize::try_from(request.into_inner().limit) {
            Ok(0) => EVENTS,
            Ok(limit) => limit.min(MOST_EVENTS),
            Err(_) => MOST_EVENTS,
        };
        let events = self.0.audit().newest(limit).into_iter();
        Ok(Response::new(AuthActivityResponse {
            events: events.map(describe_event).collect(),
        }))
    }
}

fn describe_event(event: Event) -> ActivityEvent {
    let kind = event
        .kind
        .map_or(v1::PrincipalKind::Unspecified, PrincipalKind::on_the_wire);
    ActivityEvent {
        at: Some(convert::timestamp(event.at_ms)),
        action: event.action,
        admitted: event.admitted,
        principal: kind.into(),
        who: event.who,
        address: event.from,
        detail: event.detail,
    }
}

fn preview(older: Older) -> AcceptAuthResponse {
    AcceptAuthResponse {
        sessions_ended: older.sessions,
        tokens_revoked: older.tokens,
        older: Some(v1::OlderTables {
            passkeys: older.passkeys.into_iter().map(describe_passkey).collect(),
            hosts: older.hosts,
        }),
    }
}

pub(super) fn describe_passkey(passkey: Passkey) -> v1::Passkey {
    v1::Passkey {
        id: passkey.id,
        label: passkey.label,
        rp_id: passkey.rp_id.as_str().to_owned(),
        created: Some(convert::timestamp(passkey.created_ms)),
        last_used: passkey.last_used_ms.map(convert::timestamp),
    }
}

fn describe_session(session: NewSession) -> v1::NewSession {
    v1::NewSession {
        id: session.id,
        cookie: session.cookie,
        cookie_name: session.cookie_name.to_owned(),
        max_age: session.max_age,
    }
}
