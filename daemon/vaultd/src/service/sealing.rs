//! For whom a file is sealed, and what opens one, as requests say it.

use tonic::Status;
use vault_crypto::{Identities, Recipients, SecretBytes};
use vault_proto::v1::Reason;

use crate::error::refusal;

pub(super) fn nothing_opens() -> Status {
    let text = "give the passphrase or an age identity that opens the file";
    refusal(Reason::UnfitSecret, text, &[])
}

/// For whom a file is sealed.
pub(super) fn recipients<'a>(
    passphrase: Option<&'a SecretBytes>,
    recipients: &'a [String],
) -> Result<Recipients<'a>, Box<Status>> {
    match (passphrase, recipients) {
        (Some(passphrase), []) => Ok(Recipients::Passphrase {
            passphrase,
            work_factor: None,
        }),
        (None, [_, ..]) => Ok(Recipients::Keys(recipients)),
        _ => {
            let text = "seal the file under a passphrase or for age recipients: one of them";
            Err(Box::new(refusal(Reason::UnfitSecret, text, &[])))
        }
    }
}

/// What opens a sealed file, where anything was given.
pub(super) fn identities<'a>(
    passphrase: Option<&'a SecretBytes>,
    identity: Option<&'a SecretBytes>,
) -> Option<Identities<'a>> {
    match (passphrase, identity) {
        (_, Some(identity)) => Some(Identities::Keys(identity)),
        (Some(passphrase), None) => Some(Identities::Passphrase(passphrase)),
        (None, None) => None,
    }
}
