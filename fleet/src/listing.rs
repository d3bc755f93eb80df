//! What an aggregate's rows are found by, as data: the read model keeps an index for each line of it.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::calendar;
use crate::folded::Folded;
use crate::schema::Constant;

/// The namespace of row ids: the UUIDv5 of `railfleet` in the URL namespace.
const ROW_NAMESPACE: Uuid = Uuid::from_u128(0x09a1_4270_a7eb_53ef_b855_d6ed_3250_e9d1);

/// How the rows of an aggregate type look, and what they are found by.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// Keys of the state that name a row beside its id, each unique among the rows that exist: `order_number`.
    pub keys: &'static [&'static str],
    /// What lists can be narrowed by.
    pub filters: &'static [Filter],
    /// The texts that lists can be searched for.
    pub searches: &'static [Search],
    /// The orders that lists can have; the first is that of a list that asks for none. Empty: by aggregate id.
    pub orders: &'static [Order],
    /// The row as clients see it.
    pub row: RowOf,
}

/// Makes the row of the aggregate with this id; `None` when there is none, or none any more.
pub type RowOf = fn(&str, &Folded) -> Option<Map<String, Value>>;

/// Something that lists can be narrowed by: rows have one value of it, or none.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// Its name.
    pub name: &'static str,
    value: FilterValue,
}

#[derive(Clone, Copy, Debug)]
enum FilterValue {
    Key,
    Made(fn(&Folded) -> Option<String>),
}

impl Filter {
    /// The value that the state has under `name`: text as it is, `true`, `false` and numbers as JSON writes them.
    pub const fn key(name: &'static str) -> Self {
        Filter {
            name,
            value: FilterValue::Key,
        }
    }

    /// What `make` makes of the state.
    pub const fn by(name: &'static str, make: fn(&Folded) -> Option<String>) -> Self {
        Filter {
            name,
            value: FilterValue::Made(make),
        }
    }

    /// The value of a row.
    pub fn of(&self, folded: &Folded) -> Option<String> {
        match self.value {
            FilterValue::Key => plain(&folded.get(self.name)?),
            FilterValue::Made(make) => make(folded),
        }
    }
}

/// Texts of a row that a search looks into together.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Its name: `search`, `from_location`.
    pub name: &'static str,
    keys: &'static [&'static str],
    with_id: bool,
}

impl Search {
    /// The texts under these keys of the state.
    pub const fn over(name: &'static str, keys: &'static [&'static str]) -> Self {
        Search {
            name,
            keys,
            with_id: false,
        }
    }

    /// The same, and the aggregate id, where it is a business key.
    #[must_use]
    pub const fn with_id(mut self) -> Self {
        self.with_id = true;
        self
    }

    /// What is looked into, in lower case: a line a text.
    pub fn text_of(&self, aggregate_id: &str, folded: &Folded) -> String {
        let id = Some(aggregate_id).filter(|_| self.with_id);
        let texts = self.keys.iter().filter_map(|key| folded.text(key));
        let mut lines = String::new();
        for text in id.into_iter().chain(texts) {
            if !lines.is_empty() {
                lines.push('\n');
            }
            lines.push_str(&text.replace('\n', " ").to_lowercase());
        }
        lines
    }
}

/// An order of rows; rows that are equal in it follow their aggregate ids.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// What is compared.
    pub by: OrderBy,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// What an order compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderBy {
    /// The aggregate ids alone.
    Id,
    /// When the aggregate began, as the log has it: the number of its row.
    Beginning,
    /// The time under this key. Rows without one come before all others.
    Time(&'static str),
    /// The time under this key, else when the aggregate was created.
    TimeOrCreation(&'static str),
    /// The text under this key, byte by byte. Rows without one come before all others.
    Text(&'static str),
}

impl Order {
    /// By aggregate id.
    pub const ID: Order = Order::by(OrderBy::Id);
    /// The oldest first, as the log has them.
    pub const OLDEST: Order = Order::by(OrderBy::Beginning);
    /// The newest first, as the log has them.
    pub const NEWEST: Order = Order::by(OrderBy::Beginning).reversed();

    /// The least first.
    pub const fn by(by: OrderBy) -> Self {
        Order {
            by,
            descending: false,
        }
    }

    /// By the time under `key`, the latest first.
    pub const fn latest(key: &'static str) -> Self {
        Order::by(OrderBy::Time(key)).reversed()
    }

    /// The one created last first: as an imported row tells it, else as its events have it.
    pub const LATEST_CREATED: Order = Order::by(OrderBy::TimeOrCreation("created_at")).reversed();

    /// The other way round.
    #[must_use]
    pub const fn reversed(mut self) -> Self {
        self.descending = !self.descending;
        self
    }

    /// What the row is compared by: bytes in whose order the rows are. Empty where the row has nothing, and where the
    /// order needs no bytes.
    pub fn bytes_of(&self, folded: &Folded) -> Box<[u8]> {
        match self.by {
            OrderBy::Id | OrderBy::Beginning => Box::default(),
            OrderBy::Time(key) => bytes_of_time(told_time(folded, key)),
            OrderBy::TimeOrCreation(key) => {
                bytes_of_time(told_time(folded, key).or(folded.record.created_at()))
            }
            OrderBy::Text(key) => folded.text(key).unwrap_or_default().as_bytes().into(),
        }
    }
}

impl OrderBy {
    /// Whether it compares times, so that a list in this order can be cut by them.
    pub const fn is_by_time(self) -> bool {
        matches!(self, OrderBy::Time(_) | OrderBy::TimeOrCreation(_))
    }
}

fn told_time(folded: &Folded, key: &str) -> Option<i64> {
    folded.text(key).and_then(calendar::parse_time)
}

fn bytes_of_time(time: Option<i64>) -> Box<[u8]> {
    time.map_or_else(Box::default, |time| time_bytes(time).into())
}

/// A time as bytes that compare as times do.
pub fn time_bytes(micros: i64) -> [u8; 8] {
    (micros as u64 ^ (1 << 63)).to_be_bytes()
}

impl Listing {
    /// Rows found by their ids alone, showing all that the state has.
    pub const NONE: Listing = Listing {
        keys: &[],
        filters: &[],
        searches: &[],
        orders: &[],
        row: general_row,
    };

    /// The order of lists that ask for this one, the first where it has none.
    pub fn order(&self, number: usize) -> Order {
        self.orders.get(number).copied().unwrap_or(Order::ID)
    }
}

/// The UUID of an aggregate's row: the state's `id` where an event told one (an imported row's), else the aggregate id
/// where it is one, else one that follows from type and id, so that it is the same in every rebuild.
pub fn row_uuid(aggregate_type: &str, aggregate_id: &str, folded: &Folded) -> Uuid {
    let own = folded.text("id").and_then(|id| Uuid::try_parse(id).ok());
    own.or_else(|| Uuid::try_parse(aggregate_id).ok())
        .unwrap_or_else(|| row_id(aggregate_type, aggregate_id))
}

/// The UUID of an aggregate that has none of its own: version 5 over its type and id.
pub fn row_id(aggregate_type: &str, aggregate_id: &str) -> Uuid {
    let name = format!("{aggregate_type}/{aggregate_id}");
    Uuid::new_v5(&ROW_NAMESPACE, name.as_bytes())
}

/// All that the state has, with `id`, `created_at`, `updated_at`.
pub fn general_row(aggregate_id: &str, folded: &Folded) -> Option<Map<String, Value>> {
    if !folded.exists() {
        return None;
    }
    let mut row = folded.record.to_object();
    row.entry("id").or_insert_with(|| aggregate_id.into());
    add_times(&mut row, folded);
    Some(row)
}

/// A row of these fields, null where no event told one, with `created_at` and `updated_at`.
pub fn row_of(
    id: impl Into<Value>,
    fields: &[&str],
    folded: &Folded,
) -> Option<Map<String, Value>> {
    if !folded.exists() {
        return None;
    }
    let mut row = Map::new();
    row.insert("id".to_owned(), id.into());
    for field in fields {
        row.insert((*field).to_owned(), folded.get(field).unwrap_or_default());
    }
    add_times(&mut row, folded);
    Some(row)
}

/// How the rows of an aggregate type look: which fields, and what stands where no event told anything.
#[derive(Clone, Copy, Debug)]
pub struct RowShape {
    /// The aggregate type.
    pub aggregate_type: &'static str,
    /// The fields, each under its own name.
    pub fields: &'static [&'static str],
    /// What stands for null in some of them.
    pub defaults: &'static [(&'static str, Constant)],
}

impl RowShape {
    /// The fields of a creation: what is null left out, and the defaults said, so that the state has what the row shows.
    pub fn created(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        let mut fields = fields.clone();
        fields.retain(|_, value| !value.is_null());
        for (field, default) in self.defaults {
            fields.entry(*field).or_insert_with(|| default.value());
        }
        fields
    }

    /// The row of the aggregate with this id: `id`, the fields, `created_at`, `updated_at` and `version`. `None` when
    /// there is none, or none any more.
    pub fn row(&self, aggregate_id: &str, folded: &Folded) -> Option<Map<String, Value>> {
        let id = row_uuid(self.aggregate_type, aggregate_id, folded);
        let mut row = row_of(id.to_string(), self.fields, folded)?;
        for (field, default) in self.defaults {
            if let Some(value) = row.get_mut(*field).filter(|value| value.is_null()) {
                *value = default.value();
            }
        }
        row.insert("version".to_owned(), folded.record.version().into());
        Some(row)
    }
}

/// `created_at` and `updated_at`: what the events say of the row (an imported one's), else when they happened. The
/// later of both counts for `updated_at`.
pub fn add_times(row: &mut Map<String, Value>, folded: &Folded) {
    let created = told_time(folded, "created_at").or(folded.record.created_at());
    let updated = told_time(folded, "updated_at").max(folded.record.changed_at());
    let text =
        |time: Option<i64>| time.map_or(Value::Null, |time| calendar::format_time(time).into());
    row.insert("created_at".to_owned(), text(created));
    row.insert("updated_at".to_owned(), text(updated));
}

/// A value as a filter compares it.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a row is in use, as lists are narrowed by it: unless an event said that it is not.
pub fn listed_active(folded: &Folded) -> Option<String> {
    Some((folded.get("is_active") != Some(Value::Bool(false))).to_string())
}
