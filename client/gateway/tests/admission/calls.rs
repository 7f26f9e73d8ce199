//! Every call of the contract, over gRPC-Web, by somebody who brings nothing, and by another site's page
//! that has the browser bring its cookie.

use http::{Request, header};
use http_body_util::Full;
use hyper::body::Bytes;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use vault_gateway::grpc_web;

use crate::{
    credentials::{Credentials, bypass},
    http1::{Answer, Connection},
    vault::Vault,
};

/// A message without fields: its prefix alone.
const EMPTY: [u8; 5] = [0; 5];

const OK: u8 = 0;
const INVALID_ARGUMENT: u8 = 3;
const PERMISSION_DENIED: u8 = 7;
const FAILED_PRECONDITION: u8 = 9;
const UNAUTHENTICATED: u8 = 16;

/// What somebody who brings nothing gets where it is not [`UNAUTHENTICATED`].
const PUBLIC: &[(&str, u8)] = &[
    ("/vault.v1.Auth/Status", OK),
    ("/vault.v1.Auth/BeginLogin", OK),
    ("/vault.v1.Auth/Logout", OK),
    // They are served, and nothing has begun that could be ended, or is asked for.
    ("/vault.v1.Auth/FinishRegistration", FAILED_PRECONDITION),
    ("/vault.v1.Auth/FinishLogin", FAILED_PRECONDITION),
    ("/vault.v1.Logins/BeginDevice", INVALID_ARGUMENT),
    ("/vault.v1.Logins/Exchange", INVALID_ARGUMENT),
];

/// The path of every method of the contract.
fn methods() -> Vec<String> {
    let set = FileDescriptorSet::decode(vault_proto::FILE_DESCRIPTOR_SET).expect("descriptors");
    let mut methods = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let named = service
                .method
                .iter()
                .map(|method| format!("/{}.{}/{}", file.package(), service.name(), method.name()));
            methods.extend(named);
        }
    }
    methods
}

/// The status of a call: in the head where there is nothing else, or in the trailers, which are the
/// last of the body.
fn status(answer: &Answer) -> u8 {
    let in_head = answer.headers.get("grpc-status");
    let in_head = in_head.map(|value| value.to_str().expect("text").to_owned());
    let in_body = || {
        let text = answer.text();
        let (_, after) = text.rsplit_once("grpc-status:")?;
        Some(after.split('\r').next()?.trim().to_owned())
    };
    let found = in_head.or_else(in_body);
    let found = found.unwrap_or_else(|| panic!("{}: {}", answer.status, answer.text()));
    found.parse().expect("a number")
}

fn call(
    vault: &Vault,
    method: &str,
    headers: &[(header::HeaderName, &str)],
) -> Request<Full<Bytes>> {
    let mut request = Request::post(format!("/grpc{method}"))
        .header(header::HOST, vault.authority("localhost"))
        .header(header::CONTENT_TYPE, "application/grpc-web+proto");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let body = Full::from(EMPTY.to_vec());
    request.body(body).expect("a request")
}

#[test]
fn calls_of_several_messages_and_calls_without_end_are_known() {
    let set = FileDescriptorSet::decode(vault_proto::FILE_DESCRIPTOR_SET).expect("descriptors");
    let mut streamed = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let methods = service.method.iter();
            let methods = methods.filter(|method| method.client_streaming());
            streamed.extend(
                methods.map(|method| {
                    format!("/{}.{}/{}", file.package(), service.name(), method.name())
                }),
            );
        }
    }
    streamed.sort();
    assert_eq!(streamed, grpc_web::STREAMED);
    let watches = methods()
        .into_iter()
        .filter(|path| path.ends_with("/Watch"));
    assert_eq!(watches.collect::<Vec<_>>(), [grpc_web::WATCH]);
}

#[tokio::test]
async fn no_call_is_made_for_nobody() {
    let vault = Vault::start("info");
    let owner = vault.owner().await;
    let who = Credentials::make(&vault, &owner).await;
    bypass(&owner, false).await;
    let mut connection = Connection::to(vault.address());
    let foreign = [
        (header::COOKIE, who.cookie.as_str()),
        (header::ORIGIN, "https://attacker.example"),
    ];
    let methods = methods();
    assert!(methods.len() > 100, "the walk found the methods");
    for method in &methods {
        let public = PUBLIC.iter().find(|(name, _)| name == method);
        let expected = public.map_or(UNAUTHENTICATED, |(_, status)| *status);
        let answer = connection.send(call(&vault, method, &[])).await;
        assert_eq!(
            status(&answer),
            expected,
            "{method} by nobody: {}",
            answer.text()
        );
        let answer = connection.send(call(&vault, method, &foreign)).await;
        let refused = status(&answer);
        assert_eq!(
            refused,
            PERMISSION_DENIED,
            "{method} by another site: {}",
            answer.text()
        );
    }
    for (name, _) in PUBLIC {
        assert!(methods.iter().any(|method| method == name), "{name}");
    }
    for unknown in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let answer = connection.send(call(&vault, unknown, &[])).await;
        assert_eq!(answer.status, 404, "{unknown}");
    }
}
