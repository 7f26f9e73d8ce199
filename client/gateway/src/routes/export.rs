//! `/api/export`: the whole vault as one file.

use axum::{
    body::{Body as ResponseBody, Bytes},
    response::{IntoResponse as _, Response},
    routing::on,
};
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, header};
use serde::Deserialize;
use vault_client::{ArchiveForm, Error, ExportPart, ExportStream, SealFor};

use super::{Body, Method, Needs, Route};
use crate::{caller::Caller, content, extract::Input, failure::Failure};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Post,
    path: "/api/export",
    needs: Needs::Credential,
    body: Body::Small,
    handler: |method| on(method, export),
}];

/// How the file is to be written. Without `Debug`: it may hold a passphrase.
#[derive(Deserialize)]
#[serde(tag = "form", rename_all = "lowercase", deny_unknown_fields)]
enum Export {
    /// A tar file that anyone can read who gets it.
    Plaintext {
        #[serde(default)]
        zstd: bool,
        #[serde(default)]
        with_secrets: bool,
    },
    /// Sealed by age, for a passphrase or for recipients.
    Sealed {
        #[serde(default)]
        passphrase: String,
        #[serde(default)]
        recipients: Vec<String>,
        #[serde(default)]
        with_secrets: bool,
    },
}

async fn export(caller: Caller, Input(export): Input<Export>) -> Result<Response, Failure> {
    let client = &caller.client;
    let (export, content_type, name) = match &export {
        Export::Plaintext { zstd, with_secrets } => {
            let form = ArchiveForm::Plaintext { zstd: *zstd };
            let stream = client.export_archive(form, *with_secrets).await?;
            if *zstd {
                (stream, "application/zstd", "vault.tar.zst")
            } else {
                (stream, "application/x-tar", "vault.tar")
            }
        }
        Export::Sealed {
            passphrase,
            recipients,
            with_secrets,
        } => {
            let seal = match (passphrase.is_empty(), recipients.is_empty()) {
                (false, true) => SealFor::Passphrase(passphrase.as_bytes()),
                (true, false) => SealFor::Recipients(recipients),
                _ => {
                    let text = "a sealed file needs either `passphrase` or `recipients`";
                    return Err(Failure::invalid(text));
                }
            };
            let form = ArchiveForm::Sealed(seal);
            let stream = client.export_archive(form, *with_secrets).await?;
            (stream, content::BYTES, "vault.tar.zst.age")
        }
    };
    // One that fails at once, for a recipient that is none, is an answer of its own.
    let (first, rest) = next(Some(export)).await?.unzip();
    let first = stream::iter(first.map(Ok::<_, Error>));
    let rest = content::pieces(rest.flatten(), next);
    let mut response = ResponseBody::from_stream(first.chain(rest)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_DISPOSITION, content::attachment(name));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    Ok(response)
}

/// The next bytes of the file. One whose summary does not come breaks off, so that nobody takes it for
/// complete.
async fn next(
    stream: Option<ExportStream>,
) -> Result<Option<(Bytes, Option<ExportStream>)>, Error> {
    let Some(mut stream) = stream else {
        return Ok(None);
    };
    loop {
        match stream.next().await? {
            Some(ExportPart::Chunk(chunk)) => return Ok(Some((chunk.into(), Some(stream)))),
            Some(ExportPart::Progress(_)) => {}
            Some(ExportPart::Summary(_)) => return Ok(None),
            None => return Err(Error::Local("the export came incomplete".to_owned())),
        }
    }
}
