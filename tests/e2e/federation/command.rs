//! `railfleet federation`: a depot joins, says how it stands, is told all anew, and leaves.

use std::path::Path;
use std::time::Duration;

use harness::nats::NatsServer;
use harness::process::{must, run, wait_for};
use harness::server::DataFolder;
use tokio::runtime::Runtime;

use crate::operating::figures::{Group, hold};

const LIMIT: Duration = Duration::from_secs(120);

/// What the command says, and whether it did what was asked.
fn federation(folder: &DataFolder, arguments: &[&str], token: Option<&str>) -> (bool, String) {
    let mut command = folder.command(&["federation"]);
    command.args(arguments).arg("--data").arg(folder.path());
    if let Some(token) = token {
        command.env("RAILFLEET_TOKEN", token);
    }
    let (status, said) = run(&mut command, LIMIT);
    (status.success(), said)
}

#[track_caller]
fn check_done(folder: &DataFolder, arguments: &[&str], token: Option<&str>) -> String {
    let (done, said) = federation(folder, arguments, token);
    assert!(done, "{arguments:?}: {said}");
    said
}

#[track_caller]
fn check_refused(folder: &DataFolder, arguments: &[&str], token: Option<&str>, why: &str) {
    let (done, said) = federation(folder, arguments, token);
    assert!(!done && said.contains(why), "{arguments:?}: {said}");
}

fn settings(folder: &DataFolder) -> String {
    std::fs::read_to_string(folder.path().join("railfleet.toml")).unwrap_or_default()
}

/// The places in the stream that the broker keeps.
fn places(address: &str) -> Vec<String> {
    use futures_util::TryStreamExt as _;

    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let client = async_nats::connect(address).await.expect("a broker");
        let jetstream = async_nats::jetstream::new(client);
        let stream = jetstream.get_stream("RAILFLEET").await.expect("a stream");
        stream.consumer_names().try_collect().await.expect("names")
    })
}

/// What the figures say of the depot that is called Nord.
fn figure<'a>(figures: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("railfleet_federation_{name}{{depot=\"Nord\",log=\"");
    figures.lines().find_map(|line| {
        let (_, value) = line.strip_prefix(&*start)?.split_once("\"} ")?;
        Some(value)
    })
}

/// Settings that somebody wrote by hand.
const OURS: &str = "# ours\n[logs]\nlevel = \"info\"\n";

#[test]
fn a_depot_joins_says_how_it_stands_and_leaves() {
    let Some(mut nats) = NatsServer::start_with("federation commands", &[], "") else {
        return;
    };
    let address = nats.address();
    let folders = [DataFolder::new(), DataFolder::new()];
    let [nord, south] = &folders;
    let join = |name| ["join", "--server", &address, "--name", name].map(str::to_owned);
    let join = |folder: &DataFolder, name| {
        let arguments = join(name);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        federation(folder, &arguments, None)
    };
    // Without JetStream, and where nobody is, nothing is written.
    let (done, said) = join(nord, "Nord");
    assert!(!done && said.contains("does not give the stream"), "{said}");
    let nobody = ["join", "--server", "nats://127.0.0.1:9", "--name", "Nord"];
    check_refused(nord, &nobody, None, "cannot be reached");
    check_refused(nord, &["leave"], None, "takes part in no federation");
    assert_eq!(settings(nord), "");

    nats.set("jetstream: enabled\n");
    nats.restart();
    std::fs::write(nord.path().join("railfleet.toml"), OURS).expect("a file");
    for (folder, name) in [(nord, "Nord"), (south, "Süd")] {
        let (done, said) = join(folder, name);
        assert!(done, "{said}");
    }
    assert!(settings(nord).starts_with(OURS), "{}", settings(nord));

    let nobody = ["status", "--set", "listen=127.0.0.1:9"];
    check_refused(nord, &nobody, Some("a token"), "no server answers");
    let servers = folders.each_ref().map(DataFolder::serve);
    let token = servers[1].token();
    let token = Some(token.as_str());
    let at = format!("listen=127.0.0.1:{}", servers[1].port());
    check_refused(south, &["status", "--set", &at], None, "say who asks");
    check_refused(
        south,
        &["status", "--set", &at],
        Some("nobody's"),
        "the server answers 401",
    );
    wait_for("hearing of each other", LIMIT, || {
        let (_, said) = federation(south, &["status", "--set", &at], token);
        let heard = ["Süd (log", "publishes: yes", "receives: yes", "Nord: "];
        heard.iter().all(|part| said.contains(part)).then_some(())
    });
    let json = check_done(south, &["status", "--json", "--set", &at], token);
    assert!(json.contains("\"enabled\":true"), "{json}");
    let figures = must("asking", servers[1].stranger().get("/metrics")).text();
    let lag = figure(&figures, "lag_positions");
    assert!(lag.is_some_and(|lag| lag.starts_with('0')), "{figures}");
    assert!(figure(&figures, "silent_seconds").is_some(), "{figures}");
    hold(&figures, Group::Depots);
    let said = check_done(south, &["resync", "--set", &at], token);
    assert!(said.contains("publish their events anew"), "{said}");

    // Of one that is gone nobody waits to hear, and no figure rises.
    let [north_server, south_server] = servers;
    north_server.stop();
    check_refused(
        south,
        &["gone", "North", "--reason", "it burnt down", "--set", &at],
        token,
        "North",
    );
    let gone = ["gone", "Nord", "--reason", "it burnt down", "--set", &at];
    let said = check_done(south, &gone, token);
    assert!(said.contains("Nord is gone"), "{said}");
    let (_, said) = federation(south, &["status", "--set", &at], token);
    assert!(said.contains("said to be gone since"), "{said}");
    let figures = must("asking", south_server.stranger().get("/metrics")).text();
    assert!(!figures.contains("depot=\"Nord\""), "{figures}");
    let back = [
        "gone",
        "Nord",
        "--back",
        "--reason",
        "it did not",
        "--set",
        &at,
    ];
    let said = check_done(south, &back, token);
    assert!(said.contains("Nord is not gone"), "{said}");
    let figures = must("asking", south_server.stranger().get("/metrics")).text();
    assert!(figure(&figures, "silent_seconds").is_some(), "{figures}");

    // Its place would be taken again by a server that runs.
    check_refused(south, &["leave"], None, "");
    assert!(settings(south).contains("servers"));
    south_server.stop();
    assert_eq!(places(&address).len(), 2);
    check_done(south, &["leave"], None);
    assert_eq!(places(&address).len(), 1);
    assert_eq!(settings(south), "");
    nats.kill();
    check_refused(nord, &["leave"], None, "--without-broker");
    check_done(nord, &["leave", "--without-broker"], None);
    assert_eq!(settings(nord), OURS);
    assert!(
        Path::new(&nord.path().join("log")).is_dir(),
        "what is here stays"
    );
}
