//! The values of SQL, and how they travel.

use std::collections::BTreeMap;

use vault_proto::{
    CHUNK_LIMIT, ParametersRef, ValueRef,
    v1::{self, LongValue, value::Kind},
};

/// One value, of one of SQLite's storage classes. Without `Debug`: it is what the vault seals.
#[derive(Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// TEXT that is not UTF-8, as it stands in the database. Not accepted as a parameter.
    InvalidText(Vec<u8>),
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<f64> for Value {
    fn from(real: f64) -> Self {
        Self::Real(real)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Value {
    /// Bytes it takes in a message, the few of its frame aside.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) | Self::InvalidText(bytes) => bytes.len(),
        }
    }

    /// As the wire has it, whole, its bytes borrowed.
    fn borrowed(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::InvalidText(bytes) => ValueRef::InvalidText(bytes),
        }
    }

    /// As the wire has it, whole.
    pub(crate) fn wire(self) -> v1::Value {
        let kind = match self {
            Self::Null => None,
            Self::Integer(integer) => Some(Kind::Integer(integer)),
            Self::Real(real) => Some(Kind::Real(real)),
            Self::Text(text) => Some(Kind::Text(text)),
            Self::Blob(bytes) => Some(Kind::Blob(bytes)),
            Self::InvalidText(bytes) => Some(Kind::InvalidText(bytes)),
        };
        v1::Value { kind }
    }

    /// A value that came whole; a long one is still to come.
    pub(crate) fn received(value: ValueRef<'_>) -> Result<Self, LongValue> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => Self::Text(text.to_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
            ValueRef::InvalidText(bytes) => Self::InvalidText(bytes.to_vec()),
            ValueRef::Long(long) => return Err(long),
        })
    }
}

/// Values on their way into messages: what would make one too large goes into chunks of its own.
#[derive(Default)]
pub(crate) struct Packing {
    inline: usize,
    /// The bytes that follow, one entry a long value.
    pub(crate) long: Vec<Vec<u8>>,
}

impl Packing {
    /// The value as it stands in the message.
    pub(crate) fn pack(&mut self, value: Value) -> v1::Value {
        let size = value.size();
        if self.inline + size <= CHUNK_LIMIT {
            self.inline += size;
            return value.wire();
        }
        let (text, bytes) = match value {
            Value::Text(text) => (true, text.into_bytes()),
            Value::Blob(bytes) => (false, bytes),
            // Numbers are small, and text that is not UTF-8 has no long form.
            other => return other.wire(),
        };
        let size = bytes.len() as u64;
        self.long.push(bytes);
        v1::Value {
            kind: Some(Kind::Long(LongValue { text, size })),
        }
    }

    /// What the long values are cut into.
    pub(crate) fn chunks(self) -> impl Iterator<Item = Vec<u8>> {
        self.long.into_iter().flat_map(|bytes| {
            let count = bytes.len().div_ceil(CHUNK_LIMIT);
            (0..count).map(move |index| {
                let start = index * CHUNK_LIMIT;
                let end = bytes.len().min(start + CHUNK_LIMIT);
                bytes[start..end].to_vec()
            })
        })
    }
}

/// What stands in place of a statement's `?`, `?N`, `:name`, `@name` and `$name`. Without `Debug`:
/// values are private.
#[derive(Clone, PartialEq, Default)]
pub struct Parameters {
    /// Of `?` and `?N`, the first of them `?1`.
    pub positional: Vec<Value>,
    /// Of the named ones, by the name without its `:`, `@` or `$`.
    pub named: BTreeMap<String, Value>,
}

impl Parameters {
    /// Values by their position.
    pub fn positional(values: impl IntoIterator<Item = Value>) -> Self {
        Self {
            positional: values.into_iter().collect(),
            named: BTreeMap::new(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.positional.is_empty() && self.named.is_empty()
    }

    /// Bytes they take in a message.
    pub(crate) fn size(&self) -> usize {
        /// More than any value's frame.
        const FRAME: usize = 16;
        let positional = self.positional.iter().map(|value| value.size() + FRAME);
        let named = self.named.iter();
        let named = named.map(|(name, value)| name.len() + value.size() + 2 * FRAME);
        positional.chain(named).sum()
    }

    /// Puts them in place of those that `given` held.
    pub(crate) fn borrow_in<'a>(&'a self, given: &mut ParametersRef<'a>) {
        given.positional.clear();
        given
            .positional
            .extend(self.positional.iter().map(Value::borrowed));
        given.named.clear();
        let named = self.named.iter();
        given
            .named
            .extend(named.map(|(name, value)| (name.as_str(), value.borrowed())));
    }

    pub(crate) fn wire(self) -> v1::Parameters {
        self.pack(&mut |value| value.wire())
    }

    /// The same, each value by `pack`: the positional ones first, the named ones in the order of
    /// their names, which is the order their chunks follow in.
    pub(crate) fn pack(self, pack: &mut impl FnMut(Value) -> v1::Value) -> v1::Parameters {
        let positional = self.positional.into_iter().map(&mut *pack).collect();
        let named = self.named.into_iter();
        v1::Parameters {
            positional,
            named: named.map(|(name, value)| (name, pack(value))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_a_message_follows_in_chunks() {
        let mut packing = Packing::default();
        let small = packing.pack(Value::Blob(vec![1; CHUNK_LIMIT - 8]));
        assert!(matches!(small.kind, Some(Kind::Blob(_))));
        let number = packing.pack(Value::Integer(7));
        assert!(matches!(number.kind, Some(Kind::Integer(7))));
        // The message is full: even a short one must wait.
        let short = packing.pack(Value::from("ab"));
        let Some(Kind::Long(long)) = short.kind else {
            panic!("not long")
        };
        assert!(long.text && long.size == 2);
        let large = packing.pack(Value::Blob(vec![2; CHUNK_LIMIT + 1]));
        assert!(matches!(large.kind, Some(Kind::Long(long)) if !long.text));
        let lengths: Vec<usize> = packing.chunks().map(|chunk| chunk.len()).collect();
        assert_eq!(lengths, [2, CHUNK_LIMIT, 1]);
    }

    #[test]
    fn an_empty_long_value_has_no_chunk() {
        let mut packing = Packing::default();
        packing.pack(Value::Blob(vec![1; CHUNK_LIMIT]));
        let empty = packing.pack(Value::from(""));
        assert!(matches!(empty.kind, Some(Kind::Text(_))));
        assert_eq!(packing.chunks().count(), 0);
    }

    #[test]
    fn named_values_stand_without_their_sigil() {
        let mut parameters = Parameters::positional([Value::Integer(1)]);
        assert!(!parameters.is_empty());
        parameters.named.insert("name".to_owned(), "x".into());
        let wire = parameters.wire();
        assert_eq!(wire.positional.len(), 1);
        assert!(wire.named.contains_key("name"));
    }
}
