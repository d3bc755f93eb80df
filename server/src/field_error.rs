//! One fault in what a client sent: where it is, what is wrong, and a stable word for it.
//!
//! The shape is the one that clients of the old system read on a 422: `{"loc": ["body", "data", "km"], "msg": "…",
//! "type": "int_parsing"}`. The words for `type` are those of Pydantic 2 where it has one for the fault.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

/// Where in the request a fault is, outermost first: `body`, then a field, then an index, and so on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A part of the request, or a field.
    Name(Cow<'static, str>),
    /// An element of a list, first is 0.
    Index(usize),
}

impl From<&'static str> for Place {
    fn from(name: &'static str) -> Self {
        Place::Name(Cow::Borrowed(name))
    }
}

impl From<String> for Place {
    fn from(name: String) -> Self {
        Place::Name(Cow::Owned(name))
    }
}

impl From<usize> for Place {
    fn from(index: usize) -> Self {
        Place::Index(index)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Place::Name(name) => serializer.serialize_str(name),
            Place::Index(index) => {
                serializer.serialize_u64(u64::try_from(*index).unwrap_or(u64::MAX))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Name(name) => formatter.write_str(name),
            Place::Index(index) => index.fmt(formatter),
        }
    }
}

/// One fault in what a client sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FieldError {
    /// Where: `["body", "occurred_at"]`, `["query", "limit"]`.
    pub loc: Vec<Place>,
    /// What is wrong, as a fragment of a sentence.
    pub msg: Cow<'static, str>,
    /// A stable word for the kind of fault.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
}

impl FieldError {
    /// A fault of this kind at this place.
    pub fn new(
        loc: impl IntoIterator<Item = Place>,
        kind: impl Into<Cow<'static, str>>,
        msg: impl Into<Cow<'static, str>>,
    ) -> Self {
        FieldError {
            loc: loc.into_iter().collect(),
            msg: msg.into(),
            kind: kind.into(),
        }
    }

    /// A fault in a field of the body.
    pub fn body(
        field: &'static str,
        kind: &'static str,
        msg: impl Into<Cow<'static, str>>,
    ) -> Self {
        FieldError::new(["body".into(), field.into()], kind, msg)
    }

    /// A fault in a query parameter.
    pub fn query(
        name: &'static str,
        kind: &'static str,
        msg: impl Into<Cow<'static, str>>,
    ) -> Self {
        FieldError::new(["query".into(), name.into()], kind, msg)
    }

    /// The same fault, found below `outer`: its places go in front, behind the leading `body`.
    #[must_use]
    pub fn below(mut self, outer: &[Place]) -> Self {
        let at = usize::from(self.loc.first() == Some(&Place::from("body")));
        self.loc.splice(at..at, outer.iter().cloned());
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.loc.iter().enumerate() {
            if index > 0 {
                formatter.write_str(".")?;
            }
            place.fmt(formatter)?;
        }
        write!(formatter, ": {}", self.msg)
    }
}
