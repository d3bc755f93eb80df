//! What the machine gives runs short or jumps: open files, and the clock.

use std::net::{Ipv4Addr, TcpStream};
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
