//! What a stock move is, as a command: which parts, how many, from where, to where.

use serde_json::{Map, Value};

use crate::schema::body;
use crate::schema::limits::{PRICE, QUANTITY, REFERENCE};
use crate::schema::{Field, FieldError, Kind};

/// The kinds of move, as in JSON.
pub const MOVE_TYPES: &[&str] = &["INCOMING", "USAGE", "TRANSFER", "WRITEOFF", "ADJUSTMENT"];

/// What a move does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveType {
    /// Parts come from outside to a location.
    Incoming,
    /// Parts go from a location into a vehicle.
    Usage,
    /// Parts are carried from a location to another.
    Transfer,
    /// Parts of a location are lost.
    Writeoff,
    /// A count found more at a location (to it), or less (from it).
    Adjustment,
}

impl MoveType {
    /// The kind of this name.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "INCOMING" => MoveType::Incoming,
            "USAGE" => MoveType::Usage,
            "TRANSFER" => MoveType::Transfer,
            "WRITEOFF" => MoveType::Writeoff,
            "ADJUSTMENT" => MoveType::Adjustment,
            _ => return None,
        })
    }

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            MoveType::Incoming => "INCOMING",
            MoveType::Usage => "USAGE",
            MoveType::Transfer => "TRANSFER",
            MoveType::Writeoff => "WRITEOFF",
            MoveType::Adjustment => "ADJUSTMENT",
        }
    }
}

/// A move as it is asked for or reported. References are resolved: locations and orders by their ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StockMove {
    /// Which part.
    pub part_no: String,
    /// What happens to it.
    pub move_type: MoveType,
    /// How many pieces, at least 1.
    pub quantity: i64,
    /// Where they come from.
    pub from_location_id: Option<String>,
    /// Where they go to.
    pub to_location_id: Option<String>,
    /// What else the event says: fields of `StockMoveCreated`.
    pub details: Map<String, Value>,
}

/// Checks the body of a request that moves stock.
///
/// # Errors
/// All faults; never an empty list.
pub fn movement(body: &Map<String, Value>) -> Result<StockMove, Vec<FieldError>> {
    let mut fields = body::parse(MOVEMENT, body)?;
    fields.retain(|_, value| !value.is_null());
    let mut take = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let part_no = take("part_no").unwrap_or_default();
    let from_location_id = take("from_location_id");
    let to_location_id = take("to_location_id");
    let move_type = take("move_type").and_then(|name| MoveType::of(&name));
    let quantity = fields.remove("quantity").and_then(|value| value.as_i64());
    let (Some(move_type), Some(quantity)) = (move_type, quantity) else {
        // The table has checked both.
        return Err(vec![FieldError {
            path: vec!["move_type".to_owned()],
            message: "Field required".to_owned(),
            kind: "missing",
        }]);
    };
    Ok(StockMove {
        part_no,
        move_type,
        quantity,
        from_location_id,
        to_location_id,
        details: fields,
    })
}

const MOVEMENT: &[Field] = &[
    Field::required("part_no", Kind::name(100)),
    Field::required("move_type", Kind::OneOf(MOVE_TYPES)),
    Field::required("quantity", QUANTITY),
    Field::optional("from_location_id", REFERENCE),
    Field::optional("to_location_id", REFERENCE),
    Field::optional("work_order_id", REFERENCE),
    Field::optional("reference_doc", Kind::text(255)),
    Field::optional("unit_price", PRICE),
    Field::optional("notes", Kind::text(500)),
];
