//! The beginning of a call: what is here before the daemon hears of it.

use axum::body::Body;
use bytes::BytesMut;
use data_encoding::BASE64;
use futures_util::{StreamExt as _, stream};
use vault_client::MESSAGE_LIMIT;

use crate::{app::App, failure::Failure, routes::SMALL_BODY};

/// Bytes before a message: whether it is packed, and its length.
const PREFIX: usize = 5;
/// The same as text, filled up: no length of it needs what stands behind.
const PREFIX_AS_TEXT: usize = 8;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Binary,
    /// In base64.
    Text,
}

impl Form {
    /// What so many bytes take, at least.
    const fn length(self, bytes: usize) -> usize {
        match self {
            Self::Binary => bytes,
            Self::Text => bytes.saturating_mul(4).div_ceil(3),
        }
    }

    /// Whether a message is there as a whole; too much of one is for the daemon to refuse.
    fn has_message(self, begun: &[u8]) -> bool {
        let decoded;
        let prefix = match self {
            Self::Binary => begun.get(..PREFIX),
            Self::Text => {
                let text = begun.get(..PREFIX_AS_TEXT);
                decoded = text.map(|text| BASE64.decode(text).unwrap_or_default());
                // What is no text, nobody waits for.
                if decoded.as_ref().is_some_and(|bytes| bytes.len() < PREFIX) {
                    return true;
                }
                decoded.as_deref().and_then(|bytes| bytes.get(..PREFIX))
            }
        };
        let Some(&[_, a, b, c, d]) = prefix else {
            return false;
        };
        let message = u32::from_be_bytes([a, b, c, d]) as usize;
        message > MESSAGE_LIMIT || begun.len() >= self.length(PREFIX + message)
    }
}

/// A body whose first message is here; all of it, where it has to be `whole`.
pub(super) async fn gathered(
    app: &App,
    body: Body,
    form: Form,
    whole: bool,
) -> Result<Body, Failure> {
    let limit = form.length(PREFIX + MESSAGE_LIMIT) + PREFIX_AS_TEXT;
    let mut pieces = body.into_data_stream();
    let mut begun = BytesMut::new();
    let mut place = None;
    while whole || !form.has_message(&begun) {
        if begun.len() > limit {
            return Err(Failure::too_large(limit as u64));
        }
        if begun.len() > SMALL_BODY && place.is_none() {
            place = Some(app.place_to_gather()?);
        }
        match pieces.next().await {
            Some(Ok(piece)) => begun.extend_from_slice(&piece),
            Some(Err(error)) => return Err(Failure::of_body(&error)),
            None => break,
        }
    }
    let begun = stream::iter([Ok(begun.freeze())]);
    Ok(Body::from_stream(begun.chain(pieces)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_there_once_all_of_it_is() {
        let message = [0, 0, 0, 0, 3, 1, 2, 3];
        for end in 0..message.len() {
            assert!(!Form::Binary.has_message(&message[..end]), "{end}");
        }
        assert!(Form::Binary.has_message(&message));
        let text = BASE64.encode(&message);
        let apart = [BASE64.encode(&message[..5]), BASE64.encode(&message[5..])].concat();
        for text in [text, apart] {
            assert!(!Form::Text.has_message(&text.as_bytes()[..PREFIX_AS_TEXT]));
            assert!(Form::Text.has_message(text.as_bytes()));
        }
        assert!(Form::Text.has_message(b"no text!"));
        assert!(Form::Binary.has_message(&[0, 255, 0, 0, 0]), "too large");
    }
}
