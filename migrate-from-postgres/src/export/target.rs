//! The schema that is written to: what its columns take, and what its constraints demand.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::mapping::mapping_of;
use crate::shape::Shape;
use crate::source::{Source, SourceError};

/// Every column of the schema's tables: what it takes.
const COLUMNS: &str = "SELECT c.relname, a.attname, CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname END, \
     a.attnotnull OR b.typnotnull, greatest(a.atttypmod, b.typtypmod), \
     CASE t.typtype WHEN 'e' THEN (SELECT string_agg(e.enumlabel, chr(1) ORDER BY e.enumsortorder) \
       FROM pg_enum e WHERE e.enumtypid = t.oid) END, \
     pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_type b ON b.oid = a.atttypid \
     JOIN pg_type t ON t.oid = CASE WHEN b.typtype = 'd' THEN b.typbasetype ELSE b.oid END \
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum";

/// Keys that refer to one column of another table.
const REFERENCES: &str = "SELECT c.relname, a.attname, format('%I.%I', n.nspname, p.relname), quote_ident(k.attname), \
     a.attnotnull FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_class p ON p.oid = o.confrelid \
     JOIN pg_namespace n ON n.oid = p.relnamespace \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = o.conkey[1] \
     JOIN pg_attribute k ON k.attrelid = p.oid AND k.attnum = o.confkey[1] \
     WHERE o.contype = 'f' AND array_length(o.conkey, 1) = 1 AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2";

/// Conditions on rows.
const CHECKS: &str = "SELECT c.relname, pg_get_expr(o.conbin, o.conrelid) FROM pg_constraint o \
     JOIN pg_class c ON c.oid = o.conrelid \
     WHERE o.contype = 'c' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname, o.conname";

/// What no two rows may have alike: columns, joined by the character 1.
const UNIQUE: &str = "SELECT c.relname, (SELECT string_agg(quote_ident(a.attname), chr(1) ORDER BY k.place) \
       FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place) \
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
     WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2";

/// Tables whose triggers would change what is written.
const TRIGGERS: &str = "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND c.relnamespace = 'public'::regnamespace";

/// A table that is written to.
#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) columns: BTreeMap<String, TargetColumn>,
    pub(super) references: Vec<TargetReference>,
    pub(super) checks: Vec<String>,
    pub(super) unique: Vec<Vec<String>>,
    pub(super) has_triggers: bool,
    table: &'static str,
}

/// A column that is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TargetColumn {
    /// Its type's name; `enum` for every enum, a domain's base.
    pub(super) kind: String,
    pub(super) is_demanded: bool,
    /// Most characters of a text.
    pub(super) chars_max: Option<usize>,
    /// The words of an enum.
    pub(super) labels: Vec<String>,
    /// The sequence that numbers new rows.
    pub(super) sequence: Option<String>,
}

/// A column that must name a row of another table.
#[derive(Debug)]
pub(super) struct TargetReference {
    pub(super) column: String,
    /// The other table and its column, quoted.
    pub(super) parent: (String, String),
    pub(super) is_demanded: bool,
}

impl Target {
    /// The column that a field of an event stands for.
    fn column_of(&self, field: &str) -> String {
        let renamed = mapping_of(self.table).and_then(|(_, mapping)| {
            let mut renamed = mapping.renamed.iter();
            renamed.find(|(_, name)| *name == field)
        });
        renamed.map_or(field, |(column, _)| column).to_owned()
    }

    /// Whether the table has the column of this field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.columns.contains_key(&self.column_of(field))
    }

    /// Whether the column of this field must have a value.
    pub(super) fn demands(&self, field: &str) -> bool {
        let column = self.columns.get(&self.column_of(field));
        column.is_some_and(|column| column.is_demanded)
    }

    /// Whether two sets of values without a field differ only by what the table has no column for.
    pub(super) fn has_all_of_extra(&self, here: &Value, there: &Value) -> bool {
        let kept = |extra: &Value| -> Map<String, Value> {
            let members = extra.as_object().cloned().unwrap_or_default();
            let there = members.into_iter();
            there
                .filter(|(name, _)| self.columns.contains_key(name))
                .collect()
        };
        kept(here) == kept(there)
    }
}

/// What the tables of a shape demand.
pub(super) async fn look(
    source: &Source,
    shape: &Shape,
) -> Result<BTreeMap<&'static str, Target>, SourceError> {
    let mut targets: BTreeMap<&'static str, Target> = BTreeMap::new();
    for found in &shape.tables {
        let table = found.table.name;
        targets.insert(
            table,
            Target {
                table,
                ..Target::default()
            },
        );
    }
    let asked = async |statement| {
        source
            .query(statement, "asking what the tables demand")
            .await
    };
    for row in asked(COLUMNS).await? {
        let [table, name, kind, demanded, width, labels, sequence] = texts::<7>(row);
        let Some(target) = targets.get_mut(&*table) else {
            continue;
        };
        let is_text = matches!(kind.as_str(), "varchar" | "bpchar");
        // The length of a text stands there with four more.
        let chars_max = width
            .parse()
            .ok()
            .and_then(|width: usize| width.checked_sub(4));
        let column = TargetColumn {
            chars_max: chars_max.filter(|_| is_text),
            is_demanded: demanded == "t",
            labels: match labels.as_str() {
                "" => Vec::new(),
                labels => labels.split('\u{1}').map(str::to_owned).collect(),
            },
            sequence: Some(sequence).filter(|name| !name.is_empty()),
            kind,
        };
        target.columns.insert(name, column);
    }
    for row in asked(REFERENCES).await? {
        let [table, column, parent, key, demanded] = texts::<5>(row);
        if let Some(target) = targets.get_mut(&*table) {
            target.references.push(TargetReference {
                column,
                parent: (parent, key),
                is_demanded: demanded == "t",
            });
        }
    }
    for row in asked(CHECKS).await? {
        let [table, condition] = texts::<2>(row);
        if let Some(target) = targets.get_mut(&*table) {
            target.checks.push(condition);
        }
    }
    for row in asked(UNIQUE).await? {
        let [table, columns] = texts::<2>(row);
        if let Some(target) = targets.get_mut(&*table) {
            target
                .unique
                .push(columns.split('\u{1}').map(str::to_owned).collect());
        }
    }
    for row in asked(TRIGGERS).await? {
        let [table] = texts::<1>(row);
        if let Some(target) = targets.get_mut(&*table) {
            target.has_triggers = true;
        }
    }
    Ok(targets)
}

fn texts<const N: usize>(row: Vec<Option<String>>) -> [String; N] {
    let row: [Option<String>; N] = row.try_into().unwrap_or([const { None }; N]);
    row.map(Option::unwrap_or_default)
}
