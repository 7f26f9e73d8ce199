//! Questions on the terminal.

use std::io::{self, IsTerminal as _};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Whether there is somebody to ask.
pub(crate) fn possible() -> bool {
    io::stdin().is_terminal()
}

/// Asks; anything but a plain yes is no.
pub(crate) fn yes(question: &str) -> io::Result<bool> {
    let answer = text(&format!("{question} [y/N]"))?;
    Ok(answer.eq_ignore_ascii_case("y"))
}

/// Asks before something that cannot be undone. Without a terminal, `--yes` is the only yes.
pub(crate) fn confirm(question: &str, otherwise: &str) -> Result<(), Failure> {
    if !possible() {
        return Err(Failure::usage(format!("{question} Say so with --yes.")));
    }
    if yes(question)? {
        Ok(())
    } else {
        Err(Failure::other(otherwise))
    }
}

/// Asks for a line.
pub(crate) fn text(question: &str) -> io::Result<String> {
    eprint!("{question} ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Asks for a secret, which is not shown.
pub(crate) fn secret(question: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let answer = rpassword::prompt_password(format!("{question}: "))?;
    Ok(Zeroizing::new(answer.into_bytes()))
}
