//! Phase 2 databases as they are met: made by the models, made by the SQL files, or patched by hand; filled with contents
//! that are plausible but for the traps among them.
//!
//! The same seed makes the same database. Nothing here is taken from the importer: these are the schema facts a second time,
//! so that a mistake in one shows against the other.

mod contents;
mod random;
mod rows;
mod traps;

use std::io::{self, Write};

pub use contents::Contents;
pub use random::Random;

use crate::postgres::Cluster;

/// How a database came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// By the models alone: enums, times without a zone, json. The usual one.
    Models,
    /// The base tables by the models, all others by the SQL files.
    Scripts,
    /// The models' tables, what only the SQL files make, and the traces of a hand.
    Patched,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 3] = [Shape::Models, Shape::Scripts, Shape::Patched];

    /// What makes its tables.
    pub fn schema(self) -> String {
        let base = include_str!("phase2/shape-a.sql");
        let rest = include_str!("phase2/shape-a-rest.sql");
        let scripts = include_str!("phase2/shape-b.sql");
        match self {
            Shape::Models => [base, rest].concat(),
            Shape::Scripts => [base, scripts, include_str!("phase2/shape-b-rest.sql")].concat(),
            Shape::Patched => [base, scripts, rest, include_str!("phase2/patches.sql")].concat(),
        }
    }

    /// What a hand did to it once it was full.
    fn patches_behind(self) -> &'static str {
        match self {
            Shape::Patched => include_str!("phase2/patches-behind.sql"),
            Shape::Models | Shape::Scripts => "",
        }
    }

    /// Whether the words of these tables are enums with labels in capitals.
    fn has_enums(self, table: &str) -> bool {
        match self {
            Shape::Models | Shape::Patched => true,
            Shape::Scripts => matches!(table, "vehicles" | "work_orders"),
        }
    }

    /// Whether the tables that only the SQL files make are there.
    fn has_scripted(self) -> bool {
        self != Shape::Models
    }
}

/// A table of the FLEET-ONE migrations.
pub const FLEET_ONE: &str = include_str!("phase2/fleet-one.sql");

/// Makes a database of this shape with these contents; its name.
///
/// # Panics
/// When PostgreSQL refuses any of it.
pub fn create(cluster: &Cluster, shape: Shape, contents: &Contents) -> String {
    let database = cluster.create_database();
    cluster.psql_with(&database, |input| write_script(shape, contents, input));
    database
}

/// Makes a database of this shape without a row in it; its name.
///
/// # Panics
/// When PostgreSQL refuses any of it.
pub fn create_empty(cluster: &Cluster, shape: Shape) -> String {
    let database = cluster.create_database();
    cluster.psql(
        &database,
        &[&shape.schema(), shape.patches_behind()].concat(),
    );
    database
}

fn write_script(shape: Shape, contents: &Contents, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(shape.schema().as_bytes())?;
    // Rows are copied as they are, and no trigger takes from a stock that the row itself states.
    out.write_all(b"SET session_replication_role = replica; BEGIN;\n")?;
    rows::write_all(shape, contents, out)?;
    out.write_all(b"COMMIT; SET session_replication_role = DEFAULT;\n")?;
    out.write_all(shape.patches_behind().as_bytes())?;
    out.write_all(b"ANALYZE;\n")
}
