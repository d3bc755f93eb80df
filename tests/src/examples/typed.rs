//! Every command in the documents: what a reader would type, whether or not its block is marked as one that is run whole.

use std::path::{Path, PathBuf};

/// Words that a command begins with. A line of a block that begins otherwise is output, or another language.
const PROGRAMS: [&str; 16] = [
    "apt",
    "cargo",
    "curl",
    "engines/bin/pip",
    "engines/bin/python",
    "journalctl",
    "make",
    "printf",
    "promtool",
    "python3",
    "railfleet",
    "scripts/check_proof.py",
    "scripts/package-deb.sh",
    "systemctl",
    "target/release/bench",
    "zcat",
];
/// Blocks with these fences are run whole, by tests of their own.
const RUN_WHOLE: [&str; 2] = ["sh runnable", "sh guided"];
/// Blocks with these fences hold commands.
const SHELL: [&str; 2] = ["sh", "text"];
const INDENT: &str = "    ";

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The document it stands in.
    pub document: PathBuf,
    /// The line that it begins on, counted from 1.
    pub line: usize,
    /// The command, its lines put together, without the comment behind it.
    pub command: String,
}

/// The commands of a document that no other test runs, in order.
pub fn commands(document: &Path, text: &str) -> Vec<Typed> {
    let mut found: Vec<Typed> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut goes_on = false;
    for (line, number) in text.lines().zip(1..) {
        if let Some(kind) = line.strip_prefix("```") {
            fence = match fence {
                Some(_) => None,
                None => Some(kind.trim()),
            };
            continue;
        }
        let typed = match fence {
            Some(kind) if RUN_WHOLE.contains(&kind) => continue,
            Some(kind) if SHELL.contains(&kind) => line,
            Some(_) => continue,
            None => match line.strip_prefix(INDENT) {
                Some(line) => line,
                None => continue,
            },
        };
        let command = without_comment(typed);
        let (command, more) = match command.strip_suffix('\\') {
            Some(command) => (command, true),
            None => (command, false),
        };
        if goes_on {
            let before = &mut found.last_mut().expect("a command goes on").command;
            before.push_str(command.trim());
            before.push(' ');
        } else if begins_a_command(command) {
            found.push(Typed {
                document: document.to_owned(),
                line: number,
                command: command.to_owned(),
            });
        } else {
            continue;
        }
        goes_on = more;
    }
    found
}

fn begins_a_command(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(|word| PROGRAMS.contains(&word)) && words.next() != Some("=")
}

fn without_comment(line: &str) -> &str {
    line.split(" # ").next().unwrap_or(line).trim_end()
}
