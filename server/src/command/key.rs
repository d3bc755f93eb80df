//! Business keys under which aggregates begin, and which are their ids from then on: the number of a vehicle or a part, the
//! code of a cost center.

use fleet::Refusal;
use fleet::schema::AggregateSchema;

use super::Decision;
use crate::http::problem::Problem;

/// Makes sure that a new aggregate may begin under this business key: that none goes by it whose id is another, and none began
/// under it that goes by another now. A key that was freed stays its former holder's: histories and documents name it so.
///
/// `name` is what one is called in sentences, `Cost center`. Who goes by the key that is its id is for the domain to refuse.
///
/// # Errors
/// 400, with the field.
pub fn free_key(
    tx: &Decision<'_>,
    aggregate: &AggregateSchema,
    name: &str,
    key: &str,
) -> Result<(), Problem> {
    let holder = tx.look(aggregate.aggregate_type, key);
    let (Some(field), Some(holder)) = (aggregate.named_by, holder) else {
        return Ok(());
    };
    let refusal = match (holder.key() == key, *holder.aggregate_id == *key) {
        (true, false) => {
            let text = format!("{name} with {field} '{key}' already exists");
            Refusal::rule(field, "already_exists", text)
        }
        (false, true) => {
            let text = format!(
                "{name} '{}' had the {field} '{key}' before, and is still found by it; choose another {field}",
                holder.key()
            );
            Refusal::rule(field, "former_key", text)
        }
        // It is the id as ever, or a UUID.
        (true, true) | (false, false) => return Ok(()),
    };
    Err(refusal.into())
}
