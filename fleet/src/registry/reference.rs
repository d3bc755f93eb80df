//! The event reference in `docs/EVENT_SOURCING.md`: written from the tables, and held against them, so that it cannot
//! say anything else. `RAILFLEET_WRITE_DOCS=1 cargo test -p fleet reference` writes it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::AGGREGATES;
use crate::schema::{AggregateSchema, EventSchema, Field, Kind, Sensitivity, Sets};

const BEGIN: &str = "<!-- reference: written from fleet::registry, do not edit -->\n";
const END: &str = "<!-- end of the reference -->\n";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document() -> PathBuf {
    workspace().join("docs/EVENT_SOURCING.md")
}

/// The values that a kind takes, in a few words.
fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text { chars_max, .. } => format!("text ≤ {chars_max}"),
        Kind::Key { chars_max } => format!("key ≤ {chars_max}"),
        Kind::Uuid => "UUID".to_owned(),
        Kind::Integer { min, max } => match bounds(min as f64, max as f64) {
            Some(bounds) => format!("integer {bounds}"),
            None => "integer".to_owned(),
        },
        Kind::Number { min, max } => match bounds(min, max) {
            Some(bounds) => format!("number {bounds}"),
            None => "number".to_owned(),
        },
        Kind::Boolean => "boolean".to_owned(),
        Kind::OneOf(words) => words.join(" \\| "),
        Kind::Time => "time".to_owned(),
        Kind::Object => "object".to_owned(),
        Kind::List(item) => format!("list of {}", self::kind(*item)),
        Kind::Record(members) => {
            let members: Vec<String> = members.iter().map(field).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Kind::Money | Kind::Amount { .. } => "money".to_owned(),
        Kind::Email => "e-mail".to_owned(),
        Kind::Hex { digits } => format!("{digits} hex digits"),
        Kind::Any => "any".to_owned(),
    }
}

/// Bounds that are narrower than what JSON holds exactly.
fn bounds(min: f64, max: f64) -> Option<String> {
    let wide = 9_007_199_254_740_991.0;
    match (min > -wide, max < wide) {
        (true, true) => Some(format!("{min} to {max}")),
        (true, false) => Some(format!("≥ {min}")),
        (false, true) => Some(format!("≤ {max}")),
        (false, false) => None,
    }
}

/// A field: its name, `*` where the event means nothing without it, its values, and what it does beyond setting the key
/// of its name.
fn field(field: &Field) -> String {
    let star = if field.required { "*" } else { "" };
    let effect = match field.sets {
        Sets::Itself => String::new(),
        Sets::Key(key) => format!(" → `{key}`"),
        Sets::Corrects(key) => format!(" corrects `{key}`"),
        Sets::Adds(total) => match total.shares {
            Some((shares, by)) => format!(" adds to `{}`, and to `{shares}` by `{by}`", total.key),
            None => format!(" adds to `{}`", total.key),
        },
        Sets::AddsEach(totals) => format!(
            " adds each `{}` to `{}` by `{}`",
            totals.delta, totals.key, totals.by
        ),
        Sets::Nothing => " ∅".to_owned(),
    };
    let who = match field.sensitivity {
        Sensitivity::Open => "",
        Sensitivity::Personal => " (personal)",
        Sensitivity::Secret => " (secret)",
    };
    format!("`{}`{star} {}{effect}{who}", field.name, kind(field.kind))
}

fn event_line(event: &EventSchema) -> String {
    let mut said = vec![event.summary.to_owned()];
    if event.report {
        said.push("A report.".to_owned());
    }
    if let Some(item) = event.item {
        let verb = if item.removes {
            "Takes out the item"
        } else {
            "Puts the item"
        };
        said.push(format!("{verb} `{}` of `{}`.", item.key, item.list));
    }
    for (key, constant) in event.implies {
        said.push(format!("Sets `{key}` to `{}`.", constant.value()));
    }
    let names = event.spellings.iter();
    let names: Vec<String> = names
        .map(|spelling| format!("`{}` for `{}`", spelling.given, spelling.meant))
        .collect();
    if !names.is_empty() {
        said.push(format!("Old names: {}.", names.join(", ")));
    }
    let fields: Vec<String> = event.fields.iter().map(field).collect();
    format!(
        "| `{}` | {} | {} | {} |\n",
        event.event_type,
        event.schema,
        said.join(" "),
        fields.join(", ")
    )
}

fn section(aggregate: &AggregateSchema, out: &mut String) {
    let _ = write!(out, "\n### {}\n\n", aggregate.aggregate_type);
    let mut said = Vec::new();
    if aggregate.internal {
        said.push("Written by the server alone.".to_owned());
    }
    let quoted = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    if !aggregate.listing.keys.is_empty() {
        said.push(format!("Business key: {}.", quoted(aggregate.listing.keys)));
    }
    if !aggregate.highest.is_empty() {
        said.push(format!("Only rises: {}.", quoted(aggregate.highest)));
    }
    let spellings = aggregate.spellings.iter();
    let spellings: Vec<String> = spellings
        .map(|spelling| format!("`{}` for `{}`", spelling.given, spelling.meant))
        .collect();
    if !spellings.is_empty() {
        said.push(format!("Old names: {}.", spellings.join(", ")));
    }
    if !said.is_empty() {
        let _ = write!(out, "{}\n\n", said.join(" "));
    }
    out.push_str("| event | schema | what happened | fields |\n|---|---|---|---|\n");
    for event in aggregate.events {
        out.push_str(&event_line(event));
    }
}

fn reference() -> String {
    let mut out = String::new();
    for aggregate in AGGREGATES {
        section(aggregate, &mut out);
    }
    out.push('\n');
    out
}

#[test]
fn the_event_reference_says_what_the_tables_say() {
    let text = fs::read_to_string(document()).unwrap();
    let (front, rest) = text.split_once(BEGIN).unwrap();
    let (held, back) = rest.split_once(END).unwrap();
    let wanted = reference();
    if held == wanted {
        return;
    }
    if std::env::var_os("RAILFLEET_WRITE_DOCS").is_some() {
        fs::write(document(), format!("{front}{BEGIN}{wanted}{END}{back}")).unwrap();
        return;
    }
    let differs = held
        .lines()
        .zip(wanted.lines())
        .find(|(held, wanted)| held != wanted);
    panic!(
        "docs/EVENT_SOURCING.md is not what the tables say; RAILFLEET_WRITE_DOCS=1 cargo test -p fleet reference \
         writes it anew. The first difference: {differs:?}"
    );
}

/// Blanks do not count: a piece of code may be shown less indented than it stands.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn the_guide_shows_code_that_stands_in_the_tree() {
    let text = fs::read_to_string(document()).unwrap();
    let blocks: Vec<&str> = text
        .split("```rust\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    assert!(blocks.len() >= 4, "the guide walks through an aggregate");
    for block in blocks {
        let (first, code) = block.split_once('\n').unwrap();
        let path = first.strip_prefix("// ").unwrap();
        let source = fs::read_to_string(workspace().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        for piece in code.split("// …") {
            assert!(
                squeezed(&source).contains(&squeezed(piece)),
                "{path} does not hold:\n{piece}"
            );
        }
    }
}
