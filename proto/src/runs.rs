//! A statement with all that it is run with, written and read where it stands: `Statement` and
//! `Parameters` of `databases.proto`, where there may be thousands of them.

use prost::{
    bytes::Bytes,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};

use crate::values::{Malformed, ValueRef, field};

/// Of `sql` and `runs` in `Statement`.
const SQL: u32 = 1;
const RUNS: u32 = 2;
/// Of `positional` and `named` in `Parameters`.
const POSITIONAL: u32 = 1;
const NAMED: u32 = 2;
/// Of an entry of a map.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// `ExecuteRequest` of `databases.proto`. Without `Debug`: it holds values.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct ExecuteRequest {
    /// The database.
    #[prost(string, tag = "1")]
    pub database: String,
    /// A `Statement` as it stands on the wire.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub statement: Option<Bytes>,
    /// How long it may take, in milliseconds. 0: the daemon's default.
    #[prost(uint32, tag = "3")]
    pub timeout_ms: u32,
}

/// One set of parameters. Without `Debug`: values are private.
#[derive(Clone, Default)]
pub struct ParametersRef<'a> {
    /// Of `?` and `?N`.
    pub positional: Vec<ValueRef<'a>>,
    /// Of named ones, by their name.
    pub named: Vec<(&'a str, ValueRef<'a>)>,
}

/// A statement that is read. Without `Debug`: it holds values.
#[derive(Clone, Copy)]
pub struct StatementRef<'a> {
    /// The statement.
    pub sql: &'a str,
    /// How often it runs with parameters.
    pub runs: usize,
    message: &'a [u8],
}

impl<'a> StatementRef<'a> {
    /// Of a message. Whether its parameters are well-formed shows as they are read.
    pub fn new(message: &'a [u8]) -> Result<Self, Malformed> {
        let (mut sql, mut runs, mut rest) = ("", 0, message);
        while !rest.is_empty() {
            match field(&mut rest)? {
                (SQL, WireType::LengthDelimited, text) => {
                    sql = std::str::from_utf8(text).map_err(|_| Malformed)?;
                }
                (RUNS, WireType::LengthDelimited, _) => runs += 1,
                (SQL | RUNS, ..) => return Err(Malformed),
                // Of a later version.
                _ => {}
            }
        }
        Ok(Self { sql, runs, message })
    }

    /// Reads each set of parameters and hands it to `run`, until that fails.
    pub fn each<E: From<Malformed>>(
        &self,
        mut run: impl FnMut(&ParametersRef<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut parameters = ParametersRef::default();
        let mut rest = self.message;
        while !rest.is_empty() {
            if let (RUNS, _, message) = field(&mut rest)? {
                parameters.read(message)?;
                run(&parameters)?;
            }
        }
        Ok(())
    }
}

impl<'a> ParametersRef<'a> {
    fn read(&mut self, mut message: &'a [u8]) -> Result<(), Malformed> {
        self.positional.clear();
        self.named.clear();
        while !message.is_empty() {
            match field(&mut message)? {
                (POSITIONAL, WireType::LengthDelimited, value) => {
                    self.positional.push(ValueRef::decode(value)?);
                }
                (NAMED, WireType::LengthDelimited, entry) => self.named.push(named(entry)?),
                (POSITIONAL | NAMED, ..) => return Err(Malformed),
                _ => {}
            }
        }
        if self.named.len() > 1 {
            self.named.sort_by_key(|(name, _)| *name);
            // Of several values of one name the last one counts.
            self.named.dedup_by(|later, earlier| {
                let again = later.0 == earlier.0;
                if again {
                    *earlier = *later;
                }
                again
            });
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        let positional = self.positional.iter().map(framed);
        let named = self.named.iter().map(|entry| held(entry_len(entry)));
        positional.chain(named).sum()
    }
}

fn named(mut entry: &[u8]) -> Result<(&str, ValueRef<'_>), Malformed> {
    let mut found = ("", ValueRef::Null);
    while !entry.is_empty() {
        match field(&mut entry)? {
            (KEY, WireType::LengthDelimited, name) => {
                found.0 = std::str::from_utf8(name).map_err(|_| Malformed)?;
            }
            (VALUE, WireType::LengthDelimited, value) => found.1 = ValueRef::decode(value)?,
            (KEY | VALUE, ..) => return Err(Malformed),
            _ => {}
        }
    }
    Ok(found)
}

/// Bytes of a field, of a tag below 16, whose content has so many.
const fn held(length: usize) -> usize {
    key_len(RUNS) + encoded_len_varint(length as u64) + length
}

fn framed(value: &ValueRef<'_>) -> usize {
    held(value.encoded_len())
}

fn entry_len((name, value): &(&str, ValueRef<'_>)) -> usize {
    held(name.len()) + framed(value)
}

/// A statement that is written.
#[derive(Default)]
pub struct StatementWriter(Vec<u8>);

impl StatementWriter {
    /// Begins a statement that takes about so many bytes with all that it is run with.
    pub fn new(sql: &str, bytes: usize) -> Self {
        let mut writer = Self(Vec::with_capacity(bytes));
        writer.head(SQL, sql.len());
        writer.0.extend_from_slice(sql.as_bytes());
        writer
    }

    fn head(&mut self, tag: u32, length: usize) {
        encode_key(tag, WireType::LengthDelimited, &mut self.0);
        encode_varint(length as u64, &mut self.0);
    }

    fn value(&mut self, tag: u32, value: &ValueRef<'_>) {
        self.head(tag, value.encoded_len());
        value.encode(&mut self.0);
    }

    /// Adds a run.
    pub fn run(&mut self, parameters: &ParametersRef<'_>) {
        self.head(RUNS, parameters.encoded_len());
        for value in &parameters.positional {
            self.value(POSITIONAL, value);
        }
        for entry in &parameters.named {
            self.head(NAMED, entry_len(entry));
            self.head(KEY, entry.0.len());
            self.0.extend_from_slice(entry.0.as_bytes());
            self.value(VALUE, &entry.1);
        }
    }

    /// The message.
    pub fn finish(self) -> Bytes {
        self.0.into()
    }
}
