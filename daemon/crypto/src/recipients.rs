//! To whom an age file is sealed, and with what it is opened.
//!
//! A passphrase stands alone (age v1 lets a scrypt stanza have no company); keys are X25519 keys or
//! those of age plug-ins (`age-plugin-NAME`, found in `PATH` and run as a process of its own, which
//! is the one thing in this crate that leaves the process). Plug-ins get no answer to any question
//! that they would put to a person: there is nobody at a daemon's terminal.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use age::{NoCallbacks, plugin, scrypt, secrecy::SecretString, x25519};

use crate::{
    passphrase::{MAX_WORK_FACTOR, PassphraseError},
    secret::SecretBytes,
};

/// Most keys that one file is sealed to. Keeps the header of a file of ours below the length at
/// which opening refuses one, post-quantum stanzas included.
pub const MAX_RECIPIENTS: usize = 20;

/// Who will be able to open a file.
#[derive(Debug)]
pub enum Recipients<'a> {
    /// Whoever knows a passphrase, and nobody else.
    Passphrase {
        /// The passphrase, UTF-8.
        passphrase: &'a SecretBytes,
        /// scrypt's log2 N, brought into 1 to 20; `None` measures one that takes about a second on
        /// this machine.
        work_factor: Option<u8>,
    },
    /// The holder of any of these keys, at most [`MAX_RECIPIENTS`]: `age1...` for X25519,
    /// `age1NAME1...` for a plug-in.
    Keys(&'a [String]),
}

/// What opens a file.
#[derive(Debug)]
pub enum Identities<'a> {
    /// The passphrase it was sealed under, UTF-8.
    Passphrase(&'a SecretBytes),
    /// The text of an age identity file: `AGE-SECRET-KEY-1...` or `AGE-PLUGIN-NAME-1...`, one a
    /// line, beside empty lines and comments that begin with `#`.
    Keys(&'a SecretBytes),
}

impl Recipients<'_> {
    pub(crate) fn resolve(&self) -> Result<Vec<Box<dyn age::Recipient>>, PassphraseError> {
        match self {
            Self::Passphrase {
                passphrase,
                work_factor,
            } => {
                let mut recipient = scrypt::Recipient::new(text(passphrase)?);
                let work_factor = work_factor.unwrap_or_else(measured_work_factor);
                recipient.set_work_factor(work_factor.clamp(1, MAX_WORK_FACTOR));
                Ok(vec![Box::new(recipient)])
            }
            Self::Keys(keys) => resolve_recipients(keys),
        }
    }
}

fn resolve_recipients(keys: &[String]) -> Result<Vec<Box<dyn age::Recipient>>, PassphraseError> {
    if !(1..=MAX_RECIPIENTS).contains(&keys.len()) {
        return Err(PassphraseError::RecipientCount(keys.len()));
    }
    let mut recipients: Vec<Box<dyn age::Recipient>> = Vec::new();
    let mut plugins = BTreeMap::<String, Vec<plugin::Recipient>>::new();
    for (index, key) in keys.iter().enumerate() {
        let key = key.trim();
        if let Ok(recipient) = key.parse::<x25519::Recipient>() {
            recipients.push(Box::new(recipient));
        } else if let Ok(recipient) = key.parse::<plugin::Recipient>() {
            let name = recipient.plugin().to_owned();
            plugins.entry(name).or_default().push(recipient);
        } else {
            // An identity pasted in the place of a recipient must not land in a log.
            let shown = if key.starts_with("age1") {
                format!("{key:?}")
            } else {
                format!("number {}", index + 1)
            };
            return Err(PassphraseError::UnknownRecipient(shown));
        }
    }
    // One run for each plug-in: two runs may answer with labels that do not go together.
    for (name, keys) in plugins {
        let recipient = plugin::RecipientPluginV1::new(&name, &keys, &[], NoCallbacks)
            .map_err(|_| missing(&name))?;
        recipients.push(Box::new(recipient));
    }
    Ok(recipients)
}

/// Identities in age's form.
pub(crate) struct Resolved {
    /// In the order in which they are tried: plug-ins last, since they start a process.
    pub(crate) identities: Vec<Box<dyn age::Identity>>,
    /// The error to answer with where none of them matches: a plug-in that is not installed might
    /// have.
    pub(crate) otherwise: PassphraseError,
}

impl Identities<'_> {
    pub(crate) fn resolve(&self) -> Result<Resolved, PassphraseError> {
        match self {
            Self::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(text(passphrase)?);
                identity.set_max_work_factor(MAX_WORK_FACTOR);
                Ok(Resolved {
                    identities: vec![Box::new(identity)],
                    otherwise: PassphraseError::NoMatch,
                })
            }
            Self::Keys(file) => resolve_identities(file),
        }
    }
}

fn resolve_identities(file: &SecretBytes) -> Result<Resolved, PassphraseError> {
    let mut identities: Vec<Box<dyn age::Identity>> = Vec::new();
    let mut plugins = BTreeMap::<String, Vec<plugin::Identity>>::new();
    for (index, line) in file.expose().split(|byte| *byte == b'\n').enumerate() {
        let unknown = PassphraseError::UnknownIdentity { line: index + 1 };
        let Ok(line) = std::str::from_utf8(line).map(str::trim) else {
            return Err(unknown);
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Ok(identity) = line.parse::<x25519::Identity>() {
            identities.push(Box::new(identity));
        } else if let Ok(identity) = line.parse::<plugin::Identity>() {
            let name = identity.plugin().to_owned();
            plugins.entry(name).or_default().push(identity);
        } else {
            return Err(unknown);
        }
    }
    let mut otherwise = PassphraseError::NoMatch;
    for (name, keys) in plugins {
        match plugin::IdentityPluginV1::new(&name, &keys, NoCallbacks) {
            Ok(identity) => identities.push(Box::new(identity)),
            Err(_) => otherwise = missing(&name),
        }
    }
    Ok(Resolved {
        identities,
        otherwise,
    })
}

fn missing(plugin: &str) -> PassphraseError {
    PassphraseError::Plugin(format!("age-plugin-{plugin} is not in PATH"))
}

fn text(passphrase: &SecretBytes) -> Result<SecretString, PassphraseError> {
    let text = std::str::from_utf8(passphrase.expose()).map_err(|_| PassphraseError::NotText)?;
    Ok(SecretString::from(text.to_owned()))
}

/// scrypt's log2 N for about a second of work on this machine, never above [`MAX_WORK_FACTOR`]: the
/// age crate measures one too, but without a bound, and a file that asks for more is refused when
/// it is opened.
fn measured_work_factor() -> u8 {
    const PROBE: u8 = 14;
    let mut recipient = scrypt::Recipient::new(SecretString::from(String::new()));
    recipient.set_work_factor(PROBE);
    let begin = Instant::now();
    // Wraps one file key, which is one run of scrypt; what it sealed is of no use.
    let _ = age::Encryptor::with_recipients(std::iter::once(&recipient as _));
    extrapolate(PROBE, begin.elapsed())
}

/// The work factor that takes about a second where `probe` takes `time`: N and time are linear.
fn extrapolate(probe: u8, mut time: Duration) -> u8 {
    let mut work_factor = probe;
    while time < Duration::from_secs(1) && work_factor < MAX_WORK_FACTOR {
        work_factor += 1;
        time *= 2;
    }
    work_factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_work_factor_can_be_opened_again() {
        assert_eq!(extrapolate(14, Duration::ZERO), MAX_WORK_FACTOR);
        assert_eq!(extrapolate(14, Duration::from_millis(63)), 18);
        assert_eq!(extrapolate(14, Duration::from_secs(3)), 14);
        assert!((14..=MAX_WORK_FACTOR).contains(&measured_work_factor()));
    }

    fn refused_recipients(keys: &[&str]) -> PassphraseError {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        let resolved = Recipients::Keys(&keys).resolve();
        resolved.err().expect("refused")
    }

    fn refused_identities(file: &str) -> PassphraseError {
        let file = SecretBytes::new(file.as_bytes().to_vec());
        let resolved = Identities::Keys(&file).resolve();
        resolved.err().expect("refused")
    }

    #[test]
    fn a_recipient_that_is_none_is_named() {
        let error = refused_recipients(&["age1nonsense"]);
        assert_eq!(
            error,
            PassphraseError::UnknownRecipient("\"age1nonsense\"".to_owned())
        );
    }

    #[test]
    fn an_identity_given_as_a_recipient_or_misspelt_is_not_repeated() {
        let good = x25519::Identity::generate();
        let public = good.to_public().to_string();
        let secret = "AGE-SECRET-KEY-1QQQQSECRET";
        let error = refused_recipients(&[&public, secret]);
        assert_eq!(
            error,
            PassphraseError::UnknownRecipient("number 2".to_owned())
        );
        let error = refused_identities(&format!("# a comment\n\n{secret}\n"));
        assert_eq!(error, PassphraseError::UnknownIdentity { line: 3 });
        assert!(!error.to_string().contains("QQQQ"), "{error}");
    }

    #[test]
    fn nobody_and_too_many_are_refused() {
        assert_eq!(refused_recipients(&[]), PassphraseError::RecipientCount(0));
        let many = ["age1"; MAX_RECIPIENTS + 1];
        assert_eq!(
            refused_recipients(&many),
            PassphraseError::RecipientCount(MAX_RECIPIENTS + 1)
        );
    }

    #[test]
    fn a_plug_in_that_is_not_installed_is_named() {
        let identity = "AGE-PLUGIN-FOOBAR-1QVHULF";
        let file = SecretBytes::new(identity.as_bytes().to_vec());
        let resolved = Identities::Keys(&file).resolve().expect("well formed");
        assert!(resolved.identities.is_empty());
        let message = resolved.otherwise.to_string();
        assert!(
            message.contains("age-plugin-foobar is not in PATH"),
            "{message}"
        );
    }

    #[test]
    fn passphrases_and_identities_do_not_print_themselves() {
        let secret = SecretBytes::new(b"hunter2".to_vec());
        let recipients = Recipients::Passphrase {
            passphrase: &secret,
            work_factor: None,
        };
        for shown in [
            format!("{recipients:?}"),
            format!("{:?}", Identities::Passphrase(&secret)),
            format!("{:?}", Identities::Keys(&secret)),
        ] {
            assert!(shown.contains("redacted"), "{shown}");
        }
    }
}
