//! Bodies: what is refused, what is passed over, and the one form that is left.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::any_data;

const TABLE: &[Field] = &[
    Field::required("name", Kind::name(5)),
    Field::optional("at", Kind::Time),
    Field::optional("owner", Kind::Uuid),
    Field::optional("count", Kind::count()),
    Field::optional(
        "price",
        Kind::Amount {
            min: Money::ZERO,
            max: crate::money::PRICE_MAX,
        },
    ),
    Field::optional(
        "lines",
        Kind::List(&Kind::Record(&[
            Field::required("price", Kind::Money),
            read_only("id"),
        ])),
    ),
    read_only("version"),
];

fn parsed(body: Value) -> Result<Value, Vec<String>> {
    let body = body.as_object().cloned().unwrap();
    parse(TABLE, &body).map(Value::Object).map_err(|faults| {
        let told = faults.iter();
        told.map(|fault| format!("{}:{}", fault.path.join("."), fault.kind))
            .collect()
    })
}

#[test]
fn values_are_brought_to_the_form_that_events_have() {
    let body = json!({
        "name": "x", "at": "2026-10-31T10:00:00+02:00", "owner": "0F8FAD5BD9CB469FA16570867728950E", "count": 7.0,
        "price": 12.5, "lines": [{ "price": "3", "id": 9 }], "version": 4,
    });
    let expected = json!({
        "name": "x", "at": "2026-10-31T08:00:00.000000Z", "owner": "0f8fad5b-d9cb-469f-a165-70867728950e", "count": 7,
        "price": "12.50", "lines": [{ "price": "3.00" }],
    });
    assert_eq!(parsed(body), Ok(expected));
    assert_eq!(
        parsed(json!({ "name": "x", "price": null })),
        Ok(json!({ "name": "x", "price": null }))
    );
}

#[test]
fn every_fault_is_told_also_within_lists() {
    let body = json!({
        "nmae": "x", "price": -1, "lines": [{ "price": "1", "prize": 1 }, {}],
    });
    let expected = [
        "name:missing",
        "price:greater_than_equal",
        "lines.1.price:missing",
        "lines.0.prize:extra_forbidden",
        "nmae:extra_forbidden",
    ];
    assert_eq!(parsed(body).unwrap_err(), expected);
}

#[test]
fn money_has_two_places_and_a_bound() {
    let fault = |price: Value| parsed(json!({ "name": "x", "price": price })).unwrap_err();
    assert_eq!(fault(json!("1.005")), ["price:decimal_max_places"]);
    assert_eq!(fault(json!("100000000")), ["price:less_than_equal"]);
    assert_eq!(fault(json!("dear")), ["price:decimal_parsing"]);
    assert_eq!(fault(json!(true)), ["price:decimal_type"]);
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_it_gives_parses_to_itself(body in any_data()) {
        if let Ok(fields) = parse(TABLE, &body) {
            prop_assert_eq!(parse(TABLE, &fields), Ok(fields));
        }
    }
}
