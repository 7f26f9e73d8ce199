//! The one permission table: method → kinds of principal, scope, audit. A method that is not in it
//! is refused.

use std::{future::Future, pin::Pin, sync::Arc, task::Poll, time::Duration};

use http::{Request, Response};
use tonic::{Status, body::Body, server::NamedService};
use tower::{Layer, Service};
use vault_crypto::SecretName;
use vault_proto::v1::Reason;

use crate::{
    error::{self, refusal},
    listener::ConnectionInfo,
    principal::{Principal, PrincipalKind},
};

/// What a call does. Tokens will be limited by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Learns nothing of the content.
    Status,
    /// Reads documents.
    Read,
    /// Changes documents.
    Write,
    /// Hands out or changes secrets: no pattern of stores covers it.
    Secrets,
    /// Changes the vault itself.
    Admin,
}

/// Whether a call is unary, and so under the deadline for such, or streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One message each way.
    Unary,
    /// One message each way; the request says how long it may take, and the service sees to it.
    Timed,
    /// A stream either way.
    Stream,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The full method name, as in the request's path.
    pub method: &'static str,
    /// Who may call it.
    pub principals: &'static [PrincipalKind],
    /// What it does.
    pub scope: Scope,
    /// Unary or streaming.
    pub shape: Shape,
    /// Whether every call is recorded.
    pub audit: bool,
}

const OWNER: &[PrincipalKind] = &[PrincipalKind::Owner];

const fn rule(method: &'static str, scope: Scope, shape: Shape) -> Rule {
    // Administration is recorded always, and so is what reaches secrets.
    Rule {
        method,
        principals: OWNER,
        scope,
        shape,
        audit: matches!(scope, Scope::Admin | Scope::Secrets),
    }
}

/// Every method there is.
pub const TABLE: &[Rule] = &[
    rule("/vault.v1.Vault/Status", Scope::Status, Shape::Unary),
    rule("/vault.v1.Vault/Init", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Vault/Lock", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Vault/Unlock", Scope::Admin, Shape::Unary),
    // It names secrets, and mends what it finds.
    rule("/vault.v1.Vault/Doctor", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Keys/Status", Scope::Status, Shape::Unary),
    rule("/vault.v1.Keys/Rotate", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Keys/Pause", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Keys/Resume", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Keys/RollBack", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Keys/Export", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Keys/Import", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Keys/Derive", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Keys/Move", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Keys/Reset", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Archives/Export", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Archives/Verify", Scope::Status, Shape::Stream),
    rule("/vault.v1.Archives/Restore", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Stores/Create", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Stores/List", Scope::Read, Shape::Unary),
    rule("/vault.v1.Stores/Configure", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Stores/Remove", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Stores/Adopt", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Stores/Migrate", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Documents/Put", Scope::Write, Shape::Unary),
    rule("/vault.v1.Documents/Get", Scope::Read, Shape::Unary),
    rule("/vault.v1.Documents/Patch", Scope::Write, Shape::Unary),
    rule("/vault.v1.Documents/Delete", Scope::Write, Shape::Unary),
    rule("/vault.v1.Documents/List", Scope::Read, Shape::Stream),
    rule("/vault.v1.Documents/Watch", Scope::Read, Shape::Stream),
    rule("/vault.v1.Documents/Batch", Scope::Write, Shape::Unary),
    rule("/vault.v1.Documents/Upload", Scope::Write, Shape::Stream),
    rule("/vault.v1.Documents/Download", Scope::Read, Shape::Stream),
    rule("/vault.v1.Documents/Import", Scope::Write, Shape::Stream),
    rule("/vault.v1.Databases/Create", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Databases/Configure", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Databases/List", Scope::Read, Shape::Unary),
    rule("/vault.v1.Databases/Drop", Scope::Admin, Shape::Unary),
    rule("/vault.v1.Databases/Execute", Scope::Write, Shape::Timed),
    // What it runs may be an INSERT with RETURNING: the table cannot see it, so it is a write.
    rule("/vault.v1.Databases/Query", Scope::Write, Shape::Stream),
    rule("/vault.v1.Databases/Batch", Scope::Write, Shape::Timed),
    rule("/vault.v1.Databases/Transact", Scope::Write, Shape::Stream),
    rule("/vault.v1.Databases/Migrate", Scope::Write, Shape::Timed),
    rule("/vault.v1.Databases/Import", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Databases/Backup", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Databases/Check", Scope::Read, Shape::Stream),
    rule("/vault.v1.Databases/Stats", Scope::Read, Shape::Unary),
    rule("/vault.v1.Blobs/Put", Scope::Write, Shape::Unary),
    rule("/vault.v1.Blobs/Get", Scope::Read, Shape::Unary),
    rule("/vault.v1.Blobs/Upload", Scope::Write, Shape::Stream),
    rule("/vault.v1.Blobs/Download", Scope::Read, Shape::Stream),
    rule("/vault.v1.Blobs/Stat", Scope::Read, Shape::Unary),
    rule("/vault.v1.Blobs/List", Scope::Read, Shape::Stream),
    rule("/vault.v1.Blobs/Delete", Scope::Write, Shape::Unary),
    rule("/vault.v1.Blobs/Collect", Scope::Admin, Shape::Stream),
    rule("/vault.v1.Blobs/Verify", Scope::Read, Shape::Stream),
    rule("/vault.v1.Files/Put", Scope::Write, Shape::Unary),
    rule("/vault.v1.Files/Get", Scope::Read, Shape::Unary),
    rule("/vault.v1.Files/Upload", Scope::Write, Shape::Stream),
    rule("/vault.v1.Files/Download", Scope::Read, Shape::Stream),
    rule("/vault.v1.Files/Stat", Scope::Read, Shape::Unary),
    rule("/vault.v1.Files/List", Scope::Read, Shape::Stream),
    rule("/vault.v1.Files/Delete", Scope::Write, Shape::Unary),
    rule("/vault.v1.Secrets/Set", Scope::Secrets, Shape::Unary),
    rule("/vault.v1.Secrets/Get", Scope::Secrets, Shape::Unary),
    rule("/vault.v1.Secrets/List", Scope::Read, Shape::Unary),
    rule("/vault.v1.Secrets/Delete", Scope::Secrets, Shape::Unary),
    // The key of a connection is a secret.
    rule("/vault.v1.Connections/Save", Scope::Secrets, Shape::Unary),
    rule("/vault.v1.Connections/Get", Scope::Read, Shape::Unary),
    rule("/vault.v1.Connections/List", Scope::Read, Shape::Unary),
    rule("/vault.v1.Connections/Activate", Scope::Write, Shape::Unary),
    rule("/vault.v1.Connections/Delete", Scope::Secrets, Shape::Unary),
    rule("/vault.v1.Maintenance/Status", Scope::Read, Shape::Unary),
    rule("/vault.v1.Maintenance/Run", Scope::Admin, Shape::Stream),
    rule("/grpc.health.v1.Health/Check", Scope::Status, Shape::Unary),
    rule("/grpc.health.v1.Health/Watch", Scope::Status, Shape::Stream),
    rule(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Scope::Status,
        Shape::Stream,
    ),
];

/// The rule of a method.
pub fn find(method: &str) -> Option<&'static Rule> {
    TABLE.iter().find(|rule| rule.method == method)
}

/// Judges a call: the rule it runs under, or why it does not run.
fn judge(
    method: &str,
    principal: Option<Principal>,
) -> Result<(&'static Rule, Principal), Box<Status>> {
    let denied = |text: &str| {
        Box::new(refusal(
            Reason::PermissionDenied,
            text,
            &[("method", method)],
        ))
    };
    let principal = principal.ok_or_else(|| denied("the connection has no identity"))?;
    let rule = find(method).ok_or_else(|| denied("no such method"))?;
    if rule.principals.contains(&principal.kind()) {
        Ok((rule, principal))
    } else {
        Err(denied("this principal may not call this method"))
    }
}

/// Told of calls that are recorded, and of every refusal.
pub trait Audit: Send + Sync + 'static {
    /// A call was let in or refused.
    fn record(&self, method: &str, principal: Option<Principal>, admitted: bool);

    /// The value of a secret was asked for: by its name, and never by its value. Where nothing else
    /// is said, the call that was let in is all that is recorded of it.
    fn record_secret(&self, _name: &SecretName, _principal: Option<Principal>, _given: bool) {}
}

/// Writes to the log, until the audit store takes its place.
#[derive(Debug, Clone, Copy)]
pub struct LogAudit;

impl Audit for LogAudit {
    fn record(&self, method: &str, principal: Option<Principal>, admitted: bool) {
        let pid = principal.and_then(|principal| principal.peer().pid);
        tracing::info!(target: "audit", method, pid, admitted);
    }

    fn record_secret(&self, name: &SecretName, principal: Option<Principal>, given: bool) {
        let pid = principal.and_then(|principal| principal.peer().pid);
        let method = "/vault.v1.Secrets/Get";
        tracing::info!(target: "audit", method, secret = %name, pid, given);
    }
}

/// Puts the table in front of every service.
#[derive(Clone)]
pub struct PermissionLayer {
    audit: Arc<dyn Audit>,
    call_deadline: Duration,
}

impl PermissionLayer {
    /// A layer that reports to `audit` and ends unary calls after `call_deadline`.
    pub fn new(audit: Arc<dyn Audit>, call_deadline: Duration) -> Self {
        Self {
            audit,
            call_deadline,
        }
    }
}

impl<S> Layer<S> for PermissionLayer {
    type Service = Permission<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Permission {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind the permission table.
#[derive(Clone)]
pub struct Permission<S> {
    inner: S,
    layer: PermissionLayer,
}

impl<S: NamedService> NamedService for Permission<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Permission<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let principal = request
            .extensions()
            .get::<ConnectionInfo>()
            .map(|connection| Principal::Owner(connection.peer));
        let method = request.uri().path();
        let (rule, principal) = match judge(method, principal) {
            Ok(judged) => judged,
            Err(status) => {
                self.layer.audit.record(method, principal, false);
                return Box::pin(async move { Ok(status.into_http()) });
            }
        };
        if rule.audit {
            self.layer.audit.record(rule.method, Some(principal), true);
        }
        request.extensions_mut().insert(principal);

        // The clone may not be ready; the service that was polled is.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let deadline = self.layer.call_deadline;
        Box::pin(async move {
            let answer = inner.call(request);
            let response = if rule.shape != Shape::Unary {
                answer.await?
            } else if let Ok(response) = tokio::time::timeout(deadline, answer).await {
                response?
            } else {
                let text = "the call took longer than this daemon allows";
                refusal(Reason::TimedOut, text, &[]).into_http()
            };
            Ok(error::name_transport_limits(response))
        })
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::principal::Peer;

    fn methods(descriptors: &[u8]) -> Vec<(String, bool)> {
        let set = FileDescriptorSet::decode(descriptors).expect("compiled descriptors");
        let mut methods = Vec::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let streams = method.client_streaming() || method.server_streaming();
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    methods.push((path, streams));
                }
            }
        }
        methods
    }

    #[test]
    fn every_method_has_a_rule_and_every_rule_a_method() {
        let mut all = methods(vault_proto::FILE_DESCRIPTOR_SET);
        all.extend(methods(tonic_health::pb::FILE_DESCRIPTOR_SET));
        all.extend(methods(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET));
        assert!(all.len() > 20, "the walk found the methods");
        for (method, streams) in &all {
            let rule = find(method).unwrap_or_else(|| panic!("{method} has no rule"));
            assert_eq!(rule.shape == Shape::Stream, *streams, "{method}");
        }
        for rule in TABLE {
            assert!(
                all.iter().any(|(method, _)| method == rule.method),
                "{}",
                rule.method
            );
        }
    }

    #[test]
    fn what_reaches_a_secret_is_recorded_and_needs_more_than_a_store() {
        for method in [
            "Secrets/Get",
            "Secrets/Set",
            "Secrets/Delete",
            "Connections/Save",
        ] {
            let rule = find(&format!("/vault.v1.{method}")).expect("a rule");
            assert_eq!((rule.scope, rule.audit), (Scope::Secrets, true), "{method}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_refused() {
        let owner = Some(Principal::Owner(Peer {
            uid: Some(1000),
            pid: Some(1),
        }));
        assert!(judge("/vault.v1.Documents/Get", owner).is_ok());
        assert!(judge("/vault.v1.Documents/Get", None).is_err());
        assert!(judge("/vault.v1.Documents/Steal", owner).is_err());
        assert!(judge("/vault.v1.Documents/Get/", owner).is_err());
        assert!(judge("/VAULT.v1.Documents/Get", owner).is_err());
    }
}
