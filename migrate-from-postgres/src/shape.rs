//! What a database really looks like, table by table and column by column, and how it is to be read.
//!
//! The migrations' own record (`alembic_version`) is no help: its chain is broken, and databases were patched by hand. So
//! the catalogue is asked, every column is read as the type that it has, and a table that is something else under a
//! known name (FLEET-ONE) is refused rather than guessed at. [`judge`] and what it calls are pure.

use std::collections::BTreeMap;

use crate::source::{Source, SourceError};
use crate::tables::{Column, Kind, TABLES, Table};

mod select;

pub use select::Wire;
pub(crate) use select::quoted;

/// What is asked of the catalogue: every column of every table that could be one of ours.
const CATALOGUE: &str = "SELECT c.relname, c.relkind::text, a.attname, \
     CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname END, \
     has_table_privilege(c.oid, 'SELECT') OR has_column_privilege(c.oid, a.attnum, 'SELECT') \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_type b ON b.oid = a.atttypid \
     JOIN pg_type t ON t.oid = CASE WHEN b.typtype = 'd' THEN b.typbasetype ELSE b.oid END \
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'f', 'v', 'm') ORDER BY c.relname, a.attnum";

/// A column of the catalogue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CatalogueColumn {
    /// Its name.
    pub name: String,
    /// Its type's name, `timestamptz`; `enum` for every enum; a domain's base.
    pub type_name: String,
    /// Whether this account may read it.
    pub readable: bool,
}

/// Tables by name, as the catalogue has them.
pub type Catalogue = BTreeMap<String, Vec<CatalogueColumn>>;

/// Which tables are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// Only these; all where none is named.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

/// What was found, and how it will be read.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The tables that will be read, parents first.
    pub tables: Vec<Found>,
    /// Tables of Phase 2 that are not there.
    pub missing: Vec<&'static str>,
    /// Tables that are there and left out because the caller said so.
    pub left_out: Vec<&'static str>,
    /// Tables that are not Phase 2's; they are not imported.
    pub unknown: Vec<String>,
}

/// A table that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What is known of it.
    pub table: &'static Table,
    /// Its known columns that are there, and how their values come.
    pub columns: Vec<FoundColumn>,
    /// Known columns that are not there.
    pub absent: Vec<&'static str>,
    /// Columns that nobody knows: they go into `extra`.
    pub extra: Vec<String>,
    /// How many rows it has.
    pub rows: u64,
}

/// A known column that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundColumn {
    /// What is known of it.
    pub column: Column,
    /// Its place in [`Table::columns`].
    pub place: usize,
    /// How its values come.
    pub wire: Wire,
    /// Whether the server turns it into text first.
    pub as_text: bool,
}

/// Why a database is not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum ShapeError {
    #[error("the database has none of Phase 2's tables in its schema public: is it the right one?")]
    NotPhase2,
    #[error("no such table of Phase 2: {0}")]
    UnknownTable(String),
    #[error("the database has no table {0}, which --only asks for")]
    MissingTable(String),
    #[error("the database has no table events, which --with-events asks for")]
    MissingEvents,
    #[error("the database lacks {0}, which --strict does not pass over")]
    Incomplete(String),
    #[error(
        "{table} has the shape of FLEET-ONE ({has} instead of {instead_of}), which is not Phase 2's and is not imported; --skip {table} leaves it out"
    )]
    FleetOne {
        table: String,
        has: String,
        instead_of: String,
    },
    #[error(
        "{table} has no column {column}, without which its rows mean nothing; --skip {table} leaves it out"
    )]
    MissingColumn { table: String, column: String },
    #[error("the account {user} may not read {table}; GRANT SELECT ON {table} TO {user} lets it")]
    Privilege { user: String, table: String },
}

impl Shape {
    /// The table of this name, if it will be read.
    pub fn get(&self, name: &str) -> Option<&Found> {
        self.tables.iter().find(|found| found.table.name == name)
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|found| found.rows).sum()
    }
}

impl Found {
    /// The place among the selected fields of a known column; `None` when the table lacks it.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|found| found.column.name == name)
    }
}

/// Asks the catalogue.
///
/// # Errors
/// `Statement` and `Lost`.
pub async fn catalogue(source: &Source) -> Result<Catalogue, SourceError> {
    let mut catalogue = Catalogue::new();
    for row in source
        .query(CATALOGUE, "asking which tables there are")
        .await?
    {
        let [table, kind, name, type_name, readable] = <[Option<String>; 5]>::try_from(row)
            .unwrap_or_default()
            .map(Option::unwrap_or_default);
        // Views repeat what tables hold, and partitions and foreign tables read like tables.
        if matches!(kind.as_str(), "v" | "m") {
            continue;
        }
        catalogue.entry(table).or_default().push(CatalogueColumn {
            name,
            type_name,
            readable: readable == "t",
        });
    }
    Ok(catalogue)
}

/// Counts the rows of each table that will be read.
///
/// # Errors
/// `Statement` and `Lost`.
pub async fn count(source: &Source, shape: &mut Shape) -> Result<(), SourceError> {
    for found in &mut shape.tables {
        let name = found.table.name;
        let statement = format!("SELECT count(*) FROM public.\"{name}\"");
        let rows = source
            .query(&statement, &format!("counting the rows of {name}"))
            .await?;
        let count = rows.into_iter().flatten().flatten().next();
        found.rows = count.and_then(|text| text.parse().ok()).unwrap_or(0);
    }
    Ok(())
}

/// What there is, held against what is known. Rows are not counted yet.
///
/// # Errors
/// See [`ShapeError`].
pub fn judge(
    catalogue: &Catalogue,
    selection: &Selection,
    user: &str,
    strict: bool,
) -> Result<Shape, ShapeError> {
    let known = |name: &String| TABLES.iter().any(|table| table.name == name);
    if let Some(name) = selection
        .only
        .iter()
        .chain(&selection.skip)
        .find(|name| !known(name))
    {
        return Err(ShapeError::UnknownTable(name.clone()));
    }
    if !catalogue.keys().any(known) {
        return Err(ShapeError::NotPhase2);
    }
    let mut shape = Shape {
        tables: Vec::new(),
        missing: Vec::new(),
        left_out: Vec::new(),
        unknown: catalogue
            .keys()
            .filter(|name| !known(name))
            .cloned()
            .collect(),
    };
    for table in TABLES {
        let named = |list: &[String]| list.iter().any(|name| name == table.name);
        let asked_for = selection.only.is_empty() || named(&selection.only);
        let Some(columns) = catalogue.get(table.name) else {
            if named(&selection.only) {
                return Err(ShapeError::MissingTable(table.name.to_owned()));
            }
            if asked_for && !named(&selection.skip) {
                shape.missing.push(table.name);
            }
            continue;
        };
        if !asked_for || named(&selection.skip) {
            shape.left_out.push(table.name);
            continue;
        }
        shape.tables.push(find(table, columns, user)?);
    }
    match shape.missing.is_empty() {
        false if strict => Err(ShapeError::Incomplete(shape.missing.join(", "))),
        _ => Ok(shape),
    }
}

fn find(
    table: &'static Table,
    columns: &[CatalogueColumn],
    user: &str,
) -> Result<Found, ShapeError> {
    let there = |name: &str| columns.iter().any(|column| column.name == name);
    if let Some(other) = table.fleet_one
        && !there(other.instead_of)
        && let Some(has) = other.has.iter().find(|name| there(name))
    {
        return Err(ShapeError::FleetOne {
            table: table.name.to_owned(),
            has: (*has).to_owned(),
            instead_of: other.instead_of.to_owned(),
        });
    }
    let needed = [table.key].into_iter().chain(table.needed.iter().copied());
    if let Some(column) = needed.into_iter().find(|name| !there(name)) {
        return Err(ShapeError::MissingColumn {
            table: table.name.to_owned(),
            column: column.to_owned(),
        });
    }
    if columns.iter().any(|column| !column.readable) {
        return Err(ShapeError::Privilege {
            user: user.to_owned(),
            table: table.name.to_owned(),
        });
    }
    let mut found = Found {
        table,
        columns: Vec::new(),
        absent: Vec::new(),
        extra: Vec::new(),
        rows: 0,
    };
    for (place, column) in table.columns.iter().enumerate() {
        match columns
            .iter()
            .find(|candidate| candidate.name == column.name)
        {
            None => found.absent.push(column.name),
            Some(candidate) => {
                let (wire, as_text) = select::wire(column.kind, &candidate.type_name);
                found.columns.push(FoundColumn {
                    column: *column,
                    place,
                    wire,
                    as_text,
                });
            }
        }
    }
    let is_known = |name: &str| table.columns.iter().any(|column| column.name == name);
    let unknown = columns.iter().filter(|column| !is_known(&column.name));
    found.extra = unknown.map(|column| column.name.clone()).collect();
    Ok(found)
}

#[cfg(test)]
mod tests;
