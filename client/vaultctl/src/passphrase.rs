//! Passphrases: prompted on the terminal or read from a file, never from an argument.

use std::path::Path;

use zeroize::Zeroizing;

use crate::{failure::Failure, input, prompt};

/// Shortest passphrase accepted for anything new, in characters. Long enough that scrypt at one
/// second a guess makes guessing hopeless; a sentence is easier to remember than a short riddle.
const MINIMUM: usize = 10;

/// What `input` calls a file with a passphrase.
const FILE: &str = "the passphrase file";

/// The passphrase of a vault that has one.
pub(crate) fn read(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if let Some(file) = file {
        return input::line(file, FILE);
    }
    if !prompt::possible() {
        return Err(Failure::locked(
            "the vault waits for its passphrase: run `vaultctl unlock` on a terminal, or name a \
             file with --passphrase-file",
        ));
    }
    Ok(prompt::secret("Passphrase")?)
}

/// The passphrase of a file that was sealed by one.
pub(crate) fn of_file(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if let Some(file) = file {
        return input::line(file, FILE);
    }
    if !prompt::possible() {
        return Err(Failure::usage(
            "the file is sealed: run this on a terminal, or name what opens it with \
             --export-passphrase-file or --identity",
        ));
    }
    Ok(prompt::secret("Passphrase of the file")?)
}

/// A passphrase that is to be chosen.
pub(crate) struct New<'a> {
    /// Holds it, for scripts.
    pub(crate) file: Option<&'a Path>,
    /// The option that names such a file.
    pub(crate) option: &'static str,
    /// What it is to open.
    pub(crate) opens: &'static str,
}

impl New<'_> {
    /// From the file, or asked twice.
    pub(crate) fn choose(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let Self {
            file,
            option,
            opens,
        } = self;
        let chosen = match file {
            Some(file) => input::line(file, FILE)?,
            None if !prompt::possible() => {
                return Err(Failure::usage(format!(
                    "a new passphrase is needed: run this on a terminal, or name a file with \
                     {option}"
                )));
            }
            None => {
                eprintln!(
                    "Choose a passphrase for {opens}, of {MINIMUM} characters or more. Nobody can \
                     recover it."
                );
                twice("Passphrase")?
            }
        };
        long_enough(&chosen)?;
        Ok(chosen)
    }
}

/// What the vault's key file is sealed by once an imported key is in it, where the person wants
/// another passphrase than the imported file's.
pub(crate) fn or_the_same(file: Option<&Path>) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let chosen = match file {
        Some(file) => input::line(file, FILE)?,
        None if !prompt::possible() => return Ok(None),
        None => {
            let first = prompt::secret("Passphrase for this vault's key file [the same]")?;
            if first.is_empty() {
                return Ok(None);
            }
            again(first)?
        }
    };
    long_enough(&chosen)?;
    Ok(Some(chosen))
}

fn twice(question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    again(prompt::secret(question)?)
}

fn again(first: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if prompt::secret("Once more")? == first {
        Ok(first)
    } else {
        Err(Failure::usage("the two passphrases differ"))
    }
}

fn long_enough(passphrase: &[u8]) -> Result<(), Failure> {
    let text = std::str::from_utf8(passphrase)
        .map_err(|_| Failure::usage("the passphrase is not UTF-8 text"))?;
    if text.chars().count() < MINIMUM {
        return Err(Failure::usage(format!(
            "a passphrase has {MINIMUM} characters or more"
        )));
    }
    Ok(())
}
