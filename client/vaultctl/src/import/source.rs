//! The forms an import comes in: a folder of `*.json`, one object of id to document, one array,
//! JSON Lines. Read as a stream: one document in memory at a time, its text kept as it stands.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, value::RawValue};

/// What a source yields.
pub(super) enum Found {
    /// A document: its id and its JSON text.
    Item {
        /// Its id.
        id: String,
        /// Its JSON text.
        body: Vec<u8>,
    },
    /// An item that cannot be one, named, with the reason.
    Rejected(String),
}

/// Takes what is found; false ends the reading.
type Sink<'a> = &'a mut dyn FnMut(Found) -> bool;

/// A path to import.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) id_field: Option<&'a str>,
    pub(super) bar: &'a ProgressBar,
}

/// A line longer than this is no line of JSON Lines, in bytes.
const LINE_LIMIT: u64 = 256 << 20;

/// How much of a file is looked at to tell its form, in bytes.
const SNIFF: usize = 64 << 10;

/// Bytes that will be read from `path`, for a progress bar.
pub(super) fn len(path: &Path) -> u64 {
    if path.is_dir() {
        let files = files_of(path).unwrap_or_default();
        return files
            .iter()
            .map(|file| file.metadata().map_or(0, |metadata| metadata.len()))
            .sum();
    }
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file()
            && path
                .extension()
                .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn bad(text: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_string())
}

impl Source<'_> {
    /// Reads everything. An error means that the rest of this source cannot be told apart.
    pub(super) fn read(&self, sink: Sink<'_>) -> io::Result<()> {
        if self.path.is_dir() {
            return self.read_folder(sink);
        }
        let input: Box<dyn Read> = if self.path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(self.path)?)
        };
        let mut input = BufReader::with_capacity(SNIFF, self.bar.wrap_read(input));
        match self.form(&mut input)? {
            Form::Empty => Ok(()),
            Form::Lines => self.read_lines(input, sink),
            Form::Object => {
                let mut json = Deserializer::from_reader(input);
                let read = json.deserialize_map(ObjectVisitor { sink });
                read.and_then(|()| json.end()).map_err(bad)
            }
            Form::Array => {
                let Some(id_field) = self.id_field else {
                    return Err(bad("an array needs --id-field to tell the documents' ids"));
                };
                let mut json = Deserializer::from_reader(input);
                let read = json.deserialize_seq(ArrayVisitor { id_field, sink });
                read.and_then(|()| json.end()).map_err(bad)
            }
        }
    }

    fn read_folder(&self, sink: Sink<'_>) -> io::Result<()> {
        for file in files_of(self.path)? {
            let name = file.file_stem().unwrap_or_default();
            let found = match (name.to_str(), std::fs::read(&file)) {
                (None, _) => Found::Rejected(format!("{}: its name is not UTF-8", file.display())),
                (_, Err(error)) => Found::Rejected(format!("{}: {error}", file.display())),
                (Some(id), Ok(body)) => {
                    self.bar.inc(body.len() as u64);
                    Found::Item {
                        id: id.to_owned(),
                        body,
                    }
                }
            };
            if !sink(found) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells the form by the first bytes. An object is a map of documents unless the file says
    /// that it holds lines, or a whole object ends on the first line and more follows.
    fn form(&self, input: &mut impl BufRead) -> io::Result<Form> {
        let beginning = input.fill_buf()?;
        let extension = self
            .path
            .extension()
            .and_then(|extension| extension.to_str());
        let says_lines = matches!(extension, Some("jsonl" | "ndjson"));
        let text = beginning.trim_ascii_start();
        Ok(match text.first() {
            None => Form::Empty,
            _ if says_lines => Form::Lines,
            Some(b'[') => Form::Array,
            Some(b'{') if self.first_line_is_whole(text) => Form::Lines,
            Some(b'{') => Form::Object,
            Some(_) => return Err(bad("neither a JSON object, an array nor JSON Lines")),
        })
    }

    fn first_line_is_whole(&self, text: &[u8]) -> bool {
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
            // One object, or lines too long to tell: the id field decides.
            return self.id_field.is_some();
        };
        let (line, rest) = text.split_at(end);
        let whole = serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
        whole && (self.id_field.is_some() || !rest.trim_ascii().is_empty())
    }

    fn read_lines(&self, mut input: impl BufRead, sink: Sink<'_>) -> io::Result<()> {
        let Some(id_field) = self.id_field else {
            return Err(bad("JSON Lines need --id-field to tell the documents' ids"));
        };
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let read = input
                .by_ref()
                .take(LINE_LIMIT)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            if read as u64 == LINE_LIMIT {
                return Err(bad(format!("line {number} is over {LINE_LIMIT} bytes")));
            }
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let found = match id_of(text, id_field) {
                Ok(id) => Found::Item {
                    id,
                    body: text.to_vec(),
                },
                Err(why) => Found::Rejected(format!("line {number}: {why}")),
            };
            if !sink(found) {
                return Ok(());
            }
        }
        Ok(())
    }
}

enum Form {
    Empty,
    Object,
    Array,
    Lines,
}

/// The id that a document's own member tells: text, or a number as it is written.
fn id_of(document: &[u8], id_field: &str) -> Result<String, String> {
    struct IdVisitor<'a>(&'a str);

    impl<'de> Visitor<'de> for IdVisitor<'_> {
        type Value = Option<Box<RawValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut id = None;
            while let Some(name) = map.next_key::<String>()? {
                if name == self.0 {
                    id = Some(map.next_value()?);
                } else {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
            Ok(id)
        }
    }

    let mut json = Deserializer::from_slice(document);
    let id = json
        .deserialize_map(IdVisitor(id_field))
        .and_then(|id| json.end().map(|()| id));
    let id = id.map_err(|error| format!("not a JSON object: {error}"))?;
    let id = id.ok_or_else(|| format!("it has no member `{id_field}`"))?;
    match serde_json::from_str(id.get()) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        Ok(serde_json::Value::Number(_)) => Ok(id.get().to_owned()),
        _ => Err(format!(
            "its member `{id_field}` is neither text nor a number"
        )),
    }
}

/// Ends a streamed reading that nobody wants any more.
const ENOUGH: &str = "the daemon takes no more";

struct ObjectVisitor<'a> {
    sink: Sink<'a>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object of id to document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((id, document)) = map.next_entry::<String, Box<RawValue>>()? {
            let body = String::from(Box::<str>::from(document)).into_bytes();
            if !(self.sink)(Found::Item { id, body }) {
                return Err(serde::de::Error::custom(ENOUGH));
            }
        }
        Ok(())
    }
}

struct ArrayVisitor<'a> {
    id_field: &'a str,
    sink: Sink<'a>,
}

impl<'de> Visitor<'de> for ArrayVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array of documents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut place = 0_u64;
        while let Some(document) = seq.next_element::<Box<RawValue>>()? {
            let body = String::from(Box::<str>::from(document)).into_bytes();
            let found = match id_of(&body, self.id_field) {
                Ok(id) => Found::Item { id, body },
                Err(why) => Found::Rejected(format!("item {place}: {why}")),
            };
            if !(self.sink)(found) {
                return Err(serde::de::Error::custom(ENOUGH));
            }
            place += 1;
        }
        Ok(())
    }
}
