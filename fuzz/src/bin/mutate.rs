//! Drives the targets where libFuzzer is not to be had: everything in the corpus as it is, repeated up
//! to a megabyte, and mutated at random.
//!
//!     mutate ROUNDS SEED TARGET...
//!
//! The same seed does the same again.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io, panic};

use linx_fuzz::{Target, TARGETS};

/// Where a quadratic parser would take minutes.
const LARGE: usize = 1 << 20;
const MAX_EDITS: usize = 4;
const MAX_LEN: usize = 4096;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((rounds, seed, targets)) = understand(&arguments) else {
        eprintln!("usage: mutate ROUNDS SEED TARGET...");
        return ExitCode::from(64);
    };
    match targets
        .into_iter()
        .map(|target| drive(target, rounds, seed))
        .collect::<io::Result<Vec<_>>>()
    {
        Ok(held) if held.iter().all(|held| *held) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

type Named = (&'static str, Target);

fn understand(arguments: &[String]) -> Option<(u64, u64, Vec<Named>)> {
    let [rounds, seed, names @ ..] = arguments else {
        return None;
    };
    let named = |name: &String| TARGETS.into_iter().find(|(known, _)| known == name);
    let targets = names.iter().map(named).collect::<Option<Vec<_>>>()?;
    Some((rounds.parse().ok()?, seed.parse().ok()?, targets))
}

/// Whether the target's properties held.
fn drive((name, target): Named, rounds: u64, seed: u64) -> io::Result<bool> {
    let corpus = corpus(name)?;
    let mut random = Random(seed);
    let mutated = (0..rounds).map(|_| random.mutant(&corpus));
    let mut inputs = corpus
        .iter()
        .cloned()
        .chain(corpus.iter().map(|entry| large(entry)))
        .chain(mutated);
    let broken = inputs.find(|input| panic::catch_unwind(|| target(input)).is_err());
    match &broken {
        None => println!(
            "{name}: {} in the corpus, {rounds} mutations: held",
            corpus.len()
        ),
        Some(input) => println!("{name}: broken by {}", input.escape_ascii()),
    }
    Ok(broken.is_none())
}

fn corpus(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut paths = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.iter().map(fs::read).collect()
}

fn large(entry: &[u8]) -> Vec<u8> {
    entry.iter().copied().cycle().take(LARGE).collect()
}

/// Marsaglia's xorshift64*, so that no crate is needed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((self.next() >> 33) as usize) % limit.max(1)
    }

    /// An entry of the corpus with a few things changed.
    fn mutant(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.entry(corpus).to_vec();
        for _ in 0..=self.below(MAX_EDITS) {
            self.edit(&mut bytes, corpus);
        }
        bytes.truncate(MAX_LEN);
        bytes
    }

    fn entry<'a>(&mut self, corpus: &'a [Vec<u8>]) -> &'a [u8] {
        let index = self.below(corpus.len());
        corpus.get(index).map_or(&[], Vec::as_slice)
    }

    fn edit(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let from = self.below(bytes.len() + 1);
        let to = (from + self.below(9)).min(bytes.len());
        match self.below(6) {
            0 => drop(bytes.drain(from..to)),
            1 => bytes.insert(from, self.next() as u8),
            2 => bytes.extend_from_within(from..to),
            3 => bytes.truncate(from),
            4 => {
                let other = self.entry(corpus);
                let start = self.below(other.len());
                let end = (start + self.below(32)).min(other.len());
                bytes.splice(from..from, other[start..end].iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}
