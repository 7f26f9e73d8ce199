//! Where one statement of SQL ends and the next begins.
//!
//! The rules are those of SQLite's `sqlite3_complete`: a `;` ends a statement unless it stands in
//! a string, a quoted name, a comment or the body of a trigger, which ends with `; END ;`.

/// What a piece of SQL is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    Semicolon,
    /// Blanks and comments.
    Space,
    Word,
    /// Strings, quoted names, numbers, operators.
    Other,
    /// A string, a quoted name or a comment without its end.
    Unfinished,
}

/// The token at the beginning of `sql`, which is not empty, and its length in bytes.
fn token(sql: &str) -> (Token, usize) {
    let bytes = sql.as_bytes();
    let until = |end: &str, from: usize| sql[from..].find(end).map(|at| from + at + end.len());
    let closed = |token, end: Option<usize>| {
        end.map_or((Token::Unfinished, sql.len()), |length| (token, length))
    };
    match bytes[0] {
        b';' => (Token::Semicolon, 1),
        b' ' | b'\t' | b'\n' | b'\r' | b'\x0C' => (Token::Space, 1),
        b'-' if bytes.get(1) == Some(&b'-') => (Token::Space, until("\n", 2).unwrap_or(sql.len())),
        b'/' if bytes.get(1) == Some(&b'*') => closed(Token::Space, until("*/", 2)),
        // A doubled quote begins what looks like a second string: the end is the same.
        b'\'' => closed(Token::Other, until("'", 1)),
        b'"' => closed(Token::Other, until("\"", 1)),
        b'`' => closed(Token::Other, until("`", 1)),
        b'[' => closed(Token::Other, until("]", 1)),
        first if is_name(first) => {
            let length = bytes.iter().take_while(|byte| is_name(**byte)).count();
            (Token::Word, length)
        }
        _ => (Token::Other, 1),
    }
}

/// Whether a byte is part of a word; all of a character outside of ASCII is.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

/// The words of a text, strings, quoted names and comments left out.
pub(super) fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (token, length) = token(rest);
            let (piece, after) = rest.split_at(length);
            rest = after;
            if token == Token::Word {
                return Some(piece);
            }
        }
        None
    })
}

/// How far into a statement a text has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Inside,
    /// After EXPLAIN, which may stand before CREATE.
    Explain,
    /// After CREATE, perhaps TEMP.
    Create,
    /// In a trigger.
    Trigger,
    /// After a `;` in a trigger.
    Semicolon,
    /// After that, END.
    End,
}

impl Place {
    fn after(self, token: Token, piece: &str) -> Self {
        let is = |word: &str| token == Token::Word && piece.eq_ignore_ascii_case(word);
        match (self, token) {
            (place, Token::Space) => place,
            (Self::Trigger | Self::Semicolon, Token::Semicolon) => Self::Semicolon,
            (_, Token::Semicolon) => Self::Start,
            (Self::Semicolon, _) if is("end") => Self::End,
            (Self::Trigger | Self::Semicolon | Self::End, _) => Self::Trigger,
            (Self::Start, _) if is("explain") => Self::Explain,
            (Self::Start | Self::Explain, _) if is("create") => Self::Create,
            // EXPLAIN QUERY PLAN CREATE ...
            (Self::Explain, _) if is("query") || is("plan") => Self::Explain,
            (Self::Create, _) if is("temp") || is("temporary") => Self::Create,
            (Self::Create, _) if is("trigger") => Self::Trigger,
            _ => Self::Inside,
        }
    }
}

/// A text cut into statements.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    /// Those that are complete, without the blanks around them and without their `;`.
    pub(super) statements: Vec<&'a str>,
    /// What follows: empty, or a statement that is not complete.
    pub(super) rest: &'a str,
}

/// Cuts a text into statements.
pub(super) fn split(sql: &str) -> Split<'_> {
    let mut statements = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut place = Place::Start;
    let mut unfinished = false;
    while at < sql.len() {
        let (token, length) = token(&sql[at..]);
        let next = place.after(token, &sql[at..at + length]);
        unfinished = token == Token::Unfinished;
        let ended = token == Token::Semicolon && next == Place::Start;
        if ended {
            // Nothing but comments between two `;` is no statement.
            if place != Place::Start {
                statements.push(sql[start..at].trim());
            }
            start = at + length;
        }
        at += length;
        place = next;
    }
    let rest = if place == Place::Start && !unfinished {
        ""
    } else {
        sql[start..].trim()
    };
    Split { statements, rest }
}

/// Cuts a whole text, whose last statement may do without its `;`.
pub(super) fn all(sql: &str) -> Vec<&str> {
    let Split {
        mut statements,
        rest,
    } = split(sql);
    if !rest.is_empty() {
        statements.push(rest);
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(sql: &str) -> Vec<&str> {
        let split = split(sql);
        assert_eq!(split.rest, "", "{sql}");
        split.statements
    }

    #[test]
    fn statements_end_at_semicolons_that_mean_it() {
        assert_eq!(complete("SELECT 1; SELECT 2;\n"), ["SELECT 1", "SELECT 2"]);
        assert_eq!(complete("SELECT ';';"), ["SELECT ';'"]);
        assert_eq!(complete("SELECT 'it''s;';"), ["SELECT 'it''s;'"]);
        assert_eq!(complete("SELECT \"a;b\", `c;`, [d;];").len(), 1);
        assert_eq!(complete("SELECT 1 -- ; not\n+ 2;").len(), 1);
        assert_eq!(complete("SELECT 1 /* ; */ + 2;").len(), 1);
        assert_eq!(complete("SELECT 'ü;', ü;"), ["SELECT 'ü;', ü"]);
        assert_eq!(complete("SELECT 4 / 2 - -1;").len(), 1);
    }

    #[test]
    fn blanks_and_comments_are_no_statements() {
        for sql in ["", " \n", ";;", " ; -- none\n;", "/* none */", "-- none"] {
            assert!(complete(sql).is_empty(), "{sql}");
            assert!(all(sql).is_empty(), "{sql}");
        }
        assert_eq!(complete("-- why\nSELECT 1;"), ["-- why\nSELECT 1"]);
    }

    #[test]
    fn a_trigger_ends_with_its_own_end() {
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n\
                       INSERT INTO b VALUES (CASE 1 WHEN 1 THEN 2 END);\n\
                       DELETE FROM c; END";
        let two = format!("{trigger};\nSELECT 1;");
        assert_eq!(complete(&two), [trigger, "SELECT 1"]);
        for start in [
            "create temp trigger",
            "EXPLAIN CREATE TEMPORARY TRIGGER",
            "explain query plan create trigger",
            "/* x */ CREATE -- y\n TRIGGER",
        ] {
            let sql = format!("{start} t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END;");
            assert_eq!(complete(&sql).len(), 1, "{start}");
            let cut = &sql[..sql.len() - 5];
            assert!(!split(cut).rest.is_empty(), "{cut}");
        }
        assert_eq!(complete("CREATE TABLE trigger(a); SELECT 1;").len(), 2);
    }

    #[test]
    fn what_is_not_complete_is_left() {
        for sql in [
            "SELECT 1",
            "SELECT 'a;",
            "SELECT \"a;",
            "SELECT [a;",
            "/* a;",
            "SELECT 1 /* a;",
        ] {
            let split = split(sql);
            assert!(split.statements.is_empty(), "{sql}");
            assert_eq!(split.rest, sql);
        }
        let split = split("SELECT 1; SELECT 2");
        assert_eq!((split.statements.len(), split.rest), (1, "SELECT 2"));
        assert_eq!(all("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
    }

    #[test]
    fn words_are_what_is_not_quoted() {
        let sql = "BEGIN /* END */ 'COMMIT' \"ROLLBACK\" immediate -- END\n;";
        assert_eq!(words(sql).collect::<Vec<_>>(), ["BEGIN", "immediate"]);
    }
}
