//! The queries that are shipped, in the alerts for Prometheus and in the panels for Grafana, against what a server says at
//! `/metrics`: each metric is there under the name and with the labels that a query or its text asks for.
//!
//! A server without an archive says nothing of one. So each group of queries is held against a server that has what they are
//! about, in a test that has one anyway.

use std::collections::BTreeSet;
use std::fs;

use harness::process::must;
use harness::skip::workspace;
use serde_json::Value;

/// Labels that Prometheus gives to whatever it scrapes.
const SCRAPED: [&str; 2] = ["instance", "job"];
/// Key figures are left out of `/metrics` while they have no value, so it cannot say which there are.
const KEY_FIGURES: &str = "railfleet_kpi";

/// What a query is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    /// What every server has.
    Everywhere,
    /// Tablets that have synced, and one that was refused.
    Tablets,
    /// Segments in an archive.
    Archive,
    /// Other depots.
    Depots,
}

/// A query as it is shipped.
#[derive(Debug)]
pub(crate) struct Query {
    /// The alert or the panel.
    pub(crate) place: String,
    /// The expression.
    pub(crate) expression: String,
    /// Labels of the result that the text beside it shows.
    shown: Vec<String>,
}

impl Query {
    fn group(&self) -> Group {
        let selectors = selectors(&self.expression);
        let name = selectors.first().map_or("", |selector| selector.name);
        let area = name
            .strip_prefix("railfleet_")
            .and_then(|rest| rest.split('_').next());
        match area {
            Some("sync") => Group::Tablets,
            Some("archive") => Group::Archive,
            Some("federation") => Group::Depots,
            _ => Group::Everywhere,
        }
    }
}

/// What a query asks for: a metric, and values that labels must have.
#[derive(PartialEq, Eq, Debug)]
struct Selector<'a> {
    name: &'a str,
    matchers: Vec<(&'a str, &'a str)>,
}

fn is_of_a_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// The part of a text up to where it is no name any more, and the rest.
fn name_at(text: &str) -> (&str, &str) {
    text.split_at(text.find(|char| !is_of_a_name(char)).unwrap_or(text.len()))
}

/// Everything of ours that an expression selects.
fn selectors(expression: &str) -> Vec<Selector<'_>> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find("railfleet_") {
        let (name, behind) = name_at(&rest[at..]);
        let matchers = match behind.strip_prefix('{') {
            Some(inside) => labels_at(inside),
            None => Vec::new(),
        };
        found.push(Selector { name, matchers });
        rest = behind;
    }
    found
}

/// The labels that an expression keeps where it adds up; `None` where it keeps all.
fn kept(expression: &str) -> Option<BTreeSet<&str>> {
    let (_, behind) = expression.split_once(" by (")?;
    let (names, _) = behind.split_once(')')?;
    Some(names.split(',').map(str::trim).collect())
}

/// Labels and values as both `/metrics` and expressions have them between braces: `a="1",b="2"}`.
fn labels_at(text: &str) -> Vec<(&str, &str)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once("=\"") {
        let mut is_escaped = false;
        let end = behind.find(|char| {
            let ends = char == '"' && !is_escaped;
            is_escaped = char == '\\' && !is_escaped;
            ends
        });
        let Some(end) = end else { break };
        labels.push((name.trim(), &behind[..end]));
        let Some(next) = behind[end + 1..].strip_prefix(',') else {
            break;
        };
        rest = next;
    }
    labels
}

/// Names and labels of all samples.
fn samples(text: &str) -> Vec<Selector<'_>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, behind) = name_at(line);
            let matchers = behind.strip_prefix('{').map_or_else(Vec::new, labels_at);
            Selector { name, matchers }
        })
        .collect()
}

/// The names that follow a mark in a text: those of `$labels.NAME` behind `$labels.`.
fn names_behind(text: &str, mark: &str) -> Vec<String> {
    let parts = text.split(mark).skip(1);
    parts.map(|part| name_at(part).0.to_owned()).collect()
}

fn shipped(path: &str) -> String {
    let path = workspace().join("packaging").join(path);
    must("reading what is shipped", fs::read_to_string(path))
}

/// The alerts: each is a line with its name, one with the expression, and one with the text.
fn alerts() -> Vec<Query> {
    let mut alerts: Vec<Query> = Vec::new();
    for line in shipped("prometheus/railfleet.rules.yml").lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("- alert: ") {
            alerts.push(Query {
                place: name.to_owned(),
                expression: String::new(),
                shown: Vec::new(),
            });
        } else if let Some(alert) = alerts.last_mut() {
            if let Some(expression) = line.strip_prefix("expr: ") {
                expression.clone_into(&mut alert.expression);
            }
            alert.shown.extend(names_behind(line, "$labels."));
        }
    }
    alerts
}

/// The panels of the dashboard, one query each or more.
pub(crate) fn panels() -> Vec<Query> {
    let text = shipped("grafana/dashboards/railfleet.json");
    let board: Value = serde_json::from_str(&text).expect("a dashboard is JSON");
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = |member: &str| target[member].as_str().unwrap_or_default().to_owned();
            queries.push(Query {
                place: panel["title"].as_str().unwrap_or_default().to_owned(),
                expression: text("expr"),
                shown: names_behind(&text("legendFormat"), "{{"),
            });
        }
    }
    queries
}

/// The key figures that panels and alerts ask for.
pub(crate) fn key_figures() -> BTreeSet<String> {
    let mut figures = BTreeSet::new();
    for query in alerts().iter().chain(&panels()) {
        for selector in selectors(&query.expression) {
            if selector.name == KEY_FIGURES {
                for (_, value) in selector.matchers {
                    figures.insert(value.to_owned());
                }
            }
        }
    }
    figures
}

/// What of these queries this server could not answer, a sentence each.
fn faults(queries: &[Query], text: &str) -> Vec<String> {
    let samples = samples(text);
    let mut faults = Vec::new();
    for query in queries {
        let mut labels: BTreeSet<&str> = SCRAPED.into();
        for Selector { name, matchers } in selectors(&query.expression) {
            let mut of_name = samples.iter().filter(|sample| sample.name == name);
            let all = of_name.clone().flat_map(|sample| &sample.matchers);
            labels.extend(all.map(|(label, _)| label));
            let has = |sample: &Selector<'_>| {
                let mut wanted = matchers.iter();
                wanted.all(|matcher| sample.matchers.contains(matcher) || name == KEY_FIGURES)
            };
            if !of_name.any(has) {
                faults.push(format!("{}: no {name} with {matchers:?}", query.place));
            }
        }
        let kept = kept(&query.expression);
        let lost = kept.iter().flatten().find(|label| !labels.contains(*label));
        if let Some(label) = lost {
            faults.push(format!("{}: nothing has the label {label}", query.place));
        }
        let left = kept.unwrap_or(labels);
        for label in &query.shown {
            if !left.contains(label.as_str()) {
                faults.push(format!("{}: the result has no label {label}", query.place));
            }
        }
    }
    faults
}

/// Holds the queries of a group against what `/metrics` says.
///
/// # Panics
/// When one of them asks for what is not there.
#[track_caller]
pub(crate) fn hold(text: &str, group: Group) {
    let mut queries = alerts();
    queries.extend(panels());
    queries.retain(|query| query.group() == group);
    assert!(!queries.is_empty(), "no query is about {group:?}");
    let faults = faults(&queries, text);
    assert!(faults.is_empty(), "{faults:#?} in\n{text}");
}

#[test]
fn what_a_query_asks_for_is_told() {
    let text = "# TYPE railfleet_a counter\n\
                railfleet_a_total{method=\"GET\",route=\"/x/{id}\",odd=\"a\\\"b,c\"} 1\n\
                railfleet_b 2\n# EOF\n";
    let check = |expression: &str, shown: &[&str], fault: &str| {
        let query = Query {
            place: "here".to_owned(),
            expression: expression.to_owned(),
            shown: shown.iter().map(|label| (*label).to_owned()).collect(),
        };
        let said = faults(&[query], text);
        let is_so = match fault {
            "" => said.is_empty(),
            fault => said.len() == 1 && said[0].contains(fault),
        };
        assert!(is_so, "{expression}: {said:?}");
    };
    let by_route = "sum by (route, instance) (rate(railfleet_a_total{method=\"GET\"}[5m]))";
    check(by_route, &["route", "instance"], "");
    check("railfleet_b > 1 or railfleet_a_total == 0", &["odd"], "");
    check("up == 0", &["job"], "");
    check("railfleet_a > 0", &[], "no railfleet_a with");
    let put = "railfleet_a_total{method=\"PUT\"}";
    check(put, &[], "no railfleet_a_total with");
    check("railfleet_b{method=\"GET\"}", &[], "no railfleet_b with");
    check("railfleet_b", &["route"], "the result has no label route");
    check(by_route, &["method"], "the result has no label method");
    check(by_route, &["job"], "the result has no label job");
    let by_depot = "sum by (depot) (railfleet_a_total)";
    check(by_depot, &[], "nothing has the label depot");
}

/// Prometheus tells them apart by nothing and refuses neither: `increase` takes a gauge that falls for a counter that began
/// anew, and adds all that is left.
#[test]
fn a_counter_is_asked_how_it_rises_and_a_gauge_how_it_changes() {
    let mut queries = alerts();
    queries.extend(panels());
    let of_counters = ["increase(", "rate("].map(|function| (function, true));
    let of_gauges = ["delta(", "deriv(", "predict_linear("].map(|function| (function, false));
    let mut asked = 0;
    for query in &queries {
        for (function, is_wanted) in of_counters.into_iter().chain(of_gauges) {
            for behind in query.expression.split(function).skip(1) {
                let (name, _) = name_at(behind);
                let mut ends = ["_total", "_bucket", "_sum", "_count"].into_iter();
                let is_counter = ends.any(|end| name.ends_with(end));
                assert_eq!(is_counter, is_wanted, "{}: {function}{name}", query.place);
                asked += 1;
            }
        }
    }
    assert!(asked > 10, "{asked} functions were found");
}
