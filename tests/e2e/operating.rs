//! What an administrator types beside `serve`, what a service manager hears of it, and what those who watch it ask for.

pub(crate) mod figures;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use harness::process::{must, run, run_with_input, wait_for};
use harness::server::{COMMAND_LIMIT, DataFolder};
use harness::skip;

use super::{batch, event};

use figures::Group;

/// Runs `railfleet` on the folder; whether it did what was asked, and what it said.
fn railfleet(folder: &DataFolder, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = folder.command(arguments);
    command.arg("--data").arg(folder.path());
    let (status, said) = run_with_input(&mut command, input, COMMAND_LIMIT);
    (status.success(), said)
}

#[test]
fn a_drill_restores_beside_a_running_server_and_leaves_nothing() {
    let folder = DataFolder::new();
    let (done, said) = railfleet(&folder, &["drill"], "");
    assert!(!done && said.contains("there is no backup in"), "{said}");

    let server = folder.serve();
    let mut client = server.client();
    must(
        "writing",
        client.post("/api/v1/events/batch", &batch(0, 200)),
    )
    .expect(201);
    let name = r#"{"name":"monday"}"#;
    must(
        "backing up",
        client.post("/api/v1/operations/backups", name),
    )
    .expect(201);
    let backups = folder.path().join("backups");
    let monday = backups.join("monday");
    let (done, said) = railfleet(&folder, &["drill", &monday.display().to_string()], "");
    assert!(done && said.contains("can be restored: 20"), "{said}");
    let left: Vec<_> = must("listing", std::fs::read_dir(&backups)).collect();
    assert_eq!(left.len(), 1, "the drill's folder is gone: {left:?}");
    server.stop();

    let segment = first_segment(&monday);
    let mut bytes = must("reading", std::fs::read(&segment));
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    // A link to the log's own file would be damaged with it.
    must("removing", std::fs::remove_file(&segment));
    must("writing", std::fs::write(&segment, bytes));
    let (done, said) = railfleet(&folder, &["drill", &monday.display().to_string()], "");
    assert!(!done, "a damaged backup is no good one: {said}");
    let left = must("listing", std::fs::read_dir(&backups)).count();
    assert_eq!(left, 1, "nor does a drill that fails leave anything");
}

fn first_segment(backup: &Path) -> std::path::PathBuf {
    let entries = must("listing", std::fs::read_dir(backup));
    let paths = entries.map(|entry| must("listing", entry).path());
    let mut segments: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    segments.sort();
    segments.swap_remove(0)
}

#[test]
fn a_password_is_set_on_the_machine_itself() {
    let folder = DataFolder::new();
    let set = ["user", "password", "fault-tester", "--password-stdin"];
    let (done, said) = railfleet(&folder, &set, "too short\n");
    assert!(!done && said.contains("at least 15 characters"), "{said}");
    let nobody = ["user", "password", "nobody", "--password-stdin"];
    let (done, said) = railfleet(&folder, &nobody, "another sentence to log in\n");
    assert!(
        !done && said.contains("there is no account nobody"),
        "{said}"
    );
    let (done, said) = railfleet(&folder, &set, "another sentence to log in\n");
    assert!(done, "{said}");

    let server = folder.serve();
    let login = |password: &str| {
        let body = format!(r#"{{"username":"fault-tester","password":"{password}"}}"#);
        must(
            "logging in",
            server.stranger().post("/api/v1/auth/login", &body),
        )
        .status
    };
    assert_eq!(login("another sentence to log in"), 200);
    assert_eq!(
        login("Correct-Horse7-Battery-Staple"),
        401,
        "the old one is none"
    );
    server.stop();
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = DataFolder::new();
    let pages = folder.beside("man");
    must("making a folder", std::fs::create_dir(&pages));
    let mut command = folder.command(&["man"]);
    let (status, said) = run(command.arg(&pages), COMMAND_LIMIT);
    assert!(status.success(), "{said}");
    for page in [
        "railfleet.1",
        "railfleet-serve.1",
        "railfleet-user-password.1",
    ] {
        let text = must("reading a page", std::fs::read_to_string(pages.join(page)));
        assert!(text.contains(".TH"), "{page} is no manual page");
    }
}

#[test]
fn a_service_manager_hears_that_the_server_is_ready_alive_and_stopping() {
    let folder = DataFolder::new();
    let path = folder.beside("notify");
    let ears = must("listening", UnixDatagram::bind(&path));
    must(
        "limiting",
        ears.set_read_timeout(Some(Duration::from_secs(30))),
    );
    let hear = || {
        let mut message = [0; 256];
        let length = must("hearing", ears.recv(&mut message));
        String::from_utf8_lossy(&message[..length])
            .trim()
            .to_owned()
    };
    let environment = [
        ("NOTIFY_SOCKET", path.into_os_string()),
        ("WATCHDOG_USEC", "400000".into()),
    ];
    let server = folder.serve_with(&[], &environment);
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    let mut client = server.client();
    must(
        "writing",
        client.post("/api/v1/events", &event("Crane", "1", 1)),
    )
    .expect(201);
    server.stop();
    let last = std::iter::from_fn(|| Some(hear())).find(|word| word != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

/// Opens the address that the server is told, as systemd would, and becomes the server with that socket.
const ACTIVATE: &str = "
import os, socket, sys
host, port = sys.argv[sys.argv.index('--listen') + 1].rsplit(':', 1)
server = socket.create_server((host, int(port)))
os.dup2(server.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(sys.argv[1], sys.argv[1:])
";

/// A server that bound the address itself would find it taken.
#[test]
fn a_socket_that_was_opened_for_the_server_is_used() {
    if !skip::programs(
        "a_socket_that_was_opened_for_the_server_is_used",
        &["python3"],
    ) {
        return;
    }
    let folder = DataFolder::new();
    let server = folder.serve_under(&["python3", "-c", ACTIVATE]);
    let mut client = server.client();
    must(
        "writing",
        client.post("/api/v1/events", &event("Crane", "1", 1)),
    )
    .expect(201);
    server.stop();
}

/// A vehicle that serves has a key figure.
const SERVES: &str = r#"{"aggregate_type":"Vehicle","aggregate_id":"1","event_type":"VehicleCreated","occurred_at":"2023-11-01T00:00:00Z","data":{"asset_id":"1","model":"BR 185","status":"in_service"}}"#;

/// Queries about tablets, an archive and other depots are asked where there are some: `sync.rs`, `archive.rs`, `federation/command.rs`.
#[test]
fn alerts_and_panels_ask_for_what_there_is() {
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut client = server.client();
    must("writing", client.post("/api/v1/events", SERVES)).expect(201);
    let catalogue = must("asking", client.get("/api/v1/analytics/catalogue")).expect(200);
    let catalogue = catalogue.json();
    let known = catalogue["kpis"].as_array().expect("key figures");
    for figure in figures::key_figures() {
        let is_known = known.iter().any(|kpi| kpi["key"] == *figure);
        assert!(is_known, "{figure} is no key figure: {catalogue}");
    }
    let told = wait_for("a key figure is told", COMMAND_LIMIT, || {
        let told = client.get("/metrics").ok()?.text();
        told.contains("railfleet_kpi{").then_some(told)
    });
    figures::hold(&told, Group::Everywhere);
    server.stop();
}
