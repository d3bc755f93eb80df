//! Many at once: listeners that all hear each event, newcomers beyond the limits that are told to come again, and
//! connections that are odd and cost nothing lasting.
//!
//! `RAILFLEET_LISTENERS` says how many listen; the long form is 5,000.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use harness::process::{must, wait_for};
use harness::server::{DataFolder, Server};
use harness::skip;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::event;

/// How long anything here may take: a busy machine has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);
/// Events that each listener hears.
const EVENTS: u32 = 20;
/// Memory that a listener may cost: two chunks of the stream, a connection and its task.
const LISTENER_KIB_MAX: u64 = 160;
/// Memory that may come with anything: caches, allocator.
const BESIDE_KIB_MAX: u64 = 64 << 10;
/// Open files of a server that nobody is connected to vary by this many: read models and threads open theirs in time.
const FILES_SLACK: usize = 32;

/// A number of a process's status, in KiB.
fn status(server: &mut Server, field: &str) -> u64 {
    let path = format!("/proc/{}/status", server.process().id());
    let text = must("reading the status", fs::read_to_string(path));
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.expect("the field is there").split_whitespace().next();
    number.and_then(|word| word.parse().ok()).expect("a number")
}

fn open_files(server: &mut Server) -> usize {
    let path = format!("/proc/{}/fd", server.process().id());
    must("listing open files", fs::read_dir(path)).count()
}

/// This process is at the other end of every connection.
fn raise_own_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    must(
        "raising the limit of open files",
        setrlimit(Resource::Nofile, raised).map_err(std::io::Error::from),
    );
}

/// One listener: says once that it hears, and then each event's position.
async fn listen(
    port: u16,
    token: String,
    heard: mpsc::UnboundedSender<Option<u64>>,
) -> std::io::Result<()> {
    let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!(
        "GET /api/v1/events/stream HTTP/1.1\r\nHost: depot\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        if line.starts_with(": connected") {
            let _ = heard.send(None);
        } else if let Some(position) = line.strip_prefix("id:") {
            let position = position.trim().parse().map_err(std::io::Error::other)?;
            let _ = heard.send(Some(position));
        }
    }
    Ok(())
}

#[test]
fn every_listener_hears_every_event() {
    if !skip::programs("every_listener_hears_every_event", &["prlimit"]) {
        return;
    }
    let listeners = skip::how_many("RAILFLEET_LISTENERS", 500);
    raise_own_limit();
    let folder = DataFolder::new();
    // The soft limit is too low for this crowd: the server raises it to the hard one.
    let limits = format!("--nofile=128:{}", listeners + 1_024);
    let most = (listeners + 64).to_string();
    let settings = [
        ("RAILFLEET_HTTP_CONNECTIONS_MAX", most.clone()),
        ("RAILFLEET_HTTP_CONNECTIONS_PER_ADDRESS_MAX", most),
        ("RAILFLEET_HTTP_SUBSCRIBERS_MAX", listeners.to_string()),
    ];
    let mut caller = vec!["prlimit".to_owned(), limits, "env".to_owned()];
    caller.extend(settings.map(|(name, value)| format!("{name}={value}")));
    let caller: Vec<&str> = caller.iter().map(String::as_str).collect();
    let mut server = folder.serve_under(&caller);
    let mut client = server.client();
    let token = server.token();
    let (files, memory) = (open_files(&mut server), status(&mut server, "VmRSS:"));

    let runtime = must("a runtime", Runtime::new());
    let (tell, mut heard) = mpsc::unbounded_channel();
    for _ in 0..listeners {
        runtime.spawn(listen(server.port(), token.clone(), tell.clone()));
    }
    let mut next = |what: &str| {
        let wait = async { tokio::time::timeout(PATIENCE, heard.recv()).await };
        match runtime.block_on(wait) {
            Ok(Some(said)) => said,
            _ => panic!("{what}"),
        }
    };
    for number in 0..listeners {
        let said = next(&format!("only {number} of {listeners} are connected"));
        assert_eq!(said, None, "an event before there was one");
    }

    // One more is told to come again, and nobody is disturbed.
    let headers = [("Accept", "text/event-stream")];
    let answer = must(
        "asking",
        client.request("GET", "/api/v1/events/stream", &headers, b""),
    );
    let refused = answer.expect(503);
    assert!(
        refused.header("retry-after").is_some(),
        "it says when to come again"
    );

    let (mut sum, mut last) = (0, 0);
    for number in 0..EVENTS {
        let answer = must(
            "appending",
            client.post("/api/v1/events", &event("Probe", "crowd", number)),
        );
        last = answer.expect(201).json()["position"]
            .as_u64()
            .expect("a position");
        sum += last;
    }
    let all = listeners * u64::from(EVENTS);
    let mut heard_sum = 0;
    for number in 0..all {
        heard_sum += next(&format!("only {number} of {all} were heard")).unwrap_or(0);
    }
    assert_eq!(heard_sum, sum * listeners, "each heard each event once");
    let grown = status(&mut server, "VmRSS:").saturating_sub(memory);
    let allowed = BESIDE_KIB_MAX + listeners * LISTENER_KIB_MAX;
    assert!(grown <= allowed, "{listeners} listeners cost {grown} KiB");
    record(&format!(
        "{listeners} listeners, {EVENTS} events each, {grown} KiB more memory"
    ));

    runtime.shutdown_background();
    wait_for("their connections are gone", PATIENCE, || {
        (open_files(&mut server) <= files + FILES_SLACK).then_some(())
    });
    let path = format!("/api/v1/events/stream?from_position={}", last + 1);
    let mut again = must("listening", client.listen(&path, &[]));
    must(
        "appending",
        client.post("/api/v1/events", &event("Probe", "crowd", EVENTS)),
    )
    .expect(201);
    assert!(
        must("hearing", again.next(PATIENCE)).is_some(),
        "there is room again at once"
    );
    drop(again);
    server.stop();
}

/// Keeps a figure for whoever writes it down, as the fault tools' are.
fn record(line: &str) {
    let path = skip::workspace().join("target/faults/figures.txt");
    let file = fs::File::options().append(true).create(true).open(path);
    if let Ok(mut file) = file {
        let _ = writeln!(file, "crowd: {line}");
    }
}

/// What a connection is told, up to its end.
fn told(mut stream: &TcpStream) -> String {
    let mut bytes = Vec::new();
    must("limiting", stream.set_read_timeout(Some(PATIENCE)));
    // What was told before a reset counts.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_connection_too_many_is_told_when_to_come_again_and_then_served_at_once() {
    let folder = DataFolder::new();
    // Nobody of the crowd is shown out for saying nothing while this is tried.
    let settings = [
        ("RAILFLEET_HTTP_CONNECTIONS_MAX", "16".into()),
        ("RAILFLEET_HTTP_HEADER_READ_TIMEOUT_S", "300".into()),
    ];
    let server = folder.serve_with(&[], &settings);
    let address = (Ipv4Addr::LOCALHOST, server.port());
    let connect = || must("connecting", TcpStream::connect(address));
    let crowd: Vec<TcpStream> = (0..16).map(|_| connect()).collect();
    // The one before may still be on its way in; none of the later ones is let in.
    let refused = wait_for("one is refused", PATIENCE, || {
        let said = told(&connect());
        said.starts_with("HTTP/1.1 503").then_some(said)
    });
    assert!(
        refused.contains("retry-after: 1") && refused.contains("problem:busy"),
        "{refused}"
    );
    drop(crowd);
    wait_for("a newcomer is served", PATIENCE, || {
        server
            .stranger()
            .get("/health")
            .ok()
            .filter(|answer| answer.status == 200)
    });
    server.stop();
}

/// Who has asked and says no more is answered, or is taken to be gone: what it is told.
fn ask_and_close_half(mut stream: &TcpStream) -> String {
    must(
        "asking",
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: depot\r\nConnection: close\r\n\r\n"),
    );
    must("closing half", stream.shutdown(Shutdown::Write));
    told(stream)
}

#[test]
fn half_closed_and_huge_connections_cost_nothing_lasting() {
    let folder = DataFolder::new();
    let settings = [("RAILFLEET_HTTP_HEADER_READ_TIMEOUT_S", "1".into())];
    let mut server = folder.serve_with(&[], &settings);
    let mut client = server.client();
    must("asking", client.get("/health")).expect(200);
    let files = open_files(&mut server);
    let address = (Ipv4Addr::LOCALHOST, server.port());
    let connect = || must("connecting", TcpStream::connect(address));
    let memory = status(&mut server, "VmRSS:");
    let mut kept = Vec::new();
    // A reset may overtake what was said before it, but not each time.
    let (mut answered, mut refused) = (0, 0);
    for number in 0..100 {
        let asked = connect();
        let said = ask_and_close_half(&asked);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 200"),
            "number {number}: {said}"
        );
        answered += u32::from(!said.is_empty());
        // Who closes in the middle of a head, or says nothing and never will, is let go; we hold our end open.
        let mut broken = connect();
        must("asking", broken.write_all(b"GET /health HTT"));
        must("closing half", broken.shutdown(Shutdown::Write));
        let silent = connect();
        must("closing half", silent.shutdown(Shutdown::Write));
        kept.extend([asked, broken, silent]);
        // A head of a megabyte is refused before it is taken in.
        let mut huge = connect();
        let head = format!(
            "GET /health HTTP/1.1\r\nX-Filler: {}\r\n\r\n",
            "a".repeat(1 << 20)
        );
        let _ = huge.write_all(head.as_bytes());
        let said = told(&huge);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 431"),
            "{said}"
        );
        refused += u32::from(!said.is_empty());
    }
    assert!(refused > 0, "none was told why");
    // On a busy machine the end may be seen before the answer is written, a hundred times, but not for ever.
    wait_for("one that closed its half is answered", PATIENCE, || {
        (answered > 0 || !ask_and_close_half(&connect()).is_empty()).then_some(())
    });
    wait_for("all are let go", PATIENCE, || {
        (open_files(&mut server) <= files + FILES_SLACK).then_some(())
    });
    let grown = status(&mut server, "VmRSS:").saturating_sub(memory);
    assert!(grown <= BESIDE_KIB_MAX, "{grown} KiB");
    drop(kept);
    must("asking", client.get("/health"));
    server.stop();
}
