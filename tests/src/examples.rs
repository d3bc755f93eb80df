//! The examples in the documents: blocks of shell that a reader would copy, found so that a test can run them.
//!
//! A block is run when its fence says so: `` ```sh runnable ``. It may use `$ADDRESS` (`http://127.0.0.1:PORT`), `$TOKEN`
//! (an access token) and the program `railfleet`; curl is told to fail on an answer of 400 or more.

use std::path::{Path, PathBuf};

/// A block that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The document it stands in.
    pub document: PathBuf,
    /// The line of its first command, counted from 1.
    pub line: usize,
    /// Its commands.
    pub commands: String,
}

const OPENING: &str = "```sh runnable";
/// Before the commands of a guide, which are run one block after the other by a test of their own.
pub const GUIDED: &str = "```sh guided";
const CLOSING: &str = "```";

/// The runnable blocks of a document, in order.
pub fn in_document(document: &Path, text: &str) -> Vec<Example> {
    fenced(document, text, OPENING)
}

/// The blocks of a document with this fence, in order.
pub fn fenced(document: &Path, text: &str, opening: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut open: Option<Example> = None;
    for (line, number) in text.lines().zip(1..) {
        match &mut open {
            None if line.trim_end() == opening => {
                open = Some(Example {
                    document: document.to_owned(),
                    line: number + 1,
                    commands: String::new(),
                });
            }
            None => {}
            Some(_) if line.trim_end() == CLOSING => examples.extend(open.take()),
            Some(example) => {
                example.commands.push_str(line);
                example.commands.push('\n');
            }
        }
    }
    examples
}

/// The documents of the workspace: `README.md` and what is in `docs/`, its folders included.
///
/// # Errors
/// When a folder cannot be listed.
pub fn documents(workspace: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = vec![workspace.join("README.md")];
    let mut folders = vec![workspace.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

pub mod typed;

#[cfg(test)]
mod tests;
