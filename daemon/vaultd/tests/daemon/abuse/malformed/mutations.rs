//! What a client says, with mistakes.

use vault_proto::v1::GetDocumentRequest;

use crate::support::{
    frames::{
        DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, WINDOW_UPDATE, frame,
        greeting, headers,
    },
    random::Random,
    raw::framed,
};

/// Two calls that read and one that is taken back, with pings and windows between them.
fn conversation() -> Vec<Vec<u8>> {
    let get = framed(&GetDocumentRequest {
        store: "notes".into(),
        id: "n1".into(),
    });
    let call = |stream| {
        frame(
            HEADERS,
            END_HEADERS,
            stream,
            &headers("/vault.v1.Documents/Get"),
        )
    };
    vec![
        greeting(),
        frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0]),
        call(1),
        frame(DATA, END_STREAM, 1, &get),
        frame(PING, 0, 0, &[7; 8]),
        call(3),
        frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 16]),
        frame(DATA, 0, 3, &get[..4]),
        frame(DATA, END_STREAM, 3, &get[4..]),
        call(5),
        frame(RST_STREAM, 0, 5, &[0, 0, 0, 8]),
        frame(PING, 0, 0, &[8; 8]),
    ]
}

/// A conversation with one to four mistakes in it.
pub(super) fn mutated(random: &mut Random) -> Vec<u8> {
    let mut frames = conversation();
    for _ in 0..=random.below(4) {
        let at = random.index(frames.len());
        match random.below(8) {
            0 => flip(random, &mut frames[at]),
            1 => {
                let keep = random.index(frames[at].len().max(1));
                frames[at].truncate(keep);
            }
            2 => {
                let again = frames[at].clone();
                frames.insert(random.index(frames.len()), again);
            }
            3 => {
                let other = random.index(frames.len());
                frames.swap(at, other);
            }
            4 => {
                frames.remove(at);
            }
            // Its length, its kind or its stream.
            5 => {
                let head = frames[at].len().min(9);
                flip(random, &mut frames[at][..head]);
            }
            6 => {
                let random = noise(random);
                frames[at].extend(random);
            }
            _ => {
                let (kind, flags) = (byte(random), byte(random));
                let stream = u32::from(byte(random) % 12);
                let content = noise(random);
                frames.insert(at, frame(kind, flags, stream, &content));
            }
        }
    }
    frames.concat()
}

fn byte(random: &mut Random) -> u8 {
    u8::try_from(random.below(256)).expect("a byte")
}

fn noise(random: &mut Random) -> Vec<u8> {
    (0..random.below(64)).map(|_| byte(random)).collect()
}

fn flip(random: &mut Random, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        bytes[random.index(bytes.len())] ^= 1 << random.below(8);
    }
}
