//! A child process that cannot outlive its test: its whole group is killed when the guard is dropped.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use storage::DirectoryLock;

/// How often a waiting test looks.
pub const GLANCE: Duration = Duration::from_millis(5);
/// Bytes of a process's output that a failing test shows.
const SHOWN_BYTES: usize = 4_000;

/// A running child, head of a process group of its own.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command`, its output and errors going to the file `output`, behind what is there.
    ///
    /// # Panics
    /// When it cannot be started: no test can go on without it.
    #[track_caller]
    pub fn start(command: &mut Command, output: &Path) -> Self {
        let log = File::options()
            .append(true)
            .create(true)
            .open(output)
            .expect("the test's own folder takes a file");
        let errors = log.try_clone().expect("a file can be held twice");
        let child = command
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Process {
            child,
            output: output.to_owned(),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of what it has written so far, for a failing test to show.
    pub fn last_words(&self) -> String {
        last_words(&self.output())
    }

    /// Its standard input, where the command asked for one.
    pub fn stdin(&mut self) -> Option<&mut std::process::ChildStdin> {
        self.child.stdin.as_mut()
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    /// The names of its threads now, of each the 15 bytes that Linux keeps; none once it has ended.
    pub fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .collect()
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) {
        // It may be gone already, which is what most signals are for.
        let _ = kill_process(self.pid(), signal);
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for its end; `None` when it is still there after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Kills the group, and waits until the process is gone.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `command` to its end, at most for `limit`. Returns how it ended and all it wrote.
///
/// # Panics
/// When it does not start, or does not end in time.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> (ExitStatus, String) {
    let output =
        tempfile::NamedTempFile::new().expect("the system's temporary folder takes a file");
    let mut process = Process::start(command.stdin(Stdio::null()), output.path());
    match process.wait(limit) {
        Some(status) => (status, process.output()),
        None => panic!(
            "{command:?} has not ended after {limit:?}: {}",
            process.last_words()
        ),
    }
}

/// Runs `command` to its end, handing it `input`. Returns how it ended and all it wrote.
///
/// # Panics
/// As [`run`].
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &str, limit: Duration) -> (ExitStatus, String) {
    let given = tempfile::NamedTempFile::new().expect("the system's temporary folder takes a file");
    std::fs::write(given.path(), input).expect("the system's temporary folder takes a file");
    let stdin = File::open(given.path()).expect("the file was just written");
    let output =
        tempfile::NamedTempFile::new().expect("the system's temporary folder takes a file");
    let mut process = Process::start(command.stdin(stdin), output.path());
    match process.wait(limit) {
        Some(status) => (status, process.output()),
        None => panic!(
            "{command:?} has not ended after {limit:?}: {}",
            process.last_words()
        ),
    }
}

/// Asks again and again until `answer` gives something.
///
/// # Panics
/// When it gives nothing within `limit`.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(given) = answer() {
            return given;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(GLANCE);
    }
}

/// The end of a text, cut at a character.
pub fn last_words(text: &str) -> String {
    let mut from = text.len().saturating_sub(SHOWN_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}

/// Makes an error of a file operation in the harness itself readable.
///
/// # Panics
/// When it is one.
#[track_caller]
pub fn must<T>(what: &str, result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Waits, behind a test that had a log open itself, until nobody has it: a child that another test begins meanwhile holds every
/// open file, and so the log's lock, until it is another program.
pub fn wait_until_free(log: &Path) {
    let take = || DirectoryLock::take(log).ok().map(drop);
    wait_for("nobody has the log", Duration::from_secs(20), take);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_told_by_their_names_until_the_process_ends() {
        let output = tempfile::NamedTempFile::new().unwrap();
        let mut process = Process::start(Command::new("sleep").arg("30"), output.path());
        // It has this program's name until the kernel has made it another one, a moment behind its start.
        wait_for("it has its own name", Duration::from_secs(20), || {
            (process.threads() == ["sleep"]).then_some(())
        });
        process.kill();
        assert_eq!(process.threads(), [""; 0]);
    }
}
