//! What the machine gives runs short, fails or jumps: open files, connections that are handed over, and the clock.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::process::{must, run, wait_for};
use harness::server::DataFolder;
use harness::skip;

use super::{event, load};

/// Open files that the server may have, and connections that want one each.
const OPEN_FILES: &str = "--nofile=64";
const CONNECTIONS: usize = 120;

#[test]
fn out_of_open_files_it_lives_and_serves_again() {
    if !skip::programs("out_of_open_files_it_lives_and_serves_again", &["prlimit"]) {
        return;
    }
    let folder = DataFolder::new();
    let server = folder.serve_under(&["prlimit", OPEN_FILES]);
    let mut client = server.client();
    must(
        "appending",
        client.post("/api/v1/events", &event("Probe", "files", 1)),
    )
    .expect(201);
    let address = (Ipv4Addr::LOCALHOST, server.port());
    let crowd: Vec<TcpStream> = (0..CONNECTIONS)
        .filter_map(|_| TcpStream::connect(address).ok())
        .collect();
    assert!(
        crowd.len() > 64,
        "only {} connections were begun",
        crowd.len()
    );
    // Whoever is in already is served while nobody else can come in.
    for number in 2..20 {
        must(
            "appending",
            client.post("/api/v1/events", &event("Probe", "files", number)),
        )
        .expect(201);
    }
    drop(crowd);
    let answered = || {
        server
            .stranger()
            .get("/health")
            .ok()
            .filter(|answer| answer.status == 200)
    };
    wait_for(
        "newcomers are served again",
        Duration::from_secs(30),
        answered,
    );
    assert!(server.is_ready());
    drop(client);
    server.stop();
    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(0), "{said}");
}

/// What the kernel may say instead of handing a connection over; the first two every day. That descriptors are used up is above.
const NOT_HANDED_OVER: [&str; 6] = [
    "EINTR",
    "ECONNABORTED",
    "ENOMEM",
    "ENFILE",
    "ENOBUFS",
    "EPERM",
];
/// New connections, of which about every second one is not handed over at first.
const NEWCOMERS: u32 = 12;

/// Whether one process may look into another here; says so where it may not.
fn may_trace(test: &str) -> bool {
    let tried = Command::new("strace")
        .args(["-D", "-qq", "-o", "/dev/null", "true"])
        .status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        skip::skipped(test, "this user may not trace processes");
    }
    may
}

#[test]
fn a_connection_that_is_not_handed_over_costs_no_other_one() {
    let test = "a_connection_that_is_not_handed_over_costs_no_other_one";
    if !skip::programs(test, &["strace"]) || !may_trace(test) {
        return;
    }
    let folder = DataFolder::new();
    let tried = if skip::everything() { 6 } else { 2 };
    for error in &NOT_HANDED_OVER[..tried] {
        let told = folder.beside(error);
        let told_at = told.display().to_string();
        let inject = format!("inject=accept4:error={error}:when=2+2");
        // The process that is started becomes the server: who traces it is its grandchild (`-D`).
        let trace = ["strace", "-D", "-f", "-qq", "-e", "trace=accept4"];
        let more = ["-e", inject.as_str(), "-o", told_at.as_str()];
        let server = folder.serve_under(&[&trace[..], &more].concat());
        for newcomer in 0..NEWCOMERS {
            let answer = server.stranger().get("/health");
            let answer = must(&format!("asking as {newcomer}, {error}"), answer);
            answer.expect(200);
        }
        server.stop();
        let told = must("reading the trace", std::fs::read_to_string(&told));
        let failed = told.matches("(INJECTED)").count();
        assert!(failed > 0, "accept never failed with {error}: {told}");
    }
}

/// Appends to the log at another time; what that means for the order of events is looked at in the end.
fn append_at(folder: &DataFolder, shift: &str, seed: &str) {
    let mut shifted = Command::new("faketime");
    shifted
        .args(["-f", shift, load(), "embedded"])
        .arg(folder.log())
        .args(["40", "--segment-bytes", "12288", "--seed", seed])
        .env("TZ", "Europe/Berlin");
    let (status, said) = run(&mut shifted, Duration::from_secs(60));
    assert!(
        status.success(),
        "at {shift} the load ended with {status}: {said}"
    );
}

#[test]
fn the_clock_may_jump_and_recorded_times_still_rise() {
    if !skip::programs(
        "the_clock_may_jump_and_recorded_times_still_rise",
        &["faketime"],
    ) {
        return;
    }
    let folder = DataFolder::new();
    // A day back, three years on, and back again into an hour that Berlin has twice.
    let times = ["-1d", "+1095d", "@2026-10-25 02:30:00"];
    for (shift, seed) in times.into_iter().zip(["2", "3", "4"]) {
        append_at(&folder, shift, seed);
    }
    let mut look = Command::new(load());
    look.arg("reopen")
        .arg(folder.log())
        .args(["--segment-bytes", "12288"]);
    let (status, said) = run(&mut look, Duration::from_secs(60));
    assert!(status.success(), "ended with {status}: {said}");
    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(0), "{said}");
}

/// What `faketime` sets the clock with; a running process looks into the file each time that it asks for the time.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[test]
fn the_clock_of_a_running_server_may_jump() {
    let test = "the_clock_of_a_running_server_may_jump";
    if !Path::new(FAKETIME).exists() {
        skip::skipped(test, &format!("{FAKETIME} is not there (faketime)"));
        return;
    }
    let folder = DataFolder::new();
    let shift = folder.beside("shift");
    let set = |to: &str| must("setting the clock", std::fs::write(&shift, to));
    set("+0");
    let environment = [
        ("LD_PRELOAD", FAKETIME.into()),
        ("FAKETIME_TIMESTAMP_FILE", shift.clone().into()),
        ("FAKETIME_NO_CACHE", "1".into()),
        // Waits go on as they were: it is what people see that jumps.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ];
    let server = folder.serve_with(&[], &environment);
    let mut number = 0;
    // A day back, two days on, a year, and back to the present.
    for to in ["+0", "-1d", "+1d", "+365d", "+0"] {
        set(to);
        // Who is logged in may have to do it again; whoever does is let in.
        let mut client = server.client();
        for _ in 0..5 {
            number += 1;
            let event = event("Probe", "clock", number);
            must("appending", client.post("/api/v1/events", &event)).expect(201);
        }
        must("asking", client.get("/api/v1/vehicles")).expect(200);
        must("asking", client.get("/api/v1/analytics/catalogue")).expect(200);
        assert!(server.is_ready(), "at {to}");
    }
    let mut client = server.client();
    let told = must("reading", client.get("/api/v1/events/Probe/clock")).expect(200);
    let told = told.json();
    let events = told.as_array().expect("a list");
    let recorded: Vec<&str> = events
        .iter()
        .map(|event| event["recorded_at"].as_str().expect("a time"))
        .collect();
    assert_eq!(recorded.len(), 25);
    // RFC 3339 in UTC, of one length: the order of texts is that of times.
    assert!(recorded.is_sorted(), "{recorded:?}");
    assert!(recorded[24] > recorded[9], "{recorded:?}");
    server.stop();
    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(0), "{said}");
    // The log ends a year ahead of the clock that the next start sees.
    let server = folder.serve();
    let mut client = server.client();
    must(
        "appending",
        client.post("/api/v1/events", &event("Probe", "clock", 26)),
    )
    .expect(201);
    server.stop();
}
