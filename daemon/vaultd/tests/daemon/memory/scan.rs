//! Looks for secrets in the memory of a process.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    fs::{self, File},
    os::unix::fs::FileExt as _,
};

/// So many bytes in a row are no accident.
const RUN: usize = 16;
const BLOCK: usize = 1 << 20;

/// What is looked for.
#[derive(Default)]
pub(super) struct Needles {
    names: Vec<String>,
    /// Every run of each secret: whose it is, and at which of its bytes it begins.
    runs: HashMap<[u8; RUN], (usize, usize)>,
    /// The first two bytes of the runs: few places in memory begin like one.
    begins: HashSet<u16>,
}

impl Needles {
    pub(super) fn add(&mut self, name: &str, secret: &[u8]) {
        let number = self.names.len();
        self.names.push(name.to_owned());
        for (at, run) in secret.windows(RUN).enumerate() {
            let run: [u8; RUN] = run.try_into().expect("a window");
            // A key that did not change keeps its first name.
            self.runs.entry(run).or_insert((number, at));
            self.begins.insert(u16::from_le_bytes([run[0], run[1]]));
        }
    }
}

/// A run of a secret that was found.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) needle: String,
    /// Where in the secret the run begins.
    at: usize,
    /// How long it is.
    length: usize,
    mapping: String,
    offset: u64,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            needle,
            at,
            length,
            mapping,
            offset,
        } = self;
        write!(
            f,
            "{length} bytes of the {needle}, from its byte {at}: {mapping} + {offset:#x}"
        )
    }
}

/// Every run of a secret in what can be read of a process's memory.
pub(super) fn scan(pid: u32, needles: &Needles) -> Vec<Hit> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its mappings");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("its memory");
    let mut begins = vec![false; 1 << 16];
    for begin in &needles.begins {
        begins[usize::from(*begin)] = true;
    }
    let (mut hits, mut scanned) = (Vec::new(), 0);
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').expect("a range");
        let kernel = ["[vvar", "[vsyscall]"]
            .iter()
            .any(|name| line.contains(name));
        if !rest.starts_with('r') || kernel {
            continue;
        }
        let (from, to) = range.split_once('-').expect("a range");
        let number = |text| u64::from_str_radix(text, 16).expect("an address");
        let (from, to) = (number(from), number(to));
        let name = line.split_whitespace().nth(5).unwrap_or("anonymous");
        let mapping = format!("{name} {range}");
        let mut block = vec![0; BLOCK + RUN - 1];
        let mut start = from;
        while start < to {
            let length = usize::try_from(to - start).map_or(block.len(), |l| l.min(block.len()));
            let Ok(read) = memory.read_at(&mut block[..length], start) else {
                // A page of a file that has become shorter.
                start += 4096;
                continue;
            };
            scanned += read;
            let found = look(&block[..read], &begins, needles);
            hits.extend(found.into_iter().map(|(needle, at, length, place)| Hit {
                needle: needles.names[needle].clone(),
                at,
                length,
                mapping: mapping.clone(),
                offset: start - from + place as u64,
            }));
            start += read.saturating_sub(RUN - 1).max(1) as u64;
            if read < RUN {
                break;
            }
        }
    }
    assert!(scanned > 1 << 20, "only {scanned} bytes could be read");
    hits
}

/// The runs in one block: whose, from which of its bytes, how long, and where.
fn look(block: &[u8], begins: &[bool], needles: &Needles) -> Vec<(usize, usize, usize, usize)> {
    let mut found: Vec<(usize, usize, usize, usize)> = Vec::new();
    let mut place = 0;
    while place + RUN <= block.len() {
        // Most of memory is nothing.
        if block[place] == 0 && block[place..].starts_with(&[0; 64]) {
            place += 64 - 1;
            continue;
        }
        let begin = u16::from_le_bytes([block[place], block[place + 1]]);
        if begins[usize::from(begin)] {
            let run: &[u8; RUN] = block[place..].first_chunk().expect("long enough");
            if let Some(&(needle, at)) = needles.runs.get(run) {
                match found.last_mut() {
                    Some((last, from, length, there))
                        if *last == needle
                            && *there + *length == place + RUN - 1
                            && *from + *length == at + RUN - 1 =>
                    {
                        *length += 1;
                    }
                    _ => found.push((needle, at, RUN, place)),
                }
            }
        }
        place += 1;
    }
    found
}
