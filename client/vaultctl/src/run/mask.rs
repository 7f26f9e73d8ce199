//! Secrets are replaced in what a program prints, in whatever pieces it prints them.

use std::{collections::BTreeSet, sync::Arc};

use super::forms::{self, Form};
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind};

/// What stands where a secret was.
pub(super) const MASK: &[u8] = b"*****";

/// Texts to look for.
pub(super) struct Needles {
    automaton: AhoCorasick,
    beginnings: Vec<Beginning>,
}

impl Needles {
    /// Every form of the values; none where no value is long enough to be masked.
    pub(super) fn of<'a>(
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, BuildError> {
        let forms: BTreeSet<Form> = values.flat_map(forms::forms).collect();
        if forms.is_empty() {
            return Ok(None);
        }
        Self::new(forms.into_iter().collect()).map(Some)
    }

    fn new(needles: Vec<Form>) -> Result<Self, BuildError> {
        let automaton = AhoCorasick::builder()
            // Of two secrets where one begins with the other, no end is left over.
            .match_kind(MatchKind::LeftmostLongest)
            // The fastest kind takes a kilobyte a byte.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&needles)?;
        let beginnings = needles.into_iter().map(Beginning::new).collect();
        Ok(Self {
            automaton,
            beginnings,
        })
    }

    /// How many bytes at the end of `text` may be the beginning of a needle.
    fn undecided(&self, text: &[u8]) -> usize {
        let lengths = self.beginnings.iter().map(|needle| needle.at_end_of(text));
        lengths.max().unwrap_or(0)
    }
}

/// A needle, and where to go on when it breaks off (Knuth, Morris and Pratt).
struct Beginning {
    needle: Form,
    /// For each of its beginnings: the longest shorter one that it ends with, in bytes.
    borders: Vec<usize>,
}

impl Beginning {
    fn new(needle: Form) -> Self {
        let mut borders = vec![0; needle.len()];
        for at in 1..needle.len() {
            borders[at] = step(&needle, &borders, borders[at - 1], needle[at]);
        }
        Self { needle, borders }
    }

    /// Length of the longest end of `text` that the needle begins with and goes on after.
    fn at_end_of(&self, text: &[u8]) -> usize {
        // All that is shorter than the needle, so that it is never found whole.
        let end = &text[(text.len() + 1).saturating_sub(self.needle.len())..];
        end.iter().fold(0, |matched, byte| {
            step(&self.needle, &self.borders, matched, *byte)
        })
    }
}

/// How much of the needle is found once `byte` comes after `matched` of its bytes.
fn step(needle: &[u8], borders: &[usize], mut matched: usize, byte: u8) -> usize {
    while matched > 0 && needle[matched] != byte {
        matched = borders[matched - 1];
    }
    matched + usize::from(needle[matched] == byte)
}

/// Masks one stream. Holds back only what may be the beginning of a secret: less than the longest
/// needle, and nothing else.
pub(super) struct Masker {
    needles: Arc<Needles>,
    held: Vec<u8>,
}

impl Masker {
    pub(super) fn new(needles: Arc<Needles>) -> Self {
        let held = Vec::new();
        Self { needles, held }
    }

    /// Takes what comes next, and appends to `out` what is decided.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() {
            let decided = self.mask(bytes, out);
            self.held.extend_from_slice(&bytes[decided..]);
        } else {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(bytes);
            let decided = self.mask(&text, out);
            text.drain(..decided);
            self.held = text;
        }
    }

    /// Appends to `out` what was held back: the stream has ended.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let text = std::mem::take(&mut self.held);
        let mut at = 0;
        // A secret that another one begins with may have been waiting for the other.
        while let Some(found) = self
            .needles
            .automaton
            .find(Input::new(&text[..]).range(at..))
        {
            out.extend_from_slice(&text[at..found.start()]);
            out.extend_from_slice(MASK);
            at = found.end();
        }
        out.extend_from_slice(&text[at..]);
    }

    /// Appends to `out` the part of `text` that is decided, masked, and gives its length.
    fn mask(&self, text: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        // What begins before this lies within the text, and so does all that could be longer.
        let mut decided = text.len() - self.needles.undecided(text);
        loop {
            if decided < at {
                // A secret that was found reaches into what was undecided.
                decided = text.len() - self.needles.undecided(&text[at..]);
            }
            let found = self.needles.automaton.find(Input::new(text).range(at..));
            let Some(found) = found.filter(|found| found.start() < decided) else {
                out.extend_from_slice(&text[at..decided]);
                return decided;
            };
            out.extend_from_slice(&text[at..found.start()]);
            out.extend_from_slice(MASK);
            at = found.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needles(texts: &[&[u8]]) -> Arc<Needles> {
        let forms = texts.iter().map(|text| text.to_vec());
        Arc::new(Needles::new(forms.collect()).expect("built"))
    }

    /// What the mask of a whole text is: at each place the longest needle that stands there.
    fn model(texts: &[&[u8]], mut text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((first, rest)) = text.split_first() {
            let here = texts.iter().filter(|needle| text.starts_with(needle));
            if let Some(longest) = here.map(|needle| needle.len()).max() {
                out.extend_from_slice(MASK);
                text = &text[longest..];
            } else {
                out.push(*first);
                text = rest;
            }
        }
        out
    }

    fn masked(texts: &[&[u8]], chunks: &[&[u8]]) -> Vec<u8> {
        let mut masker = Masker::new(needles(texts));
        let mut out = Vec::new();
        for chunk in chunks {
            masker.push(chunk, &mut out);
        }
        masker.finish(&mut out);
        out
    }

    #[test]
    fn a_secret_is_masked_across_writes_and_nothing_else_waits() {
        let mut masker = Masker::new(needles(&[b"secret", b"secretary"]));
        let mut push = |bytes: &[u8]| {
            let mut out = Vec::new();
            masker.push(bytes, &mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(push(b"a prompt: "), "a prompt: ", "at once");
        assert_eq!(push(b"sec"), "", "it may be one");
        assert_eq!(push(b"tor se"), "sector ", "it is none");
        assert_eq!(push(b"cret"), "", "it may be the longer one");
        assert_eq!(push(b"!"), "*****!");
        assert_eq!(push(b"secretary"), "*****", "there is no longer one");
        let mut rest = Vec::new();
        masker.push(b"secreta", &mut rest);
        assert!(rest.is_empty());
        masker.finish(&mut rest);
        assert_eq!(rest, b"*****a", "released at the end");
    }

    #[test]
    fn no_end_of_a_longer_or_overlapping_secret_is_left_over() {
        assert_eq!(masked(&[b"abcd", b"abcdef"], &[b"abc", b"def"]), MASK);
        assert_eq!(masked(&[b"abcd", b"cdef"], &[b"abcdef"]), b"*****ef");
        assert_eq!(masked(&[b"aaab"], &[b"aaaa", b"b"]), b"a*****");
        assert_eq!(
            masked(&[b"\0\xFF\0\xFF"], &[b"\0\xFF", b"\0\xFF\0"]),
            b"*****\0"
        );
    }

    #[test]
    fn values_too_short_to_mask_need_no_search() {
        let short: [&[u8]; 2] = [b"abc", b""];
        assert!(Needles::of(short.into_iter()).expect("built").is_none());
        let long: [&[u8]; 1] = [b"abcd"];
        assert!(Needles::of(long.into_iter()).expect("built").is_some());
    }

    /// Few letters, so that texts overlap and begin alike.
    fn letters(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![b'a', b'b', 0xFF]), length)
    }

    proptest! {
        #[test]
        fn any_pieces_are_masked_as_the_whole_is(
            texts in prop::collection::vec(letters(1..8), 1..5),
            chunks in prop::collection::vec(letters(0..12), 0..12),
        ) {
            let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
            let mut masker = Masker::new(needles(&texts));
            let mut out = Vec::new();
            for chunk in &chunks {
                masker.push(chunk, &mut out);
                let held = &masker.held[..];
                let begins = |text: &&&[u8]| text.len() > held.len() && text.starts_with(held);
                prop_assert!(held.is_empty() || texts.iter().any(|text| begins(&text)));
            }
            masker.finish(&mut out);
            prop_assert_eq!(out, model(&texts, &chunks.concat()));
        }
    }
}
