//! Passphrases: prompted on the terminal or read from a file, never from an argument.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::Path,
};

use crate::failure::Failure;

/// Shortest passphrase accepted for a new vault, in characters. Long enough that scrypt at one
/// second a guess makes guessing hopeless; a sentence is easier to remember than a short riddle.
const MINIMUM: usize = 10;

/// The passphrase of a vault that has one.
pub(crate) fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    if let Some(file) = file {
        return from_file(file);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::locked(
            "the vault waits for its passphrase: run `vaultctl unlock` on a terminal, or name a \
             file with --passphrase-file",
        ));
    }
    Ok(rpassword::prompt_password("Passphrase: ")?.into_bytes())
}

/// The passphrase of a new vault: asked twice.
pub(crate) fn choose(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let chosen = match file {
        Some(file) => from_file(file)?,
        None if !io::stdin().is_terminal() => {
            return Err(Failure::usage(
                "a new passphrase is needed: run this on a terminal, or name a file with \
                 --passphrase-file",
            ));
        }
        None => {
            eprintln!(
                "Choose a passphrase of {MINIMUM} characters or more. Nobody can recover it."
            );
            let first = rpassword::prompt_password("Passphrase: ")?;
            if rpassword::prompt_password("Once more: ")? != first {
                return Err(Failure::usage("the two passphrases differ"));
            }
            first.into_bytes()
        }
    };
    let length = std::str::from_utf8(&chosen)
        .map_err(|_| Failure::usage("the passphrase is not UTF-8 text"))?
        .chars()
        .count();
    if length < MINIMUM {
        return Err(Failure::usage(format!(
            "a passphrase has {MINIMUM} characters or more"
        )));
    }
    Ok(chosen)
}

fn from_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|error| {
        Failure::usage(format!(
            "the passphrase file {} cannot be read: {error}",
            file.display()
        ))
    })?;
    // Editors and `echo` end a file with a newline that is no part of the passphrase.
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}
