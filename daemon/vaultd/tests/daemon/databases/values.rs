//! Values on their way in and out, the long ones in chunks.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::{
    CHUNK_LIMIT, MESSAGE_LIMIT,
    v1::{
        LongValue, QueryResponse, Statement, TransactRequest, TransactResponse, Value,
        transact_request::{Begin, Commit, Part, Run},
        transact_response::Part as Answer,
        value::Kind,
    },
};

use super::{
    NAME, execute, integer, messages, positional, query, refused, text, value, with_database,
};
use crate::support::{Home, soon};

#[tokio::test]
async fn every_class_of_value_comes_back_as_it_went() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let values = vec![
        Value { kind: None },
        integer(i64::MIN),
        value(Kind::Real(0.1)),
        text("zwölf \0 Zeichen"),
        value(Kind::Blob(vec![0, 255, 7])),
        text(""),
        value(Kind::Blob(Vec::new())),
    ];
    let select = "SELECT ?, ?, ?, ?, ?, ?, ?";
    let answer = messages(&mut databases, query(select, values.clone())).await;
    assert!(super::listed(&answer.expect("bound")[0].rows)[0].values == values);
    let answer = messages(
        &mut databases,
        query("SELECT CAST(x'ff61' AS TEXT)", Vec::new()),
    )
    .await;
    let invalid = value(Kind::InvalidText(vec![255, b'a']));
    assert!(super::listed(&answer.expect("read")[0].rows)[0].values == [invalid.clone()]);
    let answer = messages(&mut databases, query("SELECT ?", vec![invalid])).await;
    assert_eq!(refused(answer), "INVALID_ARGUMENT");
    let long = value(Kind::Long(LongValue {
        text: false,
        size: 1,
    }));
    let answer = messages(&mut databases, query("SELECT ?", vec![long])).await;
    assert_eq!(refused(answer), "INVALID_ARGUMENT");
}

/// Values put together again, and the sizes of the messages they came in.
fn assembled(messages: &[QueryResponse]) -> Vec<Value> {
    use prost::Message as _;
    let mut values = Vec::new();
    let mut chunks = Vec::new();
    for message in messages {
        assert!(message.encoded_len() <= MESSAGE_LIMIT);
        assert!(message.chunk.len() <= CHUNK_LIMIT);
        for row in super::listed(&message.rows) {
            values.extend(row.values);
        }
        chunks.extend_from_slice(&message.chunk);
    }
    let mut rest = &chunks[..];
    for value in &mut values {
        if let Some(Kind::Long(long)) = &value.kind {
            let (bytes, after) = rest.split_at(usize::try_from(long.size).expect("fits"));
            rest = after;
            value.kind = Some(if long.text {
                Kind::Text(String::from_utf8(bytes.to_vec()).expect("UTF-8"))
            } else {
                Kind::Blob(bytes.to_vec())
            });
        }
    }
    assert!(rest.is_empty(), "every chunk has its value");
    values
}

#[tokio::test]
async fn long_values_go_both_ways_in_chunks() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    execute(&mut databases, "CREATE TABLE t (a, b, c)")
        .await
        .expect("created");
    let prose = "ä".repeat(600_000);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();

    let (requests, receiver) = mpsc::channel(4);
    let sending = prose.clone();
    let blob = bytes.clone();
    tokio::spawn(async move {
        let long = |text, size: usize| {
            let size = size as u64;
            value(Kind::Long(LongValue { text, size }))
        };
        let statement = Statement {
            sql: "INSERT INTO t VALUES (?, ?, ?)".into(),
            runs: vec![positional(vec![
                long(true, sending.len()),
                text("short"),
                long(false, blob.len()),
            ])],
        };
        let mut parts = vec![
            Part::Begin(Begin {
                database: NAME.into(),
                ..Begin::default()
            }),
            Part::Run(Run {
                statement: Some(statement),
                rows: false,
            }),
        ];
        for value in [sending.as_bytes(), &blob] {
            parts.extend(
                value
                    .chunks(CHUNK_LIMIT)
                    .map(|chunk| Part::Chunk(chunk.to_vec())),
            );
        }
        parts.push(Part::Commit(Commit {}));
        for part in parts {
            requests
                .send(TransactRequest { part: Some(part) })
                .await
                .expect("sent");
        }
    });
    let answers = databases.transact(ReceiverStream::new(receiver)).await;
    let mut answers = answers.expect("begun").into_inner();
    let mut last = None;
    while let Some(TransactResponse { part }) = soon("it", answers.message()).await.expect("fine") {
        assert!(!matches!(part, Some(Answer::Failed(_))));
        last = part;
    }
    assert!(matches!(last, Some(Answer::Ended(ended)) if ended.committed));

    let answer = messages(&mut databases, query("SELECT * FROM t", Vec::new())).await;
    let answer = answer.expect("read");
    assert!(answer.len() > 10);
    let values = assembled(&answer);
    assert!(values == [text(&prose), text("short"), value(Kind::Blob(bytes))]);
}

#[tokio::test]
async fn no_row_is_over_the_limit_of_a_message() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let columns = vec!["?1"; 200].join(", ");
    let wide = text(&"x".repeat(60_000));
    let select = format!("SELECT {columns}");
    let answer = messages(&mut databases, query(&select, vec![wide.clone()])).await;
    let values = assembled(&answer.expect("read"));
    assert_eq!(values.len(), 200);
    assert!(values.iter().all(|value| *value == wide));
    let select = format!("SELECT {}", vec!["zeroblob(1000000)"; 20].join(", "));
    let answer = messages(&mut databases, query(&select, Vec::new())).await;
    assert_eq!(refused(answer), "BUDGET_EXCEEDED");
}
