//! The fault tools beside the workspace: built in `target/faults`, called with a time limit, and read by their last line.
//!
//! They lie outside of the repository and may be read only, so what has to be compiled is copied first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use crate::process::{last_words, must, run};
use crate::skip::{self, workspace};

/// One build at a time, however many tests ask.
static BUILDING: Mutex<()> = Mutex::new(());

/// A folder with a copy of the tools, and what was compiled from them.
#[derive(Clone, Debug)]
pub struct FaultTools {
    folder: PathBuf,
}

impl FaultTools {
    /// The tools, with `compiled` (`faultshim.so`, `crashfs`, or nothing) built. Says so and gives `None` where they or
    /// what they need are absent.
    ///
    /// # Panics
    /// When all is there and compiling fails all the same.
    #[track_caller]
    pub fn ready(test: &str, compiled: &[&str]) -> Option<Self> {
        let source = skip::fault_tools(test)?;
        if !skip::programs(test, &["python3"]) {
            return None;
        }
        if !compiled.is_empty() && !skip::programs(test, &["cc", "make"]) {
            return None;
        }
        if compiled.contains(&"crashfs") && !has_fuse(test) {
            return None;
        }
        let folder = workspace().join("target/faults");
        let _alone = BUILDING
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        must("making target/faults", std::fs::create_dir_all(&folder));
        copy_newer(&source, &folder);
        if !compiled.is_empty() {
            let mut make = Command::new("make");
            make.arg("-s").arg("-C").arg(&folder).args(compiled);
            let (status, output) = run(&mut make, Duration::from_secs(120));
            assert!(status.success(), "building {compiled:?} failed: {output}");
        }
        Some(FaultTools { folder })
    }

    /// The library that fails chosen calls, for `LD_PRELOAD`.
    pub fn shim(&self) -> PathBuf {
        self.folder.join("faultshim.so")
    }

    /// The file system that logs and fails.
    pub fn crashfs(&self) -> PathBuf {
        self.folder.join("crashfs")
    }

    /// The script of this name, to be run with bash.
    pub fn script(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Calls one of the Python tools, and gives the lines it printed.
    ///
    /// # Panics
    /// When it reports a failure, reports nothing, or takes longer than `limit`.
    #[track_caller]
    pub fn call(&self, tool: &str, arguments: &[String], limit: Duration) -> Report {
        self.call_with(tool, arguments, &[], limit)
    }

    /// As [`FaultTools::call`], with more environment for the tool and what it starts.
    ///
    /// # Panics
    /// As [`FaultTools::call`].
    #[track_caller]
    pub fn call_with(
        &self,
        tool: &str,
        arguments: &[String],
        environment: &[(&str, &str)],
        limit: Duration,
    ) -> Report {
        match self.try_call(tool, arguments, environment, limit) {
            Ok(report) => report,
            Err(said) => panic!("{tool} {arguments:?} {said}"),
        }
    }

    /// As [`FaultTools::call_with`], for a caller that judges failures itself: what the tool said at last.
    ///
    /// # Errors
    /// When it reports a failure, reports nothing, or takes longer than `limit`.
    pub fn try_call(
        &self,
        tool: &str,
        arguments: &[String],
        environment: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Report, String> {
        let mut python = Command::new("python3");
        python
            .arg(self.folder.join(tool))
            .args(arguments)
            .envs(environment.iter().copied());
        let (status, output) = run(&mut python, limit);
        let report = Report::read(&output);
        if !status.success() || report.failed > 0 || report.passed == 0 {
            return Err(format!("ended with {status}:\n{}", last_words(&output)));
        }
        report.record(tool);
        Ok(report)
    }
}

/// What a tool said in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many of its trials passed.
    pub passed: u64,
    /// How many did not.
    pub failed: u64,
    /// All of its lines.
    pub lines: Vec<String>,
}

impl Report {
    /// Reads `N passed, N failed` off the last line that says so.
    pub fn read(output: &str) -> Self {
        let lines: Vec<String> = output.lines().map(str::to_owned).collect();
        let counts = lines.iter().rev().find_map(|line| {
            let (passed, failed) = line.split_once(" passed, ")?;
            let failed = failed.strip_suffix(" failed")?;
            Some((passed.parse().ok()?, failed.parse().ok()?))
        });
        let (passed, failed) = counts.unwrap_or((0, 0));
        Report {
            passed,
            failed,
            lines,
        }
    }

    /// Keeps the figures for whoever writes them down: `target/faults/figures.txt`, newest last.
    fn record(&self, tool: &str) {
        use std::io::Write;
        let path = workspace().join("target/faults/figures.txt");
        let from = self.lines.len().saturating_sub(3);
        let last = self.lines[from..].join(" | ");
        if let Ok(mut file) = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path)
        {
            let _ = writeln!(file, "{tool}: {last}");
        }
    }
}

/// Brings the copy up to date; a file that did not change keeps its time, so that nothing is compiled again.
fn copy_newer(source: &Path, folder: &Path) {
    for entry in must("listing the fault tools", std::fs::read_dir(source)) {
        let entry = must("listing the fault tools", entry);
        let (from, to) = (entry.path(), folder.join(entry.file_name()));
        if !from.is_file() {
            continue;
        }
        let bytes = must("reading a fault tool", std::fs::read(&from));
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        // A copy of a file that is read only is read only too: written anew instead.
        let _ = std::fs::remove_file(&to);
        must("copying a fault tool", std::fs::write(&to, bytes));
    }
}

fn has_fuse(test: &str) -> bool {
    if !Path::new("/dev/fuse").exists() {
        skip::skipped(test, "there is no /dev/fuse");
        return false;
    }
    if !skip::programs(test, &["fusermount3", "pkg-config"]) || !skip::may_mount(test) {
        return false;
    }
    let library = Command::new("pkg-config")
        .args(["--exists", "fuse3"])
        .status();
    let found = library.is_ok_and(|status| status.success());
    if !found {
        skip::skipped(test, "not installed: libfuse3-dev");
    }
    found
}

#[cfg(test)]
mod tests;
