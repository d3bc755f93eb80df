//! Slow, endless, malformed and hostile clients: others are answered all the while, and the slow ones are shown out.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use harness::fault_tools::FaultTools;
use harness::process::{must, wait_for};
use harness::server::{DataFolder, Server};
use harness::skip;

/// What the tool's clients do. It has one kind more, which asks and never reads: that is the second test here.
const KINDS: [&str; 11] = [
    "headers", "body", "idle", "bighead", "bigbody", "chunk", "smuggle", "junk", "deep",
    "longline", "methods",
];
/// Those that the server's limits end. The tool sends a byte a second, or nothing, and sees the end at the second byte after it: the
/// limit of a second, those two, and the rest for a busy machine.
const SLOW_KINDS: [&str; 3] = ["headers", "body", "idle"];
/// How often a kind is tried whose only fault was that honest probes came late: the tool answers for hundreds of clients in
/// one thread, on a machine that runs other tests. A server that does not keep up is late each time.
const TRIES: u32 = 3;
/// How long anything here may take: a busy machine has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server with short limits, so that seconds are enough to see them kept.
fn serve(folder: &DataFolder) -> Server {
    let limits = [
        ("RAILFLEET_HTTP_HEADER_READ_TIMEOUT_S", "1"),
        ("RAILFLEET_HTTP_BODY_READ_TIMEOUT_S", "1"),
    ];
    folder.serve_with(&[], &limits.map(|(name, value)| (name, value.into())))
}

#[test]
fn hostile_clients_disturb_nobody() {
    let Some(tools) = FaultTools::ready("hostile_clients_disturb_nobody", &[]) else {
        return;
    };
    for kind in KINDS {
        let mut tries = 0;
        while let Err(said) = bear(&tools, kind) {
            tries += 1;
            let harmed = ["the server is gone", "memory grew", "still open"];
            let is_harmed = harmed.iter().any(|harm| said.contains(harm));
            assert!(
                said.contains("probes failed") && !is_harmed && tries < TRIES,
                "{kind}, try {tries}: {said}"
            );
        }
    }
}

/// Lets clients of one kind at a server of its own.
fn bear(tools: &FaultTools, kind: &str) -> Result<(), String> {
    let folder = DataFolder::new();
    let mut server = serve(&folder);
    let (connections, seconds) = if skip::everything() {
        ("500", "15")
    } else if SLOW_KINDS.contains(&kind) {
        ("60", "7")
    } else {
        ("60", "3.5")
    };
    let authorization = format!("Authorization: Bearer {}", server.token());
    let arguments = [
        ("--port", server.port().to_string()),
        ("--pid", server.process().id().to_string()),
        ("--path", "/health".to_owned()),
        ("--post", "/api/v1/events".to_owned()),
        ("--header", authorization),
        ("--connections", connections.to_owned()),
        ("--seconds", seconds.to_owned()),
        // That an answer comes is tested, how fast is for the bench.
        ("--limit", "3000".to_owned()),
    ];
    let mut arguments: Vec<String> = arguments
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
    arguments.push(kind.to_owned());
    tools.try_call("slowclient.py", &arguments, &[], PATIENCE)?;
    server.stop();
    Ok(())
}

/// Who asks for more than any buffer holds and never reads is shown out, and others are answered meanwhile.
#[test]
fn who_never_reads_its_answers_is_shown_out() {
    let folder = DataFolder::new();
    let server = serve(&folder);
    let address = (Ipv4Addr::LOCALHOST, server.port());
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: depot\r\n\r\n";
    let deaf: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = must("connecting", TcpStream::connect(address));
            must("asking", stream.write_all(&request.repeat(200)));
            stream
        })
        .collect();
    let ask = |path| {
        let mut honest = server.stranger().with_patience(PATIENCE);
        must("asking", honest.get(path)).expect(200).text()
    };
    for _ in 0..20 {
        ask("/health");
    }
    let whole = ask("/openapi.json").len() * 200;
    assert!(whole > 16 << 20, "{whole} bytes may fit into buffers");
    wait_for("they are shown out", PATIENCE, || {
        let metrics = ask("/metrics");
        let open = metrics
            .lines()
            .find_map(|line| line.strip_prefix("railfleet_http_connections "));
        (open.expect("connections are counted") == "1").then_some(())
    });
    drop(deaf);
    server.stop();
}
