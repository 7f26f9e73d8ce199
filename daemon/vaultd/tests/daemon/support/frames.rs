//! HTTP/2 by hand (RFC 9113), for what no library would send: it heeds none of the server's settings.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

/// How the calls of a flood were answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) served: u32,
    pub(crate) refused: u32,
}

/// Opens `count` calls at once, each with the same message, and waits until each has an answer.
pub(crate) fn flood(stream: &mut UnixStream, count: u32, method: &str, message: &[u8]) -> Answers {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    for call in 0..count {
        let id = 2 * call + 1;
        bytes.extend(frame(HEADERS, END_HEADERS, id, &headers(method)));
        bytes.extend(frame(DATA, END_STREAM, id, message));
    }
    stream.write_all(&bytes).expect("sent");
    let mut answers = Answers::default();
    let mut answered = HashSet::new();
    while answers.served + answers.refused < count {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut content = vec![0; usize::try_from(length).expect("small")];
        stream.read_exact(&mut content).expect("its content");
        let id = [head[5], head[6], head[7], head[8]];
        match head[3] {
            // A refused call is reset once more for its message.
            HEADERS | RST_STREAM if !answered.insert(id) => {}
            HEADERS => answers.served += 1,
            RST_STREAM => {
                assert_eq!(content, REFUSED_STREAM);
                answers.refused += 1;
            }
            _ => {}
        }
    }
    answers
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(content.len()).expect("small").to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(content);
    frame
}

/// A gRPC call's headers in HPACK (RFC 7541): two from the static table, the others as literals.
fn headers(method: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (":path", method),
        (":authority", "vaultd.local"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("below 127"));
            block.extend(text.as_bytes());
        }
    }
    block
}
