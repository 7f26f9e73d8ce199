//! The first message of a call, read before its service runs and passed on as it came.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};
use vault_proto::{MESSAGE_LIMIT, v1::Reason};

use crate::error::{over_message_limit, refusal};

/// What announces a message of gRPC: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Frames in which a first message may come; clients cut it into frames of 16 KiB or so.
const MOST_FRAMES: usize = 8192;

/// A body whose beginning was read.
pub struct Peeked {
    /// The first message, without its prefix; none where the body ended before it.
    pub message: Option<Bytes>,
    /// The whole body, its beginning included.
    pub body: Body,
}

/// Reads a body up to the end of its first message. What is over the limit of a message is refused
/// by its announced length, before the rest of it is read.
pub async fn first_message(mut body: Body) -> Result<Peeked, Box<Status>> {
    let mut read = Vec::new();
    let mut bytes = BytesMut::new();
    let mut whole = None;
    let mut frames = 0;
    while whole.is_none_or(|length| bytes.len() < length) {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(Box::new)?;
        frames += 1;
        if frames > MOST_FRAMES {
            let text = "the first message comes in too many frames";
            return Err(Box::new(refusal(Reason::InvalidArgument, text, &[])));
        }
        // Each that is kept takes memory beside its bytes.
        if frame.data_ref().is_some_and(Bytes::is_empty) {
            continue;
        }
        if let Some(data) = frame.data_ref() {
            // No more is copied than the message: what follows it in the frame may be long.
            let room = whole.unwrap_or(PREFIX + MESSAGE_LIMIT) - bytes.len();
            bytes.extend_from_slice(&data[..data.len().min(room)]);
        }
        read.push(frame);
        if whole.is_none() && bytes.len() >= PREFIX {
            whole = Some(PREFIX + announced(&bytes)?);
        }
    }
    let message = whole.filter(|length| bytes.len() >= *length).map(|length| {
        bytes.truncate(length);
        bytes.advance(PREFIX);
        bytes.freeze()
    });
    read.reverse();
    let body = Body::new(Replayed { read, rest: body });
    Ok(Peeked { message, body })
}

/// The length of a message by its prefix.
fn announced(bytes: &[u8]) -> Result<usize, Box<Status>> {
    if bytes[0] != 0 {
        let text = "messages are taken uncompressed";
        return Err(Box::new(refusal(Reason::InvalidArgument, text, &[])));
    }
    let length = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= MESSAGE_LIMIT)
        .ok_or_else(|| Box::new(over_message_limit()))
}

/// Frames that were read already, the first one last, and then the rest.
struct Replayed {
    read: Vec<Frame<Bytes>>,
    rest: Body,
}

impl HttpBody for Replayed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.read.pop() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().filter_map(Frame::data_ref);
        let read: u64 = read.map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + read);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A body of these pieces.
    struct Pieces(VecDeque<Bytes>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn cut(bytes: &[u8], size: usize) -> Body {
        let pieces = bytes.chunks(size).map(Bytes::copy_from_slice);
        Body::new(Pieces(pieces.collect()))
    }

    async fn all(mut body: Body) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let next = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            match next.await {
                Some(frame) => {
                    bytes.extend_from_slice(frame.expect("fine").data_ref().expect("data"));
                }
                None => return bytes,
            }
        }
    }

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("small").to_be_bytes();
        [&[flag][..], &length, message].concat()
    }

    #[tokio::test]
    async fn the_first_message_is_read_and_all_of_the_body_passed_on_however_it_is_cut() {
        let body = [framed(0, b"the first"), framed(0, b"the second")].concat();
        for size in 1..=body.len() {
            let peeked = first_message(cut(&body, size)).await.expect("read");
            assert_eq!(peeked.message.as_deref(), Some(&b"the first"[..]), "{size}");
            assert_eq!(all(peeked.body).await, body, "{size}");
        }
    }

    #[tokio::test]
    async fn an_empty_message_is_one_and_a_body_that_ends_early_has_none() {
        let peeked = first_message(cut(&framed(0, b""), 9)).await.expect("read");
        assert_eq!(peeked.message.as_deref(), Some(&b""[..]));
        let whole = framed(0, b"cut off");
        for end in 0..whole.len() {
            let peeked = first_message(cut(&whole[..end], 3)).await.expect("read");
            assert_eq!(peeked.message, None, "{end}");
            assert_eq!(all(peeked.body).await, &whole[..end]);
        }
    }

    #[tokio::test]
    async fn empty_frames_are_not_kept_and_too_many_are_refused() {
        let message = framed(0, b"the first");
        let body = |empty: usize| {
            let mut pieces = VecDeque::from(vec![Bytes::new(); empty]);
            pieces.push_back(Bytes::from(message.clone()));
            Body::new(Pieces(pieces))
        };
        let mut peeked = first_message(body(MOST_FRAMES - 1)).await.expect("read");
        assert!(peeked.message.is_some());
        let body_frame = |context: &mut Context<'_>| Pin::new(&mut peeked.body).poll_frame(context);
        let first = std::future::poll_fn(body_frame).await.expect("a frame");
        assert_eq!(
            first.expect("fine").data_ref(),
            Some(&Bytes::from(message.clone()))
        );
        assert!(first_message(body(MOST_FRAMES)).await.is_err());
    }

    #[tokio::test]
    async fn what_is_compressed_or_too_long_is_refused() {
        assert!(first_message(cut(&framed(1, b"x"), 9)).await.is_err());
        let mut long = vec![0];
        long.extend(
            u32::try_from(MESSAGE_LIMIT + 1)
                .expect("fits")
                .to_be_bytes(),
        );
        let refused = first_message(cut(&long, 5)).await.err().expect("refused");
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    }
}
