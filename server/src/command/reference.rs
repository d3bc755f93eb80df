//! References in bodies: clients name a supplier by its UUID or by its code, events by one of the two.

use serde_json::{Map, Value};

use super::Decision;
use crate::app::AppState;
use crate::http::problem::Problem;

/// A field that names another aggregate.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    field: &'static str,
    aggregate_type: &'static str,
    missing: &'static str,
    stored: Stored,
}

/// What an event holds of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stored {
    Uuid,
    Key,
}

impl Reference {
    /// The vehicle under `vehicle_id`.
    pub const VEHICLE: Reference = Reference::uuid("vehicle_id", "Vehicle", "Vehicle not found");

    /// The workshop under `workshop_id`.
    pub const WORKSHOP: Reference =
        Reference::uuid("workshop_id", "Workshop", "Workshop not found");

    /// A field of which events hold the UUID, as the old database's rows did.
    pub const fn uuid(
        field: &'static str,
        aggregate_type: &'static str,
        missing: &'static str,
    ) -> Self {
        Reference {
            field,
            aggregate_type,
            missing,
            stored: Stored::Uuid,
        }
    }

    /// A field that names an aggregate whose id is a business key: `part_no`. Events hold the key that it goes by now, as the
    /// old database's rows did.
    pub const fn id(
        field: &'static str,
        aggregate_type: &'static str,
        missing: &'static str,
    ) -> Self {
        Reference {
            field,
            aggregate_type,
            missing,
            stored: Stored::Key,
        }
    }

    /// What events hold of the aggregate that `text` names. The append fails if it is deleted meanwhile.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn find(&self, tx: &mut Decision<'_>, text: &str) -> Result<String, Problem> {
        let missing = || Problem::not_found(self.missing);
        let entry = tx.find(self.aggregate_type, text).ok_or_else(missing)?;
        Ok(match self.stored {
            Stored::Uuid => entry.uuid().to_string(),
            Stored::Key => entry.key().to_owned(),
        })
    }
}

/// Replaces every reference in `fields` by what events hold of it. What is absent or null stays so.
///
/// # Errors
/// 404 for the first that names nothing.
pub fn resolve(
    tx: &mut Decision<'_>,
    fields: &mut Map<String, Value>,
    references: &[Reference],
) -> Result<(), Problem> {
    for reference in references {
        if let Some(Value::String(text)) = fields.get_mut(reference.field) {
            *text = reference.find(tx, text)?;
        }
    }
    Ok(())
}

/// The UUID by which rows refer to the aggregate that `text` names; the text itself where there is none, which no row
/// has. For the filters of lists.
pub fn referred_to_as(state: &AppState, aggregate_type: &str, text: &str) -> String {
    let found = state.projections.catalog().find(aggregate_type, text).value;
    found.map_or_else(|| text.to_owned(), |entry| entry.uuid().to_string())
}
