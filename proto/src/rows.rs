//! The rows of an answer, written and read where they stand.
//!
//! `QueryResponse` of `databases.proto` with its rows as the wire has them. A message in memory for
//! every row and value of it costs more than the query that they answer: here rows are written into
//! one buffer as they come, and their values are read out of it as they are wanted. On the wire it
//! is what `databases.proto` says.

use prost::{
    DecodeError, Message,
    bytes::{Buf, BufMut, Bytes},
    encoding::{
        DecodeContext, WireType, bytes, decode_varint, encode_key, encode_varint,
        encoded_len_varint, message, skip_field,
    },
};

use crate::{
    v1::{Column, QueryEnd, Row},
    values::{Malformed, ValueRef, field},
};

const COLUMNS: u32 = 1;
const ROWS: u32 = 2;
const CHUNK: u32 = 3;
const END: u32 = 4;
/// Of `values` in `Row`.
const VALUES: u32 = 1;

/// `QueryResponse` of `databases.proto`. Without `Debug`: it holds values.
#[derive(Clone, PartialEq, Default)]
pub struct QueryResponse {
    /// In the first message.
    pub columns: Vec<Column>,
    /// Where the last row holds long values, their chunks follow in order, in messages of their own.
    pub rows: Rows,
    /// At most 256 KiB.
    pub chunk: Vec<u8>,
    /// In the last message.
    pub end: Option<QueryEnd>,
}

impl Message for QueryResponse {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        message::encode_repeated(COLUMNS, &self.columns, buffer);
        buffer.put_slice(self.rows.unread());
        if !self.chunk.is_empty() {
            bytes::encode(CHUNK, &self.chunk, buffer);
        }
        if let Some(end) = &self.end {
            message::encode(END, end, buffer);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            COLUMNS => message::merge_repeated(wire_type, &mut self.columns, buffer, context),
            ROWS => {
                self.rows.expect(buffer.remaining());
                let mut row = Bytes::new();
                bytes::merge(wire_type, &mut row, buffer, context)?;
                self.rows.append(&row);
                Ok(())
            }
            CHUNK => bytes::merge(wire_type, &mut self.chunk, buffer, context),
            END => {
                let end = self.end.get_or_insert_default();
                message::merge(wire_type, end, buffer, context)
            }
            _ => skip_field(wire_type, tag, buffer, context),
        }
    }

    fn encoded_len(&self) -> usize {
        let chunk = if self.chunk.is_empty() {
            0
        } else {
            bytes::encoded_len(CHUNK, &self.chunk)
        };
        let end = self.end.as_ref();
        message::encoded_len_repeated(COLUMNS, &self.columns)
            + self.rows.unread().len()
            + chunk
            + end.map_or(0, |end| message::encoded_len(END, end))
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Rows one after the other, each as a field of the message that it stands in. Without `Debug`: they
/// hold values.
#[derive(Clone, Default)]
pub struct Rows {
    bytes: Vec<u8>,
    read: usize,
    count: usize,
}

impl Rows {
    /// Room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    /// Makes room for a message that has so many more bytes, at its first row.
    fn expect(&mut self, more: usize) {
        if self.bytes.is_empty() {
            self.bytes.reserve(more);
        }
    }

    fn begin(&mut self, length: usize) {
        encode_key(ROWS, WireType::LengthDelimited, &mut self.bytes);
        encode_varint(length as u64, &mut self.bytes);
        self.count += 1;
    }

    /// Takes in a row as it stands on the wire.
    fn append(&mut self, row: &[u8]) {
        self.begin(row.len());
        self.bytes.extend_from_slice(row);
    }

    /// Adds a row of these values.
    pub fn push(&mut self, values: &[ValueRef<'_>]) {
        let framed = |value: &ValueRef<'_>| {
            let length = value.encoded_len();
            1 + encoded_len_varint(length as u64) + length
        };
        self.begin(values.iter().map(framed).sum());
        for value in values {
            encode_key(VALUES, WireType::LengthDelimited, &mut self.bytes);
            encode_varint(value.encoded_len() as u64, &mut self.bytes);
            value.encode(&mut self.bytes);
        }
    }

    /// Adds the rows of `others` that were not taken.
    pub fn extend(&mut self, others: &Self) {
        self.bytes.extend_from_slice(others.unread());
        self.count += others.count;
    }

    /// Takes the next row.
    pub fn next_row(&mut self) -> Option<Values<'_>> {
        self.count = self.count.checked_sub(1)?;
        let mut rest = &self.bytes[self.read..];
        let before = rest.len();
        // Only whole fields are ever added: where one is not, the row is found malformed.
        let row = match field(&mut rest) {
            Ok((ROWS, WireType::LengthDelimited, row)) => row,
            _ => &[0],
        };
        self.read += before - rest.len();
        Some(Values(row))
    }

    /// All of them, each as a message.
    pub fn to_messages(&self) -> Result<Vec<Row>, DecodeError> {
        let mut rest = self.unread();
        let mut rows = Vec::with_capacity(self.count);
        for _ in 0..self.count {
            let length;
            (_, length) = (decode_varint(&mut rest)?, decode_varint(&mut rest)?);
            let length = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let row;
            (row, rest) = rest.split_at(length);
            rows.push(Row::decode(row)?);
        }
        Ok(rows)
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.unread() == other.unread()
    }
}

/// The values of one row.
#[derive(Clone)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = Result<ValueRef<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            match field(&mut self.0) {
                Ok((VALUES, WireType::LengthDelimited, value)) => {
                    return Some(ValueRef::decode(value));
                }
                // Of a later version.
                Ok(_) => {}
                Err(malformed) => {
                    self.0 = &[];
                    return Some(Err(malformed));
                }
            }
        }
        None
    }
}
