//! The token that goes with each call: from a file that was named, else the one that
//! `vaultctl auth login` saved for this vault.

mod file;
mod keyring;

use std::path::Path;

use vault_client::Secret;

use crate::{failure::Failure, input};
use file::{File, Kept};

/// Where a token is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In `cli.token`.
    File,
    /// In the operating system's keyring; `cli.token` says so.
    Keyring,
}

/// The token in a file; `-` is standard input.
pub(crate) fn read(file: &Path) -> Result<Secret, Failure> {
    let mut line = input::line(file, "the token file")?;
    if line.is_empty() {
        let shown = file.display();
        return Err(Failure::usage(format!("the token file {shown} is empty")));
    }
    Ok(Secret::new(std::mem::take(&mut *line)))
}

/// The token that was saved for `vault`.
pub(crate) async fn saved(vault: &str) -> Result<Option<Secret>, Failure> {
    match File::of_user()?.read()?.remove(vault) {
        None => Ok(None),
        Some(Kept::Here(token)) => Ok(Some(token)),
        Some(Kept::Keyring) => keyring::get(vault).await.map(Some),
    }
}

/// A token that was saved.
#[derive(Debug)]
pub(crate) struct Saved {
    /// Where it lies now.
    pub(crate) place: String,
    /// The one whose place it took, which counts on; or why that is not known.
    pub(crate) earlier: Result<Option<Secret>, Failure>,
}

/// Saves the token for `vault` in place of an earlier one.
pub(crate) async fn save(vault: &str, token: &Secret, place: Place) -> Result<Saved, Failure> {
    let file = File::of_user()?;
    let _lock = file.lock().await?;
    let mut entries = file.read()?;
    let earlier = match entries.get(vault) {
        None => Ok(None),
        Some(Kept::Here(token)) => Ok(Some(token.clone())),
        Some(Kept::Keyring) => keyring::get(vault).await.map(Some),
    };
    let kept = match place {
        Place::File => Kept::Here(token.clone()),
        Place::Keyring => {
            keyring::set(vault, token).await?;
            Kept::Keyring
        }
    };
    let before = entries.insert(vault.to_owned(), kept);
    file.write(&entries)?;
    if matches!(before, Some(Kept::Keyring)) && place == Place::File {
        keyring::delete(vault).await?;
    }
    let place = match place {
        Place::File => file.shown(),
        Place::Keyring => "the keyring".to_owned(),
    };
    Ok(Saved { place, earlier })
}

/// Removes the token that was saved for `vault`; whether there was one.
pub(crate) async fn forget(vault: &str) -> Result<bool, Failure> {
    let file = File::of_user()?;
    let _lock = file.lock().await?;
    let mut entries = file.read()?;
    let Some(kept) = entries.remove(vault) else {
        return Ok(false);
    };
    if matches!(kept, Kept::Keyring) {
        keyring::delete(vault).await?;
    }
    file.write(&entries)?;
    Ok(true)
}
