//! Every primitive against the vectors of its specification, and against Wycheproof's.

use data_encoding::HEXLOWER_PERMISSIVE;

use super::*;

mod vectors;
mod wycheproof;

/// Hex as specifications print it, with spaces and line ends.
fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).expect("hex")
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("as long as the vector says")
}
