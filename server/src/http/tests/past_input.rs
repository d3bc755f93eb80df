//! What is asked wrongly of the past and of the audit, route by route, older spellings too. The routes and their parameters are
//! taken from the server's own description: one that comes is asked without a word here.

use fleet::policy::Role;
use serde_json::{Value, json};

use super::harness::TestServer;

/// The paths that are about the past, by how they begin.
const ABOUT_THE_PAST: &[&str] = &[
    "/api/v1/time-travel/",
    "/api/v1/audit/",
    "/api/v1/changes/",
    "/api/v1/compliance/",
];
/// Parameters that are times.
const TIMES: &[&str] = &[
    "at",
    "timestamp",
    "as_of",
    "from",
    "to",
    "start_time",
    "end_time",
    "recorded_since",
    "recorded_until",
    "time1",
    "time2",
    "as_of1",
    "as_of2",
    "start_date",
    "end_date",
];
/// Parameters that are two ends of one span.
const SPANS: &[(&str, &str)] = &[
    ("from", "to"),
    ("start_time", "end_time"),
    ("recorded_since", "recorded_until"),
    ("start_date", "end_date"),
    ("from_version", "to_version"),
];
/// Parameters that are versions of an aggregate.
const VERSIONS: &[&str] = &[
    "version",
    "v1",
    "v2",
    "version1",
    "version2",
    "version_1",
    "version_2",
    "from_version",
    "to_version",
];
/// Older spellings that answer 200 for an aggregate that nobody knows, as their clients expect.
const EMPTY_FOR_UNKNOWN: &[&str] = &[
    "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/history",
    "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/events-between",
    "/api/v1/audit/{aggregate_type}/{aggregate_id}/replay",
];
/// The vehicle that there is.
const KNOWN: &str = "185%20123";
/// One that there is not, and that is much like it.
const UNKNOWN: &str = "185-123";

/// A query parameter of the description.
#[derive(Debug)]
struct Parameter {
    name: String,
    is_required: bool,
    is_number: bool,
}

/// A `GET` of the description.
#[derive(Debug)]
struct Route {
    path: String,
    parameters: Vec<Parameter>,
}

impl Route {
    fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|known| known.name == name)
    }

    fn takes(&self, name: &str) -> bool {
        self.parameter(name).is_some()
    }

    /// Those of the times that this route takes; `from` may be a size elsewhere.
    fn times(&self) -> impl Iterator<Item = &'static str> {
        let is_time = |name: &&str| self.parameter(name).is_some_and(|known| !known.is_number);
        TIMES.iter().copied().filter(is_time)
    }

    /// The request about this vehicle, with what has to be there, and `more` in place of it or behind it.
    fn request(&self, vehicle: &str, more: &[(&str, &str)]) -> String {
        let path = self
            .path
            .replace("{aggregate_type}", "Vehicle")
            .replace("{aggregate_id}", vehicle)
            .replace("{vehicle_id}", vehicle)
            .replace("{user_id}", "super_admin")
            .replace("{field_name}", "status")
            .replace("{position}", "1");
        assert!(!path.contains('{'), "{path}: say what stands there");
        let gives = |name: &str| more.iter().any(|(given, _)| *given == name);
        let required = self
            .parameters
            .iter()
            .filter(|known| known.is_required && !gives(&known.name));
        let required = required.map(|known| format!("{}={}", known.name, usual(known, vehicle)));
        // Where one of several has to be there, all are described as optional.
        let either = match &*self.path {
            "/api/v1/time-travel/compare"
                if !["time1", "version1", "as_of1"].into_iter().any(gives) =>
            {
                Some("time1")
            }
            "/api/v1/time-travel/changes" if gives("end_time") && !gives("start_time") => {
                Some("start_time")
            }
            "/api/v1/time-travel/changes" if !gives("from") && !gives("start_time") => Some("from"),
            _ => None,
        };
        let either = either.map(|name| format!("{name}=2019-01-15"));
        let more = more.iter().map(|(name, value)| format!("{name}={value}"));
        let query: Vec<String> = required.chain(either).chain(more).collect();
        format!("{path}?{}", query.join("&"))
    }
}

/// What is usually given for a parameter.
fn usual(parameter: &Parameter, vehicle: &str) -> String {
    match &*parameter.name {
        "aggregate_type" => "Vehicle".to_owned(),
        "aggregate_id" => vehicle.to_owned(),
        _ if parameter.is_number => "1".to_owned(),
        name if name.starts_with("start") => "2019-01-01".to_owned(),
        _ => "2030-01-01".to_owned(),
    }
}

async fn depot() -> (TestServer, String, Vec<Route>) {
    let server = TestServer::start();
    let token = server.token(Role::SuperAdmin).await;
    for (event_type, at, data) in [
        (
            "VehicleCreated",
            "2019-01-01T00:00:00Z",
            json!({"asset_id": "185 123", "status": "available"}),
        ),
        (
            "VehicleStatusChanged",
            "2019-02-01T00:00:00Z",
            json!({"old_status": "available", "new_status": "in_service"}),
        ),
    ] {
        let body = json!({"aggregate_type": "Vehicle", "aggregate_id": "185 123", "event_type": event_type, "occurred_at": at, "data": data});
        server.create("/api/v1/events", &token, body).await;
    }
    let position = server.state.log.durable_position();
    let wait = std::time::Duration::from_secs(20);
    assert!(
        server
            .state
            .projections
            .reach("vehicles", position, wait)
            .await
    );
    let described = server.read("/openapi.json", &token).await;
    let mut routes = Vec::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        let operation = &item["get"];
        if operation.is_null() || !ABOUT_THE_PAST.iter().any(|front| path.starts_with(front)) {
            continue;
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.filter(|parameter| parameter["in"] == "query");
        let parameters = parameters.map(|parameter| Parameter {
            name: parameter["name"].as_str().unwrap().to_owned(),
            is_required: parameter["required"] == true,
            is_number: parameter["schema"]["type"].to_string().contains("integer"),
        });
        routes.push(Route {
            path: path.clone(),
            parameters: parameters.collect(),
        });
    }
    assert!(routes.len() >= 30, "{}", routes.len());
    (server, token, routes)
}

async fn status(server: &TestServer, token: &str, request: &str) -> (u16, String) {
    let answer = server.get(request, token).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    (answer.status.as_u16(), text)
}

/// Sees that a request is refused for this parameter, in a sentence.
async fn is_refused(server: &TestServer, token: &str, request: &str, name: &str) {
    let answer = server.get(request, token).await;
    assert_eq!(
        answer.status,
        422,
        "{request}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    let problem = answer.expect_problem(422, "invalid");
    let errors = problem["errors"].as_array().unwrap();
    let of_it = |error: &&Value| {
        error["loc"][1] == name && error["msg"].as_str().is_some_and(|msg| msg.len() > 8)
    };
    assert!(
        errors.iter().any(|error| of_it(&error)),
        "{request}: {problem}"
    );
}

#[tokio::test]
async fn every_route_of_the_past_answers_what_is_asked_rightly() {
    let (server, token, routes) = depot().await;
    for route in &routes {
        let request = route.request(KNOWN, &[]);
        let (status, body) = status(&server, &token, &request).await;
        assert_eq!(status, 200, "{request}: {body}");
    }
}

#[tokio::test]
async fn times_out_of_range_naive_in_the_future_and_reversed() {
    let (server, token, routes) = depot().await;
    let mut asked = 0;
    for route in &routes {
        for name in route.times() {
            asked += 1;
            for wrong in [
                "10000-01-01",
                "0000-12-31T00:00:00Z",
                "2026-02-30",
                "2026-01-01T25:00:00Z",
                "0001-01-01T00:00:00%2B10:00",
                "yesterday",
                "1e400",
                "-1",
            ] {
                is_refused(
                    &server,
                    &token,
                    &route.request(KNOWN, &[(name, wrong)]),
                    name,
                )
                .await;
            }
            // Without an offset it is UTC, and says the same as with one.
            let bodies = [
                "2019-01-20T12:00:00",
                "2019-01-20T12:00:00Z",
                "2019-01-20T13:00:00%2B01:00",
            ]
            .map(|text| route.request(KNOWN, &[(name, text)]));
            let mut said = Vec::new();
            for request in &bodies {
                let (status, body) = status(&server, &token, request).await;
                assert!(status == 200 || status == 404, "{request}: {body}");
                let body: Value = serde_json::from_str(&body).unwrap_or_default();
                said.push((
                    status,
                    body["state"].clone(),
                    body["count"].clone(),
                    body["total"].clone(),
                ));
            }
            assert!(
                said.windows(2).all(|pair| pair[0] == pair[1]),
                "{} {name}: {said:?}",
                route.path
            );
            let future = route.request(KNOWN, &[(name, "2999-01-01")]);
            let (status, body) = status(&server, &token, &future).await;
            // The other end, where it has to be there, is earlier.
            let other = SPANS.iter().find(|(from, _)| *from == name);
            let other = other.and_then(|(_, to)| route.parameter(to));
            let begins_later = other.is_some_and(|to| to.is_required);
            assert_eq!(
                status,
                if begins_later { 422 } else { 200 },
                "{future}: {body}"
            );
        }
        // Sizes of trees are called `from` and `to` as well.
        let is_span = |name: &str| {
            let known = route.parameter(name);
            known.is_some_and(|known| known.is_number == name.ends_with("version"))
        };
        for (from, to) in SPANS
            .iter()
            .filter(|(from, to)| is_span(from) && is_span(to))
        {
            let (early, late) = if from.ends_with("version") {
                ("1", "2")
            } else {
                ("2019-01-01", "2019-06-01")
            };
            is_refused(
                &server,
                &token,
                &route.request(KNOWN, &[(from, late), (to, early)]),
                to,
            )
            .await;
            let right = route.request(KNOWN, &[(from, early), (to, late)]);
            assert_eq!(status(&server, &token, &right).await.0, 200, "{right}");
        }
    }
    assert!(asked >= 40, "{asked}");
}

#[tokio::test]
async fn versions_beyond_the_end_are_the_last_and_what_is_none_is_refused() {
    let (server, token, routes) = depot().await;
    let mut asked = 0;
    for route in &routes {
        for name in VERSIONS.iter().filter(|name| route.takes(name)) {
            asked += 1;
            for wrong in ["-1", "4294967296", "1.5", "last"] {
                is_refused(
                    &server,
                    &token,
                    &route.request(KNOWN, &[(name, wrong)]),
                    name,
                )
                .await;
            }
            let beyond = route.request(KNOWN, &[(name, "4294967295")]);
            let last = route.request(KNOWN, &[(name, "2")]);
            let (status, body) = status(&server, &token, &beyond).await;
            assert_eq!(status, 200, "{beyond}: {body}");
            if *name == "from_version" {
                continue;
            }
            let mut answers = Vec::new();
            for request in [&beyond, &last] {
                let answer = server.read(request, &token).await;
                answers.push(
                    ["state", "changes", "final_state", "history", "snapshots"]
                        .map(|part| answer[part].clone()),
                );
            }
            assert_eq!(answers[0], answers[1], "{beyond}");
        }
    }
    assert!(asked >= 10, "{asked}");
}

#[tokio::test]
async fn an_unknown_aggregate_is_answered_with_the_nearest_route_by_route() {
    let (server, token, routes) = depot().await;
    let mut asked = 0;
    for route in &routes {
        let names_one = route.path.contains("{aggregate_id}")
            || route.path.contains("{vehicle_id}")
            || route.takes("aggregate_id");
        if !names_one {
            continue;
        }
        asked += 1;
        let named = [("aggregate_type", "Vehicle"), ("aggregate_id", UNKNOWN)];
        let named: Vec<_> = named
            .into_iter()
            .filter(|(name, _)| route.takes(name))
            .collect();
        let request = route.request(UNKNOWN, &named);
        let (status, body) = status(&server, &token, &request).await;
        if EMPTY_FOR_UNKNOWN.contains(&&*route.path) {
            assert_eq!(status, 200, "{request}: {body}");
            continue;
        }
        assert_eq!(status, 404, "{request}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            problem["similar_ids"],
            json!(["185 123"]),
            "{request}: {body}"
        );
    }
    assert!(asked >= 20, "{asked}");
}

#[tokio::test]
async fn bodies_that_ask_wrongly_of_the_past() {
    let (server, token, _) = depot().await;
    let of = |id: &str, more: Value| {
        let mut body = json!({"aggregate_type": "Vehicle", "aggregate_id": id});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let span = |from: &str, to: &str| json!({"start_time": from, "end_time": to});
    let points = |first: Value| json!({"time_point_1": first, "time_point_2": {"version": 2}});
    let (restore, compare, report) = ("time-travel/restore", "time-travel/compare", "audit/report");
    let wrong = [
        (restore, json!({"at": "10000-01-01"})),
        (restore, json!({"as_of": "2026-02-30"})),
        (restore, json!({"version": -1})),
        (restore, json!({})),
        (compare, points(json!({"timestamp": "yesterday"}))),
        (compare, points(json!({"as_of": "0000-01-01"}))),
        (report, span("2019-06-01", "2019-01-01")),
        (report, span("2019-06-01", "10000-01-01")),
        (report, json!({"start_time": "2019-01-01"})),
    ];
    for (path, more) in wrong {
        let body = of("185 123", more);
        let answer = server
            .post(&format!("/api/v1/{path}"), &token, body.clone())
            .await;
        assert_eq!(
            answer.status,
            422,
            "{path} {body}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.expect_problem(422, "invalid");
    }
    let right = [
        (restore, json!({"at": "2019-01-20T12:00:00"})),
        (restore, json!({"at": "2999-01-01"})),
        (restore, json!({"version": 4_294_967_295_u32})),
        (compare, points(json!({"timestamp": "2019-01-20"}))),
        (compare, points(json!({"timestamp": "2999-01-01"}))),
        (compare, points(json!({"version": 4_294_967_295_u32}))),
        (report, span("2019-01-01", "2999-01-01")),
    ];
    for (path, more) in right {
        let path = format!("/api/v1/{path}");
        let body = of("185 123", more.clone());
        let answer = server.post(&path, &token, body.clone()).await;
        assert_eq!(
            answer.status,
            200,
            "{path} {body}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        let problem = server
            .post(&path, &token, of(UNKNOWN, more))
            .await
            .expect_problem(404, "not-found");
        assert_eq!(
            problem["similar_ids"],
            json!(["185 123"]),
            "{path}: {problem}"
        );
    }
    let asked = |from: &str, to: &str| json!({"standard": "x", "start_date": from, "end_date": to});
    for path in [
        "/api/v1/compliance/gdpr-report",
        "/api/v1/compliance/sox-report",
    ] {
        for (from, to) in [
            ("2019-06-01", "2019-01-01"),
            ("10000-01-01", "2019-01-01"),
            ("2019-01-01", "soon"),
        ] {
            server
                .post(path, &token, asked(from, to))
                .await
                .expect_problem(422, "invalid");
        }
        server
            .act(path, &token, asked("2019-01-01T00:00:00", "2999-01-01"))
            .await;
    }
}

/// A moment in the future is answered with what is known now, and says so.
#[tokio::test]
async fn a_moment_in_the_future_says_that_it_may_still_change() {
    let (server, token, routes) = depot().await;
    let mut asked = 0;
    for route in &routes {
        for name in [
            "at",
            "timestamp",
            "as_of",
            "time1",
            "time2",
            "as_of1",
            "as_of2",
        ]
        .into_iter()
        .filter(|name| route.takes(name))
        {
            asked += 1;
            let request = route.request(KNOWN, &[(name, "2999-01-01")]);
            let answer = server.read(&request, &token).await;
            let warnings = answer["warnings"].to_string();
            assert!(warnings.contains("future"), "{request}: {answer}");
        }
    }
    assert!(asked >= 8, "{asked}");
}
