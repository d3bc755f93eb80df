//! What an operator does with it: try, import, verify, serve, log in with the old password, and find every row again.

use std::collections::BTreeSet;

use harness::client::Client;
use harness::phase2::{self, Contents, Shape};
use harness::postgres::Cluster;
use serde_json::Value;

use super::program::Depot;

/// What people knew before the switch.
const PASSWORD: &str = "Alt-Passwort9";

/// Lists of the old API: the table, the path, and a field that the row must have as its column says.
const LISTS: &[(&str, &str, &str)] = &[
    ("users", "/api/v1/users", "username"),
    ("vehicles", "/api/v1/vehicles?limit=1000", "asset_id"),
    (
        "maintenance_tasks",
        "/api/v1/maintenance/tasks?limit=1000",
        "description",
    ),
    (
        "work_orders",
        "/api/v1/maintenance/orders?limit=1000",
        "order_number",
    ),
    ("workshops", "/api/v1/workshops?limit=1000", "code"),
    (
        "transfer_plans",
        "/api/v1/transfer/plans?limit=1000",
        "plan_id",
    ),
    (
        "transfer_assignments",
        "/api/v1/transfer/assignments?limit=1000",
        "is_confirmed",
    ),
    ("staff", "/api/v1/hr/staff?limit=1000", "staff_id"),
    (
        "staff_assignments",
        "/api/v1/hr/assignments?limit=1000",
        "role_on_assignment",
    ),
    (
        "document_links",
        "/api/v1/docs/links?limit=1000",
        "document_id",
    ),
    ("part_inventory", "/api/v1/parts?limit=1000", "part_no"),
    (
        "stock_locations",
        "/api/v1/stock/locations?limit=1000",
        "location_code",
    ),
    ("stock_moves", "/api/v1/stock/moves?limit=1000", "move_type"),
    ("suppliers", "/api/v1/suppliers?limit=1000", "supplier_code"),
    (
        "purchase_orders",
        "/api/v1/purchase_orders?limit=1000",
        "po_number",
    ),
    ("invoices", "/api/v1/invoices?limit=1000", "invoice_number"),
    ("budgets", "/api/v1/budget?limit=1000", "period"),
    ("cost_centers", "/api/v1/cost_centers?limit=1000", "code"),
];

/// The rows of an answer: the array that it is or holds.
#[track_caller]
fn rows(client: &mut Client, path: &str) -> Vec<Value> {
    let answer = client.get(path).expect("an answer").expect(200).json();
    let list = match answer {
        Value::Array(rows) => Some(rows),
        Value::Object(members) => members.into_iter().find_map(|(_, member)| match member {
            Value::Array(rows) => Some(rows),
            _ => None,
        }),
        _ => None,
    };
    list.unwrap_or_else(|| panic!("{path} answers without a list"))
}

#[test]
fn people_log_in_with_their_old_passwords_and_find_every_row() {
    let Some(cluster) = Cluster::shared("serving what was imported") else {
        return;
    };
    let contents = Contents::new(8, 2_000).without_traps();
    let database = phase2::create(cluster, Shape::Scripts, &contents);
    // PostgreSQL makes the hash, as an implementation of bcrypt that is none of ours; passlib wrote the newer prefix.
    cluster.psql(
        &database,
        &format!(
            "CREATE EXTENSION pgcrypto; UPDATE users SET is_active = true, hashed_password = \
             replace(crypt('{PASSWORD}', gen_salt('bf', 8)), '$2a$', '$2b$');
             UPDATE part_inventory SET is_active = true;"
        ),
    );
    let url = cluster.url(&database);
    let depot = Depot::new();
    let (code, said) = depot.import(&url, &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing was written"), "{said}");
    assert!(!depot.folder.path().exists(), "a dry run made the folder");
    let said = depot.must_import(&url);
    assert!(said.contains("every row is in the log as the database says it"));

    let server = depot.folder.serve();
    let login = |name: &str, password: &str| {
        let body = serde_json::json!({ "username": name, "password": password });
        server
            .stranger()
            .post("/api/v1/auth/login", &body.to_string())
            .expect("an answer")
    };
    assert_eq!(login("user0", "Another-Password9").status, 401);
    for name in ["user1", "user1@example.org"] {
        login(name, PASSWORD).expect(200);
    }
    let tokens = login("user0", PASSWORD).expect(200).json();
    let token = tokens["access_token"].as_str().expect("a token").to_owned();
    let mut client = server.stranger().with_token(token);
    let me = client
        .get("/api/v1/auth/me")
        .expect("an answer")
        .expect(200);
    assert_eq!(me.json()["role"], "SUPER_ADMIN");
    for (table, path, field) in LISTS {
        let stored = cluster.psql(
            &database,
            &format!("SELECT id || '=' || coalesce({field}::text, '') FROM {table};"),
        );
        let stored: BTreeSet<String> = stored.lines().map(str::to_owned).collect();
        assert!(stored.len() >= 3, "{table}");
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let found: BTreeSet<String> = rows(&mut client, path)
            .iter()
            .map(|row| format!("{}={}", text(row, "id"), text(row, field)))
            .collect();
        let missing: Vec<_> = stored.difference(&found).take(3).collect();
        assert!(missing.is_empty(), "{path} lacks {missing:?}");
    }
    server.stop();

    // The password's hash is a better one since; everything else is as it was.
    let (code, said) = depot.import(&url, &["--verify-only"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn verify_only_says_what_changed_and_writes_nothing_else() {
    let Some(cluster) = Cluster::shared("verifying later") else {
        return;
    };
    let contents = Contents::new(8, 600).without_traps();
    let database = phase2::create(cluster, Shape::Scripts, &contents);
    let url = cluster.url(&database);
    let depot = Depot::new();
    depot.must_import(&url);
    let digest = depot.digest();
    let (code, said) = depot.import(&url, &["--verify-only"]);
    assert_eq!(code, Some(0), "{said}");
    cluster.psql(
        &database,
        "UPDATE vehicles SET notes = 'anders' WHERE asset_id = '185001'; DELETE FROM budgets;",
    );
    let (code, said) = depot.import(&url, &["--verify-only"]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("some rows are not in the log as"), "{said}");
    assert!(
        said.contains("rows are in the log and no more in the database"),
        "{said}"
    );
    assert_eq!(depot.digest(), digest, "a verification brings no row over");
    depot.must_import(&url);
    let (code, said) = depot.import(&url, &["--verify-only"]);
    assert_eq!(code, Some(0), "{said}");
}
