//! Compiles the contract with protox, so that no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 20] = [
    "vault/v1/archives.proto",
    "vault/v1/audit.proto",
    "vault/v1/auth.proto",
    "vault/v1/blobs.proto",
    "vault/v1/connections.proto",
    "vault/v1/databases.proto",
    "vault/v1/documents.proto",
    "vault/v1/errors.proto",
    "vault/v1/files.proto",
    "vault/v1/keys.proto",
    "vault/v1/logins.proto",
    "vault/v1/maintenance.proto",
    "vault/v1/pairing.proto",
    "vault/v1/passkeys.proto",
    "vault/v1/secrets.proto",
    "vault/v1/sessions.proto",
    "vault/v1/stats.proto",
    "vault/v1/stores.proto",
    "vault/v1/tokens.proto",
    "vault/v1/vault.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("vault.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // By hand: there are many rows and runs in one of them.
        .extern_path(".vault.v1.ExecuteRequest", "crate::runs::ExecuteRequest")
        .extern_path(".vault.v1.QueryResponse", "crate::rows::QueryResponse")
        // Content on its way is not copied once more to be taken out of its message.
        .bytes(".vault.v1.PutBlobRequest.content")
        .bytes(".vault.v1.UploadBlobRequest.chunk")
        .bytes(".vault.v1.DownloadBlobResponse.chunk")
        .bytes(".vault.v1.PutFileRequest.content")
        .bytes(".vault.v1.UploadFileRequest.chunk")
        .bytes(".vault.v1.DownloadFileResponse.chunk")
        // Bodies and passphrases travel in these messages: no generated `Debug` may print them.
        .skip_debug([
            ".vault.v1.PutDocumentRequest",
            ".vault.v1.GetDocumentResponse",
            ".vault.v1.PatchDocumentRequest",
            ".vault.v1.ListedDocument",
            ".vault.v1.ListDocumentsResponse",
            ".vault.v1.BatchWrite",
            ".vault.v1.BatchDocumentsRequest",
            ".vault.v1.UploadDocumentRequest",
            ".vault.v1.DownloadDocumentResponse",
            ".vault.v1.ImportDocumentsRequest",
            ".vault.v1.AdoptStoreRequest",
            ".vault.v1.InitRequest",
            ".vault.v1.UnlockRequest",
            ".vault.v1.RotateRequest",
            ".vault.v1.RotateResponse",
            ".vault.v1.RotationOutcome",
            ".vault.v1.ExportKeyRequest",
            ".vault.v1.ImportKeyRequest",
            ".vault.v1.DeriveKeyRequest",
            ".vault.v1.DeriveKeyResponse",
            ".vault.v1.MoveKeyRequest",
            ".vault.v1.MoveKeyResponse",
            ".vault.v1.ExportArchiveRequest",
            ".vault.v1.ExportArchiveResponse",
            ".vault.v1.ArchiveKey",
            ".vault.v1.VerifyArchiveRequest",
            ".vault.v1.RestoreArchiveRequest",
            ".vault.v1.Value",
            ".vault.v1.Parameters",
            ".vault.v1.Statement",
            ".vault.v1.Row",
            ".vault.v1.QueryRequest",
            ".vault.v1.BatchStatementsRequest",
            ".vault.v1.TransactRequest",
            ".vault.v1.TransactResponse",
            ".vault.v1.MigrateDatabaseRequest",
            ".vault.v1.ImportDatabaseRequest",
            ".vault.v1.BackupDatabaseRequest",
            ".vault.v1.PutBlobRequest",
            ".vault.v1.GetBlobResponse",
            ".vault.v1.UploadBlobRequest",
            ".vault.v1.DownloadBlobResponse",
            ".vault.v1.PutFileRequest",
            ".vault.v1.GetFileResponse",
            ".vault.v1.UploadFileRequest",
            ".vault.v1.DownloadFileResponse",
            ".vault.v1.SetSecretRequest",
            ".vault.v1.GetSecretResponse",
            ".vault.v1.SaveConnectionRequest",
            ".vault.v1.BeginRegistrationRequest",
            ".vault.v1.BeginRegistrationResponse",
            ".vault.v1.FinishRegistrationRequest",
            ".vault.v1.FinishRegistrationResponse",
            ".vault.v1.BeginLoginResponse",
            ".vault.v1.FinishLoginRequest",
            ".vault.v1.FinishLoginResponse",
            ".vault.v1.NewSession",
            ".vault.v1.CreateTokenResponse",
            ".vault.v1.CreatePairingResponse",
            ".vault.v1.BeginDeviceResponse",
            ".vault.v1.DescribeLoginRequest",
            ".vault.v1.DecideLoginRequest",
            ".vault.v1.AuthorizeLoginResponse",
            ".vault.v1.ExchangeLoginRequest",
            ".vault.v1.AuthorizationCode",
            ".vault.v1.ExchangeLoginResponse",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}
