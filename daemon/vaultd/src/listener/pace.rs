//! How much of what a peer sends is looked at in one go.
//!
//! Frames of HTTP/2 take nine bytes and up, and the daemon some time for each, be it that they say
//! nothing: pings, settings, changes of windows and priorities, calls that are reset as soon as they
//! are made. A peer that sends them as fast as it can would have a thread of the daemon to itself for
//! as long as its connection always has more, and all others would wait. So a connection has turns:
//! after so many frames it waits until everybody else has been seen to. Large frames are few, and
//! never come to that.

/// Bytes of an HTTP/2 connection preface: what a peer must send to show that it means business.
pub(super) const PREFACE_LEN: usize = 24;

/// Bytes that announce a frame: the length in the first three.
const HEAD: usize = 9;

/// Frames in one turn. A call that is sent takes two or three.
const FRAMES: usize = 16;

/// Bytes that are read at once between large frames, since all that was read is looked at in the same
/// turn: a few calls, or sixty of the smallest frames.
const FEW: usize = 1 << 10;

/// Where a connection is in what its peer sends, and in its turn.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes until the next frame begins.
    inside: usize,
    /// What has come of the announcement of the next frame.
    head: [u8; HEAD],
    headed: usize,
    /// Frames that began in this turn.
    frames: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            inside: PREFACE_LEN,
            head: [0; HEAD],
            headed: 0,
            frames: 0,
        }
    }
}

impl Pace {
    /// Whether others go first now.
    pub(super) fn is_over(&self) -> bool {
        self.frames >= FRAMES
    }

    /// Others have had their turn.
    pub(super) fn rest(&mut self) {
        self.frames = 0;
    }

    /// How much is read next where that is less than there is `room` for.
    pub(super) fn at_most(&self, room: usize) -> Option<usize> {
        (room > FEW && self.inside < FEW).then_some(FEW)
    }

    /// These bytes came.
    pub(super) fn took(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let inside = self.inside.min(bytes.len());
            self.inside -= inside;
            bytes = &bytes[inside..];
            let missing = (HEAD - self.headed).min(bytes.len());
            self.head[self.headed..self.headed + missing].copy_from_slice(&bytes[..missing]);
            self.headed += missing;
            bytes = &bytes[missing..];
            if self.headed == HEAD {
                let [high, middle, low, ..] = self.head;
                self.inside = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.headed = 0;
                self.frames += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let [.., high, middle, low] = length.to_be_bytes();
        let mut frame = vec![high, middle, low, 6, 0, 0, 0, 0, 0];
        frame.resize(HEAD + length, 0xFF);
        frame
    }

    fn sent(frames: &[usize]) -> Vec<u8> {
        let mut bytes = vec![b'P'; PREFACE_LEN];
        for length in frames {
            bytes.extend(frame(*length));
        }
        bytes
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let bytes = sent(&[0, 8, 300, 0, 0, 70_000, 1]);
        for size in [1, 2, 5, 8, 9, 10, 100, 8192, bytes.len()] {
            let mut pace = Pace::default();
            for piece in bytes.chunks(size) {
                pace.took(piece);
            }
            assert_eq!((pace.frames, pace.inside, pace.headed), (7, 0, 0), "{size}");
        }
    }

    #[test]
    fn a_turn_is_over_after_its_frames_and_begins_anew() {
        let mut pace = Pace::default();
        pace.took(&sent(&[8; FRAMES - 1]));
        assert!(!pace.is_over());
        pace.took(&frame(8));
        assert!(pace.is_over());
        pace.rest();
        assert!(!pace.is_over());
    }

    #[test]
    fn little_is_read_at_once_but_for_the_rest_of_a_large_frame() {
        let mut pace = Pace::default();
        assert_eq!(pace.at_most(FEW), None);
        assert_eq!(pace.at_most(300_000), Some(FEW));
        pace.took(&sent(&[256 << 10])[..PREFACE_LEN + HEAD + 10]);
        assert_eq!(pace.at_most(300_000), None);
    }
}
