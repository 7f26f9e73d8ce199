//! Values, parameters and statements between the wire and the store.

use tonic::Status;
use vault_proto::v1::{self, LongValue, value::Kind};
use vault_store::databases::{Parameters, Statement, Value, ValueRef};

use crate::service::out_of_turn;

/// Where the bytes of long values come from.
pub(super) type LongValues<'a> = &'a mut dyn FnMut(LongValue) -> Result<Value, Status>;

/// Nowhere: no chunks follow this request.
fn none_follow(_: LongValue) -> Result<Value, Status> {
    Err(out_of_turn(
        "a long value in a call that takes no chunks: run it in a Transact",
    ))
}

fn value(value: v1::Value, long: LongValues<'_>) -> Result<Value, Status> {
    match value.kind {
        None => Ok(Value::Null),
        Some(Kind::Integer(integer)) => Ok(Value::Integer(integer)),
        Some(Kind::Real(real)) => Ok(Value::Real(real)),
        Some(Kind::Text(text)) => Ok(Value::Text(text)),
        Some(Kind::Blob(bytes)) => Ok(Value::Blob(bytes)),
        Some(Kind::Long(announced)) => long(announced),
        Some(Kind::InvalidText(_)) => Err(out_of_turn(
            "text that is not UTF-8 is not accepted: hand it in as a BLOB",
        )),
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

/// One value of a row, without its bytes where `long` says that they follow.
pub(super) fn wire(value: ValueRef<'_>, long: bool) -> v1::Value {
    let announced = |text, size: usize| {
        let size = size as u64;
        Kind::Long(LongValue { text, size })
    };
    let kind = match value {
        ValueRef::Null => None,
        ValueRef::Integer(integer) => Some(Kind::Integer(integer)),
        ValueRef::Real(real) => Some(Kind::Real(real)),
        ValueRef::Text(bytes) if long => Some(announced(true, bytes.len())),
        ValueRef::Blob(bytes) if long => Some(announced(false, bytes.len())),
        ValueRef::Text(bytes) => Some(match std::str::from_utf8(bytes) {
            Ok(text) => Kind::Text(text.to_owned()),
            Err(_) => Kind::InvalidText(bytes.to_vec()),
        }),
        ValueRef::Blob(bytes) => Some(Kind::Blob(bytes.to_vec())),
    };
    v1::Value { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(kind: Kind) -> v1::Value {
        v1::Value { kind: Some(kind) }
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
                positional: vec![wire(ValueRef::from(&expected), false)],
                ..v1::Parameters::default()
            };
            let back = super::parameters(Some(parameters)).expect("acceptable");
            assert_eq!(back.positional, [expected]);
        }
    }

    #[test]
    fn text_that_is_not_utf_8_goes_out_and_never_in() {
        let out = wire(ValueRef::Text(b"a\xff"), false);
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
