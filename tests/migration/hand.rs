//! A hand that nobody watched: constraints dropped, types changed, columns added and lost, values set to whatever their
//! types allow. Chance decides; the same seed does the same.

use harness::phase2::Random;
use harness::postgres::Cluster;
use migrate_from_postgres::tables;

/// Without these nothing may be done to a value: what holds it to others, and what keeps it from being changed.
const LOOSEN: &str = r"
DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT c.conrelid::regclass AS t, c.conname AS n FROM pg_constraint c
    WHERE c.contype IN ('f', 'c', 'u') AND c.conrelid <> 0 AND c.connamespace = 'public'::regnamespace
    ORDER BY c.contype = 'u'
  LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', r.t, r.n); END LOOP;
  FOR r IN SELECT i.indexrelid::regclass AS n FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary
  LOOP EXECUTE format('DROP INDEX IF EXISTS %s CASCADE', r.n); END LOOP;
  FOR r IN SELECT tablename AS t, rulename AS n FROM pg_rules WHERE schemaname = 'public'
  LOOP EXECUTE format('DROP RULE %I ON %I', r.n, r.t); END LOOP;
  FOR r IN SELECT viewname AS n FROM pg_views WHERE schemaname = 'public'
  LOOP EXECUTE format('DROP VIEW IF EXISTS %I CASCADE', r.n); END LOOP;
  FOR r IN SELECT tgrelid::regclass AS t, tgname AS n FROM pg_trigger WHERE NOT tgisinternal
  LOOP EXECUTE format('DROP TRIGGER %I ON %s', r.n, r.t); END LOOP;
  FOR r IN SELECT a.attrelid::regclass AS t, a.attname AS n FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnotnull AND a.attnum > 0
      AND a.attname <> 'id' AND NOT a.attisdropped
  LOOP EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', r.t, r.n); END LOOP;
END $$;
";

const COLUMNS: &str = "SELECT c.relname || '|' || a.attname || '|' || CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname END \
     || '|' || format_type(a.atttypid, a.atttypmod) \
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
     AND a.attname <> 'id' ORDER BY c.relname, a.attnum;";

struct Column {
    table: String,
    name: String,
    kind: String,
    /// As SQL spells it, with its width.
    sql_type: String,
}

/// Does so many things to a database, and says which.
pub(crate) fn meddle(cluster: &Cluster, database: &str, seed: u64, times: u64) -> Vec<String> {
    if times == 0 {
        return Vec::new();
    }
    cluster.psql(database, LOOSEN);
    let mut done = Vec::new();
    for time in 0..times {
        let mut chance = Random::new(seed, 1, time);
        // Looked up each time: a table or a column may be gone.
        let columns: Vec<Column> = cluster
            .psql(database, COLUMNS)
            .lines()
            .filter_map(|line| {
                let mut parts = line.split('|').map(str::to_owned);
                let column = Column {
                    table: parts.next()?,
                    name: parts.next()?,
                    kind: parts.next()?,
                    sql_type: parts.next()?,
                };
                tables::table(&column.table).map(|_| column)
            })
            .collect();
        let place = usize::try_from(chance.below(columns.len() as u64)).expect("a place");
        let statement = statement(&mut chance, &columns[place], time);
        cluster.psql(database, &format!("{statement};"));
        done.push(statement);
    }
    done
}

fn statement(chance: &mut Random, column: &Column, time: u64) -> String {
    let Column {
        table, name, kind, ..
    } = column;
    let needed = tables::table(table).is_some_and(|table| {
        let mut needed = table.needed.iter();
        needed.any(|needed| needed == name)
    });
    let refers = name.ends_with("_id") || name == "part_no";
    let name = format!("\"{name}\"");
    match chance.below(12) {
        0 if chance.once_in(3) => format!("DROP TABLE {table} CASCADE"),
        1 if !needed => format!("ALTER TABLE {table} DROP COLUMN {name}"),
        2 => {
            let (kind, value) = chance.pick(&[
                ("text", "'ä ' || id::text"),
                ("jsonb", "'{\"b\": [1, 2.50, null], \"a\": {}}'"),
                ("numeric", "'NaN'"),
                ("double precision", "'-Infinity'"),
                ("timestamptz", "now()"),
                ("bytea", "'\\x00ff'"),
                ("integer[]", "'{1,2,NULL}'"),
                ("interval", "'1 year 2 days'"),
            ]);
            format!(
                "ALTER TABLE {table} ADD COLUMN \"Zusatz {time}\" {kind}; \
                 UPDATE {table} SET \"Zusatz {time}\" = {value} WHERE {}",
                some(chance)
            )
        }
        3 if !refers => match retyped(kind) {
            Some(other) => {
                format!(
                    "ALTER TABLE {table} ALTER COLUMN {name} TYPE {other} USING {name}::{other}"
                )
            }
            None => format!("UPDATE {table} SET {name} = NULL WHERE {}", some(chance)),
        },
        4 => format!(
            "UPDATE {table} SET {name} = (SELECT {name} FROM {table} ORDER BY id LIMIT 1) WHERE {}",
            some(chance)
        ),
        5 => format!("UPDATE {table} SET {name} = NULL WHERE {}", some(chance)),
        6 => format!("DELETE FROM {table} WHERE {}", some(chance)),
        _ => match value(chance, kind) {
            // A cast cuts a text that is too long.
            Some(value) => format!(
                "UPDATE {table} SET {name} = CAST({value} AS {}) WHERE {}",
                column.sql_type,
                some(chance)
            ),
            None => format!("UPDATE {table} SET {name} = NULL WHERE {}", some(chance)),
        },
    }
}

/// A condition for some of the rows, always the same ones.
fn some(chance: &mut Random) -> String {
    let (salt, share) = (chance.below(1_000), 1 + chance.below(5));
    format!("abs(hashtext(id::text || '{salt}')) % {share} = 0")
}

/// Another type that the same values fit into.
fn retyped(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "varchar" | "enum" => "text",
        "int4" => "numeric",
        "int8" => "text",
        "timestamp" => "timestamptz",
        "timestamptz" => "timestamp",
        "float8" => "text",
        "numeric" => "text",
        "jsonb" => "json",
        "json" => "text",
        "bool" => "text",
        _ => return None,
    })
}

/// A value that a type allows and that hurts: an expression.
fn value(chance: &mut Random, kind: &str) -> Option<&'static str> {
    Some(match kind {
        "varchar" | "text" => chance.pick(&[
            "''",
            "' '",
            "E'a\\tb\\\\c\"d'",
            "E'\\u0001\\u007f'",
            "'ÄÖ/ü?%2F'",
            "'🚆'",
            "'null'",
            "'-0.0'",
            "left(id::text, 20)",
        ]),
        "int2" | "int4" => chance.pick(&["0", "-1", "2147483647", "-2147483648"]),
        "int8" => chance.pick(&["0", "-1", "9007199254740993", "-9223372036854775808"]),
        "float8" => chance.pick(&[
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "'-0'",
            "5e-324",
            "1.7976931348623157e308",
            "0.1",
            "1e21",
            "1e-7",
        ]),
        "numeric" => chance.pick(&["'NaN'", "0", "-0.01", "99999.99", "-99999.99"]),
        "bool" => chance.pick(&["true", "false"]),
        "timestamp" | "timestamptz" => chance.pick(&[
            "'infinity'",
            "'-infinity'",
            "'0044-03-15 12:00:00 BC'",
            "'12345-06-07 08:09:10'",
            "'0001-01-01 00:00:00'",
            "'9999-12-31 23:59:59.999999'",
            "'2024-03-31 02:30:00'",
            "'2024-10-27 02:30:00'",
            "'1969-12-31 23:59:59.999999'",
            "'1970-01-01 00:00:00'",
        ]),
        "uuid" => chance.pick(&[
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "md5(id::text)::uuid",
        ]),
        "json" => chance.pick(&[
            "'null'",
            "'[]'",
            "'{ \"a\" : 1e3 , \"a\" : 2 }'",
            "'\"\\ud800\"'",
            "'{\"n\": \"\\u0000\"}'",
            "'1e999'",
            "'12345678901234567890123'",
            "'-0'",
            "'\"x\"'",
        ]),
        "jsonb" => chance.pick(&[
            "'null'",
            "'{}'",
            "'1e400'",
            "'[1.10, -0, \"\\u00e4\"]'",
            "'true'",
        ]),
        _ => return None,
    })
}
