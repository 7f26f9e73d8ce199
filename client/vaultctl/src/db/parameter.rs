//! `--param`: values on the command line.

use std::{
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use vault_client::{Parameters, Value};

use crate::{failure::Failure, input};

/// How a value is written, for `--help`.
pub(super) const HELP: &str = "\
A value is
  a number            INTEGER or REAL, such as 42, -1 or 2.5e3
  null                NULL
  text:TEXT           TEXT, whatever it looks like
  text@FILE           TEXT, the content of a file
  blob:HEX            BLOB, from hex digits
  @FILE               BLOB, the content of a file
  anything else       TEXT
FILE is `-` for standard input. A script that hands on what it was given writes `text:`, so that
no text is taken for something else. What is private goes into a file: other users of the machine
can see a command's arguments.";

/// Where a value comes from.
#[derive(Clone, PartialEq)]
enum Origin {
    Given(Value),
    TextFile(PathBuf),
    BlobFile(PathBuf),
}

/// A value, and its name where it has one.
#[derive(Clone, PartialEq)]
pub(super) struct Parameter {
    name: Option<String>,
    origin: Origin,
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameter(redacted)")
    }
}

/// Reads `[NAME=]VALUE`.
pub(super) fn parse(text: &str) -> Result<Parameter, String> {
    let named = text.split_once('=').filter(|(name, _)| is_name(name));
    let (name, value) = named.map_or((None, text), |(name, value)| (Some(name), value));
    Ok(Parameter {
        name: name.map(str::to_owned),
        origin: origin(value)?,
    })
}

fn is_name(text: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(part)
}

fn origin(text: &str) -> Result<Origin, String> {
    if let Some(file) = text.strip_prefix('@') {
        return Ok(Origin::BlobFile(file.into()));
    }
    if let Some(file) = text.strip_prefix("text@") {
        return Ok(Origin::TextFile(file.into()));
    }
    Ok(Origin::Given(
        if let Some(text) = text.strip_prefix("text:") {
            text.into()
        } else if let Some(hex) = text.strip_prefix("blob:") {
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes());
            Value::Blob(bytes.map_err(|_| "`blob:` takes pairs of hex digits")?)
        } else if text.eq_ignore_ascii_case("null") {
            Value::Null
        } else if is_number(text) {
            number(text)?
        } else {
            text.into()
        },
    ))
}

/// Whether a text is meant as a number: neither `inf` nor `nan`, nor a date or a version.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok()
}

fn number(text: &str) -> Result<Value, String> {
    if let Ok(integer) = text.parse::<i64>() {
        return Ok(Value::Integer(integer));
    }
    let fraction = text.contains(['.', 'e', 'E']);
    match text.parse::<f64>() {
        Ok(real) if fraction && real.is_finite() => Ok(Value::Real(real)),
        _ => Err("the number does not fit 64 bits: write `text:` before it, or a REAL".to_owned()),
    }
}

impl Origin {
    fn read(self) -> Result<Value, Failure> {
        Ok(match self {
            Self::Given(value) => value,
            Self::BlobFile(file) => Value::Blob(whole(&file)?),
            Self::TextFile(file) => {
                let text = String::from_utf8(whole(&file)?);
                let shown = file.display();
                text.map_err(|_| Failure::usage(format!("{shown} is not UTF-8 text")))?
                    .into()
            }
        })
    }
}

fn whole(file: &Path) -> Result<Vec<u8>, Failure> {
    let read = if file == Path::new("-") {
        input::take_stdin()?;
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}

/// Reads the files that are named, and puts the values in their places.
pub(super) fn collect(parameters: Vec<Parameter>) -> Result<Parameters, Failure> {
    let mut collected = Parameters::default();
    for Parameter { name, origin } in parameters {
        let value = origin.read()?;
        match name {
            None => collected.positional.push(value),
            Some(name) => {
                if collected.named.contains_key(&name) {
                    return Err(Failure::usage(format!("parameter {name} is given twice")));
                }
                collected.named.insert(name, value);
            }
        }
    }
    Ok(collected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Option<Value> {
        match parse(text).ok()?.origin {
            Origin::Given(value) => Some(value),
            _ => None,
        }
    }

    #[test]
    fn values_are_what_they_are_written_as() {
        for (text, expected) in [
            ("42", Value::Integer(42)),
            ("-1", Value::Integer(-1)),
            ("9223372036854775807", Value::Integer(i64::MAX)),
            ("2.5e3", Value::Real(2500.0)),
            (".5", Value::Real(0.5)),
            ("null", Value::Null),
            ("NULL", Value::Null),
            ("", Value::from("")),
            ("text:42", Value::from("42")),
            ("text:null", Value::from("null")),
            ("text:@file", Value::from("@file")),
            ("text:a=b", Value::from("a=b")),
            ("blob:00fF", Value::Blob(vec![0, 255])),
            ("blob:", Value::Blob(Vec::new())),
            ("hello", Value::from("hello")),
            ("2026-11-25", Value::from("2026-11-25")),
            ("1.2.3", Value::from("1.2.3")),
            ("inf", Value::from("inf")),
            ("nan", Value::from("nan")),
            ("-", Value::from("-")),
        ] {
            assert!(given(text) == Some(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["blob:0", "blob:xy", "9223372036854775808", "1e999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_stand_before_an_equals_sign() {
        let named = parse("id=text:a=b").ok();
        let name = named.as_ref().and_then(|parameter| parameter.name.clone());
        assert_eq!(name.as_deref(), Some("id"));
        assert!(given("id=7") == Some(Value::Integer(7)));
        assert!(given("1=1") == Some(Value::from("1=1")), "no name");
        assert!(given("a b=1") == Some(Value::from("a b=1")), "no name");
    }

    #[test]
    fn places_are_kept_and_files_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("value");
        std::fs::write(&file, [0xFF]).expect("written");
        let blob = format!("@{}", file.display());
        let parameters = ["1", "n=2", &blob].map(|text| parse(text).expect("a value"));
        let collected = collect(parameters.to_vec()).expect("read");
        assert!(collected.positional == [Value::Integer(1), Value::Blob(vec![0xFF])]);
        assert!(collected.named["n"] == Value::Integer(2));
        let text = format!("text{blob}");
        assert!(collect(vec![parse(&text).expect("a value")]).is_err());
        let twice = ["n=1", "n=2"].map(|text| parse(text).expect("a value"));
        assert!(collect(twice.to_vec()).is_err());
    }

    #[test]
    fn a_value_does_not_print_itself() {
        let parameter = parse("hush").expect("a value");
        assert_eq!(format!("{parameter:?}"), "Parameter(redacted)");
    }
}
