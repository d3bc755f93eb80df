//! The power fails at any moment: every state in which the disk could then be is opened and looked at.
//!
//! `crashfs` writes down each write, sync and rename in order; `crashstates.py` builds the folders that a power cut could
//! have left, by the strict model in which a name is durable only once its folder was synced.

use std::process::Command;
use std::time::Duration;

use harness::crash_disk::CrashDisk;
use harness::fault_tools::FaultTools;
use harness::process::run;
use harness::skip;

use super::load;

const SEGMENT_BYTES: u64 = 12 << 10;

fn cut_power_anywhere(test: &str, events: u64, batch: u64, every_day: [&str; 3]) {
    let Some(tools) = FaultTools::ready(test, &["crashfs"]) else {
        return;
    };
    let mut disk = CrashDisk::mount(&tools);
    let mut workload = Command::new(load());
    workload
        .arg("embedded")
        .arg(disk.path())
        .args([
            &events.to_string(),
            "--batch",
            &batch.to_string(),
            "--seed",
            "1",
        ])
        .args(["--segment-bytes", &SEGMENT_BYTES.to_string()])
        .arg("--mark")
        .arg(disk.acknowledgements());
    let (status, output) = run(&mut workload, Duration::from_secs(60));
    assert!(
        status.success(),
        "the workload ended with {status}: {output}"
    );
    let changes = disk.unmount();

    let load = load();
    let verify = format!("{load} reopen {{dir}} --acks {{acks}} --segment-bytes {SEGMENT_BYTES}");
    let [every, seeds, torn] = if skip::everything() {
        ["1", "16", "16"]
    } else {
        every_day
    };
    let arguments = ["--log", &changes.to_string_lossy(), "--verify", &verify]
        .into_iter()
        .chain([
            "--meta", "posix", "--seed", "1", "--every", every, "--seeds", seeds, "--torn", torn,
        ])
        .map(str::to_owned)
        .collect::<Vec<_>>();
    tools.call("crashstates.py", &arguments, Duration::from_secs(7_200));
}

#[test]
fn power_may_fail_between_single_events() {
    cut_power_anywhere(
        "power_may_fail_between_single_events",
        80,
        1,
        ["11", "1", "1"],
    );
}

#[test]
fn power_may_fail_amid_batches() {
    cut_power_anywhere("power_may_fail_amid_batches", 80, 10, ["5", "1", "2"]);
}
