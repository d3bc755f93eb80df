//! The power fails at any moment: every state in which the disk could then be is opened and looked at.
//!
//! `crashfs` writes down each write, sync and rename in order; `crashstates.py` builds the folders that a power cut could
//! have left, by the strict model in which a name is durable only once its folder was synced. So it is done with the log
//! alone, where every state is also opened and appended to, and with a whole server on the disk, where every state is
//! verified and some are served.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::crash_disk::CrashDisk;
use harness::fault_tools::FaultTools;
use harness::process::{must, run};
use harness::server::{DataFolder, railfleet};
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

/// Where no segment was begun yet and nothing acknowledged, there is nothing to verify.
const VERIFY: &str = r#"
data=$1/data acks=$2 railfleet=$3
if [ ! -s "$acks" ] && ! ls "$data"/log/*.log >/dev/null 2>&1; then exit 0; fi
exec "$railfleet" verify "$data" --acks "$acks"
"#;

#[test]
fn power_may_fail_under_the_server() {
    let Some(tools) = FaultTools::ready("power_may_fail_under_the_server", &["crashfs"]) else {
        return;
    };
    let mut disk = CrashDisk::mount(&tools);
    let folder = DataFolder::within(&disk.path());
    let server = folder.serve();
    let mut client = Command::new(load());
    client
        .args(["http", &server.port().to_string(), "--writers", "2"])
        .args(["--events", "15", "--seed", "1", "--mark"])
        .arg(disk.acknowledgements())
        .env("RAILFLEET_TOKEN", server.token());
    let (status, said) = run(&mut client, Duration::from_secs(60));
    assert!(status.success(), "the load ended with {status}: {said}");
    server.kill();
    let changes = disk.unmount().display().to_string();

    let script = folder.beside("verify.sh");
    must("writing a script", std::fs::write(&script, VERIFY));
    let verify = format!(
        "bash {} {{dir}} {{acks}} {}",
        script.display(),
        railfleet().display()
    );
    let [every, seeds] = if skip::everything() {
        ["1", "8"]
    } else {
        ["40", "1"]
    };
    let sampled = ["--every", every, "--seeds", seeds, "--torn", "1"];
    let arguments = [
        &["--log", &changes, "--verify", &verify, "--seed", "1"],
        &sampled[..],
    ]
    .concat();
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    tools.call("crashstates.py", &arguments, Duration::from_secs(7_200));
    some_states_are_served(&tools, &folder, &changes);
}

/// What of the read models reached the disk is another matter: whatever it is, the server starts and has every event.
fn some_states_are_served(tools: &FaultTools, folder: &DataFolder, changes: &str) {
    let kept = folder.beside("kept");
    let mut crashstates = Command::new("python3");
    crashstates
        .arg(tools.script("crashstates.py"))
        // The tool keeps the states that a checker fails, so this one fails them all.
        .args(["--log", changes, "--verify", "false {dir} {acks}", "--keep"])
        .arg(&kept)
        .args(["--every", "1000000", "--seeds", "1", "--seed", "2"]);
    run(&mut crashstates, Duration::from_secs(120));
    let acknowledged = |state: u32| {
        let text = std::fs::read_to_string(kept.join(format!("{state}.acks"))).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let states: Vec<u32> = (1..)
        .take_while(|state| kept.join(state.to_string()).is_dir())
        .collect();
    let with_events = states
        .iter()
        .filter(|state| !acknowledged(**state).is_empty());
    let chosen: Vec<u32> = with_events
        .copied()
        .rev()
        .step_by(states.len().div_ceil(5))
        .collect();
    assert!(
        chosen.len() >= 3,
        "{} states, and {} of them with events",
        states.len(),
        chosen.len()
    );
    for state in chosen {
        let data = kept.join(state.to_string()).join("data");
        // The tool that lays a state out gives its files no permissions of their own.
        keep_private(&data.join("keys"));
        let left = DataFolder::adopt(&data);
        let server = left.serve();
        let mut client = server.client();
        let page = must(
            "reading",
            client.get("/api/v1/events?limit=1000&count=false"),
        )
        .expect(200)
        .text();
        for id in acknowledged(state) {
            assert!(page.contains(&id), "state {state}: {id} is not served");
        }
        let model = "/api/v1/projections/current_state/data?limit=1000&aggregate_type=LoadProbe&wait_ms=20000";
        let position =
            must("asking", client.get("/health")).expect(200).json()["log"]["position"].clone();
        must(
            "asking",
            client.get(&format!("{model}&min_position={position}")),
        )
        .expect(200);
        drop(client);
        server.stop();
    }
}

/// Takes the files of a folder, where there is one, from everybody but their owner.
fn keep_private(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = must("listing keys", entry).path();
        must(
            "changing permissions",
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)),
        );
    }
}
