//! HTTPS, with certificates that `openssl` makes.

use std::{fs, path::Path, process::Command, sync::Arc};

use http::Request;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use vault_gateway::server::{Server, Tls};

use crate::support::configured;

/// Makes a certificate for `localhost` in a folder, in place of any before.
fn make_certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-days", "2", "-subj", "/CN=localhost"])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=CA:FALSE",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

struct Serving {
    port: u16,
    tls: Arc<Tls>,
    _stop: oneshot::Sender<()>,
}

async fn serve(folder: &Path) -> Serving {
    let toml = format!(
        "bind = '127.0.0.1:0'\ntls_cert = '{0}/cert.pem'\ntls_key = '{0}/key.pem'",
        folder.display()
    );
    let (config, _other) = configured(&toml).expect("valid");
    let server = Server::bind(config).await.expect("bound");
    let (stop, told) = oneshot::channel::<()>();
    let (port, tls) = (server.address().port(), server.tls().expect("TLS"));
    tokio::spawn(server.serve(async {
        let _ = told.await;
    }));
    Serving {
        port,
        tls,
        _stop: stop,
    }
}

/// Shakes hands as somebody who trusts the certificate that lies in the folder.
async fn shake(folder: &Path, port: u16, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).expect("PEM");
    roots.add(certificate).expect("a root");
    let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
}

#[tokio::test]
async fn https_is_spoken_in_both_versions_and_is_to_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificate(folder.path());
    let serving = serve(folder.path()).await;

    let mut first = shake(folder.path(), serving.port, "http/1.1")
        .await
        .expect("trusted");
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    first.write_all(request).await.expect("said");
    let mut answer = Vec::new();
    let _ = first.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("strict-transport-security: max-age=31536000"),
        "{answer}"
    );

    let second = shake(folder.path(), serving.port, "h2")
        .await
        .expect("trusted");
    assert_eq!(second.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (client, connection) = h2::client::handshake(second).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    let request = Request::get("https://localhost/healthz")
        .body(())
        .expect("a request");
    let (answer, _) = client.send_request(request, true).expect("sent");
    let answer = answer.await.expect("answered");
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn a_renewed_certificate_counts_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificate(folder.path());
    let serving = serve(folder.path()).await;
    make_certificate(folder.path());
    let early = shake(folder.path(), serving.port, "h2").await;
    assert!(early.is_err(), "the one before is still served");
    serving.tls.reload().expect("usable");
    shake(folder.path(), serving.port, "h2")
        .await
        .expect("the new one");

    fs::write(folder.path().join("key.pem"), "none").expect("written");
    let error = serving.tls.reload().expect_err("no key").to_string();
    assert!(error.contains("key.pem"), "{error}");
    shake(folder.path(), serving.port, "h2")
        .await
        .expect("the one before stays");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = format!(
        "bind = '127.0.0.1:0'\ntls_cert = '{0}/cert.pem'\ntls_key = '{0}/key.pem'",
        folder.path().display()
    );
    let (config, _other) = configured(&toml).expect("valid");
    let error = Server::bind(config)
        .await
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("cert.pem"), "{error}");
}
