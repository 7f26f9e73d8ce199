//! From the errors of the keyring crates to ours.

use std::error::Error;

use crate::error::KeyringError;

/// Maps an error of the keyring crate. Its own texts are not used where they may quote a secret.
pub(super) fn from_keyring(error: keyring::Error) -> KeyringError {
    use keyring::Error as Theirs;

    match error {
        Theirs::NoEntry => KeyringError::NoEntry,
        Theirs::NoStorageAccess(source) => platform(source.as_ref(), KeyringError::Locked),
        Theirs::PlatformFailure(source) => platform(source.as_ref(), KeyringError::Unreachable),
        Theirs::BadEncoding(_) | Theirs::BadDataFormat(..) => {
            KeyringError::Damaged("its bytes are not what was written".to_owned())
        }
        Theirs::Ambiguous(entries) => KeyringError::Failed(format!(
            "{} entries have the name that one should have",
            entries.len()
        )),
        Theirs::NoDefaultStore => {
            KeyringError::Unreachable("this system's keyring could not be opened".to_owned())
        }
        Theirs::NotSupportedByStore(text) => KeyringError::Unsupported(text),
        other => KeyringError::Failed(other.to_string()),
    }
}

#[cfg(target_os = "linux")]
fn platform(
    source: &(dyn Error + Send + Sync + 'static),
    otherwise: fn(String) -> KeyringError,
) -> KeyringError {
    match source.downcast_ref() {
        Some(error) => from_secret_service(error),
        None => otherwise(chain(source)),
    }
}

#[cfg(not(target_os = "linux"))]
fn platform(
    source: &(dyn Error + Send + Sync + 'static),
    otherwise: fn(String) -> KeyringError,
) -> KeyringError {
    let text = chain(source);
    // The macOS errors that a background process meets in practice have no class of their own in
    // the store: errSecInteractionNotAllowed, errSecUserCanceled, errSecAuthFailed.
    let code = format!("{source:?}");
    if code.contains("-25308") {
        KeyringError::Locked(text)
    } else if code.contains("-128,") || code.contains("-25293") {
        KeyringError::Denied(text)
    } else {
        otherwise(text)
    }
}

/// Maps an error of the Secret Service client. What is not known to be an answer counts as a broken
/// connection, so that the next call starts on a new one.
#[cfg(target_os = "linux")]
pub(super) fn from_secret_service(error: &secret_service::Error) -> KeyringError {
    use secret_service::Error as Theirs;

    match error {
        Theirs::Locked => KeyringError::Locked("its collection is locked".to_owned()),
        Theirs::NoResult => KeyringError::Locked("it has no default collection".to_owned()),
        Theirs::Prompt => KeyringError::Denied("the dialog was dismissed".to_owned()),
        Theirs::Unavailable => KeyringError::Unreachable(
            "no session bus was found; is this a session without a desktop?".to_owned(),
        ),
        Theirs::Zbus(error) => from_bus(chain(error)),
        Theirs::ZbusFdo(error) => from_bus(chain(error)),
        other => from_bus(chain(other)),
    }
}

/// D-Bus error names are part of the protocol, so they are matched as text and the bus library
/// needs no second, direct dependency.
#[cfg(target_os = "linux")]
fn from_bus(text: String) -> KeyringError {
    const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";
    const LOCKED: &str = "org.freedesktop.Secret.Error.IsLocked";
    const NO_SERVICE: &str = "org.freedesktop.DBus.Error.ServiceUnknown";

    if text.contains(DENIED) {
        KeyringError::Denied(text)
    } else if text.contains(LOCKED) {
        KeyringError::Locked(text)
    } else if text.contains(NO_SERVICE) {
        KeyringError::Unreachable(format!(
            "no keyring service runs on the session bus: {text}"
        ))
    } else {
        KeyringError::Unreachable(format!("the session bus: {text}"))
    }
}

/// The error and its sources in one line, without those that an outer text already quotes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &str) -> Box<dyn Error + Send + Sync> {
        Box::new(std::io::Error::other(text.to_owned()))
    }

    #[test]
    fn only_no_entry_means_no_entry() {
        use keyring::Error as Theirs;

        assert_eq!(from_keyring(Theirs::NoEntry), KeyringError::NoEntry);
        for other in [
            Theirs::NoStorageAccess(failure("x")),
            Theirs::PlatformFailure(failure("x")),
            Theirs::BadEncoding(b"x".to_vec()),
            Theirs::NoDefaultStore,
            Theirs::Ambiguous(Vec::new()),
            Theirs::Invalid("a".to_owned(), "b".to_owned()),
        ] {
            assert_ne!(from_keyring(other), KeyringError::NoEntry);
        }
    }

    #[test]
    fn texts_quote_no_secret() {
        let secret = b"hunter2".to_vec();
        for error in [
            keyring::Error::BadEncoding(secret.clone()),
            keyring::Error::BadDataFormat(secret, failure("hunter2")),
        ] {
            let shown = format!("{:?}", from_keyring(error));
            assert!(
                !shown.contains("hunter2") && !shown.contains("104"),
                "{shown}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn secret_service_answers_keep_their_meaning() {
        use secret_service::Error as Theirs;

        // Creating an item reports every failure as one of the platform.
        let boxed = |error| from_keyring(keyring::Error::PlatformFailure(Box::new(error)));
        assert!(matches!(boxed(Theirs::Locked), KeyringError::Locked(_)));
        assert!(matches!(boxed(Theirs::Prompt), KeyringError::Denied(_)));
        assert!(matches!(boxed(Theirs::NoResult), KeyringError::Locked(_)));
        assert!(matches!(
            boxed(Theirs::Unavailable),
            KeyringError::Unreachable(_)
        ));
        let named = |name: &str| from_bus(format!("zbus error: {name}: some detail"));
        assert!(matches!(
            named("org.freedesktop.DBus.Error.AccessDenied"),
            KeyringError::Denied(_)
        ));
        assert!(matches!(
            named("org.freedesktop.Secret.Error.IsLocked"),
            KeyringError::Locked(_)
        ));
        assert!(matches!(
            named("org.freedesktop.DBus.Error.ServiceUnknown"),
            KeyringError::Unreachable(_)
        ));
    }

    #[test]
    fn every_source_is_named_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);

        assert_eq!(
            chain(&Outer(std::io::Error::other("inner"))),
            "outer: inner"
        );
    }
}
