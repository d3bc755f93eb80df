//! Eleven years of a real metro's incidents: taken in, asked five questions, and each answer held against the file itself.
//!
//! The expected answers are counted here from the rows, with nothing of the server's code; the file is read where it lies.

mod rows;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use harness::client::Client;
use harness::process::{must, run};
use harness::server::{DataFolder, Server};
use harness::skip;
use serde_json::Value;

use rows::Row;

/// A day inside of the history, in summer time, at which a unit's state is asked for.
const THEN: &str = "2019-07-01T00:00:00Z";
/// Rows on a page of the unit's history.
const PAGE: usize = 250;

struct Taken {
    rows: Vec<Row>,
    server: Server,
    client: Client,
    /// The log's last position.
    position: u64,
}

fn taken_in(test: &str, folder: &DataFolder) -> Option<Taken> {
    let file = skip::subway_history(test)?;
    if !skip::programs(test, &["gzip", "curl"]) {
        return None;
    }
    let rows = rows::read(&file);
    let mut ingest = folder.command(&["ingest", "--map", "ttc-subway", "--data"]);
    ingest.arg(folder.path()).arg(&file);
    let (status, said) = run(&mut ingest, Duration::from_secs(300));
    assert!(status.success(), "ingest ended with {status}: {said}");
    let server = folder.serve();
    let mut client = server.client();
    let health = must("asking for health", client.get("/health"))
        .expect(200)
        .json();
    let position = health["log"]["position"]
        .as_u64()
        .expect("the log has a position");
    Some(Taken {
        rows,
        server,
        client,
        position,
    })
}

impl Taken {
    fn ask(&mut self, path: &str) -> Value {
        let path = format!("/api/v1/{path}");
        must("asking", self.client.get(&path)).expect(200).json()
    }

    /// Asks a read model, once it has everything.
    fn ask_model(&mut self, path: &str) -> Value {
        let position = self.position;
        self.ask(&format!(
            "projections/{path}&min_position={position}&wait_ms=30000"
        ))
    }

    fn rows_by_unit(&self) -> BTreeMap<String, Vec<Row>> {
        let mut units: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for row in &self.rows {
            units.entry(row.unit.clone()).or_default().push(row.clone());
        }
        units
    }
}

#[test]
fn eleven_years_of_a_metro_answer_five_questions() {
    let folder = DataFolder::new();
    let Some(mut taken) = taken_in("eleven_years_of_a_metro_answer_five_questions", &folder) else {
        return;
    };
    let units = taken.rows_by_unit();
    events_per_unit(&mut taken, &units);
    let (unit, rows) = units
        .iter()
        .find(|(_, rows)| rows.len() > 2 * PAGE && rows[0].utc_minutes < rows::minutes_of(THEN))
        .expect("some unit has a long history");
    let recorded = one_units_history_page_by_page(&mut taken, unit, rows);
    its_state_then_in_both_times(&mut taken, unit, rows, &recorded);
    its_state_and_failures_on_fifty_days(&mut taken, unit, rows);
    incidents_per_day(&mut taken);
    a_live_stream_shows_what_curl_appends(&mut taken, unit);
    taken.server.stop();
}

fn events_per_unit(taken: &mut Taken, units: &BTreeMap<String, Vec<Row>>) {
    let answer = taken.ask_model("current_state/data?aggregate_type=Vehicle&busiest=100000");
    let given: BTreeMap<String, u64> = answer["aggregates"]
        .as_array()
        .expect("a list of aggregates")
        .iter()
        .map(|unit| {
            let id = unit["aggregate_id"].as_str().expect("an id").to_owned();
            (id, unit["events"].as_u64().expect("a count"))
        })
        .collect();
    // Each row is an incident, and a unit's first row also says that there is such a unit.
    let counted = units
        .iter()
        .map(|(unit, rows)| (unit.clone(), rows.len() as u64 + 1))
        .collect();
    assert_eq!(given, counted);
}

/// Follows the cursor, and compares each incident with its row. Returns when each of the unit's events was recorded.
fn one_units_history_page_by_page(taken: &mut Taken, unit: &str, rows: &[Row]) -> Vec<String> {
    let first = format!(
        "events?aggregate_type=Vehicle&aggregate_id={unit}&order=position_asc&limit={PAGE}"
    );
    let (mut path, mut events, mut pages) = (first.clone(), Vec::new(), 0);
    loop {
        let page = taken.ask(&path);
        assert_eq!(page["total"], rows.len() + 1);
        let list = page["events"].as_array().expect("a list of events");
        assert!(
            list.len() <= PAGE && !list.is_empty(),
            "a page of {}",
            list.len()
        );
        events.extend(list.iter().cloned());
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{first}&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(
        (events.len(), pages),
        (rows.len() + 1, (rows.len() + 1).div_ceil(PAGE))
    );
    assert_eq!(events[0]["event_type"], "VehicleCreated");
    for ((event, row), version) in events[1..].iter().zip(rows).zip(2..) {
        assert_eq!(event["event_type"], "VehicleIncidentReported", "{event}");
        assert_eq!(event["version"], version, "{event}");
        assert_eq!(event["data"]["fault_code"], row.code, "{event}");
        assert_eq!(event["data"]["delay_min"], row.delay_min, "{event}");
        assert_eq!(event["data"]["line"], row.line, "{event}");
        let occurred = event["occurred_at"].as_str().expect("a time");
        // The hour that comes twice in autumn may be either.
        let apart = rows::minutes_of(occurred).abs_diff(row.utc_minutes);
        assert!(
            apart == 0 || apart == 60 && row.hour_comes_twice,
            "{event} for {row:?}"
        );
    }
    let recorded = events
        .iter()
        .map(|event| event["recorded_at"].as_str().expect("a time").to_owned());
    recorded.collect()
}

fn its_state_then_in_both_times(taken: &mut Taken, unit: &str, rows: &[Row], recorded: &[String]) {
    let question = format!("time-travel/state-at?aggregate_type=Vehicle&aggregate_id={unit}");
    let happened = rows
        .iter()
        .filter(|row| row.utc_minutes <= rows::minutes_of(THEN))
        .count();
    assert!(
        0 < happened && happened < rows.len(),
        "{THEN} is not inside of the history"
    );
    let then = taken.ask(&format!("{question}&at={THEN}"));
    assert_eq!(then["event_count"], happened + 1, "{then}");
    assert_eq!(then["state"]["asset_id"], *unit);
    assert_eq!(then["state"]["model"], rows[0].fleet);

    // What happened in 2019 was recorded today: nobody knew it then.
    let path = format!("/api/v1/{question}&as_of={THEN}");
    must("asking", taken.client.get(&path)).expect(404);
    // And amid the recording, exactly what had been recorded was known.
    let known = recorded.len() / 2;
    let midway = taken.ask(&format!("{question}&as_of={}", recorded[known - 1]));
    assert_eq!(midway["event_count"], known, "{midway}");
    let both = taken.ask(&format!(
        "{question}&at={THEN}&as_of={}",
        recorded[known - 1]
    ));
    assert_eq!(both["event_count"], known.min(happened + 1), "{both}");
    let now = taken.ask(&question);
    assert_eq!(now["event_count"], rows.len() + 1, "{now}");
}

/// Days at chance, at noon: no local hour that comes twice is near.
fn its_state_and_failures_on_fifty_days(taken: &mut Taken, unit: &str, rows: &[Row]) {
    const SEED: u64 = 20_190_701;
    let first = rows[0].utc_minutes;
    let last = rows
        .iter()
        .map(|row| row.utc_minutes)
        .max()
        .unwrap_or(first);
    let span = u64::try_from(last - first).expect("the rows are in order");
    let (mut chance, mut compared) = (SEED, 0);
    for _ in 0..50 {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let minutes = first + i64::try_from((chance >> 33) % span).expect("a span of years");
        let noon = format!("{}T12:00:00Z", rows::day_of(minutes));
        let until = rows::minutes_of(&noon);
        let happened: Vec<&Row> = rows.iter().filter(|row| row.utc_minutes <= until).collect();
        if happened.is_empty() {
            continue;
        }
        let state = taken.ask(&format!(
            "time-travel/state-at?aggregate_type=Vehicle&aggregate_id={unit}&at={noon}"
        ));
        assert_eq!(
            state["event_count"],
            happened.len() + 1,
            "seed {SEED}, {noon}: {state}"
        );
        assert_eq!(
            state["state"]["model"], rows[0].fleet,
            "seed {SEED}, {noon}"
        );
        let until_then = taken.ask(&format!(
            "time-travel/Vehicle/{unit}/events-between?start_time=2000-01-01T00:00:00Z&end_time={noon}"
        ));
        let events = until_then["events"].as_array().expect("a list of events");
        assert_eq!(until_then["truncated"], false);
        let failures = events
            .iter()
            .filter(|event| event["data"]["is_failure"] == true)
            .count();
        let counted = happened.iter().filter(|row| row.failed).count();
        assert_eq!(failures, counted, "seed {SEED}, {noon}");
        compared += 1;
    }
    assert!(
        compared >= 45,
        "days before the first row tell nothing: {compared}"
    );
    assert!(
        rows.iter().any(|row| row.failed),
        "a unit that never failed"
    );
}

fn incidents_per_day(taken: &mut Taken) {
    let answer = taken.ask_model("event_counts/data?event_type=VehicleIncidentReported");
    let given: BTreeMap<String, u64> = answer["days"]
        .as_array()
        .expect("a list of days")
        .iter()
        .map(|day| {
            let name = day["day"].as_str().expect("a day").to_owned();
            (name, day["events"].as_u64().expect("a count"))
        })
        .collect();
    let mut counted = BTreeMap::new();
    for row in &taken.rows {
        *counted.entry(rows::day_of(row.utc_minutes)).or_insert(0) += 1;
    }
    assert_eq!(answer["total"], taken.rows.len());
    assert_eq!(given, counted);
}

fn a_live_stream_shows_what_curl_appends(taken: &mut Taken, unit: &str) {
    let path = "/api/v1/events/stream?aggregate_type=Vehicle";
    let mut stream = must("listening", taken.client.listen(path, &[]));
    let body = format!(
        r#"{{"aggregate_type":"Vehicle","aggregate_id":"{unit}","event_type":"VehicleIncidentReported","data":{{"delay_min":7,"fault_code":"EUDO","line":"BD"}}}}"#
    );
    let token = taken.client.token().expect("it has logged in");
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--fail-with-body",
        "--max-time",
        "20",
        "-H",
        "Content-Type: application/json",
    ])
    .args(["-H", &format!("Authorization: Bearer {token}"), "-d", &body])
    .arg(format!(
        "http://127.0.0.1:{}/api/v1/events",
        taken.server.port()
    ));
    let (status, said) = run(&mut curl, Duration::from_secs(30));
    assert!(status.success(), "curl ended with {status}: {said}");
    let appended: Value = serde_json::from_str(&said).expect("an event is answered with JSON");
    let shown =
        must("listening", stream.next(Duration::from_secs(10))).expect("the stream shows it");
    let event: Value = serde_json::from_str(&shown.data).expect("an event is shown as JSON");
    assert_eq!(
        (&event["id"], &event["position"]),
        (&appended["id"], &appended["position"])
    );
    assert_eq!(shown.id, Some(appended["position"].to_string()));
    assert_eq!(event["data"]["fault_code"], "EUDO");
    assert_eq!(appended["position"], taken.position + 1);
}
