//! What the server itself can answer about all rows at once: keys that several rows have, references to nothing, time zones.

use std::collections::HashMap;

use crate::error::ImportError;
use crate::finding::{Findings, SAMPLES_MAX, Sample, Treatment};
use crate::shape::{Found, Shape, quoted};
use crate::source::{Source, SourceError};
use crate::zone::Zone;

/// Business keys that several rows have, at most so many: beyond that a database has other problems.
const SHARED_KEYS_MAX: usize = 100_000;

/// Tables whose rows go by a business key, and that key.
pub(crate) const BUSINESS_KEYS: [(&str, &str); 3] = [
    ("vehicles", "asset_id"),
    ("part_inventory", "part_no"),
    ("cost_centers", "code"),
];

/// Business keys that several rows of a table have, and whether one of them was seen already.
pub(crate) type SharedKeys = HashMap<(&'static str, String), bool>;

/// References that no constraint holds, or that one held before somebody dropped it: table, column, and what they mean.
const REFERENCES: &[(&str, &str, &str, &str)] = &[
    ("work_orders", "vehicle_id", "vehicles", "id"),
    ("work_orders", "workshop_id", "workshops", "id"),
    (
        "wo_assignment",
        "solution_id",
        "solver_solutions",
        "solution_id",
    ),
    ("wo_assignment", "track_id", "tracks", "id"),
    ("wo_assignment", "team_id", "teams", "id"),
    ("transfer_plans", "created_by", "users", "id"),
    (
        "transfer_assignments",
        "transfer_plan_id",
        "transfer_plans",
        "id",
    ),
    ("transfer_assignments", "vehicle_id", "vehicles", "id"),
    ("transfer_assignments", "driver_id", "staff", "id"),
    ("staff_assignments", "staff_id", "staff", "id"),
    ("staff_assignments", "work_order_id", "work_orders", "id"),
    (
        "staff_assignments",
        "transfer_plan_id",
        "transfer_plans",
        "id",
    ),
    ("document_links", "vehicle_id", "vehicles", "id"),
    ("document_links", "staff_id", "staff", "id"),
    ("document_links", "work_order_id", "work_orders", "id"),
    ("part_inventory", "preferred_supplier_id", "suppliers", "id"),
    (
        "part_availability",
        "reservation_work_order_id",
        "work_orders",
        "id",
    ),
    ("stock_locations", "workshop_id", "workshops", "id"),
    ("stock_moves", "from_location_id", "stock_locations", "id"),
    ("stock_moves", "to_location_id", "stock_locations", "id"),
    ("stock_moves", "work_order_id", "work_orders", "id"),
    ("used_parts", "work_order_id", "work_orders", "id"),
    ("used_parts", "part_no", "part_inventory", "part_no"),
    ("purchase_orders", "supplier_id", "suppliers", "id"),
    ("purchase_orders", "work_order_id", "work_orders", "id"),
    (
        "purchase_order_lines",
        "part_no",
        "part_inventory",
        "part_no",
    ),
    ("invoices", "supplier_id", "suppliers", "id"),
    ("invoices", "purchase_order_id", "purchase_orders", "id"),
    ("invoices", "work_order_id", "work_orders", "id"),
    ("budgets", "cost_center", "cost_centers", "code"),
];

/// Sees to it that rows can be told apart: where no unique index says so, they are counted.
pub(crate) async fn keys_are_unique(source: &Source, shape: &Shape) -> Result<(), ImportError> {
    let indexed = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
         WHERE n.nspname = 'public' AND i.indisunique AND i.indisvalid AND i.indpred IS NULL \
         AND i.indnkeyatts = 1 AND a.attname = 'id'";
    let indexed: Vec<String> = source
        .query(indexed, "asking which rows are told apart")
        .await?
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect();
    for found in &shape.tables {
        let (table, column) = (found.table.name, found.table.key);
        if indexed.iter().any(|name| name == table) {
            continue;
        }
        let statement = format!(
            "SELECT coalesce({0}::text, 'null') FROM public.{1} GROUP BY {0} HAVING count(*) > 1 OR {0} IS NULL LIMIT 1",
            quoted(column),
            quoted(table)
        );
        let alike = source
            .query(
                &statement,
                &format!("looking for rows of {table} that are alike"),
            )
            .await?;
        if let Some(sample) = alike.into_iter().flatten().flatten().next() {
            return Err(ImportError::RowsAlike {
                table,
                column,
                sample,
            });
        }
    }
    Ok(())
}

/// Business keys that several rows of a table have.
pub(crate) async fn shared_keys(source: &Source, shape: &Shape) -> Result<SharedKeys, SourceError> {
    let mut shared = SharedKeys::new();
    for (table, column) in BUSINESS_KEYS {
        let Some(found) = shape
            .get(table)
            .filter(|found| found.field(column).is_some())
        else {
            continue;
        };
        let statement = format!(
            "SELECT {0} FROM public.{1} WHERE {0} <> '' GROUP BY {0} HAVING count(*) > 1 LIMIT {SHARED_KEYS_MAX}",
            quoted(column),
            quoted(table)
        );
        let rows = source
            .query(
                &statement,
                &format!("looking for numbers taken twice in {table}"),
            )
            .await?;
        for key in rows.into_iter().flatten().flatten() {
            shared.insert((found.table.name, key), false);
        }
    }
    Ok(shared)
}

/// What there is to say about the database itself.
pub(crate) fn surroundings(source: &Source, shape: &Shape, zone: Zone, findings: &mut Findings) {
    for table in &shape.missing {
        findings.note(table, Treatment::TableMissing, || Sample::of_row("", ""));
    }
    for found in &shape.tables {
        if !found.extra.is_empty() {
            let names = found.extra.join(", ");
            findings.note(found.table.name, Treatment::UnknownColumns, || {
                Sample::of_row("", &names)
            });
        }
    }
    if shape.unknown.iter().any(|name| name == "workshop_orders") {
        findings.note(DATABASE, Treatment::FleetOneTable, || {
            Sample::of_row("workshop_orders", "")
        });
    }
    let facts = source.facts();
    let mut zones: Vec<&str> = vec![&facts.time_zone];
    zones.extend(facts.time_zones_set.iter().map(String::as_str));
    for name in zones {
        let own = name.rsplit(": ").next().unwrap_or(name);
        if own.parse() != Ok(Zone::Utc) {
            let assumed = format!("{name}; {} is assumed", zone.name());
            findings.note(DATABASE, Treatment::TimeZoneNotUtc, || {
                Sample::of_row("", &assumed)
            });
        }
    }
}

/// The name under which the database as a whole stands among the tables of a report.
pub(crate) const DATABASE: &str = "(database)";

/// References to rows that are not there, and budgets that are there twice.
pub(crate) async fn references(
    source: &Source,
    shape: &Shape,
    findings: &mut Findings,
) -> Result<(), SourceError> {
    for (table, column, parent, key) in REFERENCES {
        let (Some(found), Some(parent)) = (shape.get(table), shape.get(parent)) else {
            continue;
        };
        if found.field(column).is_none() || parent.field(key).is_none() {
            continue;
        }
        let cast = if same_types(found, column, parent, key) {
            ""
        } else {
            "::text"
        };
        let statement = format!(
            "SELECT count(*) OVER (), t.id::text, t.{0}::text FROM public.{1} t WHERE t.{0} IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM public.{2} p WHERE p.{3}{cast} = t.{0}{cast}) ORDER BY t.id LIMIT {SAMPLES_MAX}",
            quoted(column),
            quoted(table),
            quoted(parent.table.name),
            quoted(key)
        );
        let what = format!("looking for references to nothing in {table}.{column}");
        let rows = source.query(&statement, &what).await?;
        note_rows(findings, found, Treatment::DanglingReference, column, rows);
    }
    if let Some(budgets) = shape.get("budgets") {
        let statement = format!(
            "SELECT count(*) OVER (), min(id::text), concat_ws(' ', period, cost_center, category) FROM public.budgets \
             GROUP BY period, cost_center, category HAVING count(*) > 1 ORDER BY 2 LIMIT {SAMPLES_MAX}"
        );
        if budgets.field("category").is_some() {
            let rows = source
                .query(&statement, "looking for budgets that are there twice")
                .await?;
            note_rows(findings, budgets, Treatment::BudgetTwice, "category", rows);
        }
    }
    Ok(())
}

fn same_types(found: &Found, column: &str, parent: &Found, key: &str) -> bool {
    let wire = |found: &Found, name: &str| {
        found
            .columns
            .iter()
            .find(|found| found.column.name == name)
            .map(|found| found.wire)
    };
    wire(found, column) == wire(parent, key)
}

/// Notes rows of (how many there are, key, value).
fn note_rows(
    findings: &mut Findings,
    found: &Found,
    treatment: Treatment,
    column: &str,
    rows: Vec<Vec<Option<String>>>,
) {
    let text =
        |row: &[Option<String>], at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let count = rows
        .first()
        .and_then(|row| text(row, 0).parse().ok())
        .unwrap_or(0);
    let samples = rows
        .iter()
        .map(|row| Sample::of(text(row, 1), column, &text(row, 2)))
        .collect();
    findings.note_all(found.table.name, treatment, count, samples);
}
