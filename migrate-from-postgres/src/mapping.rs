//! What the rows mean: which aggregate a row belongs to, which events it tells of, and where its fields are found again.
//!
//! A [`Family`] is a table and those whose rows belong to the same aggregates: a purchase order and its lines, a part and
//! its moves. Each line of a family's table of functions turns one row into events; [`crate::made`] collects them.
//! Adding a table is a line in [`FAMILIES`] and a function.

mod documents;
mod goods;
mod logs;
mod money;
mod people;
mod planning;
mod simple;
mod transfers;
mod work;

use crate::finding::Treatment;
use crate::made::Made;
use crate::row::Row;
use crate::tables::Table;

/// A table, and where its rows' values are found again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub(crate) table: &'static Table,
    /// The aggregate whose stream a row belongs to.
    pub(crate) aggregate: &'static str,
    /// Where in that stream's state.
    pub(crate) seen: Seen,
    /// Columns whose fields are called otherwise.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    /// Columns that no field carries, because the stream's name says it.
    pub(crate) implied: &'static [&'static str],
}

/// Where a row is found again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// In the state of the aggregate.
    State,
    /// In an item, named by the row's key, of this list in the state; the event of this kind puts it there.
    Item(&'static str, &'static str),
    /// In the object, with the row's key as its `id`, of this list in the state.
    Line(&'static str),
    /// In the event of this kind that the row caused: what it tells happened once and is no state.
    Event(&'static str),
    /// In the imported log of its table, as it was.
    LogRow,
    /// In an account.
    Account,
}

impl Mapping {
    const fn new(table: &'static Table, aggregate: &'static str, seen: Seen) -> Self {
        Mapping {
            table,
            aggregate,
            seen,
            renamed: &[],
            implied: &[],
        }
    }

    const fn renamed(mut self, renamed: &'static [(&'static str, &'static str)]) -> Self {
        self.renamed = renamed;
        self
    }

    const fn implied(mut self, implied: &'static [&'static str]) -> Self {
        self.implied = implied;
        self
    }

    /// The name of the field that carries a column; empty where none does.
    pub(crate) fn field_name(&self, column: &'static str) -> &'static str {
        if self.implied.contains(&column) {
            return "";
        }
        let renamed = self.renamed.iter().find(|(name, _)| *name == column);
        renamed.map_or(column, |(_, field)| field)
    }
}

/// A table and those whose rows belong to its aggregates.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) parent: Mapping,
    /// The parent's column that the others refer to.
    pub(crate) key: &'static str,
    /// Begins an aggregate with the parent's row.
    pub(crate) begin: fn(&Row<'_>, &mut Made<'_>),
    pub(crate) children: &'static [Child],
    /// What is to be told once all rows of the aggregate are known.
    pub(crate) end: fn(&mut Made<'_>),
}

/// A table whose rows belong to the aggregates of another.
#[derive(Clone, Copy)]
pub(crate) struct Child {
    pub(crate) mapping: Mapping,
    /// The column that refers to the parent.
    pub(crate) refers_by: &'static str,
    /// The order of a parent's rows, before that of their keys.
    pub(crate) ordered_by: &'static str,
    /// Takes in a row.
    pub(crate) add: fn(&Row<'_>, &mut Made<'_>),
    /// Takes in a row whose parent is not there.
    pub(crate) orphan: fn(&Row<'_>, &mut Made<'_>),
}

impl Family {
    const fn alone(parent: Mapping, begin: fn(&Row<'_>, &mut Made<'_>)) -> Self {
        Family {
            parent,
            key: "id",
            begin,
            children: &[],
            end: |_| {},
        }
    }

    const fn with(mut self, children: &'static [Child]) -> Self {
        self.children = children;
        self
    }
}

/// Keeps a row whose parent is not there as it is, dated by the column `at`.
fn keep_orphan(row: &Row<'_>, made: &mut Made<'_>, mapping: &Mapping, at: Option<usize>) {
    made.note(row, Treatment::Orphan, "");
    made.keep(mapping, row, at.map_or(Some(0), |place| row.time(place)));
}

impl std::fmt::Debug for Family {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.parent.table.name)
    }
}

/// All families, in the order in which they are taken.
pub(crate) const FAMILIES: &[Family] = &[
    people::USERS,
    simple::WORKSHOPS,
    work::VEHICLES,
    planning::TRACKS,
    planning::TEAMS,
    work::WORK_ORDERS,
    transfers::PLANS,
    transfers::ASSIGNMENTS,
    simple::STAFF,
    people::STAFF_ASSIGNMENTS,
    documents::DOCUMENTS,
    simple::STOCK_LOCATIONS,
    goods::PARTS,
    goods::USED_PARTS,
    simple::SUPPLIERS,
    money::PURCHASE_ORDERS,
    money::INVOICES,
    simple::COST_CENTERS,
    simple::BUDGETS,
    logs::SYNC_CONFLICTS,
    logs::EVENT_LOG,
    logs::AUDIT_LOG,
    logs::SOLVER_SOLUTIONS,
];

/// The mapping of a table, and the family that it belongs to.
pub(crate) fn mapping_of(table: &str) -> Option<(&'static Family, Mapping)> {
    FAMILIES.iter().find_map(|family| {
        let children = family.children.iter().map(|child| child.mapping);
        let mut all = [family.parent].into_iter().chain(children);
        Some((family, all.find(|mapping| mapping.table.name == table)?))
    })
}

/// A set of columns, by their places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Columns(u64);

impl Columns {
    pub(crate) const NONE: Columns = Columns(0);

    pub(crate) const fn of(places: &[usize]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < places.len() {
            bits |= 1 << places[at];
            at += 1;
        }
        Columns(bits)
    }

    #[must_use]
    pub(crate) const fn and(self, place: usize) -> Self {
        Columns(self.0 | 1 << place)
    }

    pub(crate) const fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }
}

#[cfg(test)]
mod tests;
