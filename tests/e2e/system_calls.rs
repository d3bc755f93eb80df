//! Each system call of the log fails once: refused, out of space, cut short, interrupted, or the process dies there.
//!
//! The log runs without a server, so that no other call is counted. The workload panics when the log accepts an event after
//! it has stopped; the check opens what is left, finds every acknowledged event by its id and by reading, and appends.

use std::time::Duration;

use harness::fault_tools::FaultTools;
use harness::skip;

use super::load;

/// Small enough that a hundred events fill several segments.
const SEGMENT_BYTES: u64 = 12 << 10;
/// How long a tool may take: the long form is ten thousand runs.
const LIMIT: Duration = Duration::from_secs(4 * 3_600);

fn arguments(events: u64, more: &[&str]) -> Vec<String> {
    let load = load();
    let workload =
        format!("{load} embedded {{dir}} {events} --segment-bytes {SEGMENT_BYTES} --seed 1");
    let verify = format!("{load} reopen {{dir}} --acks {{acks}} --segment-bytes {SEGMENT_BYTES}");
    let mut arguments = vec![
        "--workload".to_owned(),
        workload,
        "--verify".to_owned(),
        verify,
    ];
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    arguments
}

#[test]
fn every_system_call_may_fail_once() {
    let Some(tools) = FaultTools::ready("every_system_call_may_fail_once", &["faultshim.so"])
    else {
        return;
    };
    // A prime, so that the sample does not fall in step with write, sync, write, sync.
    let every = if skip::everything() { "1" } else { "37" };
    let kinds = "EIO,ENOSPC,SHORT,KILL,KILLAFTER,EINTR,EMFILE";
    let arguments = arguments(100, &["--do", kinds, "--every", every]);
    tools.call("nthfail.py", &arguments, LIMIT);
}

#[test]
fn a_log_with_a_past_meets_faults_as_it_opens_and_reads() {
    let test = "a_log_with_a_past_meets_faults_as_it_opens_and_reads";
    let Some(tools) = FaultTools::ready(test, &["faultshim.so"]) else {
        return;
    };
    let every = if skip::everything() { "1" } else { "11" };
    let past = format!(
        "{} embedded {{dir}} 100 --segment-bytes {SEGMENT_BYTES} --seed 2",
        load()
    );
    let more = [
        "--prepare",
        &past,
        "--ops",
        "open,read,mmap",
        "--do",
        "EIO,SHORT,EMFILE",
    ];
    let arguments = arguments(60, &[&more[..], &["--every", every]].concat());
    tools.call("nthfail.py", &arguments, LIMIT);
}

#[test]
fn every_call_from_one_on_may_fail() {
    let Some(tools) = FaultTools::ready("every_call_from_one_on_may_fail", &["faultshim.so"])
    else {
        return;
    };
    let every = if skip::everything() { "1" } else { "41" };
    let more = ["--do", "EIO,ENOSPC", "--count", "-1", "--every", every];
    tools.call("nthfail.py", &arguments(100, &more), LIMIT);
}

#[test]
fn the_disk_may_be_full_at_any_byte() {
    let Some(tools) = FaultTools::ready("the_disk_may_be_full_at_any_byte", &["faultshim.so"])
    else {
        return;
    };
    let step = if skip::everything() { "97" } else { "12007" };
    tools.call("nthfail.py", &arguments(60, &["--space", step]), LIMIT);
}
