//! `trim`, `ltrim`, `rtrim`, `instr` and `replace` as SQLite has them
//! (<https://sqlite.org/lang_corefunc.html>), in time that grows with the sum of their arguments.
//!
//! SQLite's own compare every place of one argument with every place of the other: `trim` of 40 KB by
//! 40 KB took 15 seconds, and nothing ends a statement within a function, neither its budget nor a
//! lock. Every connection has them, the daemon's own too: indexes may be made of what they return,
//! and a check computes it anew.
//!
//! `json_patch` seeks each name of the patch among all of the document; it is SQLite's, within
//! bounds.

use std::{borrow::Cow, cell::OnceCell, collections::HashSet};

use memchr::memmem::{self, Finder};
use rusqlite::{
    Connection, Error, ToSql, ffi,
    functions::{Context, FunctionFlags},
    limits::Limit,
    types::{ToSqlOutput, Value, ValueRef},
};

/// They depend on their arguments alone and change nothing: views, triggers and indexes may use
/// them, as they may use SQLite's.
const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_INNOCUOUS);

const SUBTYPE: FunctionFlags = FunctionFlags::SQLITE_RESULT_SUBTYPE;

/// SQLite's subtype of JSON.
const JSON: u32 = b'J' as u32;

/// The product of the sizes of a document and its patch, in bytes: 80 KB by 80 KB took 0.4 seconds.
const PATCH_LIMIT: usize = 4_000_000_000;

/// Puts them in the place of SQLite's. Values are bounded as the connection is now.
pub(super) fn install(connection: &Connection) -> rusqlite::Result<()> {
    for (name, ends) in [
        ("trim", Ends::Both),
        ("ltrim", Ends::Left),
        ("rtrim", Ends::Right),
    ] {
        for arguments in [1, 2] {
            connection.create_scalar_function(name, arguments, FLAGS, move |context| {
                trim(context, ends)
            })?;
        }
    }
    let limit = usize::try_from(connection.limit(Limit::SQLITE_LIMIT_LENGTH)?).unwrap_or(0);
    connection.create_scalar_function("json_patch", 2, FLAGS | SUBTYPE, |context| {
        // Its subtype tells the other functions that it is no text to be quoted.
        patch(context, "SELECT json_patch(?1, ?2)").map(|patched| (patched, Some(JSON)))
    })?;
    connection.create_scalar_function("jsonb_patch", 2, FLAGS, |context| {
        patch(context, "SELECT jsonb_patch(?1, ?2)")
    })?;
    connection.create_scalar_function("instr", 2, FLAGS, |context| instr(context))?;
    connection.create_scalar_function("replace", 3, FLAGS, move |context| replace(context, limit))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Left,
    Right,
    Both,
}

/// The text of an argument, or nothing for NULL. A BLOB counts as UTF-8.
fn text<'a>(context: &'a Context<'_>, index: usize) -> rusqlite::Result<Option<Cow<'a, [u8]>>> {
    Ok(Some(match context.get_raw(index) {
        ValueRef::Null => return Ok(None),
        ValueRef::Integer(integer) => Cow::Owned(integer.to_string().into_bytes()),
        ValueRef::Real(real) => Cow::Owned(written(real)?.into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Cow::Borrowed(bytes),
    }))
}

/// Works on a connection of SQLite's alone, with its own functions and without any data.
fn plainly<T>(work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    thread_local! {
        static PLAIN: OnceCell<Connection> = const { OnceCell::new() };
    }
    PLAIN.with(|plain| {
        let plain = if let Some(plain) = plain.get() {
            plain
        } else {
            let made = Connection::open_in_memory()?;
            plain.get_or_init(|| made)
        };
        work(plain)
    })
}

/// A number as SQLite writes it: only SQLite knows how.
fn written(real: f64) -> rusqlite::Result<String> {
    plainly(|plain| {
        let mut cast = plain.prepare_cached("SELECT CAST(?1 AS TEXT)")?;
        cast.query_row([real], |row| row.get(0))
    })
}

/// SQLite's own, between documents that do not keep it for longer than a fraction of a second.
fn patch(context: &Context<'_>, select: &str) -> rusqlite::Result<Value> {
    let arguments = [context.get_raw(0), context.get_raw(1)];
    let sizes = arguments.map(|argument| match argument {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 1,
    });
    if sizes[0].saturating_mul(sizes[1]) > PATCH_LIMIT {
        let message = "a patch of this size to a document of this size takes too long: \
                       change it with json_set() and json_remove()";
        let error = ffi::Error::new(ffi::SQLITE_ERROR);
        return Err(Error::SqliteFailure(error, Some(message.to_owned())));
    }
    plainly(|plain| {
        let mut patch = plain.prepare_cached(select)?;
        patch.query_row(arguments.map(ToSqlOutput::Borrowed), |row| row.get(0))
    })
}

/// Text or NULL. Where what came in is not well-formed, neither is this, and SQLite takes it.
struct Answer(Option<Vec<u8>>);

impl ToSql for Answer {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = self.0.as_deref().map_or(ValueRef::Null, ValueRef::Text);
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn trim(context: &Context<'_>, ends: Ends) -> rusqlite::Result<Answer> {
    let Some(subject) = text(context, 0)? else {
        return Ok(Answer(None));
    };
    let spaces: &[u8] = b" ";
    let set = if context.len() == 1 {
        Some(Cow::Borrowed(spaces))
    } else {
        text(context, 1)?
    };
    let Some(set) = set else {
        return Ok(Answer(None));
    };
    Ok(Answer(Some(trimmed(&subject, &set, ends).to_vec())))
}

/// Characters alone are cut off: trimming ends at bytes that are none.
fn trimmed<'a>(mut subject: &'a [u8], set: &[u8], ends: Ends) -> &'a [u8] {
    // SQLite reads the set up to its first zero.
    let set = set.split(|byte| *byte == 0).next().unwrap_or_default();
    let set: HashSet<char> = set.utf8_chunks().flat_map(|c| c.valid().chars()).collect();
    let cut = |character: char| set.contains(&character);
    if ends != Ends::Right
        && let Some(first) = subject.utf8_chunks().next()
    {
        let text = first.valid();
        subject = &subject[text.len() - text.trim_start_matches(cut).len()..];
    }
    if ends != Ends::Left
        && let Some(last) = subject.utf8_chunks().last()
        && last.invalid().is_empty()
    {
        let text = last.valid();
        subject = &subject[..subject.len() - (text.len() - text.trim_end_matches(cut).len())];
    }
    subject
}

/// Counted in bytes between two BLOBs, in characters otherwise.
fn instr(context: &Context<'_>) -> rusqlite::Result<Value> {
    let (Some(subject), Some(pattern)) = (text(context, 0)?, text(context, 1)?) else {
        return Ok(Value::Null);
    };
    let blob = |index| matches!(context.get_raw(index), ValueRef::Blob(_));
    let bytes = blob(0) && blob(1);
    let Some(found) = memmem::find(&subject, &pattern) else {
        return Ok(Value::Integer(0));
    };
    let before = subject[..found].iter();
    let before = before
        .filter(|byte| bytes || (**byte & 0xc0) != 0x80)
        .count();
    Ok(Value::Integer(
        i64::try_from(before).unwrap_or(i64::MAX).saturating_add(1),
    ))
}

fn replace(context: &Context<'_>, limit: usize) -> rusqlite::Result<Answer> {
    let (Some(subject), Some(pattern)) = (text(context, 0)?, text(context, 1)?) else {
        return Ok(Answer(None));
    };
    if pattern.first().is_none_or(|first| *first == 0) {
        return Ok(Answer(Some(subject.into_owned())));
    }
    let Some(replacement) = text(context, 2)? else {
        return Ok(Answer(None));
    };
    let finder = Finder::new(&*pattern);
    // Counted before anything is written: a result that is too large is never made.
    let count = finder.find_iter(&subject).count();
    let kept = subject.len() - count * pattern.len();
    let size = count
        .checked_mul(replacement.len())
        .and_then(|new| new.checked_add(kept));
    let Some(size) = size.filter(|size| *size <= limit) else {
        return Err(Error::SqliteFailure(
            ffi::Error::new(ffi::SQLITE_TOOBIG),
            None,
        ));
    };
    let (mut made, mut rest) = (Vec::with_capacity(size), 0);
    for found in finder.find_iter(&subject) {
        made.extend_from_slice(&subject[rest..found]);
        made.extend_from_slice(&replacement);
        rest = found + pattern.len();
    }
    made.extend_from_slice(&subject[rest..]);
    Ok(Answer(Some(made)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn argument() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            (-20_i64..2000).prop_map(Value::Integer),
            any::<f64>().prop_map(Value::Real),
            "[ abäß€😀\0]{0,6}".prop_map(Value::Text),
            "[ 1.ab]{0,3}".prop_map(Value::Text),
            "[abä]{0,4}".prop_map(|text| Value::Blob(text.into_bytes())),
        ]
    }

    fn both(sql: &str, arguments: &[Value]) -> [Value; 2] {
        let (ours, theirs) = (Connection::open_in_memory(), Connection::open_in_memory());
        let (ours, theirs) = (ours.expect("opened"), theirs.expect("opened"));
        install(&ours).expect("installed");
        let arguments = || rusqlite::params_from_iter(arguments);
        [ours, theirs].map(|connection| {
            connection
                .query_row(sql, arguments(), |row| row.get(0))
                .expect("a value")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn they_return_what_sqlites_own_return(
            x in argument(), y in argument(), z in argument(),
        ) {
            for name in ["trim", "ltrim", "rtrim"] {
                let [ours, theirs] = both(&format!("SELECT {name}(?1)"), std::slice::from_ref(&x));
                prop_assert_eq!(ours, theirs, "{}", name);
            }
            for name in ["trim", "ltrim", "rtrim", "instr"] {
                let sql = format!("SELECT {name}(?1, ?2)");
                let [ours, theirs] = both(&sql, &[x.clone(), y.clone()]);
                prop_assert_eq!(ours, theirs, "{}", name);
            }
            let [ours, theirs] = both("SELECT replace(?1, ?2, ?3)", &[x, y, z]);
            prop_assert_eq!(ours, theirs);
        }
    }
}
