//! HTTP/2 by hand (RFC 9113), for what no library would send: it heeds none of the server's settings.

use std::{
    collections::HashSet,
    io::{ErrorKind, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

use super::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags; the first is also that of an acknowledgement.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const ACK: u8 = 1;

/// Error codes.
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
pub(crate) const CANCEL: [u8; 4] = [0, 0, 0, 8];
pub(crate) const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

/// A frame that the server sent.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) content: Vec<u8>,
}

/// Connects, and gives up on a server that neither answers nor ends.
pub(crate) fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// How a client begins.
pub(crate) fn greeting() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes
}

/// The server's next frame; `None` where it has ended the connection.
pub(crate) fn next(stream: &mut UnixStream) -> Option<Frame> {
    let mut head = [0; 9];
    fill(stream, &mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut content = vec![0; usize::try_from(length).expect("small")];
    fill(stream, &mut content)?;
    Some(Frame {
        kind: head[3],
        flags: head[4],
        stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
        content,
    })
}

fn fill(stream: &mut UnixStream, buffer: &mut [u8]) -> Option<()> {
    match stream.read_exact(buffer) {
        Ok(()) => Some(()),
        Err(error) => {
            let ended = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
            assert!(ended.contains(&error.kind()), "{error}: it goes on and on");
            None
        }
    }
}

/// Sends as much as the server takes before it ends the connection.
pub(crate) fn send(stream: &mut UnixStream, bytes: &[u8]) {
    if let Err(error) = stream.write_all(bytes) {
        let ended = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(ended.contains(&error.kind()), "{error}: it takes nothing");
    }
}

/// How the calls of a flood were answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) served: u32,
    pub(crate) refused: u32,
}

/// Opens `count` calls at once, each with the same message, and waits until each has an answer.
pub(crate) fn flood(stream: &mut UnixStream, count: u32, method: &str, message: &[u8]) -> Answers {
    let mut bytes = greeting();
    for call in 0..count {
        let id = 2 * call + 1;
        bytes.extend(frame(HEADERS, END_HEADERS, id, &headers(method)));
        bytes.extend(frame(DATA, END_STREAM, id, message));
    }
    stream.write_all(&bytes).expect("sent");
    let mut answers = Answers::default();
    let mut answered = HashSet::new();
    while answers.served + answers.refused < count {
        let frame = next(stream).expect("a frame");
        match frame.kind {
            // A refused call is reset once more for its message.
            HEADERS | RST_STREAM if !answered.insert(frame.stream) => {}
            HEADERS => answers.served += 1,
            RST_STREAM => {
                assert_eq!(frame.content, REFUSED_STREAM);
                answers.refused += 1;
            }
            _ => {}
        }
    }
    answers
}

/// A frame as it stands on the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(content.len()).expect("small").to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(content);
    frame
}

/// A gRPC call's headers in HPACK (RFC 7541): two from the static table, the others as literals.
pub(crate) fn headers(method: &str) -> Vec<u8> {
    block(&[
        (":path", method),
        (":authority", "vaultd.local"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ])
}

/// `:method: POST` and `:scheme: http`, then these.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    block.extend(literals(fields));
    block
}

/// Each as a literal that is not remembered.
pub(crate) fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("below 127"));
            block.extend(text.as_bytes());
        }
    }
    block
}
