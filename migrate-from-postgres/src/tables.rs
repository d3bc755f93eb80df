//! The 33 tables of a Phase 2 database: which columns they have, and how each value is meant.
//!
//! This is what is known, not what is there: [`crate::shape`] looks at the database itself. A column that is missing
//! there is read as null, one that is not listed here goes into the row's `extra`. The order is that of the old
//! system's own dependencies, parents first; it is the order in which tables are imported.

pub(crate) mod assets;
pub(crate) mod goods;
pub(crate) mod money;
pub(crate) mod people;
pub(crate) mod planning;
mod words;

/// How a column's value is meant, whatever type the database gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A UUID, written in lower case with hyphens.
    Uuid,
    /// Text.
    Text,
    /// One of these words, in lower case here and in either case there.
    Word(&'static [&'static str]),
    /// One of these words, spelled as it is.
    Code(&'static [&'static str]),
    /// A whole number.
    Whole,
    /// A number.
    Real,
    /// An amount: decimal digits, kept with their scale as text.
    Money,
    /// True or false.
    Truth,
    /// Any JSON.
    Json,
    /// A time that the old server itself wrote, which is UTC.
    Time,
    /// A time that clients sent: without a time zone it is what the server's session made of it.
    ClientTime,
}

/// A column that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name there, and the name of the field here.
    pub name: &'static str,
    /// How its value is meant.
    pub kind: Kind,
}

/// A table that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name, in the schema `public`.
    pub name: &'static str,
    /// The column that names a row: `id` in all of them.
    pub key: &'static str,
    /// Its columns, the key among them.
    pub columns: &'static [Column],
    /// Columns without which a row means nothing.
    pub needed: &'static [&'static str],
    /// Whether the old program's models made it; if not, only the SQL files did, and it is missing more often than not.
    pub modelled: bool,
    /// What tells the FLEET-ONE table of this name from this one.
    pub fleet_one: Option<FleetOne>,
}

/// How to tell a table of the FLEET-ONE migrations from its Phase 2 namesake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FleetOne {
    /// Columns that only that one has.
    pub has: &'static [&'static str],
    /// A column that only Phase 2's has.
    pub instead_of: &'static str,
}

impl Table {
    /// The place of a column in [`Table::columns`], found while compiling.
    ///
    /// # Panics
    /// When there is no such column.
    pub const fn place(&self, name: &str) -> usize {
        let mut at = 0;
        while at < self.columns.len() {
            if same(self.columns[at].name, name) {
                return at;
            }
            at += 1;
        }
        panic!("the table has no such column")
    }
}

/// All tables, parents first.
pub const TABLES: &[&Table] = &[
    &people::USERS,
    &assets::WORKSHOPS,
    &assets::VEHICLES,
    &assets::MAINTENANCE_TASKS,
    &planning::TRACKS,
    &planning::TRACK_AVAILABILITY,
    &planning::TEAMS,
    &planning::TEAM_AVAILABILITY,
    &assets::WORK_ORDERS,
    &planning::WO_ASSIGNMENT,
    &planning::TRANSFER_PLANS,
    &planning::TRANSFER_ASSIGNMENTS,
    &people::STAFF,
    &people::STAFF_ASSIGNMENTS,
    &people::DOCUMENT_LINKS,
    &people::DOCUMENT_VERSIONS,
    &people::DOCUMENT_ACCESS_LOG,
    &goods::PART_INVENTORY,
    &goods::PART_AVAILABILITY,
    &goods::STOCK_LOCATIONS,
    &goods::STOCK_MOVES,
    &goods::USED_PARTS,
    &money::SUPPLIERS,
    &money::PURCHASE_ORDERS,
    &money::PURCHASE_ORDER_LINES,
    &money::INVOICES,
    &money::INVOICE_LINES,
    &money::COST_CENTERS,
    &money::BUDGETS,
    &planning::SYNC_CONFLICTS,
    &planning::EVENT_LOG,
    &planning::AUDIT_LOG,
    &planning::SOLVER_SOLUTIONS,
];

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name).copied()
}

/// `==` for texts, while compiling.
const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn of(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

const fn uuid(name: &'static str) -> Column {
    of(name, Kind::Uuid)
}

const fn text(name: &'static str) -> Column {
    of(name, Kind::Text)
}

const fn whole(name: &'static str) -> Column {
    of(name, Kind::Whole)
}

const fn real(name: &'static str) -> Column {
    of(name, Kind::Real)
}

const fn money(name: &'static str) -> Column {
    of(name, Kind::Money)
}

const fn truth(name: &'static str) -> Column {
    of(name, Kind::Truth)
}

const fn json(name: &'static str) -> Column {
    of(name, Kind::Json)
}

const fn time(name: &'static str) -> Column {
    of(name, Kind::Time)
}

const fn sent(name: &'static str) -> Column {
    of(name, Kind::ClientTime)
}

/// A table that the old program's models made.
const fn modelled(
    name: &'static str,
    columns: &'static [Column],
    needed: &'static [&'static str],
) -> Table {
    Table {
        name,
        key: "id",
        columns,
        needed,
        modelled: true,
        fleet_one: None,
    }
}

/// A table that only the SQL files made.
const fn scripted(
    name: &'static str,
    columns: &'static [Column],
    needed: &'static [&'static str],
) -> Table {
    Table {
        modelled: false,
        ..modelled(name, columns, needed)
    }
}

impl Table {
    /// The same table, told from its FLEET-ONE namesake, which has any of `has` and lacks `instead_of`.
    const fn not_fleet_one(
        mut self,
        has: &'static [&'static str],
        instead_of: &'static str,
    ) -> Self {
        self.fleet_one = Some(FleetOne { has, instead_of });
        self
    }
}

#[cfg(test)]
mod tests;
