//! Rows that were imported and are no more in the database: what following by changes cannot see.
//!
//! Every aggregate that an import began, and what an aggregate has beside the rows that were read ([`crate::stale`]), is looked for among the keys of its table, some thousands at a time.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use storage::{Position, Query, ReadRequest};

use crate::compare::Difference;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::held::is_imported;
use crate::report::MismatchedRow;
use crate::run::Wanted;
use crate::shape::{Shape, quoted};
use crate::source::{Source, SourceError};
use crate::stale::StaleRow;
use crate::verify::Verifier;

/// Keys that are asked about at once.
const KEYS_AT_ONCE: usize = 5_000;
/// Rows that are named; further ones are counted.
const NAMED_MAX: usize = 50;

/// Looks for rows that are gone, and notes them. Costs nothing where as many rows were imported as there are.
pub(crate) fn look(
    depot: &dyn Depot,
    wanted: &Wanted,
    position: Position,
    verifier: &mut Verifier<'_>,
) -> Result<(), ImportError> {
    let Some(opened) = &verifier.opened else {
        return Ok(());
    };
    let shape = opened.shape.clone();
    let counted = count_imported(depot, position)?;
    let suspicious: Vec<&'static str> = shape
        .tables
        .iter()
        .filter(|found| {
            counted
                .get(found.table.name)
                .is_some_and(|count| *count > found.rows)
        })
        .map(|found| found.table.name)
        .collect();
    let stale = std::mem::take(&mut verifier.stale);
    if suspicious.is_empty() && stale.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ImportError::Thread)?;
    let (gone, moved) = runtime.block_on(async {
        let source = Source::open(&wanted.address).await?;
        let found = async {
            let gone = find(depot, position, &source, &shape, &suspicious).await?;
            let moved = moved(&source, &shape, &stale).await?;
            Ok::<_, ImportError>((gone, moved))
        };
        let found = found.await;
        source.close().await;
        found
    })?;
    for (table, (count, keys)) in gone {
        let tally = verifier.counter.tallies.entry(table).or_default();
        tally.totals.deleted += count;
        tally.deleted = keys;
    }
    for (row, is_moved) in stale.into_iter().zip(moved) {
        let tally = verifier.counter.tallies.entry(row.table()).or_default();
        if is_moved {
            tally.mismatch(row_elsewhere(row));
            continue;
        }
        tally.totals.deleted += 1;
        if tally.deleted.len() < NAMED_MAX {
            tally.deleted.push(row.key);
        }
    }
    Ok(())
}

/// A row that the log has in an aggregate to which it belongs no more.
fn row_elsewhere(row: StaleRow) -> MismatchedRow {
    MismatchedRow {
        key: row.key,
        found: true,
        columns: vec![Difference {
            column: row.child.refers_by.to_owned(),
            there: Value::Null,
            here: row.parent.into(),
        }],
    }
}

/// For each of the rows, whether the database has it, elsewhere.
async fn moved(
    source: &Source,
    shape: &Shape,
    stale: &[StaleRow],
) -> Result<Vec<bool>, ImportError> {
    let mut absent = HashSet::new();
    let mut by_table: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for row in stale {
        by_table
            .entry(row.table())
            .or_default()
            .push(row.key.clone());
    }
    for (table, keys) in by_table {
        let of_table = absent_of(source, shape, table, &keys).await?;
        absent.extend(of_table.into_iter().map(|key| (table, key)));
    }
    let is_there = |row: &StaleRow| !absent.contains(&(row.table(), row.key.clone()));
    Ok(stale.iter().map(is_there).collect())
}

/// How many rows of each table an import began something for.
fn count_imported(
    depot: &dyn Depot,
    position: Position,
) -> Result<BTreeMap<String, u64>, ImportError> {
    let mut counts = BTreeMap::new();
    each_begun(depot, position, |table, _| {
        *counts.entry(table.to_owned()).or_default() += 1
    })?;
    Ok(counts)
}

/// Calls `each` with the table and the key of every row that an import began something for, once a row.
fn each_begun(
    depot: &dyn Depot,
    position: Position,
    mut each: impl FnMut(&str, &str),
) -> Result<(), ImportError> {
    let mut reader = depot
        .log()
        .read(&ReadRequest {
            query: Query::event_types(BEGINNINGS.iter().copied()),
            to: position,
            ..ReadRequest::default()
        })
        .map_err(ImportError::Read)?;
    while let Some(event) = reader.next() {
        let event = event.map_err(ImportError::Read)?;
        if !is_imported(&event) {
            continue;
        }
        let Ok(metadata) = serde_json::from_slice::<Value>(event.metadata()) else {
            continue;
        };
        let source = &metadata["source"];
        if let (Some(table), Some(key)) = (source["table"].as_str(), source["key"].as_str()) {
            each(table, key);
        }
    }
    Ok(())
}

/// The types of which a row causes one event, unless it is told anew: those that begin, and those that tell of a row once.
const BEGINNINGS: &[&str] = &[
    "UserRegistered",
    "WorkshopCreated",
    "VehicleCreated",
    "MaintenanceTaskCreated",
    "TrackCreated",
    "TeamCreated",
    "WorkOrderCreated",
    "TransferPlanCreated",
    "TransferAssignmentCreated",
    "StaffCreated",
    "StaffAssignmentCreated",
    "DocumentCreated",
    "DocumentAccessed",
    "PartCreated",
    "StockLocationCreated",
    "StockMoveCreated",
    "SupplierCreated",
    "PurchaseOrderCreated",
    "InvoiceCreated",
    "CostCenterCreated",
    "BudgetCreated",
    "SyncConflictDetected",
    "LogRowImported",
];

type Gone = BTreeMap<&'static str, (u64, Vec<String>)>;

async fn find(
    depot: &dyn Depot,
    position: Position,
    source: &Source,
    shape: &Shape,
    suspicious: &[&'static str],
) -> Result<Gone, ImportError> {
    let mut gone = Gone::new();
    for table in suspicious {
        let mut keys = Vec::new();
        each_begun(depot, position, |of, key| {
            if of == *table {
                keys.push(key.to_owned());
            }
        })?;
        // A row that was told anew is one row.
        keys.sort_unstable();
        keys.dedup();
        for some in keys.chunks(KEYS_AT_ONCE) {
            for key in absent(source, shape, table, some).await? {
                let (count, named) = gone.entry(table).or_default();
                *count += 1;
                if named.len() < NAMED_MAX {
                    named.push(key);
                }
            }
        }
    }
    Ok(gone)
}

/// Those of any number of keys that no row has.
pub(crate) async fn absent_of(
    source: &Source,
    shape: &Shape,
    table: &str,
    keys: &[String],
) -> Result<HashSet<String>, SourceError> {
    let mut gone = HashSet::new();
    for some in keys.chunks(KEYS_AT_ONCE) {
        gone.extend(absent(source, shape, table, some).await?);
    }
    Ok(gone)
}

/// Those of some thousand keys that no row has.
async fn absent(
    source: &Source,
    shape: &Shape,
    table: &str,
    keys: &[String],
) -> Result<Vec<String>, SourceError> {
    let Some(found) = shape.get(table) else {
        return Ok(Vec::new());
    };
    let list: Vec<String> = keys
        .iter()
        .map(|key| format!("'{}'", key.replace('\'', "''")))
        .collect();
    let statement = format!(
        "SELECT k FROM unnest(ARRAY[{}]::text[]) k WHERE NOT EXISTS (SELECT 1 FROM public.{} t WHERE t.{}::text = k)",
        list.join(","),
        quoted(table),
        quoted(found.table.key)
    );
    let rows = source
        .query(
            &statement,
            &format!("looking for rows of {table} that are gone"),
        )
        .await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}
