//! What a new user sees first: `railfleet demo` fills a depot, serves it, and the lines that it prints work as they stand.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::client::Client;
use harness::process::{Process, must, run, wait_for};
use harness::server::{DataFolder, railfleet};
use harness::skip;
use rustix::process::Signal;
use serde_json::Value;

/// A small depot: what is tried is the way, not the simulation.
const SMALL: [&str; 6] = ["--vehicles", "8", "--days", "60", "--port", "0"];

/// Starts the demo, and waits until it has printed all it has to say.
fn start(folder: &DataFolder, data: &Path) -> Process {
    let mut command = Command::new(railfleet());
    command.args(["demo", "--data"]).arg(data).args(SMALL);
    let output = folder.beside("demo.out");
    let _ = std::fs::remove_file(&output);
    let mut demo = Process::start(&mut command, &output);
    wait_for("the demo serves", Duration::from_secs(90), || {
        if let Some(status) = demo.ended() {
            panic!("the demo ended with {status}: {}", demo.last_words());
        }
        let said = demo.output();
        (said
            .lines()
            .filter(|line| line.starts_with("curl "))
            .count()
            >= 4
            && said.ends_with('\n'))
        .then_some(())
    });
    demo
}

fn stop(mut demo: Process) -> String {
    demo.signal(Signal::TERM);
    let status = demo.wait(Duration::from_secs(15));
    assert!(
        status.is_some_and(|status| status.success()),
        "the demo ended with {status:?}: {}",
        demo.last_words()
    );
    demo.output()
}

/// Types the printed lines into a shell: the settings first, and then one line of curl at a time.
fn try_its_lines(said: &str) -> Vec<Value> {
    let starting = |word: &'static str| said.lines().filter(move |line| line.starts_with(word));
    let settings: Vec<&str> = starting("export ").collect();
    assert_eq!(settings.len(), 2, "not an address and a token: {said}");
    let answer = |line: &str| {
        // Nothing of the line is changed; the shell's curl is told to fail on a problem.
        let commands = format!(
            "{}\ncurl() {{ command curl --fail-with-body --max-time 30 \"$@\"; }}\n{line}",
            settings.join("\n")
        );
        let (status, said) = run(
            Command::new("bash").args(["-euc", &commands]),
            Duration::from_secs(40),
        );
        assert!(status.success(), "{line}\nended with {status}: {said}");
        serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{line}\nanswered no JSON ({error}): {said}"))
    };
    starting("curl ").map(answer).collect()
}

/// What the demo printed behind `export NAME=`.
fn exported(said: &str, name: &str) -> String {
    let begin = format!("export {name}=");
    let line = said.lines().find_map(|line| line.strip_prefix(&begin));
    line.expect("it is printed").to_owned()
}

/// Every list of the depot has something in it, and what refers to something is found by it.
fn look_around(said: &str) {
    let address = exported(said, "ADDRESS");
    let port = address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let mut client =
        Client::new(port.expect("an address has a port")).with_token(exported(said, "TOKEN"));
    let mut get = |path: &str| {
        let answer = client.get(&format!("/api/v1{path}"));
        must("asking", answer).expect(200).json()
    };
    let parts = get("/parts");
    assert_eq!(parts["total"], 24);
    let supplier = get("/suppliers/SUP-01");
    let bought: Vec<&Value> = parts["parts"]
        .as_array()
        .expect("parts")
        .iter()
        .filter(|part| part["preferred_supplier_id"] == supplier["id"])
        .collect();
    assert!(!bought.is_empty(), "no part is bought from {supplier}");
    for part in parts["parts"].as_array().expect("parts") {
        let number = part["part_no"].as_str().expect("a number");
        let lies = get(&format!("/stock/overview?part_no={number}"));
        assert_eq!(lies["items"][0]["location_code"], "CENTRAL", "{lies}");
        assert_eq!(lies["items"][0]["quantity"], part["current_stock"]);
        assert_eq!(lies["total_items"], 1);
    }
    let vehicles = get("/vehicles");
    let vehicle = &vehicles["vehicles"][0];
    let of_vehicle = format!(
        "/maintenance/orders?vehicle_id={}",
        vehicle["asset_id"].as_str().expect("an asset id")
    );
    let orders = get(&of_vehicle);
    assert_eq!(orders[0]["vehicle_id"], vehicle["id"], "{of_vehicle}");
    for (code, tracks) in [("WS-EAST", 4), ("WS-NORTH", 3)] {
        let orders = get(&format!("/maintenance/orders?workshop_id={code}"));
        assert!(orders.as_array().is_some_and(|orders| !orders.is_empty()));
        assert_eq!(get(&format!("/tracks?workshop_id={code}"))["total"], tracks);
        assert_eq!(get(&format!("/teams?workshop_id={code}"))["total"], 2);
    }
    let moves = get("/stock/moves?move_type=USAGE&limit=1");
    let order = moves["moves"][0]["work_order_id"]
        .as_str()
        .expect("an order");
    assert_eq!(get(&format!("/maintenance/orders/{order}"))["id"], order);

    let budgets = get("/budget/overview?period=2026-10");
    assert_eq!(budgets["items"][0]["cost_center"], "WS-MAINT");
    assert_eq!(get("/cost_centers/WS-MAINT")["code"], "WS-MAINT");
    let report = get("/reports/dashboard?period=2026-10");
    for name in [
        "availability_pct",
        "on_time_ratio_pct",
        "time_availability_pct",
        "budget_utilization_pct",
    ] {
        assert!(report[name].is_number(), "{name} in {report}");
    }
}

#[test]
fn the_demo_prints_lines_that_answer() {
    if !skip::programs("the_demo_prints_lines_that_answer", &["bash", "curl"]) {
        return;
    }
    let folder = DataFolder::new();
    let data = folder.beside("depot");
    let demo = start(&folder, &data);
    for answer in try_its_lines(&demo.output()) {
        let members = answer.as_object().expect("an object is answered");
        assert!(!members.is_empty());
        // Without warnings is how it should be.
        let empty = members.iter().any(|(name, member)| {
            name != "warnings" && member.as_array().is_some_and(Vec::is_empty)
        });
        assert!(!empty, "a list without anything to look at: {answer}");
    }
    look_around(&demo.output());
    let first = stop(demo);

    // The second start finds the depot as it was left, and lets the same accounts in.
    let demo = start(&folder, &data);
    assert_eq!(
        try_its_lines(&demo.output()).len(),
        first
            .lines()
            .filter(|line| line.starts_with("curl "))
            .count()
    );
    stop(demo);
    let mut verify = Command::new(railfleet());
    let (status, said) = run(verify.arg("verify").arg(&data), Duration::from_secs(60));
    assert!(status.success(), "verify ended with {status}: {said}");
}
