//! A disk with little space: a tmpfs that `limits.sh` mounts for as long as a command of its runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fault_tools::FaultTools;
use crate::process::{Process, wait_for};

/// How long mounting and unmounting may take.
const MOUNT_LIMIT: Duration = Duration::from_secs(10);

/// The disk; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Process,
    path: PathBuf,
    output: tempfile::NamedTempFile,
}

impl SmallDisk {
    /// Mounts an empty disk of this size: a number with `K`, `M` or `G`.
    ///
    /// # Panics
    /// When it cannot be mounted.
    #[track_caller]
    pub fn mount(tools: &FaultTools, size: &str) -> Self {
        let output =
            tempfile::NamedTempFile::new().expect("the system's temporary folder takes a file");
        let mut limits = Command::new("bash");
        // The disk stays for as long as somebody holds the other end of the command's input.
        limits
            .arg(tools.script("limits.sh"))
            .args([
                "full",
                size,
                "bash",
                "-c",
                "echo disk at $FAULT_DIR; read -r || true",
            ])
            .stdin(Stdio::piped());
        let mut holder = Process::start(&mut limits, output.path());
        let path = wait_for("the disk is mounted", MOUNT_LIMIT, || {
            if let Some(status) = holder.ended() {
                panic!("limits.sh ended with {status}: {}", holder.last_words());
            }
            let said = holder.output();
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix("disk at "))?;
            said.ends_with('\n').then(|| PathBuf::from(line))
        });
        SmallDisk {
            holder,
            path,
            output,
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `limits.sh` has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.output.path()).unwrap_or_default()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It unmounts by itself at the end of its input; killed, it would leave the disk behind.
        self.holder.close_stdin();
        let _ = self.holder.wait(MOUNT_LIMIT);
    }
}
