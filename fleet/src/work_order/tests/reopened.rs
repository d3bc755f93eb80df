//! An order that is taken up again: what its vehicle hears. And what no report takes away from one that has begun.

use super::*;
use crate::vehicle;

fn vehicle() -> Folded {
    let body = json!({ "asset_id": "4711", "model": "T1", "type": "electric" });
    let create = vehicle::VehicleFields::parse(&crate::testing::object(body)).unwrap();
    let create = vehicle::VehicleCommand::Create(create);
    let drafts = vehicle::decide(&Folded::default(), "4711", &create).unwrap();
    applied(vehicle::AGGREGATE_TYPE, Folded::default(), &drafts)
}

/// The order after a step, and its vehicle after what that causes.
fn stepped(order: &Folded, vehicle: &Folded, body: Value) -> (Folded, Folded) {
    let next = after(order.clone(), &changing(body));
    let of_order = ("O", order, &next);
    let caused = consequences(of_order, ("4711", vehicle), false, None, ASKED).unwrap();
    let told = applied(vehicle::AGGREGATE_TYPE, vehicle.clone(), &caused.vehicle);
    (next, told)
}

/// The vehicle stayed serviced, and what was done a second time was told twice.
#[test]
fn an_order_that_is_taken_up_again_was_not_done() {
    let serviced = |vehicle: &Folded| vehicle::view("4711", vehicle).unwrap().last_service_date;
    let again = json!({ "status": "in_progress", "reason": "leaks" });
    let (mut order, mut held) = (order_in("in_progress"), vehicle());
    for end in ["2026-11-02T10:00:00Z", "2026-11-02T09:00:00Z"] {
        let done = json!({ "status": "completed", "actual_end": end });
        (order, held) = stepped(&order, &held, done);
        let expected = end.replace('Z', ".000000Z");
        assert_eq!(serviced(&held), Some(expected));
        (order, held) = stepped(&order, &held, again.clone());
        assert_eq!(serviced(&held), None);
    }
}

#[test]
fn what_was_not_told_done_is_not_taken_back() {
    let again = json!({ "status": "in_progress", "reason": "leaks" });
    let done = order_in("completed");
    let next = after(done.clone(), &changing(again));
    let of_order = ("O", &done, &next);
    let caused = consequences(of_order, ("4711", &vehicle()), false, None, ASKED);
    assert_eq!(types(&caused.unwrap().vehicle), ["VehicleStatusChanged"]);
}

/// A raw event and a tablet did so. Of what was called off and planned anew nothing else says that it has begun.
#[test]
fn no_report_takes_the_beginning_of_work_away() {
    let code = |order: &Folded| refuse_unbegun(order).err().map(|refusal| refusal.code);
    for status in ["draft", "scheduled", "completed", "cancelled"] {
        assert_eq!(code(&order_in(status)), None, "{status}");
    }
    let begun = order_in("in_progress");
    let refusal = refuse_unbegun(&begun).unwrap_err();
    let named = (refusal.field, refusal.code);
    assert_eq!(named, ("actual_start", "work_begun"));
    assert_eq!(
        refusal.message,
        "The work order is in progress: actual_start may be set right, not taken away"
    );
    let needing = after(begun, &changing(json!({ "requires_release": true })));
    let done = after(needing.clone(), &changing(json!({ "status": "completed" })));
    assert_eq!(code(&done), Some("work_begun"));
    let step = |order, status: &&str| {
        after(
            order,
            &changing(json!({ "status": status, "reason": "so" })),
        )
    };
    let anew = ["cancelled", "draft"].iter().fold(needing, step);
    assert_eq!(code(&anew), Some("work_begun"));
    let release = WorkOrderCommand::Release {
        fields: fields(RELEASE, json!({})),
    };
    assert_eq!(code(&after(done, &release)), None);
}
