//! How much of an answer is held in memory before it is sent: what is made of whole states or of many events ends after so
//! many bytes, however few its entries are, and says so as it does at its other bounds.

use serde_json::Value;

/// Bytes, as text, after which nothing more is added. As trees they take a few times as many.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// What an answer holds so far.
#[derive(Debug, Default)]
pub(super) struct Weight(usize);

impl Weight {
    /// Takes in what was added to the answer.
    pub(super) fn add(&mut self, value: &Value) {
        self.0 += bytes_of(value);
    }

    /// Takes in that something was taken out again.
    pub(super) fn remove(&mut self, value: &Value) {
        self.0 -= bytes_of(value);
    }

    /// Whether nothing more should be added.
    pub(super) fn is_full(&self) -> bool {
        self.0 > ANSWER_BYTES_MAX
    }
}

/// About as many bytes as the value has as text.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(|item| 1 + bytes_of(item)).sum::<usize>(),
        Value::Object(fields) => {
            let fields = fields.iter();
            2 + fields
                .map(|(name, value)| name.len() + 4 + bytes_of(value))
                .sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_added_and_removed_weighs_about_its_text() {
        let value = json!({"name": "x".repeat(1_000), "list": [1, null, {"a": "b"}], "flag": true});
        let text = value.to_string().len();
        assert!((text..text + 100).contains(&bytes_of(&value)));
        let mut weight = Weight::default();
        while !weight.is_full() {
            weight.add(&value);
        }
        weight.remove(&value);
        assert!(!weight.is_full());
    }
}
