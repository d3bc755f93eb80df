//! Files rot: bits flip, tails go missing, sectors are zeroed, swapped or doubled, whole files vanish.
//!
//! `railfleet verify` must either say so or be right all the same. The folder is a real one, left by a server that was
//! killed once it had fallen idle, so its last group is acknowledged, synced, and not yet sealed.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::fault_tools::FaultTools;
use harness::process::{must, run, wait_for};
use harness::server::{DataFolder, railfleet};
use harness::skip;

use super::{event, load};

/// Prepared space that is left behind the last group.
const PREPARED_BYTES: u64 = 1 << 10;
/// The folder, beside the data, with the log as it was before the last events.
const EARLIER: &str = "earlier";

/// A folder with some events of several streams in it.
fn filled() -> DataFolder {
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut client = server.client();
    let mut last = 0;
    for number in 0..40 {
        let body = event("Probe", &format!("stream-{}", number % 5), number);
        let answer = must("appending", client.post("/api/v1/events", &body)).expect(201);
        last = answer.json()["position"].as_u64().expect("a position");
        if number == 20 {
            copy_log(&folder, &folder.beside(EARLIER));
        }
    }
    wait_for("the log is marked", Duration::from_secs(60), || {
        (marked(&folder) >= last).then_some(())
    });
    server.kill();
    keep_some_prepared_space(&folder);
    folder
}

/// Up to which position the log's watermark says that it was acknowledged (docs/format.md).
fn marked(folder: &DataFolder) -> u64 {
    let bytes = must("reading", std::fs::read(folder.log().join("watermark")));
    let position = |slot: usize| {
        let bytes = bytes.get(slot + 40..slot + 48)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    [0, 4096]
        .into_iter()
        .filter_map(position)
        .max()
        .unwrap_or(0)
}

/// Copies the log's files as they are now: what a lost write would leave of them.
fn copy_log(folder: &DataFolder, to: &Path) {
    must("making a folder", std::fs::create_dir_all(to.join("log")));
    for entry in must("listing the log", std::fs::read_dir(folder.log())) {
        let entry = must("listing the log", entry);
        if entry.path().is_file() {
            let copy = to.join("log").join(entry.file_name());
            must("copying the log", std::fs::copy(entry.path(), copy));
        }
    }
}

/// Leaves a few zeros behind the last group: there are millions of them, one as good as the other, and a sample should
/// rather hit what was written.
fn keep_some_prepared_space(folder: &DataFolder) {
    for entry in must("listing the log", std::fs::read_dir(folder.log())) {
        let path = must("listing the log", entry).path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let bytes = must("reading a segment", std::fs::read(&path));
            let used = bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            let file = must("opening a segment", File::options().write(true).open(&path));
            must(
                "cutting a segment",
                file.set_len(used as u64 + PREPARED_BYTES),
            );
        }
    }
}

fn damage(tools: &FaultTools, folder: &DataFolder, kind: &str, more: &[&str]) {
    // The tool holds every line against those of the whole folder. One is left out: noise in the space prepared for the
    // next group is told as a torn append, which is no loss; how many events there are, and their hash, say so.
    let verify = format!(
        "set -o pipefail; {} verify {{dir}} | sed /^TORN/d",
        railfleet().display()
    );
    let verify = format!("bash -c '{verify}'");
    let mut arguments = vec![kind.to_owned()];
    let dir = folder.path().display().to_string();
    arguments.extend(["--dir", &dir, "--verify", &verify, "--seed", "1"].map(str::to_owned));
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    tools.call("damage.py", &arguments, Duration::from_secs(7_200));
}

/// How many places a day's run damages.
fn sample(every_day: &'static str) -> &'static str {
    if skip::everything() { "0" } else { every_day }
}

/// The same of all files together. Those of read models alone are megabytes, of which no event hangs on a byte: all of them would
/// be days.
fn all_files(every_day: &'static str) -> &'static str {
    if skip::everything() {
        "20000"
    } else {
        every_day
    }
}

#[test]
fn a_flipped_bit_is_said_or_harmless() {
    let Some(tools) = FaultTools::ready("a_flipped_bit_is_said_or_harmless", &[]) else {
        return;
    };
    let folder = filled();
    // Each byte of what the segment holds, the last group included, and a sample of all other files.
    damage(
        &tools,
        &folder,
        "flip",
        &["--file", "*.log", "--sample", sample("150")],
    );
    damage(&tools, &folder, "flip", &["--sample", all_files("50")]);
}

#[test]
fn a_cut_or_overwritten_tail_is_said_or_harmless() {
    let Some(tools) = FaultTools::ready("a_cut_or_overwritten_tail_is_said_or_harmless", &[])
    else {
        return;
    };
    let folder = filled();
    damage(
        &tools,
        &folder,
        "cut",
        &["--prefix", "--file", "*.log", "--sample", sample("60")],
    );
    damage(
        &tools,
        &folder,
        "garbage",
        &["--prefix", "--file", "*.log", "--sample", sample("60")],
    );
}

#[test]
fn misplaced_sectors_and_lost_files_are_said_or_harmless() {
    let test = "misplaced_sectors_and_lost_files_are_said_or_harmless";
    let Some(tools) = FaultTools::ready(test, &[]) else {
        return;
    };
    let folder = filled();
    for kind in ["zero", "swap", "dup"] {
        damage(
            &tools,
            &folder,
            kind,
            &["--file", "*.log", "--sample", sample("25")],
        );
    }
    let earlier = folder.beside(EARLIER).display().to_string();
    let stale = [
        "--old",
        &earlier,
        "--file",
        "*.log",
        "--sample",
        sample("25"),
    ];
    damage(&tools, &folder, "stale", &stale);
    damage(&tools, &folder, "append", &["--sample", sample("25")]);
    damage(&tools, &folder, "lose", &[]);
}

#[test]
fn sealed_segments_and_what_follows_from_them_may_rot() {
    let Some(tools) = FaultTools::ready("sealed_segments_and_what_follows_from_them_may_rot", &[])
    else {
        return;
    };
    let folder = DataFolder::new();
    let mut fill = Command::new(load());
    fill.arg("embedded")
        .arg(folder.log())
        .args(["100", "--segment-bytes", "12288", "--seed", "1"]);
    let (status, said) = run(&mut fill, Duration::from_secs(60));
    assert!(status.success(), "the load ended with {status}: {said}");
    for (files, every_day) in [
        ("*.log", "60"),
        ("*.idx", "40"),
        ("*.state", "20"),
        ("*watermark", "20"),
    ] {
        damage(
            &tools,
            &folder,
            "flip",
            &["--file", files, "--sample", sample(every_day)],
        );
    }
    damage(&tools, &folder, "lose", &[]);
}
