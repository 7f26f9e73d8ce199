//! Rows on their way out, in one of four forms, in memory a piece at a time.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _},
};

use vault_client::{Column, Rows, RowsEnd, Value};

use super::{cell, table::Drawing};
use crate::{context::Context, failure::Failure, output};

/// Bytes that are collected before they are written.
const PIECE: usize = 64 << 10;

/// How rows are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// A table for people.
    Table,
    /// Fields between tabs.
    Tabs,
    /// An object a line.
    Json,
    /// RFC 4180, with a heading.
    Csv,
}

impl Format {
    /// What is asked for; else what suits the reader.
    pub(super) fn choose(context: &Context, csv: bool) -> Result<Self, Failure> {
        match (context.json(), csv) {
            (true, true) => Err(Failure::usage("--json and --csv exclude each other")),
            (true, false) => Ok(Self::Json),
            (false, true) => Ok(Self::Csv),
            (false, false) if io::stdout().is_terminal() => Ok(Self::Table),
            (false, false) => Ok(Self::Tabs),
        }
    }

    /// The one of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Table, Self::Tabs, Self::Json, Self::Csv];
        all.into_iter().find(|format| format.name() == name)
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Tabs => "tabs",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// Turns rows into text.
enum Writer {
    Table(Drawing),
    Tabs,
    /// The columns' names as JSON, each with its colon.
    Json(Vec<String>),
    Csv,
}

impl Writer {
    fn new(format: Format, columns: &[Column], out: &mut Vec<u8>) -> Result<Self, Failure> {
        Ok(match format {
            Format::Table => {
                let (_, room) = console::Term::stdout().size();
                Self::Table(Drawing::new(columns, room.into()))
            }
            Format::Tabs => {
                let names = columns.iter().map(|column| cell::field(&name(column)));
                tabbed(names, out);
                Self::Tabs
            }
            Format::Json => {
                let keys = distinct(columns).into_iter().map(|name| {
                    let mut key = String::new();
                    cell::json_string(&name, &mut key);
                    key.push(':');
                    key
                });
                Self::Json(keys.collect())
            }
            Format::Csv => {
                record(columns.iter().map(|column| cell::csv(&name(column))), out)?;
                Self::Csv
            }
        })
    }

    fn row(&mut self, values: &[Value], out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Table(drawing) => {
                out.extend(drawing.row(values).into_iter().flat_map(String::into_bytes));
            }
            Self::Tabs => tabbed(values.iter().map(cell::field), out),
            Self::Json(keys) => {
                let mut line = String::from("{");
                for (index, (key, value)) in keys.iter().zip(values).enumerate() {
                    if index > 0 {
                        line.push(',');
                    }
                    line.push_str(key);
                    cell::json(value, &mut line);
                }
                line.push_str("}\n");
                out.extend_from_slice(line.as_bytes());
            }
            Self::Csv => record(values.iter().map(cell::csv), out)?,
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let Self::Table(drawing) = self {
            out.extend_from_slice(drawing.end().as_bytes());
        }
    }
}

fn name(column: &Column) -> Value {
    Value::Text(column.name.clone())
}

fn tabbed(fields: impl Iterator<Item = String>, out: &mut Vec<u8>) {
    let fields: Vec<String> = fields.collect();
    out.extend_from_slice(fields.join("\t").as_bytes());
    out.push(b'\n');
}

fn record(fields: impl Iterator<Item = Vec<u8>>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out);
    let written = writer.write_record(fields).map_err(io::Error::from);
    Ok(written.and_then(|()| writer.flush())?)
}

/// The columns' names, each but once, as an object needs them: `a`, `a:1`, as SQLite calls the
/// columns of a subquery.
fn distinct(columns: &[Column]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(columns.len());
    for column in columns {
        let mut name = column.name.clone();
        let mut count = 0;
        while !taken.insert(name.clone()) {
            count += 1;
            name = format!("{}:{count}", column.name);
        }
        names.push(name);
    }
    names
}

/// Prints an answer as it comes. What came before a failure is printed.
pub(super) async fn rows(mut rows: Rows<'_>, format: Format) -> Result<RowsEnd, Failure> {
    let mut out = Vec::new();
    let mut writer = Writer::new(format, rows.columns(), &mut out)?;
    let read = async {
        while let Some(values) = rows.next_row().await? {
            writer.row(&values, &mut out)?;
            if out.len() >= PIECE {
                output::raw(&out)?;
                out.clear();
            }
        }
        Ok::<(), Failure>(())
    };
    let read = read.await;
    writer.end(&mut out);
    output::raw(&out)?;
    read?;
    Ok(rows.end().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format, names: &[&str], rows: &[Vec<Value>]) -> String {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            declared_type: String::new(),
        };
        let columns: Vec<Column> = names.iter().map(column).collect();
        let mut out = Vec::new();
        let mut writer = Writer::new(format, &columns, &mut out).expect("headings");
        for row in rows {
            writer.row(row, &mut out).expect("a row");
        }
        writer.end(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn objects_keep_order_and_every_column() {
        let row = vec![Value::Integer(1), Value::from("x"), Value::Null];
        assert_eq!(
            printed(Format::Json, &["z", "a", "a"], &[row]),
            "{\"z\":1,\"a\":\"x\",\"a:1\":null}\n"
        );
        let names = ["a", "a:1", "a"];
        let text = printed(Format::Json, &names, &[vec![Value::Null; 3]]);
        assert_eq!(text, "{\"a\":null,\"a:1\":null,\"a:2\":null}\n");
    }

    #[test]
    fn csv_quotes_what_must_be() {
        let rows = [
            vec![Value::from("a,b"), Value::from("say \"hi\"\nand")],
            vec![Value::Null, Value::Real(0.5)],
            vec![Value::Blob(vec![1]), Value::from("")],
        ];
        assert_eq!(
            printed(Format::Csv, &["one", "t,wo"], &rows),
            "one,\"t,wo\"\r\n\"a,b\",\"say \"\"hi\"\"\nand\"\r\n,0.5\r\nx'01',\r\n"
        );
    }

    #[test]
    fn fields_stand_between_tabs() {
        let rows = [vec![Value::from("a\tb"), Value::Null]];
        assert_eq!(
            printed(Format::Tabs, &["x", "y\n"], &rows),
            "x\ty\\n\na\\tb\tNULL\n"
        );
    }
}
