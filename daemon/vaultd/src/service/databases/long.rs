//! Long values, whose bytes come in chunks of their own.

use tonic::Status;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{self, LongValue, value::Kind},
};
use vault_store::databases::Value;

use crate::{error::too_large, service::out_of_turn};

/// Long values of one message, while their chunks are received.
#[derive(Default)]
pub(super) struct Incoming {
    values: Vec<(LongValue, Vec<u8>)>,
    /// The first one that is not complete.
    next: usize,
}

impl Incoming {
    /// Awaits the long values among `values`: all together at most `limit` bytes, which is checked
    /// before one of them is received.
    pub(super) fn of<'a>(
        values: impl Iterator<Item = &'a v1::Value>,
        limit: u64,
    ) -> Result<Self, Status> {
        let long = values.filter_map(|value| match &value.kind {
            Some(Kind::Long(long)) => Some((*long, Vec::new())),
            _ => None,
        });
        let values: Vec<_> = long.collect();
        let size = values
            .iter()
            .fold(0_u64, |sum, (long, _)| sum.saturating_add(long.size));
        if size > limit {
            return Err(too_large(size, limit));
        }
        let mut incoming = Self { values, next: 0 };
        incoming.go_past_complete();
        Ok(incoming)
    }

    /// Whether every byte is there.
    pub(super) fn is_complete(&self) -> bool {
        self.next == self.values.len()
    }

    /// Takes the next chunk: of one value, never of two.
    pub(super) fn add(&mut self, chunk: &[u8]) -> Result<(), Status> {
        if chunk.is_empty() || chunk.len() > CHUNK_LIMIT {
            return Err(out_of_turn("a chunk is 1 byte to 256 KiB"));
        }
        let Some((long, received)) = self.values.get_mut(self.next) else {
            return Err(out_of_turn("a chunk without a value that still wants it"));
        };
        if (received.len() + chunk.len()) as u64 > long.size {
            return Err(out_of_turn("the chunks are more than the size announced"));
        }
        received.extend_from_slice(chunk);
        self.go_past_complete();
        Ok(())
    }

    fn go_past_complete(&mut self) {
        let rest = self.values[self.next..].iter();
        self.next += rest
            .take_while(|(long, received)| received.len() as u64 == long.size)
            .count();
    }

    /// Hands out the values in the order they were announced.
    pub(super) fn into_values(self) -> impl FnMut(LongValue) -> Result<Value, Status> {
        let mut values = self.values.into_iter();
        move |announced| {
            let received = values.next().filter(|(long, _)| *long == announced);
            let (long, bytes) = received.ok_or_else(|| out_of_turn("a long value out of turn"))?;
            if !long.text {
                return Ok(Value::Blob(bytes));
            }
            let text = String::from_utf8(bytes)
                .map_err(|_| out_of_turn("a long text is not UTF-8: hand it in as a BLOB"))?;
            Ok(Value::Text(text))
        }
    }
}

/// The values of a statement in the order in which chunks of long ones come: positional ones of a
/// run, then its named ones by their name.
pub(super) fn in_order(statement: &v1::Statement) -> impl Iterator<Item = &v1::Value> {
    statement.runs.iter().flat_map(|run| {
        let mut named: Vec<_> = run.named.iter().collect();
        named.sort_by_key(|(name, _)| *name);
        let named = named.into_iter().map(|(_, value)| value);
        run.positional.iter().chain(named)
    })
}

#[cfg(test)]
mod tests {
    use vault_proto::v1::Parameters;

    use super::*;
    use crate::service::databases::values;

    fn long(text: bool, size: u64) -> v1::Value {
        let kind = Some(Kind::Long(LongValue { text, size }));
        v1::Value { kind }
    }

    #[test]
    fn chunks_find_their_values() {
        let statement = v1::Statement {
            sql: "INSERT".into(),
            runs: vec![Parameters {
                positional: vec![long(false, 3), long(true, 0)],
                named: [
                    ("b".to_owned(), long(true, 2)),
                    ("a".to_owned(), long(false, 1)),
                ]
                .into(),
            }],
        };
        let mut incoming = Incoming::of(in_order(&statement), 6).expect("small");
        for chunk in [&b"12"[..], b"3", b"x"] {
            incoming.add(chunk).expect("wanted");
            assert!(!incoming.is_complete());
        }
        incoming.add("ä".as_bytes()).expect("wanted");
        assert!(incoming.is_complete());
        assert!(incoming.add(b"more").is_err());
        let statement = values::statement_with(statement, &mut incoming.into_values());
        let statement = statement.expect("acceptable");
        let run = &statement.runs[0];
        assert_eq!(
            run.positional,
            [Value::Blob(b"123".to_vec()), Value::Text(String::new())]
        );
        let named = [
            ("a".to_owned(), Value::Blob(b"x".to_vec())),
            ("b".to_owned(), Value::Text("ä".to_owned())),
        ];
        assert_eq!(run.named, named);
    }

    #[test]
    fn what_is_wrong_with_chunks_is_said() {
        let two = [long(true, 2)];
        assert!(Incoming::of(two.iter(), 1).is_err(), "over the limit");
        let endless = [long(false, u64::MAX), long(false, u64::MAX)];
        assert!(Incoming::of(endless.iter(), 1 << 20).is_err());
        let incoming = || Incoming::of(two.iter(), 9).expect("small");
        assert!(incoming().add(b"").is_err());
        assert!(incoming().add(b"123").is_err(), "more than announced");
        let large = vec![0; CHUNK_LIMIT + 1];
        assert!(incoming().add(&large).is_err());
        let mut broken = incoming();
        broken.add(b"\xff\xff").expect("wanted");
        let announced = LongValue {
            text: true,
            size: 2,
        };
        assert!(broken.into_values()(announced).is_err(), "not UTF-8");
    }
}
