//! Values, parameters and statements between the wire and the store.

use tonic::Status;
use vault_proto::{
    Malformed, StatementRef, ValueRef as Wire,
    v1::{self, LongValue, value::Kind},
};
use vault_store::{
    StoreError, StoreResult,
    databases::{Given, Parameters, Runs, Statement, Value, ValueRef},
};

use crate::{error::store_error, service::out_of_turn};

/// Where the bytes of long values come from.
pub(super) type LongValues<'a> = &'a mut dyn FnMut(LongValue) -> Result<Value, Status>;

const NONE_FOLLOW: &str = "a long value in a call that takes no chunks: run it in a Transact";
const NOT_TEXT: &str = "text that is not UTF-8 is not accepted: hand it in as a BLOB";

/// Nowhere: no chunks follow this request.
fn none_follow(_: LongValue) -> Result<Value, Status> {
    Err(out_of_turn(NONE_FOLLOW))
}

fn value(value: v1::Value, long: LongValues<'_>) -> Result<Value, Status> {
    match value.kind {
        None => Ok(Value::Null),
        Some(Kind::Integer(integer)) => Ok(Value::Integer(integer)),
        Some(Kind::Real(real)) => Ok(Value::Real(real)),
        Some(Kind::Text(text)) => Ok(Value::Text(text)),
        Some(Kind::Blob(bytes)) => Ok(Value::Blob(bytes)),
        Some(Kind::Long(announced)) => long(announced),
        Some(Kind::InvalidText(_)) => Err(out_of_turn(NOT_TEXT)),
    }
}

/// A row of values. `long` hands out those that came in chunks.
pub(super) fn row(row: v1::Row, long: LongValues<'_>) -> Result<Vec<Value>, Status> {
    let values = row.values.into_iter();
    values.map(|given| value(given, long)).collect()
}

/// Positional ones, then named ones by their name: a map has no order of its own, but the chunks of
/// long values need one.
fn parameters_with(given: v1::Parameters, long: LongValues<'_>) -> Result<Parameters, Status> {
    let positional = given.positional.into_iter();
    let positional: Result<_, Status> = positional.map(|given| value(given, long)).collect();
    let mut named: Vec<_> = given.named.into_iter().collect();
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    let named = named.into_iter();
    let named = named.map(|(name, given)| Ok((name, value(given, long)?)));
    Ok(Parameters {
        positional: positional?,
        named: named.collect::<Result<_, Status>>()?,
    })
}

/// Parameters that stand in the request whole.
pub(super) fn parameters(given: Option<v1::Parameters>) -> Result<Parameters, Status> {
    parameters_with(given.unwrap_or_default(), &mut none_follow)
}

/// A statement some of whose parameters came in chunks.
pub(super) fn statement_with(
    given: v1::Statement,
    long: LongValues<'_>,
) -> Result<Statement, Status> {
    let runs = given.runs.into_iter();
    let runs = runs.map(|run| parameters_with(run, long));
    Ok(Statement {
        sql: given.sql,
        runs: runs.collect::<Result<_, Status>>()?,
    })
}

/// A statement whose parameters stand in the request whole.
pub(super) fn statement(given: Option<v1::Statement>) -> Result<Statement, Status> {
    let given = given.ok_or_else(|| out_of_turn("a request without a statement"))?;
    statement_with(given, &mut none_follow)
}

/// A statement on the wire with the parameters that it is run with, none of which came in chunks.
pub(super) struct Sets<'a>(StatementRef<'a>);

impl<'a> Sets<'a> {
    /// Of a message.
    pub(super) fn of(message: &'a [u8]) -> Result<Self, Unreadable> {
        Ok(Self(StatementRef::new(message)?))
    }

    /// The statement.
    pub(super) fn sql(&self) -> &'a str {
        self.0.sql
    }
}

impl Runs for Sets<'_> {
    fn are_several(&self) -> bool {
        self.0.runs > 1
    }

    fn each(&self, run: &mut dyn FnMut(Given<'_>) -> StoreResult<()>) -> StoreResult<()> {
        if self.0.runs == 0 {
            return run(Given::default());
        }
        let (mut positional, mut named) = (Vec::new(), Vec::new());
        let read = self.0.each(|parameters| {
            positional.clear();
            for value in &parameters.positional {
                positional.push(whole(*value)?);
            }
            named.clear();
            for (name, value) in &parameters.named {
                named.push((*name, whole(*value)?));
            }
            let given = Given {
                positional: &positional,
                named: &named,
            };
            run(given).map_err(Unreadable)
        });
        read.map_err(|Unreadable(error)| error)
    }
}

/// Why a statement is not read on.
pub(super) struct Unreadable(StoreError);

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        unreadable("the statement is no message of the contract")
    }
}

impl From<Unreadable> for StoreError {
    fn from(Unreadable(error): Unreadable) -> Self {
        error
    }
}

impl From<Unreadable> for Status {
    fn from(Unreadable(error): Unreadable) -> Self {
        store_error(&error)
    }
}

fn unreadable(text: &str) -> Unreadable {
    Unreadable(StoreError::InvalidArgument(text.to_owned()))
}

/// A value that stands in its request whole.
fn whole(value: Wire<'_>) -> Result<ValueRef<'_>, Unreadable> {
    match value {
        Wire::Null => Ok(ValueRef::Null),
        Wire::Integer(integer) => Ok(ValueRef::Integer(integer)),
        Wire::Real(real) => Ok(ValueRef::Real(real)),
        Wire::Text(text) => Ok(ValueRef::Text(text.as_bytes())),
        Wire::Blob(bytes) => Ok(ValueRef::Blob(bytes)),
        Wire::Long(_) => Err(unreadable(NONE_FOLLOW)),
        Wire::InvalidText(_) => Err(unreadable(NOT_TEXT)),
    }
}

/// One value of a row.
pub(super) fn wire(value: ValueRef<'_>) -> Wire<'_> {
    match value {
        ValueRef::Null => Wire::Null,
        ValueRef::Integer(integer) => Wire::Integer(integer),
        ValueRef::Real(real) => Wire::Real(real),
        ValueRef::Text(bytes) => Wire::text(bytes),
        ValueRef::Blob(bytes) => Wire::Blob(bytes),
    }
}

/// The same where its bytes follow in chunks.
pub(super) fn announced(value: ValueRef<'_>) -> Wire<'_> {
    let long = |text, bytes: &[u8]| {
        let size = bytes.len() as u64;
        Wire::Long(LongValue { text, size })
    };
    match value {
        ValueRef::Text(bytes) => long(true, bytes),
        ValueRef::Blob(bytes) => long(false, bytes),
        short => wire(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(kind: Kind) -> v1::Value {
        v1::Value { kind: Some(kind) }
    }

    /// What a client has of a value.
    fn received(value: ValueRef<'_>) -> v1::Value {
        let mut rows = vault_proto::Rows::default();
        rows.push(&[wire(value)]);
        let mut messages = rows.to_messages().expect("well formed");
        messages.remove(0).values.remove(0)
    }

    #[test]
    fn every_class_survives_the_way_in_and_out() {
        let values = [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Real(-0.5),
            Value::Text("ä\0b".into()),
            Value::Blob(vec![0, 255]),
            Value::Text(String::new()),
            Value::Blob(Vec::new()),
        ];
        for expected in values {
            let parameters = v1::Parameters {
                positional: vec![received(ValueRef::from(&expected))],
                ..v1::Parameters::default()
            };
            let back = super::parameters(Some(parameters)).expect("acceptable");
            assert_eq!(back.positional, [expected]);
        }
    }

    #[test]
    fn text_that_is_not_utf_8_goes_out_and_never_in() {
        let out = received(ValueRef::Text(b"a\xff"));
        assert!(matches!(&out.kind, Some(Kind::InvalidText(bytes)) if bytes == b"a\xff"));
        let parameters = v1::Parameters {
            positional: vec![out],
            ..v1::Parameters::default()
        };
        let error = super::parameters(Some(parameters)).expect_err("refused");
        assert!(error.message().contains("BLOB"), "{error}");
    }

    #[test]
    fn a_long_value_needs_a_call_that_takes_chunks() {
        let long = LongValue {
            text: true,
            size: 1,
        };
        let statement = v1::Statement {
            sql: "SELECT :a".into(),
            runs: vec![v1::Parameters {
                named: [("a".to_owned(), given(Kind::Long(long)))].into(),
                ..v1::Parameters::default()
            }],
        };
        let error = super::statement(Some(statement)).expect_err("refused");
        assert!(error.message().contains("Transact"), "{error}");
        assert!(super::statement(None).is_err());
    }
}
