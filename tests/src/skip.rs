//! A test that cannot run here says so where it is seen, and passes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says, past the test runner's capture, that a test was left out, and why.
pub fn skipped(test: &str, reason: &str) {
    // The runner captures what the print macros write; nobody would read it there.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {reason}");
}

/// The fault tools beside the workspace; says so and gives `None` where they are absent.
pub fn fault_tools(test: &str) -> Option<PathBuf> {
    beside_the_workspace(test, "faults")
}

/// The eleven years of subway incidents beside the workspace; says so and gives `None` where they are absent.
pub fn subway_history(test: &str) -> Option<PathBuf> {
    beside_the_workspace(test, "data/ttc_subway/events.csv.gz")
}

fn beside_the_workspace(test: &str, path: &str) -> Option<PathBuf> {
    let path = workspace().parent()?.join("shared").join(path);
    if path.exists() {
        return Some(path);
    }
    skipped(test, &format!("{} is not there", path.display()));
    None
}

/// Whether all of these programs can be called; says so where one cannot.
pub fn programs(test: &str, names: &[&str]) -> bool {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !installed(name))
        .collect();
    if !missing.is_empty() {
        skipped(test, &format!("not installed: {}", missing.join(", ")));
    }
    missing.is_empty()
}

/// Whether a program can be called.
pub fn installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Whether this process may mount file systems; says so where it may not. Being root is not enough in a container, so
/// it is tried, in a mount namespace of its own.
pub fn may_mount(test: &str) -> bool {
    let tried = Command::new("unshare")
        .args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        skipped(test, "this user may not mount file systems");
    }
    may
}

/// How often, or how much: the number in an environment variable, or the one that suits every day.
///
/// # Panics
/// When the variable holds no number.
pub fn how_many(variable: &str, every_day: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")),
        Err(_) => every_day,
    }
}

/// Whether the long forms of the fault tests were asked for.
pub fn everything() -> bool {
    std::env::var("RAILFLEET_FAULTS").is_ok_and(|value| value == "all")
}

/// The workspace's root.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("this package lies in the workspace")
}
