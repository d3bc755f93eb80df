//! Money as whole hundredths: exact sums, no floats. In JSON it is a string with two decimals, `"6275.00"`.
//!
//! Rows of the old database hold `numeric(10,2)` and `numeric(12,2)`; both fit [`AMOUNT_MAX`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::folded::Folded;

#[cfg(test)]
mod tests;

/// Decimal places of money.
const PLACES: usize = 2;
/// Hundredths in a unit.
const UNIT: i64 = 100;

/// The highest price of one piece that the old database holds: `numeric(10,2)`.
pub const PRICE_MAX: Money = Money::of_hundredths(9_999_999_999);
/// The highest sum that the old database holds: `numeric(12,2)`.
pub const AMOUNT_MAX: Money = Money::of_hundredths(999_999_999_999);

/// The currency of a record that names none, as the old database had it.
const CURRENCY_IF_ABSENT: &str = "EUR";

/// An amount in hundredths of its currency's unit. The currency stands beside it ([`currency_of`]); amounts of two
/// currencies are not added up, for no rate of exchange is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// This many hundredths.
    pub const fn of_hundredths(hundredths: i64) -> Self {
        Money(hundredths)
    }

    /// The amount in hundredths.
    pub const fn hundredths(self) -> i64 {
        self.0
    }

    /// Reads a decimal number: an optional sign, digits, and at most two places that are not zero. `None` for anything
    /// else, and for amounts out of `i64` hundredths. Nothing is rounded.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && places.is_empty()) || !all_digits(whole) || !all_digits(places) {
            return None;
        }
        if places.bytes().skip(PLACES).any(|digit| digit != b'0') {
            return None;
        }
        let kept = places.bytes().chain(std::iter::repeat(b'0')).take(PLACES);
        let amount = whole.bytes().chain(kept).try_fold(0_i64, |value, digit| {
            value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
        })?;
        Some(Money(if negative { -amount } else { amount }))
    }

    /// Reads money from JSON: a string, or a number as old clients sent it. A number is taken as its shortest decimal
    /// form, which is what was written as long as it had at most 15 digits.
    pub fn of_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Money::parse(text),
            Value::Number(number) => Money::parse(&number.to_string()),
            _ => None,
        }
    }

    /// The same as JSON.
    pub fn to_json(self) -> Value {
        Value::from(self.to_string())
    }

    /// The sum, unless it leaves the range.
    pub fn plus(self, other: Money) -> Option<Self> {
        self.0.checked_add(other.0).map(Money)
    }

    /// The difference, unless it leaves the range.
    pub fn minus(self, other: Money) -> Option<Self> {
        self.0.checked_sub(other.0).map(Money)
    }

    /// The price of so many pieces, unless it leaves the range.
    pub fn times(self, quantity: i64) -> Option<Self> {
        self.0.checked_mul(quantity).map(Money)
    }

    /// The sum of all, unless it leaves the range.
    pub fn sum(amounts: impl IntoIterator<Item = Money>) -> Option<Self> {
        amounts.into_iter().try_fold(Money::ZERO, Money::plus)
    }

    /// This amount in percent of `whole`, two decimals, halves away from zero. `None` when `whole` is nothing.
    pub fn percent_of(self, whole: Money) -> Option<f64> {
        if whole == Money::ZERO {
            return None;
        }
        let scaled = i128::from(self.0) * 1_000_000 / i128::from(whole.0);
        let rounded = (scaled.abs() + 50) / 100 * scaled.signum();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a percentage to two places; beyond 2^53 hundredths of a percent nobody reads places"
        )]
        let percent = rounded as f64 / 100.0;
        Some(percent)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        write!(formatter, "{sign}{}.{:02}", amount / unit, amount % unit)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Money::parse(&text).ok_or_else(|| serde::de::Error::custom("not an amount of money"))
    }
}

/// The currency of a record's amounts: its code, in capitals.
pub fn currency_of(record: &Folded) -> String {
    let told = record.text("currency").filter(|told| !told.is_empty());
    told.unwrap_or(CURRENCY_IF_ABSENT).to_ascii_uppercase()
}
