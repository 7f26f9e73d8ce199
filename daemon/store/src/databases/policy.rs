//! What a client's statement may do. SQLite asks about every action of every statement it prepares,
//! those inside triggers and views included; what is not on a list is refused.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, Ordering},
};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

use super::{SqlError, allowed};
use crate::vault::lock;

/// For whom statements are prepared now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Author {
    /// The daemon itself.
    Own = 0,
    /// A client, one statement that is a transaction of its own.
    Client = 1,
    /// A client, within a transaction that the daemon began and will end.
    ClientInTransaction = 2,
}

/// The policy of one connection.
#[derive(Default)]
pub(super) struct Policy {
    author: AtomicU8,
    /// What was refused since the last statement began.
    refused: Mutex<Option<SqlError>>,
}

impl Policy {
    /// Makes SQLite ask.
    pub(super) fn install(policy: &Arc<Self>, connection: &mut Connection) -> rusqlite::Result<()> {
        let asked = Arc::clone(policy);
        connection.authorizer(Some(move |context: AuthContext<'_>| asked.decide(&context)))
    }

    /// From now on statements are prepared for this author.
    pub(super) fn prepare_for(&self, author: Author) {
        self.author.store(author as u8, Ordering::Release);
        *lock(&self.refused) = None;
    }

    /// What was refused, where something was.
    pub(super) fn refused(&self) -> Option<SqlError> {
        lock(&self.refused).take()
    }

    fn decide(&self, context: &AuthContext<'_>) -> Authorization {
        let author = match self.author.load(Ordering::Acquire) {
            0 => return Authorization::Allow,
            1 => Author::Client,
            _ => Author::ClientInTransaction,
        };
        let judged = if is_in_temp(context) {
            temporary()
        } else {
            judge(author, context.action)
        };
        match judged {
            Ok(()) => Authorization::Allow,
            Err(refused) => {
                // The first is what the statement said; what follows from it says less.
                lock(&self.refused).get_or_insert(refused);
                Authorization::Deny
            }
        }
    }
}

const NO_OTHER_FILE: &str = "a statement works on its own database alone";
const NO_TEMPORARY: &str =
    "connections are shared: use an ordinary table, or a WITH clause in the statement";
const NOT_ALLOWED: &str = "it is not on the list of what clients may use";
const USE_TRANSACTIONS: &str = "send a batch, or begin an interactive transaction";
const ONLY_INSIDE: &str = "savepoints are for interactive transactions and batches";
const INTERNAL: &str = "the pages of the file are the daemon's";

fn temporary() -> Result<(), SqlError> {
    Err(SqlError::Refused {
        action: "a temporary object".to_owned(),
        instead: NO_TEMPORARY,
    })
}

/// Whether something is made in the temporary schema, be it by a way that has no action of its own,
/// as virtual tables have not. ALTER TABLE reads and updates the list of what is there.
fn is_in_temp(context: &AuthContext<'_>) -> bool {
    let makes = matches!(
        context.action,
        AuthAction::Insert { .. }
            | AuthAction::Delete { .. }
            | AuthAction::CreateVtable { .. }
            | AuthAction::DropVtable { .. }
    );
    makes && context.database_name == Some("temp")
}

fn judge(author: Author, action: AuthAction<'_>) -> Result<(), SqlError> {
    let refuse = |action: String, instead| Err(SqlError::Refused { action, instead });
    match action {
        AuthAction::Attach { .. } => refuse("opening another file".to_owned(), NO_OTHER_FILE),
        AuthAction::Detach { .. } => refuse("DETACH".to_owned(), NO_OTHER_FILE),
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. } => temporary(),
        AuthAction::Transaction { .. } => refuse(
            "beginning or ending a transaction".to_owned(),
            USE_TRANSACTIONS,
        ),
        AuthAction::Savepoint { .. } if author == Author::Client => {
            refuse("a savepoint".to_owned(), ONLY_INSIDE)
        }
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } if !allowed::pragma(pragma_name, pragma_value) => {
            let form = if pragma_value.is_some() {
                " with a value"
            } else {
                ""
            };
            refuse(format!("PRAGMA {pragma_name}{form}"), NOT_ALLOWED)
        }
        AuthAction::Function { function_name } if !allowed::function(function_name) => {
            refuse(format!("the function {function_name}()"), NOT_ALLOWED)
        }
        AuthAction::CreateVtable { module_name, .. } if !allowed::module(module_name) => refuse(
            format!("the virtual table module {module_name}"),
            NOT_ALLOWED,
        ),
        AuthAction::Read { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
            if allowed::is_internal(table_name) =>
        {
            refuse(format!("the table {table_name}"), INTERNAL)
        }
        AuthAction::Unknown { code, .. } => refuse(format!("action {code}"), NOT_ALLOWED),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_that_could_leave_the_file_are_refused_and_work_is_not() {
        let attach = AuthAction::Attach { filename: "x" };
        assert!(judge(Author::ClientInTransaction, attach).is_err());
        let pages = AuthAction::Read {
            table_name: "SQLITE_DBPAGE",
            column_name: "data",
        };
        assert!(judge(Author::Client, pages).is_err());
        let unknown = AuthAction::Unknown {
            code: 99,
            arg1: None,
            arg2: None,
        };
        assert!(judge(Author::Client, unknown).is_err());
        let read = AuthAction::Read {
            table_name: "notes",
            column_name: "text",
        };
        assert!(judge(Author::Client, read).is_ok());
        assert!(judge(Author::Client, AuthAction::Select).is_ok());
    }
}
