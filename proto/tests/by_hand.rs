//! What is written and read by hand is on the wire what generated code makes of the contract.

use std::collections::HashMap;

use prost::Message;
use vault_proto::{
    Malformed, ParametersRef, Rows, StatementRef, StatementWriter, ValueRef,
    v1::{
        Column, LongValue, Parameters, QueryEnd, QueryResponse, Row, Statement, Value, value::Kind,
    },
};

/// `QueryResponse`, generated.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct Generated {
    #[prost(message, repeated, tag = "1")]
    columns: Vec<Column>,
    #[prost(message, repeated, tag = "2")]
    rows: Vec<Row>,
    #[prost(bytes = "vec", tag = "3")]
    chunk: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    end: Option<QueryEnd>,
}

const LONG: LongValue = LongValue {
    text: true,
    size: 1 << 40,
};

const VALUES: [ValueRef<'static>; 13] = [
    ValueRef::Null,
    ValueRef::Integer(0),
    ValueRef::Integer(i64::MIN),
    ValueRef::Integer(i64::MAX),
    ValueRef::Real(0.0),
    ValueRef::Real(-1.5),
    ValueRef::Text(""),
    ValueRef::Text("ä\0b"),
    ValueRef::Blob(b""),
    ValueRef::Blob(&[7; 300]),
    ValueRef::InvalidText(b"a\xff"),
    ValueRef::Long(LONG),
    ValueRef::Integer(-1),
];

fn generated(value: ValueRef<'_>) -> Value {
    let kind = match value {
        ValueRef::Null => None,
        ValueRef::Integer(integer) => Some(Kind::Integer(integer)),
        ValueRef::Real(real) => Some(Kind::Real(real)),
        ValueRef::Text(text) => Some(Kind::Text(text.into())),
        ValueRef::Blob(bytes) => Some(Kind::Blob(bytes.into())),
        ValueRef::Long(long) => Some(Kind::Long(long)),
        ValueRef::InvalidText(bytes) => Some(Kind::InvalidText(bytes.into())),
    };
    Value { kind }
}

fn row(values: &[ValueRef<'_>]) -> Row {
    let values = values.iter().copied().map(generated).collect();
    Row { values }
}

/// The same answer by hand and generated.
fn answers() -> (QueryResponse, Generated) {
    let columns = vec![Column {
        name: "a".into(),
        declared_type: "TEXT".into(),
    }];
    let end = Some(QueryEnd {
        rows: 3,
        changes: 0,
        last_insert_rowid: -1,
    });
    let mut rows = Rows::default();
    for values in [&VALUES[..], &[], &VALUES[..1]] {
        rows.push(values);
    }
    let own = QueryResponse {
        columns: columns.clone(),
        rows,
        chunk: vec![1, 2],
        end,
    };
    let generated = Generated {
        columns,
        rows: vec![row(&VALUES), row(&[]), row(&VALUES[..1])],
        chunk: vec![1, 2],
        end,
    };
    (own, generated)
}

#[test]
fn answers_are_the_same_bytes() {
    let (own, generated) = answers();
    let bytes = own.encode_to_vec();
    assert_eq!(bytes, generated.encode_to_vec());
    assert_eq!(own.encoded_len(), bytes.len());
    let mut back = QueryResponse::decode(&bytes[..]).expect("well-formed");
    assert!(back == own);
    assert!(back.rows.to_messages().expect("well-formed") == generated.rows);
    for expected in [&VALUES[..], &[], &VALUES[..1]] {
        let row = back.rows.next_row().expect("a row");
        let values: Result<Vec<_>, Malformed> = row.collect();
        assert!(values.expect("well-formed") == expected);
    }
    assert!(back.rows.next_row().is_none() && back.rows.is_empty());
    let empty = QueryResponse::default();
    assert!(empty.encode_to_vec().is_empty());
    assert!(QueryResponse::decode(&[][..]).expect("well-formed") == empty);
}

#[test]
fn rows_of_several_messages_are_read_one_after_the_other() {
    let (mut one, other) = (answers().0, answers().0);
    one.rows.next_row().expect("a row");
    one.rows.extend(&other.rows);
    assert_eq!(one.rows.len(), 5);
    let rest = one.rows.to_messages().expect("well-formed");
    assert!(rest[0].values.is_empty() && rest[2] == row(&VALUES));
}

#[test]
fn an_answer_that_is_torn_or_damaged_is_an_error_and_never_a_panic() {
    let bytes = answers().0.encode_to_vec();
    let read = |bytes: &[u8]| {
        let Ok(mut answer) = QueryResponse::decode(bytes) else {
            return;
        };
        let _ = answer.rows.to_messages();
        while let Some(values) = answer.rows.next_row() {
            let _ = values.collect::<Result<Vec<_>, _>>();
        }
    };
    for length in 0..bytes.len() {
        read(&bytes[..length]);
        for change in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[length] ^= change;
            read(&damaged);
        }
    }
}

fn statement() -> (Statement, prost::bytes::Bytes) {
    let sql = "INSERT INTO t VALUES (?, :a, :b)";
    let mut writer = StatementWriter::new(sql, 0);
    let mut runs = Vec::new();
    for named in [
        vec![],
        vec![("a", VALUES[7])],
        vec![("ä", VALUES[2]), ("b", VALUES[0])],
    ] {
        writer.run(&ParametersRef {
            positional: VALUES.to_vec(),
            named: named.clone(),
        });
        let named = named.into_iter();
        runs.push(Parameters {
            positional: row(&VALUES).values,
            named: named
                .map(|(name, value)| (name.into(), generated(value)))
                .collect::<HashMap<_, _>>(),
        });
    }
    let sql = sql.to_owned();
    (Statement { sql, runs }, writer.finish())
}

#[test]
fn statements_are_understood_by_generated_code_and_the_other_way_round() {
    let (generated, bytes) = statement();
    assert!(Statement::decode(bytes).expect("well-formed") == generated);
    let bytes = generated.encode_to_vec();
    let read = StatementRef::new(&bytes).expect("well-formed");
    assert_eq!((read.sql, read.runs), (&*generated.sql, 3));
    let mut names = Vec::new();
    let all = read.each(|run| {
        assert!(run.positional == VALUES);
        names.extend(run.named.iter().map(|(name, _)| *name));
        Ok::<(), Malformed>(())
    });
    assert!(all.is_ok());
    assert_eq!(names, ["a", "b", "ä"], "ordered by name");
}

#[test]
fn of_two_values_of_one_name_the_last_one_counts() {
    let mut writer = StatementWriter::new("SELECT :a", 0);
    writer.run(&ParametersRef {
        positional: Vec::new(),
        named: vec![("a", VALUES[1]), ("b", VALUES[0]), ("a", VALUES[2])],
    });
    let bytes = writer.finish();
    let read = StatementRef::new(&bytes).expect("well-formed");
    let all = read.each(|run| {
        assert!(run.named == [("a", VALUES[2]), ("b", VALUES[0])]);
        Ok::<(), Malformed>(())
    });
    assert!(all.is_ok());
}

#[test]
fn a_statement_that_is_torn_or_damaged_is_an_error_and_never_a_panic() {
    let bytes = statement().1;
    let read = |bytes: &[u8]| {
        let statement = StatementRef::new(bytes)?;
        statement.each(|_| Ok::<(), Malformed>(()))
    };
    assert!(read(&bytes).is_ok());
    for length in 0..bytes.len() {
        let _ = read(&bytes[..length]);
        for change in [1, 0x80, 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[length] ^= change;
            let _ = read(&damaged);
        }
    }
    assert!(read(&[0x0a, 1, 0xff]).is_err(), "no text");
}
