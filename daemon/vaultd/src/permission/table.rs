//! The table: method → kinds of principal, scope, shape, reach, audit.

use vault_auth::Permission;
use vault_proto::v1;

use super::reach::{NamesStores, Reach};
use crate::principal::PrincipalKind::{
    self, Loopback, Nobody, Open, Owner, Session, SocketToken, WebToken,
};

/// What a call does, and so how far a token must reach for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Learns nothing of the content.
    Status,
    /// Reads what is in a store.
    Read,
    /// Changes what is in a store.
    Write,
    /// Hands out or changes secrets: no pattern of stores but `*` covers it.
    Secrets,
    /// Changes the stores or the vault itself.
    Admin,
}

impl Scope {
    /// What a token needs on the stores that a call reaches.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Status | Self::Read => Permission::Read,
            Self::Write => Permission::Write,
            Self::Secrets | Self::Admin => Permission::Admin,
        }
    }
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

/// When a call is recorded. What is refused always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Always: durably before it runs, and then how it came out. It changes something.
    Before,
    /// Always: once, before its answer leaves. It reads.
    After,
    /// Always: once, and nobody waits. It is never refused for want of a record, since it leads out of
    /// that, or keeps others out.
    Later,
    /// Where the configuration says so.
    Configured,
    /// Never: it says nothing of anybody.
    Never,
}

impl Recorded {
    /// Whether it is whatever the configuration says.
    pub const fn always(self) -> bool {
        matches!(self, Self::Before | Self::After | Self::Later)
    }
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
    /// To what, which a token's scopes must cover.
    pub reach: Reach,
    /// Whether it serves a vault that is closed: what brings its key back, and what says that it is
    /// gone. Where the tables of tokens cannot be asked, that stays the owner's.
    pub closed: bool,
    /// When it is recorded.
    pub recorded: Recorded,
}

impl Rule {
    /// The same for other principals.
    const fn by(self, principals: &'static [PrincipalKind]) -> Self {
        Self { principals, ..self }
    }

    /// The same, and it serves a closed vault.
    const fn closed(self) -> Self {
        Self {
            closed: true,
            ..self
        }
    }

    /// The same, recorded otherwise.
    const fn recorded(self, recorded: Recorded) -> Self {
        Self { recorded, ..self }
    }

    /// Whether `strict` leaves it to a client on the socket that sends no token: what it takes to
    /// find out that one is needed, and to get to where it can be judged.
    pub fn needs_no_token(&self) -> bool {
        const FREE: [&str; 6] = [
            "/vault.v1.Vault/Status",
            "/vault.v1.Vault/Unlock",
            "/vault.v1.Vault/Init",
            "/vault.v1.Auth/Status",
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/Watch",
        ];
        FREE.contains(&self.method)
    }

    /// Whether it answers callers whom nobody can judge, since the tables cannot be read: it says
    /// so, or says nothing of anybody.
    pub fn answers_unjudged(&self) -> bool {
        const UNJUDGED: [&str; 3] = [
            "/vault.v1.Auth/Status",
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/Watch",
        ];
        UNJUDGED.contains(&self.method)
    }

    /// Whether it is for a Host that is not admitted, too: what it takes to be admitted.
    pub fn is_for_any_host(&self) -> bool {
        const PAIRING: [&str; 2] = [
            "/vault.v1.Auth/BeginRegistration",
            "/vault.v1.Auth/FinishRegistration",
        ];
        self.answers_unjudged() || PAIRING.contains(&self.method)
    }
}

/// Whoever counts as anything.
const CALLERS: &[PrincipalKind] = &[Owner, SocketToken, WebToken, Session, Loopback, Open];
const ANYBODY: &[PrincipalKind] = &[
    Owner,
    SocketToken,
    WebToken,
    Session,
    Loopback,
    Open,
    Nobody,
];
/// A ceremony takes a browser, and its credential is the ceremony itself.
const BROWSERS: &[PrincipalKind] = &[Session, Loopback, Open, Nobody];
/// A browser that is signed in.
const APPROVERS: &[PrincipalKind] = &[Session, Loopback];
/// Who may make what lets somebody in later: nobody who is let in for a while only.
const GRANTERS: &[PrincipalKind] = &[Owner, SocketToken, WebToken, Session, Loopback];
/// Who may change the rules themselves: nobody whose being let in is one of them.
const RULERS: &[PrincipalKind] = &[Owner, SocketToken, Loopback];

const fn rule(method: &'static str, scope: Scope, shape: Shape, reach: Reach) -> Rule {
    // Administration is recorded always, and so is what reaches secrets.
    Rule {
        method,
        principals: CALLERS,
        scope,
        shape,
        reach,
        closed: false,
        recorded: match scope {
            Scope::Admin | Scope::Secrets => Recorded::Before,
            Scope::Status | Scope::Read | Scope::Write => Recorded::Configured,
        },
    }
}

/// The contract itself, for tools that read it from the daemon.
const fn reflection(method: &'static str) -> Rule {
    rule(method, Scope::Status, Shape::Stream, Reach::Nothing)
        .closed()
        .recorded(Recorded::Never)
}

/// The row of a method whose first message names its stores.
const fn named<M: NamesStores>(method: &'static str, scope: Scope, shape: Shape) -> Rule {
    rule(method, scope, shape, Reach::of::<M>())
}

use Reach::{Listing, Nothing, Vault};
use Recorded::{After, Configured, Later, Never};
use Scope::{Admin, Read, Secrets, Status, Write};
use Shape::{Stream, Timed, Unary};

/// The one store of connections.
const CONNECTIONS: Reach = Reach::Fixed("connections");

/// Every method there is.
pub const TABLE: &[Rule] = &[
    rule("/vault.v1.Vault/Status", Status, Unary, Nothing).closed(),
    rule("/vault.v1.Vault/Init", Admin, Unary, Vault).closed(),
    rule("/vault.v1.Vault/Lock", Admin, Unary, Vault)
        .closed()
        .recorded(Later),
    rule("/vault.v1.Vault/Unlock", Admin, Unary, Vault).closed(),
    // It names secrets, and mends what it finds.
    rule("/vault.v1.Vault/Doctor", Admin, Unary, Vault)
        .closed()
        .recorded(Later),
    // Whoever gives it the passphrase of a legacy root has that vault already.
    rule("/vault.v1.Vault/MoveIn", Admin, Stream, Vault)
        .by(GRANTERS)
        .closed(),
    rule("/vault.v1.Keys/Status", Status, Unary, Nothing).closed(),
    rule("/vault.v1.Keys/Rotate", Admin, Stream, Vault),
    rule("/vault.v1.Keys/Pause", Admin, Unary, Vault),
    rule("/vault.v1.Keys/Resume", Admin, Stream, Vault),
    rule("/vault.v1.Keys/RollBack", Admin, Stream, Vault),
    rule("/vault.v1.Keys/Export", Admin, Unary, Vault).by(GRANTERS),
    rule("/vault.v1.Keys/Import", Admin, Unary, Vault)
        .by(GRANTERS)
        .closed(),
    rule("/vault.v1.Keys/Derive", Admin, Unary, Vault)
        .by(GRANTERS)
        .closed(),
    // To a passphrase, perhaps, which whoever gives it knows.
    rule("/vault.v1.Keys/Move", Admin, Unary, Vault).by(GRANTERS),
    rule("/vault.v1.Keys/Reset", Admin, Unary, Vault)
        .by(GRANTERS)
        .closed(),
    rule("/vault.v1.Audit/Status", Admin, Unary, Vault).recorded(Configured),
    rule("/vault.v1.Audit/Tail", Admin, Stream, Vault).recorded(After),
    rule("/vault.v1.Audit/Search", Admin, Stream, Vault).recorded(After),
    rule("/vault.v1.Audit/Verify", Admin, Stream, Vault).recorded(After),
    rule("/vault.v1.Audit/Accept", Admin, Unary, Vault).by(RULERS),
    rule("/vault.v1.Archives/Export", Admin, Stream, Vault),
    rule("/vault.v1.Archives/Verify", Status, Stream, Nothing).closed(),
    rule("/vault.v1.Archives/Restore", Admin, Stream, Vault),
    named::<v1::CreateStoreRequest>("/vault.v1.Stores/Create", Admin, Unary),
    rule("/vault.v1.Stores/List", Read, Unary, Listing),
    named::<v1::ConfigureStoreRequest>("/vault.v1.Stores/Configure", Admin, Unary),
    named::<v1::RemoveStoreRequest>("/vault.v1.Stores/Remove", Admin, Unary),
    named::<v1::AdoptStoreRequest>("/vault.v1.Stores/Adopt", Admin, Stream),
    named::<v1::MigrateStoreRequest>("/vault.v1.Stores/Migrate", Admin, Stream),
    named::<v1::PutDocumentRequest>("/vault.v1.Documents/Put", Write, Unary),
    named::<v1::GetDocumentRequest>("/vault.v1.Documents/Get", Read, Unary),
    named::<v1::PatchDocumentRequest>("/vault.v1.Documents/Patch", Write, Unary),
    named::<v1::DeleteDocumentRequest>("/vault.v1.Documents/Delete", Write, Unary),
    named::<v1::ListDocumentsRequest>("/vault.v1.Documents/List", Read, Stream),
    named::<v1::WatchDocumentsRequest>("/vault.v1.Documents/Watch", Read, Stream),
    named::<v1::BatchDocumentsRequest>("/vault.v1.Documents/Batch", Write, Unary),
    named::<v1::UploadDocumentRequest>("/vault.v1.Documents/Upload", Write, Stream),
    named::<v1::GetDocumentRequest>("/vault.v1.Documents/Download", Read, Stream),
    named::<v1::ImportDocumentsRequest>("/vault.v1.Documents/Import", Write, Stream),
    named::<v1::CreateDatabaseRequest>("/vault.v1.Databases/Create", Admin, Unary),
    named::<v1::ConfigureDatabaseRequest>("/vault.v1.Databases/Configure", Admin, Unary),
    rule("/vault.v1.Databases/List", Read, Unary, Listing),
    named::<v1::DropDatabaseRequest>("/vault.v1.Databases/Drop", Admin, Unary),
    named::<v1::ExecuteRequest>("/vault.v1.Databases/Execute", Write, Timed),
    // What it runs may be an INSERT with RETURNING: the table cannot see it, so it is a write.
    named::<v1::QueryRequest>("/vault.v1.Databases/Query", Write, Stream),
    named::<v1::BatchStatementsRequest>("/vault.v1.Databases/Batch", Write, Timed),
    named::<v1::TransactRequest>("/vault.v1.Databases/Transact", Write, Stream),
    named::<v1::MigrateDatabaseRequest>("/vault.v1.Databases/Migrate", Write, Timed),
    named::<v1::ImportDatabaseRequest>("/vault.v1.Databases/Import", Admin, Stream),
    named::<v1::BackupDatabaseRequest>("/vault.v1.Databases/Backup", Admin, Stream),
    named::<v1::CheckDatabaseRequest>("/vault.v1.Databases/Check", Read, Stream),
    named::<v1::DatabaseStatsRequest>("/vault.v1.Databases/Stats", Read, Unary),
    named::<v1::PutBlobRequest>("/vault.v1.Blobs/Put", Write, Unary),
    named::<v1::GetBlobRequest>("/vault.v1.Blobs/Get", Read, Unary),
    named::<v1::UploadBlobRequest>("/vault.v1.Blobs/Upload", Write, Stream),
    named::<v1::DownloadBlobRequest>("/vault.v1.Blobs/Download", Read, Stream),
    named::<v1::StatBlobRequest>("/vault.v1.Blobs/Stat", Read, Unary),
    named::<v1::ListBlobsRequest>("/vault.v1.Blobs/List", Read, Stream),
    named::<v1::DeleteBlobRequest>("/vault.v1.Blobs/Delete", Write, Unary),
    named::<v1::CollectBlobsRequest>("/vault.v1.Blobs/Collect", Admin, Stream),
    named::<v1::VerifyBlobsRequest>("/vault.v1.Blobs/Verify", Read, Stream),
    named::<v1::PutFileRequest>("/vault.v1.Files/Put", Write, Unary),
    named::<v1::GetFileRequest>("/vault.v1.Files/Get", Read, Unary),
    named::<v1::UploadFileRequest>("/vault.v1.Files/Upload", Write, Stream),
    named::<v1::DownloadFileRequest>("/vault.v1.Files/Download", Read, Stream),
    named::<v1::StatFileRequest>("/vault.v1.Files/Stat", Read, Unary),
    named::<v1::ListFilesRequest>("/vault.v1.Files/List", Read, Stream),
    named::<v1::DeleteFileRequest>("/vault.v1.Files/Delete", Write, Unary),
    rule("/vault.v1.Secrets/Set", Secrets, Unary, Vault),
    rule("/vault.v1.Secrets/Get", Secrets, Unary, Vault).recorded(After),
    rule("/vault.v1.Secrets/List", Read, Unary, Vault),
    rule("/vault.v1.Secrets/Delete", Secrets, Unary, Vault),
    // The key of a connection is a secret.
    rule("/vault.v1.Connections/Save", Secrets, Unary, Vault),
    rule("/vault.v1.Connections/Get", Read, Unary, CONNECTIONS),
    rule("/vault.v1.Connections/List", Read, Unary, CONNECTIONS),
    rule("/vault.v1.Connections/Activate", Write, Unary, CONNECTIONS),
    rule("/vault.v1.Connections/Delete", Secrets, Unary, Vault),
    rule("/vault.v1.Maintenance/Status", Read, Unary, Listing),
    named::<v1::RunMaintenanceRequest>("/vault.v1.Maintenance/Run", Admin, Stream),
    // How often which secrets and keys are asked for: not for whoever reaches a part only.
    rule("/vault.v1.Stats/Get", Read, Unary, Vault).closed(),
    rule("/vault.v1.Stats/OpenMetrics", Read, Unary, Vault).closed(),
    rule("/vault.v1.Auth/Status", Status, Unary, Nothing)
        .by(ANYBODY)
        .closed(),
    rule("/vault.v1.Auth/BeginRegistration", Status, Unary, Nothing).by(BROWSERS),
    rule("/vault.v1.Auth/FinishRegistration", Status, Unary, Nothing).by(BROWSERS),
    rule("/vault.v1.Auth/BeginLogin", Status, Unary, Nothing).by(BROWSERS),
    rule("/vault.v1.Auth/FinishLogin", Status, Unary, Nothing).by(BROWSERS),
    rule("/vault.v1.Auth/Logout", Status, Unary, Nothing).by(ANYBODY),
    rule("/vault.v1.Auth/Configure", Admin, Unary, Vault).by(RULERS),
    rule("/vault.v1.Auth/Accept", Admin, Unary, Vault)
        .by(RULERS)
        .closed(),
    rule("/vault.v1.Auth/Activity", Admin, Unary, Vault).recorded(Configured),
    rule("/vault.v1.Passkeys/List", Admin, Unary, Vault).recorded(Configured),
    rule("/vault.v1.Passkeys/Rename", Admin, Unary, Vault),
    rule("/vault.v1.Passkeys/Revoke", Admin, Unary, Vault),
    rule("/vault.v1.Passkeys/Reset", Admin, Unary, Vault),
    rule("/vault.v1.Sessions/List", Admin, Unary, Vault).recorded(Configured),
    rule("/vault.v1.Sessions/Revoke", Admin, Unary, Vault),
    rule("/vault.v1.Sessions/Reset", Admin, Unary, Vault),
    rule("/vault.v1.Tokens/List", Admin, Unary, Vault).recorded(Configured),
    rule("/vault.v1.Tokens/Create", Admin, Unary, Vault).by(GRANTERS),
    rule("/vault.v1.Tokens/Revoke", Admin, Unary, Vault),
    rule("/vault.v1.Tokens/Reset", Admin, Unary, Vault),
    rule("/vault.v1.Pairing/Create", Admin, Unary, Vault).by(GRANTERS),
    rule("/vault.v1.Pairing/Cancel", Admin, Unary, Vault),
    rule("/vault.v1.Pairing/ListHosts", Admin, Unary, Vault).recorded(Configured),
    rule("/vault.v1.Pairing/AddHost", Admin, Unary, Vault).by(GRANTERS),
    rule("/vault.v1.Pairing/RemoveHost", Admin, Unary, Vault),
    rule("/vault.v1.Logins/BeginDevice", Status, Unary, Nothing).by(ANYBODY),
    rule("/vault.v1.Logins/Describe", Status, Unary, Nothing).by(APPROVERS),
    rule("/vault.v1.Logins/Decide", Status, Unary, Nothing).by(APPROVERS),
    rule("/vault.v1.Logins/Authorize", Status, Unary, Nothing).by(APPROVERS),
    rule("/vault.v1.Logins/Exchange", Status, Unary, Nothing).by(ANYBODY),
    rule("/grpc.health.v1.Health/Check", Status, Unary, Nothing)
        .by(ANYBODY)
        .closed()
        .recorded(Never),
    rule("/grpc.health.v1.Health/Watch", Status, Stream, Nothing)
        .by(ANYBODY)
        .closed()
        .recorded(Never),
    reflection("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    reflection("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

/// The rule of a method.
pub fn find(method: &str) -> Option<&'static Rule> {
    TABLE.iter().find(|rule| rule.method == method)
}

#[cfg(test)]
mod tests;
