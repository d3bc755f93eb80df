//! What differs between two states, field by field, into objects and lists.

use serde_json::{Map, Value};

/// A value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The way to it: the field, then members and list indexes.
    pub path: Vec<String>,
    /// What stood there; `None`: nothing did.
    pub old: Option<Value>,
    /// What stands there; `None`: nothing does.
    pub new: Option<Value>,
}

impl Difference {
    /// The way as text, `specifications.axles`.
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// The field of the state that it lies in.
    pub fn field(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    /// `added`, `removed` or `changed`.
    pub fn kind(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        }
    }
}

/// What differs between two states, by path. Objects and lists are compared part by part; what is on one side only is one
/// difference as a whole.
pub fn diff(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    diff_objects(&mut Vec::new(), before, after, &mut found);
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn diff_objects(
    path: &mut Vec<String>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        path.push(key.clone());
        diff_values(path, before.get(key), after.get(key), found);
        path.pop();
    }
}

fn diff_values(
    path: &mut Vec<String>,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            diff_objects(path, before, after, found);
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                path.push(index.to_string());
                diff_values(path, before.get(index), after.get(index), found);
                path.pop();
            }
        }
        _ if before == after => {}
        _ => found.push(Difference {
            path: path.clone(),
            old: before.cloned(),
            new: after.cloned(),
        }),
    }
}
