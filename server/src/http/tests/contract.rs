//! The routes that Phase 2's clients know, with the parameters that they send: each is there, described, and takes them.

use serde_json::Value;

use crate::http::description;

/// Method, path, query parameters.
const ROUTES: &[(&str, &str, &[&str])] = &[
    ("post", "/vehicles", &[]),
    ("get", "/vehicles", &["skip", "limit", "status", "search"]),
    ("get", "/vehicles/{}", &[]),
    ("patch", "/vehicles/{}", &[]),
    ("delete", "/vehicles/{}", &[]),
    ("post", "/maintenance/tasks", &[]),
    (
        "get",
        "/maintenance/tasks",
        &["skip", "limit", "vehicle_id", "overdue_only"],
    ),
    ("post", "/maintenance/orders", &[]),
    (
        "get",
        "/maintenance/orders",
        &["skip", "limit", "status", "vehicle_id", "workshop_id"],
    ),
    ("patch", "/maintenance/orders/{}", &[]),
    ("post", "/workshops", &[]),
    ("get", "/workshops", &["skip", "limit", "active_only"]),
    ("get", "/workshops/{}", &[]),
    ("patch", "/workshops/{}", &[]),
    ("post", "/transfer/plans", &[]),
    (
        "get",
        "/transfer/plans",
        &["skip", "limit", "status", "from_location", "to_location"],
    ),
    ("get", "/transfer/plans/{}", &[]),
    ("patch", "/transfer/plans/{}", &[]),
    ("delete", "/transfer/plans/{}", &[]),
    ("post", "/transfer/assignments", &[]),
    (
        "get",
        "/transfer/assignments",
        &["skip", "limit", "transfer_plan_id", "vehicle_id"],
    ),
    ("patch", "/transfer/assignments/{}", &[]),
    ("post", "/parts", &[]),
    (
        "get",
        "/parts",
        &[
            "skip",
            "limit",
            "railway_class",
            "low_stock",
            "search",
            "is_active",
        ],
    ),
    ("get", "/parts/{}", &[]),
    ("patch", "/parts/{}", &[]),
    ("post", "/stock/locations", &[]),
    (
        "get",
        "/stock/locations",
        &["skip", "limit", "location_type", "is_active"],
    ),
    ("get", "/stock/locations/{}", &[]),
    ("patch", "/stock/locations/{}", &[]),
    ("post", "/stock/moves", &[]),
    (
        "get",
        "/stock/moves",
        &["skip", "limit", "part_no", "move_type", "work_order_id"],
    ),
    ("get", "/stock/overview", &["part_no", "location_code"]),
    ("post", "/suppliers", &[]),
    (
        "get",
        "/suppliers",
        &["skip", "limit", "is_active", "search"],
    ),
    ("get", "/suppliers/{}", &[]),
    ("patch", "/suppliers/{}", &[]),
    ("post", "/purchase_orders", &[]),
    (
        "get",
        "/purchase_orders",
        &["skip", "limit", "status", "supplier_id", "work_order_id"],
    ),
    ("get", "/purchase_orders/{}", &[]),
    ("post", "/purchase_orders/{}/approve", &[]),
    ("post", "/purchase_orders/{}/order", &[]),
    ("post", "/purchase_orders/{}/receive", &[]),
    ("post", "/invoices/inbox", &[]),
    ("post", "/invoices", &[]),
    (
        "get",
        "/invoices",
        &[
            "skip",
            "limit",
            "status",
            "supplier_id",
            "purchase_order_id",
        ],
    ),
    ("get", "/invoices/{}", &[]),
    ("post", "/invoices/{}/match", &[]),
    ("post", "/invoices/{}/approve", &[]),
    ("post", "/invoices/{}/post", &[]),
    ("post", "/budget", &[]),
    ("get", "/budget/overview", &["period", "cost_center"]),
    ("get", "/reports/availability", &["period", "vehicle_type"]),
    (
        "get",
        "/reports/on_time_ratio",
        &["period", "maintenance_type"],
    ),
    ("get", "/reports/parts_usage", &["period", "part_no"]),
    ("get", "/reports/costs", &["period", "cost_center"]),
    ("get", "/reports/dashboard", &["period"]),
];

/// The path with its parameters' names left out.
fn nameless(path: &str) -> String {
    let pieces = path.split('/').map(|piece| match piece {
        piece if piece.starts_with('{') => "{}",
        piece => piece,
    });
    pieces.collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_that_clients_know_takes_what_they_send() {
    let document = serde_json::to_value(description()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (method, path, parameters) in ROUTES {
        let wanted = format!("/api/v1{path}");
        let item = paths
            .iter()
            .find(|(known, item)| nameless(known) == wanted && item[*method].is_object())
            .map(|(_, item)| &item[*method]);
        let operation = item.unwrap_or_else(|| panic!("there is no {method} {path}"));
        let taken: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        for name in *parameters {
            let is_taken = |one: &&&Value| one["name"] == *name && one["in"] == "query";
            assert!(
                taken.iter().any(|one| is_taken(&one)),
                "{method} {path} does not take {name}"
            );
        }
    }
}
