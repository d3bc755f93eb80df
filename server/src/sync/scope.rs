//! What a device is shown: all, or one depot's vehicles, one workshop's orders, the orders that its user works on.

use serde_json::{Map, Value, json};

use crate::field_error::FieldError;

/// What a device is shown. What is not narrowed is shown whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// Only vehicles at home in this depot.
    pub depot: Option<Box<str>>,
    /// Only work orders of this workshop, by its UUID.
    pub workshop: Option<Box<str>>,
    /// Only work orders to which the device's user is assigned.
    pub assigned_orders: bool,
}

impl Scope {
    /// Reads `{"depot": …, "workshop": …, "assigned_orders": …}`; what is absent or null narrows nothing.
    ///
    /// # Errors
    /// All faults; never an empty list.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldError>> {
        let fault = |name: &str, kind: &'static str, msg: &'static str| {
            let path = ["body".into(), "scope".into(), name.to_owned().into()];
            FieldError::new(path, kind, msg)
        };
        let empty = Map::new();
        let members = match value {
            Value::Null => &empty,
            Value::Object(members) => members,
            _ => {
                let path = ["body".into(), "scope".into()];
                let msg = "must be an object with depot, workshop or assigned_orders";
                return Err(vec![FieldError::new(path, "dict_type", msg)]);
            }
        };
        let mut scope = Scope::default();
        let mut faults = Vec::new();
        for (name, value) in members {
            let text = value
                .as_str()
                .filter(|text| !text.is_empty() && text.len() <= 255);
            match (name.as_str(), value) {
                ("depot" | "workshop" | "assigned_orders", Value::Null) => {}
                ("depot" | "workshop", _) if text.is_none() => {
                    let msg = "must be a text of 1 to 255 bytes";
                    faults.push(fault(name, "string_type", msg));
                }
                ("depot", _) => scope.depot = text.map(Box::from),
                ("workshop", _) => scope.workshop = text.map(Box::from),
                ("assigned_orders", Value::Bool(only)) => scope.assigned_orders = *only,
                ("assigned_orders", _) => {
                    faults.push(fault(name, "bool_type", "must be true or false"));
                }
                _ => faults.push(fault(
                    name,
                    "extra_forbidden",
                    "is not known; known are depot, workshop, assigned_orders",
                )),
            }
        }
        if faults.is_empty() {
            Ok(scope)
        } else {
            Err(faults)
        }
    }

    /// As events hold it.
    pub fn to_json(&self) -> Value {
        json!({
            "depot": self.depot,
            "workshop": self.workshop,
            "assigned_orders": self.assigned_orders,
        })
    }

    /// Whether everything is shown.
    pub fn is_whole(&self) -> bool {
        *self == Scope::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_strictly_and_come_back_the_same() {
        assert!(Scope::parse(&Value::Null).unwrap().is_whole());
        let scope = Scope::parse(&json!({"workshop": "w", "assigned_orders": true, "depot": null}));
        let scope = scope.unwrap();
        assert!(!scope.is_whole());
        assert_eq!(Scope::parse(&scope.to_json()).unwrap(), scope);
        for (wrong, faults) in [
            (json!([]), 1),
            (
                json!({"depot": 1, "workshop": "", "assigned_orders": "x", "shop": "y"}),
                4,
            ),
        ] {
            assert_eq!(Scope::parse(&wrong).unwrap_err().len(), faults, "{wrong}");
        }
    }
}
