//! Whose a personal field is.
//!
//! A *subject* is somebody who can be erased, named by the aggregate that stands for them: `User:…` an account, `Staff:…`
//! somebody on the staff, `Supplier:…` the contact at a supplier. Somebody of whom nothing is known but an address is
//! `Contact:` with a keyed hash of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use fleet::schema::Sensitivity;
use fleet::{device, document, security, user};
use storage::{COVERED_PREFIX, TAG_BYTES_MAX};

/// The kind of a subject of whom only an address is known.
pub const CONTACT: &str = "Contact";
/// Members of `metadata` that are about the person who caused the event.
pub const METADATA_FIELDS: &[&str] = &["user_email", "ip_address", "user_agent"];
/// Aggregates whose personal fields are about whoever caused the event, where somebody is named.
const ABOUT_THE_WRITER: &[&str] = &[
    device::AGGREGATE_TYPE,
    document::AGGREGATE_TYPE,
    security::AGGREGATE_TYPE,
];

/// Somebody who can be erased.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subject {
    kind: Box<str>,
    id: Box<str>,
}

impl Subject {
    /// The person for whom the aggregate stands.
    pub fn new(kind: impl Into<Box<str>>, id: impl Into<Box<str>>) -> Self {
        Subject {
            kind: kind.into(),
            id: id.into(),
        }
    }

    /// An account.
    pub fn user(id: &str) -> Self {
        Subject::new(user::AGGREGATE_TYPE, id)
    }

    /// `Staff:0f8f…`, as [`Display`](fmt::Display) writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        (!kind.is_empty() && !id.is_empty()).then(|| Subject::new(kind, id))
    }

    /// The aggregate's type, or [`CONTACT`].
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The aggregate's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tag of events that hold something of them. An id too long for a tag goes by the front of it that fits: two such
    /// persons would share a key, which their ids (UUIDs, or as long as a business key may be) do not come to.
    pub fn tag(&self) -> Box<str> {
        let mut text = format!("{COVERED_PREFIX}{self}");
        if text.len() > TAG_BYTES_MAX {
            let end = (0..=TAG_BYTES_MAX)
                .rev()
                .find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
        text.into_boxed_str()
    }

    /// Whose tag this is.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Subject::parse(tag.strip_prefix(COVERED_PREFIX)?)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind, self.id)
    }
}

/// Whether aggregates of this type can be erased: their events have fields about a person.
pub fn is_person(aggregate_type: &str) -> bool {
    let table = fleet::registry().aggregate(aggregate_type);
    let events = table.into_iter().flat_map(|table| table.events);
    events
        .flat_map(|event| event.fields)
        .any(|field| field.sensitivity == Sensitivity::Personal)
}

/// The names under which personal fields of an event type come, older spellings included; `None`: it has none.
pub fn personal_fields(aggregate_type: &str, event_type: &str) -> Option<&'static [&'static str]> {
    type OfEvents = Vec<(&'static str, Vec<&'static str>)>;
    static FIELDS: OnceLock<HashMap<&'static str, OfEvents>> = OnceLock::new();
    let fields = FIELDS.get_or_init(|| {
        let mut fields: HashMap<&'static str, OfEvents> = HashMap::new();
        for aggregate in fleet::registry::AGGREGATES {
            for event in aggregate.events {
                let mut names: Vec<&'static str> = event
                    .fields
                    .iter()
                    .filter(|field| field.sensitivity == Sensitivity::Personal)
                    .map(|field| field.name)
                    .collect();
                let spellings = event.spellings.iter().chain(aggregate.spellings);
                let older: Vec<&'static str> = spellings
                    .filter(|spelling| names.contains(&spelling.meant))
                    .map(|spelling| spelling.given)
                    .collect();
                names.extend(older);
                if !names.is_empty() {
                    let of_events = fields.entry(aggregate.aggregate_type).or_default();
                    of_events.push((event.event_type, names));
                }
            }
        }
        fields
    });
    // Most aggregates have none in any event.
    let of_events = fields.get(aggregate_type)?;
    let event_type = fleet::alias::canonical(event_type);
    of_events
        .iter()
        .find(|(known, _)| *known == event_type)
        .map(|(_, names)| names.as_slice())
}

/// Whose the personal fields of an event's payload are. `writer` caused it.
pub fn owner_of_data(
    aggregate_type: &str,
    aggregate_id: &str,
    writer: Option<&str>,
) -> Option<Subject> {
    if ABOUT_THE_WRITER.contains(&aggregate_type) {
        return match writer {
            Some(writer) => Some(Subject::user(writer)),
            None if aggregate_type == security::AGGREGATE_TYPE => None,
            None => Some(Subject::new(aggregate_type, aggregate_id)),
        };
    }
    Some(Subject::new(aggregate_type, aggregate_id))
}
