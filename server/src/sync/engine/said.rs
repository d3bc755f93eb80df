//! What an operation says: by its name, where it was read out of a counter's state, and by its change.

use crdt::Change;
use crdt::sync::{OperationBody, RecordBody};

/// Before the name of an operation that was read out of a counter's state.
const SUM_PREFIX: &str = "sum:";

/// The name of an operation that brings a device's count to `total`.
pub fn sum_name(name: &str, total: u64) -> String {
    format!("{SUM_PREFIX}{name}={total}")
}

/// The counter's name and the total, of the name of such an operation.
pub(super) fn sum_of(operation: &str) -> Option<(&str, i64)> {
    let (name, total) = operation.strip_prefix(SUM_PREFIX)?.rsplit_once('=')?;
    Some((name, total.parse().ok()?))
}

/// Whether this change is what the carried operation does already.
pub(super) fn says(body: &RecordBody, field: u16, change: &Change) -> bool {
    let RecordBody::Operation { operation, .. } = body else {
        return false;
    };
    let OperationBody::Change {
        field: of,
        change: carried,
        ..
    } = &operation.body
    else {
        return false;
    };
    match (carried, change) {
        (
            Change::Put {
                key, field: item, ..
            },
            Change::Put {
                key: other,
                field: other_item,
                ..
            },
        ) => *of == field && key == other && item == other_item,
        _ => *of == field,
    }
}
