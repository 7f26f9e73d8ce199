//! Which variables the program is to get, and where each comes from.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{failure::Failure, input};

use super::{
    dotenv,
    reference::{Binding, PREFIX, SecretName, VariableName},
    values::Values,
};

/// Where the value of a variable comes from.
enum Source {
    /// A file of variables, as it stands there.
    Text(Zeroizing<String>),
    /// A secret.
    Secret(SecretName),
    /// A file that holds a secret; the variable gets its path.
    File(SecretName),
}

/// Every variable, and its source. Parsed and checked before the vault is asked.
pub(super) struct Plan(BTreeMap<VariableName, Source>);

impl Plan {
    /// A later file beats an earlier one, and what the command line says beats files.
    pub(super) fn new(
        env_files: &[PathBuf],
        variables: Vec<Binding>,
        files: Vec<Binding>,
    ) -> Result<Self, Failure> {
        let mut sources = BTreeMap::new();
        for path in env_files {
            sources.extend(read(path)?);
        }
        let variables = variables.into_iter().map(|binding| (binding, false));
        let mut named = BTreeSet::new();
        for (binding, is_file) in variables.chain(files.into_iter().map(|file| (file, true))) {
            let Binding { variable, secret } = binding;
            if !named.insert(variable.clone()) {
                return Err(Failure::usage(format!("{variable} is set twice")));
            }
            let source = if is_file {
                Source::File(secret)
            } else {
                Source::Secret(secret)
            };
            sources.insert(variable, source);
        }
        Ok(Self(sources))
    }

    /// The secrets that are needed.
    pub(super) fn secrets(&self) -> BTreeSet<&SecretName> {
        let secret = |source| match source {
            &Source::Text(_) => None,
            Source::Secret(secret) | Source::File(secret) => Some(secret),
        };
        self.0.values().filter_map(secret).collect()
    }

    /// The variables that hold their values themselves.
    pub(super) fn variables(
        &self,
        values: &Values,
    ) -> Result<Vec<(VariableName, OsString)>, Failure> {
        let mut variables = Vec::new();
        for (name, source) in &self.0 {
            let value = match source {
                Source::Text(text) => OsString::from(text.as_str()),
                Source::Secret(secret) => {
                    let value = os_string(values.get(secret)?);
                    value.map_err(|problem| Failure::usage(format!("{name}: the secret {secret} {problem}, which no variable can: hand it over with --file")))?
                }
                Source::File(_) => continue,
            };
            variables.push((name.clone(), value));
        }
        Ok(variables)
    }

    /// The variables that name files, and what is to be in these.
    pub(super) fn files(&self) -> impl Iterator<Item = (&VariableName, &SecretName)> {
        self.0.iter().filter_map(|(name, source)| match source {
            Source::File(secret) => Some((name, secret)),
            _ => None,
        })
    }
}

/// The variables of a file.
fn read(path: &Path) -> Result<Vec<(VariableName, Source)>, Failure> {
    let bytes = input::whole(path, "the file of variables")?;
    let shown = path.display();
    let text = str::from_utf8(&bytes)
        .map_err(|_| Failure::usage(format!("{shown} is no text in UTF-8")))?;
    let wrong = |line: usize, text: &str| Failure::usage(format!("{shown}:{line}: {text}"));
    let entries = dotenv::parse(text).map_err(|problem| wrong(problem.line, &problem.text))?;
    let source = |entry: dotenv::Entry| {
        let source = match entry.value.strip_prefix(PREFIX) {
            Some(name) => {
                let name = name.parse();
                Source::Secret(name.map_err(|problem: String| wrong(entry.line, &problem))?)
            }
            None if entry.value.contains('\0') => {
                return Err(wrong(entry.line, "the value holds a zero byte"));
            }
            None => Source::Text(entry.value),
        };
        Ok((entry.name, source))
    };
    entries.into_iter().map(source).collect()
}

/// Bytes as the value of a variable, or why they cannot be.
#[cfg(unix)]
fn os_string(bytes: &[u8]) -> Result<OsString, &'static str> {
    use std::os::unix::ffi::OsStringExt as _;

    if bytes.contains(&0) {
        return Err("holds a zero byte");
    }
    Ok(OsString::from_vec(bytes.to_vec()))
}

#[cfg(windows)]
fn os_string(bytes: &[u8]) -> Result<OsString, &'static str> {
    if bytes.contains(&0) {
        return Err("holds a zero byte");
    }
    let text = str::from_utf8(bytes).map_err(|_| "is no text in UTF-8")?;
    Ok(OsString::from(text))
}
