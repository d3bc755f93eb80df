//! A disk that writes down every change in order: `crashfs`, mounted, with the log of changes beside it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::fault_tools::FaultTools;
use crate::process::{Process, must, run, wait_for};

/// How long mounting and unmounting may take.
const MOUNT_LIMIT: Duration = Duration::from_secs(10);

/// The mounted disk; unmounted when dropped.
#[derive(Debug)]
pub struct CrashDisk {
    home: TempDir,
    process: Process,
}

impl CrashDisk {
    /// Mounts an empty disk.
    ///
    /// # Panics
    /// When it cannot be mounted.
    #[track_caller]
    pub fn mount(tools: &FaultTools) -> Self {
        let home = must("making a folder", tempfile::tempdir());
        for folder in ["back", "disk"] {
            must(
                "making a folder",
                std::fs::create_dir(home.path().join(folder)),
            );
        }
        let mut crashfs = Command::new(tools.crashfs());
        crashfs
            .arg(format!("--back={}", home.path().join("back").display()))
            .arg(format!("--log={}", home.path().join("changes").display()))
            .arg(home.path().join("disk"))
            .args(["-f", "-s"]);
        let process = Process::start(&mut crashfs, &home.path().join("crashfs.log"));
        let mut disk = CrashDisk { home, process };
        wait_for("the disk is mounted", MOUNT_LIMIT, || {
            if let Some(status) = disk.process.ended() {
                panic!("crashfs ended with {status}: {}", disk.process.last_words());
            }
            is_mounted(&disk.path()).then_some(())
        });
        disk
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    /// A line written here becomes an acknowledgement, in order with the changes.
    pub fn acknowledgements(&self) -> PathBuf {
        self.path().join(".ack")
    }

    /// Arms a fault, as the tool's source describes it: `fail fsync EIO 1 1`.
    ///
    /// # Panics
    /// When the disk does not take it.
    #[track_caller]
    pub fn arm(&self, fault: &str) {
        must(
            "arming a fault",
            std::fs::write(self.path().join(".ctl"), format!("{fault}\n")),
        );
    }

    /// Unmounts it, and gives the file with the changes.
    ///
    /// # Panics
    /// When something still uses it.
    #[track_caller]
    pub fn unmount(&mut self) -> PathBuf {
        let (status, output) = run(
            Command::new("fusermount3").arg("-u").arg(self.path()),
            MOUNT_LIMIT,
        );
        assert!(status.success(), "unmounting: {output}");
        assert!(
            self.process.wait(MOUNT_LIMIT).is_some(),
            "crashfs does not end"
        );
        self.home.path().join("changes")
    }
}

impl Drop for CrashDisk {
    fn drop(&mut self) {
        if is_mounted(&self.path()) {
            // Lazily: what still has it open loses it all the same when crashfs is killed.
            let _ = Command::new("fusermount3")
                .arg("-uz")
                .arg(self.path())
                .status();
        }
    }
}

/// Whether a file system is mounted exactly there.
fn is_mounted(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let path = path.to_string_lossy();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(&path))
}
