//! One case for each rule that can be broken, and for what only looks like that.

use crate::support::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, greeting, headers, literals,
};

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// The connection ends.
    Connection,
    /// It goes on, be it that a call on it fails.
    Nothing,
}

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Ends,
}

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// All of them.
pub(super) fn corpus() -> Vec<Case> {
    let cases = beginnings().into_iter();
    let greeted = [frames(), settings(), calls(), compression(), floods()];
    let greeted = greeted.into_iter().flatten().map(|(name, bytes, ends)| {
        let bytes = [greeting(), bytes].concat();
        (name, bytes, ends)
    });
    let cases = cases.chain(greeted);
    cases
        .map(|(name, bytes, ends)| Case { name, bytes, ends })
        .collect()
}

type Cases = Vec<(&'static str, Vec<u8>, Ends)>;

fn breaks(cases: &[(&'static str, Vec<u8>)]) -> Cases {
    let each = cases.iter();
    each.map(|(name, bytes)| (*name, bytes.clone(), Ends::Connection))
        .collect()
}

fn harmless(cases: &[(&'static str, Vec<u8>)]) -> Cases {
    let each = cases.iter();
    each.map(|(name, bytes)| (*name, bytes.clone(), Ends::Nothing))
        .collect()
}

/// Section 3.4: the preface.
fn beginnings() -> Cases {
    let mut cut = greeting();
    cut.truncate(20);
    breaks(&[
        (
            "HTTP/1.1",
            b"GET / HTTP/1.1\r\nhost: vaultd.local\r\n\r\n".to_vec(),
        ),
        (
            "TLS",
            [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3][..], &[7; 40]].concat(),
        ),
        ("zeroes", vec![0; 64]),
        (
            "a preface that is wrong at its end",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r".to_vec(),
        ),
        (
            "a preface that is cut",
            [cut, frame(PING, 0, 0, &[0; 8])].concat(),
        ),
    ])
}

/// Section 6: each kind of frame, on the wrong stream or of the wrong length.
fn frames() -> Cases {
    let open = call(1, END_HEADERS);
    let mut cases = breaks(&[
        ("DATA on no stream", frame(DATA, 0, 0, b"x")),
        (
            "DATA on a stream that was not opened",
            frame(DATA, 0, 1, b"x"),
        ),
        ("HEADERS on no stream", call(0, END_HEADERS)),
        ("HEADERS on a stream of the server's", call(2, END_HEADERS)),
        (
            "PRIORITY on no stream",
            frame(PRIORITY, 0, 0, &[0, 0, 0, 3, 1]),
        ),
        ("RST_STREAM on no stream", frame(RST_STREAM, 0, 0, &[0; 4])),
        (
            "RST_STREAM on a stream that was not opened",
            frame(RST_STREAM, 0, 1, &[0; 4]),
        ),
        (
            "RST_STREAM of three bytes",
            [open.clone(), frame(RST_STREAM, 0, 1, &[0; 3])].concat(),
        ),
        (
            "PUSH_PROMISE",
            [
                open.clone(),
                frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]),
            ]
            .concat(),
        ),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8])),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("PING of nine bytes", frame(PING, 0, 0, &[0; 9])),
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        ("GOAWAY of seven bytes", frame(GOAWAY, 0, 0, &[0; 7])),
        (
            "WINDOW_UPDATE of three bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
        ),
        (
            "WINDOW_UPDATE of nothing",
            frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        ),
        (
            "WINDOW_UPDATE above what there is",
            frame(WINDOW_UPDATE, 0, 0, &[0x7F, 0xFF, 0xFF, 0xFF]),
        ),
        (
            "CONTINUATION of nothing",
            frame(CONTINUATION, END_HEADERS, 1, &[]),
        ),
        (
            "HEADERS with another frame amid them",
            [call(1, 0), frame(PING, 0, 0, &[0; 8])].concat(),
        ),
        (
            "CONTINUATION on another stream",
            [call(1, 0), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
        ),
        (
            "padding longer than its DATA",
            [open, frame(DATA, PADDED, 1, &[9, 0, 0])].concat(),
        ),
        (
            "padding longer than its HEADERS",
            frame(HEADERS, PADDED | END_HEADERS, 1, &[9, 0]),
        ),
        (
            "a frame above the limit",
            vec![0xFF, 0xFF, 0xFF, DATA, 0, 0, 0, 0, 1],
        ),
    ]);
    cases.extend(harmless(&[
        (
            "an unknown kind of frame",
            frame(0xBE, 0xFF, 7, b"whatever"),
        ),
        (
            "an answer to a ping that never was",
            frame(PING, ACK, 0, &[9; 8]),
        ),
        (
            "PRIORITY of a stream to come",
            frame(PRIORITY, 0, 9, &[0, 0, 0, 3, 1]),
        ),
    ]));
    cases
}

/// Section 6.5.
fn settings() -> Cases {
    let setting = |id: u16, value: u32| {
        let content = [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        frame(SETTINGS, 0, 0, &content)
    };
    let mut cases = breaks(&[
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[])),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        (
            "an acknowledgement that says something",
            frame(SETTINGS, ACK, 0, &[0, 4, 0, 0, 0, 1]),
        ),
        ("a window above the limit", setting(4, 1 << 31)),
        ("frames below the least", setting(5, 16_383)),
        ("frames above the most", setting(5, 1 << 24)),
        ("neither push nor none", setting(2, 2)),
    ]);
    cases.extend(harmless(&[
        ("an unknown setting", setting(0xFF, 7)),
        ("no window at all", setting(4, 0)),
        ("no memory for headers", setting(1, 0)),
    ]));
    cases
}

/// Sections 5.1 and 8: streams in an order or of a form that no call has. A malformed request may end
/// its connection, too.
fn calls() -> Cases {
    let fields =
        |fields: &[(&str, &str)]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields));
    let path = (":path", CHECK);
    let after = [block(&[("te", "trailers")]), literals(&[path])].concat();
    let mut cases = breaks(&[
        (
            "streams that count down",
            [call(5, END_HEADERS), call(3, END_HEADERS)].concat(),
        ),
        (
            "an unknown pseudo-header",
            fields(&[path, (":mood", "good")]),
        ),
        ("a name in capitals", fields(&[path, ("Te", "trailers")])),
    ]);
    cases.extend(harmless(&[
        ("no path", fields(&[("te", "trailers")])),
        ("two paths", fields(&[path, path])),
        (
            "a path after what is none of its kind",
            frame(HEADERS, 5, 1, &after),
        ),
        (
            "HEADERS of no fields",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[]),
        ),
        (
            "a header of the connection",
            fields(&[path, ("connection", "close")]),
        ),
        (
            "a length that is none",
            fields(&[path, ("content-length", "many")]),
        ),
        (
            "a length that is another",
            [
                frame(
                    HEADERS,
                    END_HEADERS,
                    1,
                    &block(&[path, ("content-length", "5")]),
                ),
                frame(DATA, END_STREAM, 1, b"more than five"),
            ]
            .concat(),
        ),
        (
            "a window of a call above the limit",
            [
                call(1, END_HEADERS),
                frame(WINDOW_UPDATE, 0, 1, &[0x7F, 0xFF, 0xFF, 0xFF]),
            ]
            .concat(),
        ),
        (
            "a message that is none of gRPC's",
            [
                call(1, END_HEADERS),
                frame(DATA, END_STREAM, 1, &[0xFF; 40]),
            ]
            .concat(),
        ),
    ]));
    cases
}

/// RFC 7541: the compression of headers, whose state both ends share.
fn compression() -> Cases {
    let block = |bytes: &[u8]| frame(HEADERS, END_HEADERS | END_STREAM, 1, bytes);
    breaks(&[
        ("index 0", block(&[0x80])),
        ("an index that is not there", block(&[0xFF, 0x80, 0x01])),
        ("an integer without an end", block(&[0xFF; 40])),
        (
            "a text longer than its block",
            block(&[0x83, 0x86, 0, 0x7F, b'x']),
        ),
        (
            "Huffman's end in a text",
            block(&[0, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 1, b'x']),
        ),
        (
            "a table above the limit",
            block(&[0x3F, 0xE1, 0xFF, 0xFF, 0x7F, 0x83]),
        ),
        (
            "a change of the table amid fields",
            block(&[0x83, 0x20, 0x86]),
        ),
    ])
}

/// What would take memory or time without an end.
fn floods() -> Cases {
    let continued = frame(CONTINUATION, 0, 1, &literals(&[("x", &"y".repeat(100))]));
    let empty = frame(CONTINUATION, 0, 1, &[]);
    let cut = frame(DATA, 0, 1, &[]);
    breaks(&[
        (
            "headers of a megabyte",
            [call(1, 0), continued.repeat(10_000)].concat(),
        ),
        (
            "headers in frames of nothing",
            [call(1, 0), empty.repeat(10_000)].concat(),
        ),
        (
            "a message in frames of nothing",
            [call(1, END_HEADERS), cut.repeat(50_000)].concat(),
        ),
    ])
}

/// The headers of a call, whose body may follow.
fn call(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, stream, &headers(CHECK))
}
