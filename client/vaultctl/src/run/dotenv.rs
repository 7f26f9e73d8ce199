//! Files of variables: `KEY=VALUE` lines with comments, quotes and `export`.
//!
//! Nothing is expanded: `$` is a character like any other, so that a value means what it says.

use zeroize::Zeroizing;

use super::reference::VariableName;

/// A variable of a file, and on which line it stands.
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) name: VariableName,
    pub(super) value: Zeroizing<String>,
}

/// What is wrong, and on which line. Never shows a value.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) text: String,
}

/// Every variable of a file, in its order.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Problem> {
    let mut reader = Reader {
        rest: text.strip_prefix('\u{FEFF}').unwrap_or(text),
        line: 1,
    };
    let mut entries = Vec::new();
    loop {
        reader.skip_between();
        if reader.rest.is_empty() {
            return Ok(entries);
        }
        entries.push(reader.entry()?);
    }
}

/// The part of the text that is still to be read.
struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Takes the beginning of the rest.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// What is left of this line, without its end.
    fn take_line(&mut self) -> &'a str {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.take(end)
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
        self.take(blanks);
    }

    /// Skips empty lines and comments.
    fn skip_between(&mut self) {
        loop {
            let space = self.rest.len() - self.rest.trim_start().len();
            self.take(space);
            if !self.rest.starts_with('#') {
                return;
            }
            self.take_line();
        }
    }

    fn problem<T>(line: usize, text: impl Into<String>) -> Result<T, Problem> {
        let text = text.into();
        Err(Problem { line, text })
    }

    fn entry(&mut self) -> Result<Entry, Problem> {
        let line = self.line;
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with([' ', '\t'])
        {
            self.take("export".len());
            self.skip_blanks();
        }
        let end = self.rest.find(['=', '\n']).unwrap_or(self.rest.len());
        if !self.rest[end..].starts_with('=') {
            return Self::problem(line, "there is no `=`");
        }
        let name = self.take(end).trim_end();
        self.take(1);
        let name = name
            .parse()
            .or_else(|problem: String| Self::problem(line, problem))?;
        self.skip_blanks();
        let value = match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => Zeroizing::new(bare(self.take_line()).to_owned()),
        };
        Ok(Entry { line, name, value })
    }

    /// A value in quotes, which may have several lines. In double ones a backslash stands before
    /// what it takes the meaning of.
    fn quoted(&mut self, quote: char) -> Result<Zeroizing<String>, Problem> {
        let line = self.line;
        // As large as it can get, so that growing leaves no copies behind.
        let mut value = Zeroizing::new(String::with_capacity(self.rest.len()));
        self.take(1);
        let mut characters = self.rest.char_indices();
        let end = loop {
            match characters.next() {
                None => return Self::problem(line, "the quote is not closed"),
                Some((at, c)) if c == quote => break at,
                Some((_, '\\')) if quote == '"' => match characters.next() {
                    Some((_, c)) => unescape(c, &mut value),
                    None => return Self::problem(line, "the quote is not closed"),
                },
                Some((_, c)) => value.push(c),
            }
        };
        self.take(end + 1);
        let after = self.take_line().trim();
        if after.is_empty() || after.starts_with('#') {
            return Ok(value);
        }
        Self::problem(line, "something stands after the closing quote")
    }
}

fn unescape(escaped: char, value: &mut String) {
    match escaped {
        'n' => value.push('\n'),
        'r' => value.push('\r'),
        't' => value.push('\t'),
        '\\' | '"' | '$' | '`' => value.push(escaped),
        // It stays as it is: a Windows path, or a pattern.
        other => value.extend(['\\', other]),
    }
}

/// A value without quotes ends where a comment begins, which a blank tells from a `#` inside.
fn bare(line: &str) -> &str {
    let comment = line
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|at| *at == 0 || line[..*at].ends_with([' ', '\t']));
    line[..comment.unwrap_or(line.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let entries = parse(text).unwrap_or_else(|problem| panic!("{problem:?}"));
        let pair = |entry: Entry| (entry.name.to_string(), entry.value.to_string());
        entries.into_iter().map(pair).collect()
    }

    fn value(text: &str) -> String {
        let mut pairs = pairs(text);
        assert_eq!(pairs.len(), 1, "{text}");
        pairs.remove(0).1
    }

    #[test]
    fn lines_comments_and_exports() {
        let text = "\u{FEFF}# first\r\n\r\nA=1\r\n  export B = two words  # why\nexport=x\n#C=3\nexport\tD=\n";
        let expected = [("A", "1"), ("B", "two words"), ("export", "x"), ("D", "")];
        let expected: Vec<_> = expected
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert_eq!(pairs(text), expected);
        assert!(pairs("").is_empty() && pairs(" \n# only\n").is_empty());
    }

    #[test]
    fn values_mean_what_they_say() {
        assert_eq!(value("A=b#c"), "b#c", "no blank before it");
        assert_eq!(value("A=#c"), "");
        assert_eq!(value("A=b\t#c"), "b");
        assert_eq!(value("A=$HOME ${X}"), "$HOME ${X}");
        assert_eq!(value("A=a=b"), "a=b");
        assert_eq!(value(r"A=C:\new"), r"C:\new");
        assert_eq!(value("A=it's"), "it's");
        assert_eq!(value("A=vault:ns:id"), "vault:ns:id");
    }

    #[test]
    fn quotes_keep_blanks_lines_and_number_signs() {
        assert_eq!(value("A=' b # c ' # d"), " b # c ");
        assert_eq!(value(r"A='\n\'"), r"\n\");
        assert_eq!(value(r#"A="x\n\t\"\\\$\d""#), "x\n\t\"\\$\\d");
        assert_eq!(value("A=\"one\ntwo\""), "one\ntwo");
        assert_eq!(value("A=''"), "");
        let two = pairs("A='x\ny'\nB=2");
        assert_eq!(two[1].1, "2");
    }

    #[test]
    fn a_problem_names_its_line_and_no_value() {
        let problem = |text: &str| parse(text).err().expect("a problem");
        for (text, line) in [
            ("A=1\nhush", 2),
            ("A='x\ny'\nB C=hush", 3),
            ("\n\nA='hush", 3),
            ("A=\"hush\\", 1),
            ("A='a' hush", 1),
            ("=hush", 1),
        ] {
            let found = problem(text);
            assert_eq!(found.line, line, "{text}");
            assert!(!found.text.contains("hush"), "{found:?}");
        }
    }
}
