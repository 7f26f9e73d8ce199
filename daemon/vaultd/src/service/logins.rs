//! Logins RPCs.

use tonic::{Request, Response, Status};
use vault_auth::{Auth, Authorization, Exchange, LoginRequest};
use vault_proto::v1::{
    AuthorizationCode, AuthorizeLoginRequest, AuthorizeLoginResponse, BeginDeviceRequest,
    BeginDeviceResponse, DecideLoginRequest, DecideLoginResponse, DescribeLoginRequest,
    DescribeLoginResponse, ExchangeLoginRequest, ExchangeLoginResponse,
    exchange_login_request::Grant, logins_server::Logins,
};
use vault_store::{Clock as _, SystemClock};

use super::{
    auth::{AuthServices, from_wire, to_wire},
    caller, convert, out_of_turn, tokens,
};

/// The `Logins` service.
#[derive(Clone)]
pub struct LoginsService(pub AuthServices);

#[tonic::async_trait]
impl Logins for LoginsService {
    async fn begin_device(
        &self,
        request: Request<BeginDeviceRequest>,
    ) -> Result<Response<BeginDeviceResponse>, Status> {
        let address = caller(&request)?.address();
        let given = request.into_inner();
        let login = LoginRequest {
            label: given.label,
            scopes: from_wire(given.scopes)?,
            address,
            begun_ms: SystemClock.now_ms(),
        };
        let begun = self.0.run(move |auth| auth.begin_device(login)).await?;
        Ok(Response::new(BeginDeviceResponse {
            device_code: begun.device_code,
            user_code: begun.user_code,
            expires: Some(convert::timestamp(begun.expires_ms)),
            interval: begun.interval,
        }))
    }

    async fn describe(
        &self,
        request: Request<DescribeLoginRequest>,
    ) -> Result<Response<DescribeLoginResponse>, Status> {
        let code = request.into_inner().user_code;
        let login = self.0.run(move |auth| auth.describe_login(&code)).await?;
        Ok(Response::new(DescribeLoginResponse {
            label: login.label,
            scopes: to_wire(&login.scopes),
            address: login.address,
            begun: Some(convert::timestamp(login.begun_ms)),
        }))
    }

    async fn decide(
        &self,
        request: Request<DecideLoginRequest>,
    ) -> Result<Response<DecideLoginResponse>, Status> {
        let caller = caller(&request)?;
        let by = tokens::reach(&request)?;
        let DecideLoginRequest { user_code, approve } = request.into_inner();
        let action = if approve {
            "login approved"
        } else {
            "login refused"
        };
        let work = move |auth: &Auth| {
            let label = auth.describe_login(&user_code)?.label;
            auth.decide_login(&by, &user_code, approve)?;
            Ok(((), label))
        };
        self.0.record(action, &caller, work).await?;
        Ok(Response::new(DecideLoginResponse {}))
    }

    async fn authorize(
        &self,
        request: Request<AuthorizeLoginRequest>,
    ) -> Result<Response<AuthorizeLoginResponse>, Status> {
        let caller = caller(&request)?;
        let by = tokens::reach(&request)?;
        let given = request.into_inner();
        let login = Authorization {
            request: LoginRequest {
                label: given.label,
                scopes: from_wire(given.scopes)?,
                address: caller.address(),
                begun_ms: SystemClock.now_ms(),
            },
            code_challenge: given.code_challenge,
            redirect_uri: given.redirect_uri,
        };
        let work = move |auth: &Auth| {
            let label = login.request.label.clone();
            Ok((auth.authorize_login(&by, login)?, label))
        };
        let code = self.0.record("login approved", &caller, work).await?;
        Ok(Response::new(AuthorizeLoginResponse { code }))
    }

    async fn exchange(
        &self,
        request: Request<ExchangeLoginRequest>,
    ) -> Result<Response<ExchangeLoginResponse>, Status> {
        let caller = caller(&request)?;
        let Some(grant) = request.into_inner().grant else {
            return Err(out_of_turn("a login is traded for by a code"));
        };
        self.0.recordable("login", &caller).await?;
        let exchanged = self.0.run(move |auth| {
            auth.exchange_login(&match &grant {
                Grant::DeviceCode(device_code) => Exchange::Device { device_code },
                Grant::Authorization(AuthorizationCode {
                    code,
                    code_verifier,
                    redirect_uri,
                }) => Exchange::Authorization {
                    code,
                    verifier: code_verifier,
                    redirect_uri,
                },
            })
        });
        let (token, secret) = exchanged.await?;
        self.0.granted("login", &caller, &token.label).await?;
        Ok(Response::new(ExchangeLoginResponse {
            token: Some(tokens::describe(token)),
            secret: secret.0.to_string(),
        }))
    }
}
