//! Whether a statement reads or writes, by its first words: enough to wait for the right turn.
//! SQLite has the last word, once it has compiled the statement.

/// What a call wants of a database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Side {
    /// One of its readers.
    Read,
    /// Its writer.
    Write,
}

impl Side {
    /// What a statement seems to want.
    pub(super) fn of(sql: &str) -> Self {
        let mut words = Words::new(sql);
        let is_one_of =
            |word: &str, list: &[&str]| list.iter().any(|known| word.eq_ignore_ascii_case(known));
        match words.next() {
            None => Self::Read,
            Some(word) if is_one_of(word, &["select", "values", "explain", "pragma"]) => Self::Read,
            // After common table expressions comes what is done with them.
            Some(word) if is_one_of(word, &["with"]) => {
                let writes = ["insert", "replace", "update", "delete"];
                let verb = words.find(|word| {
                    is_one_of(word, &["select", "values"]) || is_one_of(word, &writes)
                });
                match verb {
                    Some(verb) if is_one_of(verb, &writes) => Self::Write,
                    _ => Self::Read,
                }
            }
            Some(_) => Self::Write,
        }
    }
}

/// The words of a statement outside of parentheses, quotes and comments.
struct Words<'a> {
    sql: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Words<'a> {
    fn new(sql: &'a str) -> Self {
        let (at, depth) = (0, 0);
        Self { sql, at, depth }
    }

    /// Goes past the next `end`, or to the end of the statement.
    fn skip_past(&mut self, end: &str) {
        let rest = &self.sql.as_bytes()[self.at..];
        let found = rest
            .windows(end.len())
            .position(|part| part == end.as_bytes());
        self.at += found.map_or(rest.len(), |found| found + end.len());
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        // Bytes above ASCII belong to words, so that a word begins and ends between characters.
        let in_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let bytes = self.sql.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            let start = self.at;
            self.at += 1;
            match (byte, bytes.get(self.at)) {
                (b'-', Some(b'-')) => self.skip_past("\n"),
                (b'/', Some(b'*')) => {
                    self.at += 1;
                    self.skip_past("*/");
                }
                (b'\'', _) => self.skip_past("'"),
                (b'"', _) => self.skip_past("\""),
                (b'`', _) => self.skip_past("`"),
                (b'[', _) => self.skip_past("]"),
                (b'(', _) => self.depth += 1,
                (b')', _) => self.depth = self.depth.saturating_sub(1),
                (byte, _) if in_word(byte) => {
                    let rest = &bytes[start..];
                    let length = rest.iter().position(|byte| !in_word(*byte));
                    self.at = start + length.unwrap_or(rest.len());
                    if self.depth == 0 {
                        return Some(&self.sql[start..self.at]);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_by_its_verb() {
        let reads = [
            "SELECT 1",
            "  select x from y",
            "-- INSERT\n/* UPDATE */ values (1)",
            "EXPLAIN DELETE FROM t",
            "pragma user_version",
            "WITH a AS (SELECT 1), \"insert\"(x) AS (VALUES (2)) SELECT replace(x, 1, 2) FROM a",
            "with recursive t(n) as (values(1) union all select n + 1 from t) select n from t",
            "",
            "/* never closed",
        ];
        for sql in reads {
            assert_eq!(Side::of(sql), Side::Read, "{sql}");
        }
        let writes = [
            "INSERT INTO t VALUES (1) RETURNING id",
            "/* SELECT */ delete from t",
            "WITH a AS (SELECT ')' AS x) INSERT INTO t SELECT x FROM a",
            "with [select] as (values (1)) update t set x = 1",
            "CREATE TABLE t (x)",
            "ünknown",
        ];
        for sql in writes {
            assert_eq!(Side::of(sql), Side::Write, "{sql}");
        }
    }
}
