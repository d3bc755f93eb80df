//! What a fuzz target does, without a fuzzer: the committed corpus, and mutations of it, go through the same function.
//!
//! A corpus is a folder `fuzz/corpus/TARGET`. Its files `seed-…` come from real encoders: the crate's test makes them anew
//! each time and holds the committed ones against them, so a changed layout is noticed; `RAILFLEET_WRITE_CORPUS=1` writes
//! them. Files of other names are what a fuzzer found, and stay. Mutations are made from fixed seeds: a failure names the
//! file and the number, and leaves the input in the folder for temporary files.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

mod mutate;

pub use mutate::Mutator;

/// Bytes of a committed file: what is longer belongs into a test of its own.
const FILE_BYTES_MAX: usize = 24 << 10;
/// Mutations of each file, unless `RAILFLEET_FUZZ_MUTATIONS` says otherwise.
const MUTATIONS: u64 = 1_000;

/// Holds the corpus of `target` against `seeds`, and runs `check` on each of its files and on mutations of each.
///
/// # Panics
/// When the committed seeds are others than these, and when `check` panics.
pub fn replay(target: &str, seeds: &[Vec<u8>], check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(target);
    if std::env::var_os("RAILFLEET_WRITE_CORPUS").is_some() {
        write(&folder, seeds);
    }
    let files = read(&folder);
    let committed: Vec<&Vec<u8>> = files
        .iter()
        .filter(|(name, _)| name.starts_with("seed-"))
        .map(|(_, bytes)| bytes)
        .collect();
    assert!(
        committed.iter().copied().eq(seeds),
        "fuzz/corpus/{target} is not what the encoders make; RAILFLEET_WRITE_CORPUS=1 writes it anew"
    );
    let mutations = mutations();
    for (name, bytes) in &files {
        run(target, name, None, bytes, &check);
        for number in 0..mutations {
            let mut mutator = Mutator::new(number);
            let mut mutated = bytes.clone();
            let other = mutator.below(files.len());
            mutator.mutate(&mut mutated, &files[other].1);
            run(target, name, Some(number), &mutated, &check);
        }
    }
}

fn mutations() -> u64 {
    match std::env::var("RAILFLEET_FUZZ_MUTATIONS") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("RAILFLEET_FUZZ_MUTATIONS is {text:?}, which is no number")),
        Err(_) => MUTATIONS,
    }
}

fn run(target: &str, name: &str, number: Option<u64>, bytes: &[u8], check: &impl Fn(&[u8])) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(bytes))) else {
        return;
    };
    let kept = std::env::temp_dir().join(format!("fuzz-{target}-found"));
    let is_kept = fs::write(&kept, bytes).is_ok();
    let panic: Box<dyn Any + Send> = Box::new(format!(
        "{target}: {name}, mutation {number:?}: {}; the input is {}",
        text(&*panic),
        if is_kept {
            kept.display().to_string()
        } else {
            "not kept".to_owned()
        }
    ));
    resume_unwind(panic)
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

/// The files of a corpus, in the order of their names.
fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("each target has a corpus");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    paths.sort();
    let file = |path: PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bytes = fs::read(&path).expect("a committed file can be read");
        assert!(
            bytes.len() <= FILE_BYTES_MAX,
            "{name} is too long for a corpus"
        );
        (name, bytes)
    };
    paths.into_iter().map(file).collect()
}

fn write(folder: &Path, seeds: &[Vec<u8>]) {
    fs::create_dir_all(folder).expect("the corpus can be written");
    for entry in fs::read_dir(folder).expect("the corpus can be read") {
        let path = entry.expect("a folder can be read").path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("seed-"))
        {
            fs::remove_file(path).expect("an old seed can be removed");
        }
    }
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:02}")), seed).expect("a seed can be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check that never fails proves nothing: this one fails on what a mutation makes.
    #[test]
    fn a_fault_behind_one_changed_byte_is_found() {
        let found = |target: &[u8]| {
            (0..MUTATIONS).any(|number| {
                let mut bytes = b"railfleet".to_vec();
                Mutator::new(number).mutate(&mut bytes, b"depot");
                bytes.windows(target.len()).any(|window| window == target)
            })
        };
        assert!(found(b"depot"), "a piece of another file");
        assert!(
            found(b"raiirailfleet") || found(b"railrail") || found(b"fleetfleet") || found(b"etet"),
            "a piece twice"
        );
        assert!(found(&[0xff; 4]), "a number that is as large as can be");
        let shortest = (0..MUTATIONS).map(|number| {
            let mut bytes = b"railfleet".to_vec();
            Mutator::new(number).mutate(&mut bytes, b"depot");
            bytes.len()
        });
        assert_eq!(shortest.min(), Some(0), "everything cut off");
    }
}
