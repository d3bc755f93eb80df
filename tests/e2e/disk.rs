//! The disk runs full, and comes back; a sync fails, and is not tried again. The server lives through both.

use std::ffi::OsString;
use std::time::Duration;

use harness::client::{Answer, Client};
use harness::fault_tools::FaultTools;
use harness::process::{must, wait_for};
use harness::server::DataFolder;
use harness::skip;
use harness::small_disk::SmallDisk;

use super::{event, event_of_size};

/// What is set aside and given back later, standing for whatever an operator deletes.
const BALLAST_BYTES: usize = 12 << 20;
/// Data of an event that fills a disk soon.
const LARGE_BYTES: usize = 100 << 10;
/// More appends than either disk has room for.
const APPENDS_MAX: u32 = 2_000;

fn id_of(answer: &Answer) -> String {
    answer.json()["id"]
        .as_str()
        .expect("an event has an id")
        .to_owned()
}

/// Appends events of `bytes` until one is refused. Returns the ids of those that were not, and the refusal.
fn append_until_refused(client: &mut Client, stream: &str, bytes: usize) -> (Vec<String>, Answer) {
    let mut ids = Vec::new();
    for number in 0..APPENDS_MAX {
        let body = event_of_size("Probe", stream, number, bytes);
        let answer = must("appending", client.post("/api/v1/events", &body));
        if answer.status != 201 {
            return (ids, answer);
        }
        ids.push(id_of(&answer));
    }
    panic!("{APPENDS_MAX} events were accepted");
}

#[track_caller]
fn is_a_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let detail = answer.json()["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(detail.len() > 10, "a detail that says nothing: {detail:?}");
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_space_again() {
    let test = "a_full_disk_refuses_appends_until_there_is_space_again";
    let Some(tools) = FaultTools::ready(test, &[]) else {
        return;
    };
    if !skip::may_mount(test) {
        return;
    }
    let disk = SmallDisk::mount(&tools, "48M");
    let folder = DataFolder::within(disk.path());
    let ballast = disk.path().join("ballast");
    must(
        "setting space aside",
        std::fs::write(&ballast, vec![1; BALLAST_BYTES]),
    );
    let server = folder.serve();
    let mut client = server.client();

    let (mut ids, refused) = append_until_refused(&mut client, "before", LARGE_BYTES);
    is_a_problem(&refused, 507);
    assert!(ids.len() > 50, "only {} events fitted", ids.len());

    let page = must(
        "reading",
        client.get("/api/v1/events?aggregate_type=Probe&limit=5"),
    )
    .expect(200);
    assert_eq!(page.json()["total"], ids.len());
    let health = must("asking for health", client.get("/health"))
        .expect(200)
        .json();
    assert_eq!(health["log"]["state"], "disk_full", "{health}");

    must("giving space back", std::fs::remove_file(&ballast));
    let resumed = wait_for("appending resumes", Duration::from_secs(15), || {
        let body = event_of_size("Probe", "after", 1, LARGE_BYTES);
        let answer = must("appending", client.post("/api/v1/events", &body));
        (answer.status == 201).then_some(answer)
    });
    ids.push(id_of(&resumed));
    assert!(server.is_ready(), "writable again, and not ready");
    drop(client);
    server.stop();
    let (code, said) = folder.verify(&ids);
    assert_eq!(code, Some(0), "{} acknowledged: {said}", ids.len());
    drop(disk);
}

/// Events of a log that is larger than what is left of the disk for backups, and smaller than all of it.
const BACKED_UP: u32 = 60;

#[test]
fn a_backup_that_finds_no_space_is_said_and_leaves_nothing() {
    let test = "a_backup_that_finds_no_space_is_said_and_leaves_nothing";
    let Some(tools) = FaultTools::ready(test, &[]) else {
        return;
    };
    if !skip::may_mount(test) {
        return;
    }
    let disk = SmallDisk::mount(&tools, "16M");
    let ballast = disk.path().join("ballast");
    must(
        "setting space aside",
        std::fs::write(&ballast, vec![1; BALLAST_BYTES]),
    );
    let folder = DataFolder::new();
    let backups = disk.path().join("backups");
    let settings = [("RAILFLEET_EVENTS_BACKUPS_PATH", backups.clone().into())];
    let server = folder.serve_with(&[], &settings);
    let mut client = server.client();
    let mut append = |number| {
        let body = event_of_size("Probe", "backed-up", number, LARGE_BYTES);
        let answer = must("appending", client.post("/api/v1/events", &body));
        id_of(&answer.expect(201))
    };
    let mut ids: Vec<String> = (0..BACKED_UP).map(&mut append).collect();

    let name = r#"{"name":"monday"}"#;
    let path = "/api/v1/operations/backups";
    let refused = must("backing up", server.client().post(path, name));
    is_a_problem(&refused, 507);
    let left = std::fs::read_dir(&backups).into_iter().flatten().count();
    assert_eq!(left, 0, "what is half made takes the room of the next");
    ids.push(append(BACKED_UP));

    must("giving space back", std::fs::remove_file(&ballast));
    must("backing up", server.client().post(path, name)).expect(201);
    server.stop();
    let backup = DataFolder::adopt(&backups.join("monday"));
    let (code, said) = backup.verify(&ids);
    assert_eq!(code, Some(0), "{said}");
    drop(disk);
}

#[test]
fn after_a_failed_sync_nothing_is_accepted_until_a_restart() {
    let test = "after_a_failed_sync_nothing_is_accepted_until_a_restart";
    let Some(tools) = FaultTools::ready(test, &["faultshim.so"]) else {
        return;
    };
    let folder = DataFolder::new();
    // Which sync that is depends on the server's start; that it comes soon is all that matters.
    let environment: Vec<(&str, OsString)> = vec![
        ("LD_PRELOAD", tools.shim().into()),
        ("FAULT_DIR", folder.log().into()),
        ("FAULT_OPS", "fsync".into()),
        ("FAULT_NTH", "25".into()),
        ("FAULT_COUNT", "1".into()),
        ("FAULT_DO", "EIO".into()),
    ];
    let server = folder.serve_with(&[], &environment);
    let mut client = server.client();
    let (ids, refused) = append_until_refused(&mut client, "synced", 300);
    is_a_problem(&refused, 503);

    // Every sync would succeed from here on; none of it may be believed.
    for number in 0..5 {
        let again = must(
            "appending",
            client.post("/api/v1/events", &event("Probe", "later", number)),
        );
        is_a_problem(&again, 503);
    }
    assert!(
        !server.is_ready(),
        "a server that takes no writes is not ready"
    );
    must("asking for health", client.get("/health")).expect(200);
    let page = must(
        "reading",
        client.get("/api/v1/events?aggregate_type=Probe&limit=1000"),
    )
    .expect(200);
    assert_eq!(
        page.json()["events"].as_array().map(Vec::len),
        Some(ids.len())
    );
    drop(client);
    server.kill();

    let (code, said) = folder.verify(&ids);
    assert_eq!(code, Some(0), "{} acknowledged: {said}", ids.len());
    let server = folder.serve();
    let mut client = server.client();
    must(
        "appending",
        client.post("/api/v1/events", &event("Probe", "restarted", 1)),
    )
    .expect(201);
    let later = must("reading", client.get("/api/v1/events/Probe/later"));
    assert_eq!(
        later.status,
        404,
        "what was refused is there: {}",
        later.text()
    );
    server.stop();
}
