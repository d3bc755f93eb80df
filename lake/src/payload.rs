//! A payload walked once: its fields where they lie in the log, without a map of them.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Up to so many fields, each is held against the others to find one that is there twice.
const COMPARED_MAX: usize = 48;

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item<'a> {
    Null,
    Flag(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// A list or an object.
    Nested(Value),
}

/// An object's fields, in the order in which they were written.
#[derive(Debug, PartialEq)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, Item<'a>)>);

impl<'a> Fields<'a> {
    /// The fields of a JSON object; `None` for what is none.
    pub(crate) fn parse(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Whether each name is there once and is none of `old`: then a map of them would hold the same.
    pub(crate) fn are_plain(&self, old: &[&str]) -> bool {
        let fields = &self.0;
        let once = |at: usize| fields[..at].iter().all(|(name, _)| *name != fields[at].0);
        fields.len() <= COMPARED_MAX
            && (0..fields.len()).all(|at| once(at) && !old.contains(&&*fields[at].0))
    }

    /// The same as a map; the last of several fields with one name stays.
    pub(crate) fn into_map(self) -> Map<String, Value> {
        let fields = self.0.into_iter();
        fields
            .map(|(name, item)| (name.into_owned(), item.into()))
            .collect()
    }
}

impl From<Item<'_>> for Value {
    fn from(item: Item<'_>) -> Self {
        match item {
            Item::Null => Value::Null,
            Item::Flag(flag) => Value::Bool(flag),
            Item::Number(number) => Value::Number(number),
            Item::Text(text) => Value::String(text.into_owned()),
            Item::Nested(value) => value,
        }
    }
}

impl From<Value> for Item<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Item::Null,
            Value::Bool(flag) => Item::Flag(flag),
            Value::Number(number) => Item::Number(number),
            Value::String(text) => Item::Text(Cow::Owned(text)),
            nested => Item::Nested(nested),
        }
    }
}

impl<'a> From<Cow<'a, Value>> for Item<'a> {
    fn from(value: Cow<'a, Value>) -> Self {
        match value {
            Cow::Owned(value) => value.into(),
            Cow::Borrowed(Value::String(text)) => Item::Text(Cow::Borrowed(text)),
            Cow::Borrowed(other) => other.clone().into(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(12);
                while let Some(Name(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

/// A field's name, borrowed unless it was written with escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Take)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Item<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_unit<E: Error>(self) -> Result<Item<'de>, E> {
                Ok(Item::Null)
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Item<'de>, E> {
                Ok(Item::Flag(flag))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Item<'de>, E> {
                Ok(Item::Number(number.into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Item<'de>, E> {
                Ok(Item::Number(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Item<'de>, E> {
                Ok(Number::from_f64(number).map_or(Item::Null, Item::Number))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Item<'de>, E> {
                Ok(Item::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Item<'de>, E> {
                Ok(Item::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Item<'de>, A::Error> {
                Value::deserialize(SeqAccessDeserializer::new(list)).map(Item::Nested)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Item<'de>, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(object)).map(Item::Nested)
            }
        }
        deserializer.deserialize_any(Take)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn same(json: &str) {
        let map: Option<Map<String, Value>> = serde_json::from_str(json).ok();
        let fields = Fields::parse(json.as_bytes()).map(Fields::into_map);
        assert_eq!(fields, map, "{json}");
    }

    #[test]
    fn fields_hold_what_a_map_would() {
        same("{}");
        same(r#"{"a":1,"b":-2,"c":0.5,"d":null,"e":true,"f":"x","g":[1,{"h":"i"}],"j":{"k":[]}}"#);
        same(r#"{"\u0061\n":"\u00e4 \"quoted\"","big":18446744073709551615,"e":1e300}"#);
        same(r#"{"a":1,"a":"two"}"#);
        for refused in [
            "",
            "[]",
            "1",
            "{",
            r#"{"a":}"#,
            r#"{"a":1} x"#,
            "{\"a\":1e999}",
        ] {
            same(refused);
        }
    }

    #[test]
    fn plain_is_once_each_and_under_present_names() {
        let is_plain = |json: &str| Fields::parse(json.as_bytes()).unwrap().are_plain(&["old"]);
        assert!(is_plain(r#"{"a":1,"b":2}"#));
        assert!(!is_plain(r#"{"a":1,"b":2,"a":1}"#));
        assert!(!is_plain(r#"{"a":1,"old":2}"#));
        let many: Map<String, Value> = (0..60).map(|n| (n.to_string(), n.into())).collect();
        assert!(!is_plain(&Value::Object(many).to_string()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_taken_as_a_map_takes_them(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let map: Option<Map<String, Value>> = serde_json::from_slice(&bytes).ok();
            prop_assert_eq!(Fields::parse(&bytes).map(Fields::into_map), map);
        }
    }
}
