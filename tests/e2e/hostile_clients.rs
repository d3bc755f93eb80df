//! Slow, endless, malformed and hostile clients: others are answered all the while, and the slow ones are shown out.

use std::time::Duration;

use harness::fault_tools::FaultTools;
use harness::server::DataFolder;
use harness::skip;

#[test]
fn hostile_clients_disturb_nobody() {
    let Some(tools) = FaultTools::ready("hostile_clients_disturb_nobody", &[]) else {
        return;
    };
    let folder = DataFolder::new();
    // Short limits, so that seconds are enough to see them kept.
    let limits = [
        ("RAILFLEET_HTTP_HEADER_READ_TIMEOUT_S", "1"),
        ("RAILFLEET_HTTP_BODY_READ_TIMEOUT_S", "1"),
    ];
    let environment = limits.map(|(name, value)| (name, value.into()));
    let mut server = folder.serve_with(&[], &environment);
    let (connections, seconds) = if skip::everything() {
        ("500", "15")
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
        // The machine also runs the clients and other tests: that an answer comes is tested, how fast is for the bench.
        ("--limit", "3000".to_owned()),
    ];
    let arguments: Vec<String> = arguments
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
    tools.call("slowclient.py", &arguments, Duration::from_secs(600));
    server.stop();
}
