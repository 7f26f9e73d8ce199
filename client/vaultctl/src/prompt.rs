//! Questions on the terminal.

use std::io;

/// Asks; anything but a plain yes is no.
pub(crate) fn yes(question: &str) -> io::Result<bool> {
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
