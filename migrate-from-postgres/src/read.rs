//! Reads a family of tables side by side, each in the order of its parent's keys, and hands the rows of one aggregate after
//! the other to the functions of [`crate::mapping`]. Memory is that of one row a table and one batch.

use std::cmp::Ordering;

use crate::made::{Batch, Made};
use crate::mapping::{Child, Family, Mapping};
use crate::row::{Layout, Row};
use crate::shape::{Found, Shape, Wire, quoted};
use crate::source::{Rows, Source, SourceError};
use crate::zone::Zone;

/// Takes batches; `false` when nobody wants any more.
pub(crate) trait Sink {
    fn take(&mut self, batch: Batch) -> bool;
}

impl<F: FnMut(Batch) -> bool> Sink for F {
    fn take(&mut self, batch: Batch) -> bool {
        self(batch)
    }
}

/// Gives SQL for keys of a family, or nothing of it.
pub(crate) type KeysOf<'a> = dyn Fn(&Family) -> Option<String> + 'a;

/// How rows are read.
pub(crate) struct Reading<'a> {
    pub(crate) source: &'a mut Source,
    pub(crate) shape: &'a Shape,
    pub(crate) zone: Zone,
    /// SQL that narrows a family to the aggregates whose keys it gives; everything where there is none.
    pub(crate) only_keys: Option<&'a KeysOf<'a>>,
}

/// A table that is being read: the row that it has reached.
struct Cursor {
    layout: Layout,
    rows: Rows,
    has_row: bool,
    /// The place of the column that aggregates are told apart by.
    key: usize,
}

impl Cursor {
    async fn open(
        reading: &mut Reading<'_>,
        found: &Found,
        mapping: &Mapping,
        key: &str,
        condition: &str,
        order: &str,
    ) -> Result<Self, SourceError> {
        let layout = Layout::new(found, mapping, reading.zone);
        let statement = found.select(condition, order);
        let what = format!("reading {}", found.table.name);
        let mut rows = reading.source.copy(&statement, &what).await?;
        let has_row = rows.advance().await?;
        let key = found
            .table
            .columns
            .iter()
            .position(|column| column.name == key);
        Ok(Cursor {
            layout,
            rows,
            has_row,
            key: key.unwrap_or(0),
        })
    }

    fn row(&self) -> Row<'_> {
        Row {
            layout: &self.layout,
            stream: &self.rows,
        }
    }

    async fn advance(&mut self) -> Result<(), SourceError> {
        self.has_row = self.rows.advance().await?;
        Ok(())
    }

    fn key(&self) -> Option<&[u8]> {
        self.row().bytes(self.key)
    }
}

/// Reads all rows of a family. `false` when the sink wanted no more.
///
/// # Errors
/// Those of the source.
pub(crate) async fn read_family(
    reading: &mut Reading<'_>,
    family: &Family,
    made: &mut Made<'_>,
    sink: &mut impl Sink,
) -> Result<bool, SourceError> {
    let keys = match reading.only_keys {
        None => None,
        // None of its rows is asked for.
        Some(only) => match only(family) {
            None => return Ok(true),
            keys => keys,
        },
    };
    let mut parent = open_parent(reading, family, keys.as_deref()).await?;
    let mut children = Vec::with_capacity(family.children.len());
    for child in family.children {
        if let Some(found) = reading.shape.get(child.mapping.table.name) {
            let found = found.clone();
            check_types(reading.shape, family, child, &found)?;
            let cursor = open_child(reading, child, &found, keys.as_deref()).await?;
            children.push((child, cursor));
        }
    }
    made.has_all_tables = children.len() == family.children.len();
    let wanted = match &mut parent {
        Some(parent) => merge(family, parent, &mut children, made, sink).await?,
        None => true,
    };
    let wanted = wanted && leave_over(&mut children, None, made, sink).await?;
    if wanted {
        let cursors = children.into_iter().map(|(_, cursor)| cursor).chain(parent);
        cursors.for_each(|cursor| reading.source.reuse(cursor.rows));
    }
    Ok(wanted)
}

async fn merge(
    family: &Family,
    parent: &mut Cursor,
    children: &mut [(&Child, Cursor)],
    made: &mut Made<'_>,
    sink: &mut impl Sink,
) -> Result<bool, SourceError> {
    while parent.has_row {
        let key = parent.key().map(<[u8]>::to_vec);
        if !leave_over(children, key.as_deref(), made, sink).await? {
            return Ok(false);
        }
        made.count(family.parent.table.name);
        (family.begin)(&parent.row(), made);
        for (child, cursor) in children.iter_mut() {
            while cursor.has_row && key.is_some() && cursor.key() == key.as_deref() {
                made.count(child.mapping.table.name);
                (child.add)(&cursor.row(), made);
                cursor.advance().await?;
                if !hand_on(made, sink, false) {
                    return Ok(false);
                }
            }
        }
        made.end_with(family.end);
        if !hand_on(made, sink, false) {
            return Ok(false);
        }
        parent.advance().await?;
    }
    Ok(true)
}

/// Takes in the children whose parents would have come before `key`, or all that are left.
async fn leave_over(
    children: &mut [(&Child, Cursor)],
    key: Option<&[u8]>,
    made: &mut Made<'_>,
    sink: &mut impl Sink,
) -> Result<bool, SourceError> {
    for (child, cursor) in children {
        while cursor.has_row {
            let is_behind = match (cursor.key(), key) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(own), Some(key)) => own.cmp(key) == Ordering::Less,
            };
            if !is_behind {
                break;
            }
            made.count(child.mapping.table.name);
            (child.orphan)(&cursor.row(), made);
            cursor.advance().await?;
            if !hand_on(made, sink, false) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Gives the batch to the sink, if it is full. `false` when nobody wants it, or nobody may have it.
pub(crate) fn hand_on(made: &mut Made<'_>, sink: &mut impl Sink, at_end: bool) -> bool {
    if made.is_refused() {
        return false;
    }
    match made.take_batch(at_end) {
        Some(batch) => sink.take(batch),
        None => true,
    }
}

async fn open_parent(
    reading: &mut Reading<'_>,
    family: &Family,
    keys: Option<&str>,
) -> Result<Option<Cursor>, SourceError> {
    let Some(found) = reading.shape.get(family.parent.table.name).cloned() else {
        return Ok(None);
    };
    let condition = narrowed(family.key, keys);
    let order = match family.key {
        "id" => format!("t.{}", quoted("id")),
        key => format!("{}, t.{}", ordered(&found, key), quoted("id")),
    };
    Cursor::open(
        reading,
        &found,
        &family.parent,
        family.key,
        &condition,
        &order,
    )
    .await
    .map(Some)
}

async fn open_child(
    reading: &mut Reading<'_>,
    child: &Child,
    found: &Found,
    keys: Option<&str>,
) -> Result<Cursor, SourceError> {
    let condition = narrowed(child.refers_by, keys);
    let mut order = ordered(found, child.refers_by);
    for column in [child.ordered_by, "id"] {
        if found.field(column).is_some() {
            order.push_str(", t.");
            order.push_str(&quoted(column));
        }
    }
    Cursor::open(
        reading,
        found,
        &child.mapping,
        child.refers_by,
        &condition,
        &order,
    )
    .await
}

/// A condition on the rows of a table: that `column` is among the keys that this SQL gives.
pub(crate) fn narrowed(column: &str, keys: Option<&str>) -> String {
    keys.map_or_else(String::new, |keys| {
        format!("t.{} IN ({keys})", quoted(column))
    })
}

/// A column to sort by, texts byte by byte as we compare them.
fn ordered(found: &Found, column: &str) -> String {
    let is_text = found
        .columns
        .iter()
        .any(|found| found.column.name == column && found.wire == Wire::Text);
    let name = quoted(column);
    match is_text {
        true => format!("t.{name}::text COLLATE \"C\""),
        false => format!("t.{name}"),
    }
}

/// Whether parent and child can be laid side by side.
fn check_types(
    shape: &Shape,
    family: &Family,
    child: &Child,
    found: &Found,
) -> Result<(), SourceError> {
    let Some(parent) = shape.get(family.parent.table.name) else {
        return Ok(());
    };
    let wire = |found: &Found, name: &str| {
        found
            .columns
            .iter()
            .find(|found| found.column.name == name)
            .map(|found| found.wire)
    };
    let (key, reference) = (wire(parent, family.key), wire(found, child.refers_by));
    if key == reference {
        return Ok(());
    }
    Err(SourceError::Garbled {
        doing: format!("reading {}", found.table.name),
        why: format!(
            "its column {} has another type than {}.{}; give both the same type",
            child.refers_by, parent.table.name, family.key
        ),
    })
}
