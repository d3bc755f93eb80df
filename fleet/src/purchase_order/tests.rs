//! Purchase orders: from draft to closed, and that no line ever has more than was ordered.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::policy::Role;
use crate::refusal::{Refusal, RefusalKind};
use crate::testing::{TestEvent, applied, object};

const ORDER: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const NOW: Asked<'static> = Asked {
    now: 86_400_000_000,
    by: "buyer",
};

fn body() -> Value {
    json!({
        "po_number": "PO-1", "supplier_id": "s1", "expected_delivery_date": "2026-02-01",
        "lines": [
            { "line_number": 1, "part_no": "P", "quantity_ordered": 10, "unit_price": "12.50" },
            { "line_number": 2, "part_no": "Q", "quantity_ordered": 3, "unit_price": 0.1, "description": "seal" },
        ],
    })
}

/// Who approves is another than who drafts.
const CHIEF: Asked<'static> = Asked { by: "chief", ..NOW };

fn run(state: &Folded, command: &PurchaseOrderCommand) -> Result<Vec<EventDraft>, Refusal> {
    let asked = match command {
        PurchaseOrderCommand::Approve { .. } => CHIEF,
        _ => NOW,
    };
    decide(state, ORDER, command, asked)
}

#[track_caller]
fn then(state: Folded, command: PurchaseOrderCommand) -> Folded {
    let drafts = run(&state, &command).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn draft() -> Folded {
    let fields = creation(&object(body())).unwrap();
    then(Folded::default(), PurchaseOrderCommand::Create(fields))
}

fn approve(role: Role) -> PurchaseOrderCommand {
    PurchaseOrderCommand::Approve {
        role,
        wrote_it: false,
        notes: Some("fine".into()),
    }
}

fn ordered() -> Folded {
    let sent = PurchaseOrderCommand::Order {
        order_date: None,
        notes: None,
    };
    then(then(draft(), approve(Role::WorkshopManager)), sent)
}

fn delivered(lines: &[(&str, i64)]) -> PurchaseOrderCommand {
    let lines = lines
        .iter()
        .map(|(id, quantity)| ((*id).to_owned(), *quantity));
    PurchaseOrderCommand::Receive(Delivery {
        received_date: None,
        delivery_location_id: "north".into(),
        lines: lines.collect(),
        notes: None,
    })
}

fn first() -> String {
    line_id(ORDER, 1)
}

fn second() -> String {
    line_id(ORDER, 2)
}

fn refusal(state: &Folded, command: &PurchaseOrderCommand) -> (RefusalKind, String) {
    let refusal = run(state, command).unwrap_err();
    (refusal.kind, refusal.message.into_owned())
}

#[test]
fn a_draft_is_the_row_that_clients_know() {
    let row = Value::Object(row(ORDER, &draft()).unwrap());
    assert_eq!(row["total_amount"], "125.30");
    assert_eq!(
        (&row["status"], &row["currency"]),
        (&json!("DRAFT"), &json!("EUR"))
    );
    assert_eq!(row["created_by"], "buyer");
    assert_eq!(row["expected_delivery_date"], "2026-02-01T00:00:00.000000Z");
    assert_eq!(
        row["lines"][1],
        json!({
            "id": second(), "purchase_order_id": ORDER, "line_number": 2, "part_no": "Q", "description": "seal",
            "quantity_ordered": 3, "quantity_received": 0, "unit_price": "0.10", "line_total": "0.30", "notes": null,
        })
    );
}

#[test]
fn the_way_of_an_order() {
    let state = ordered();
    assert_eq!(state.text("notes"), Some("[Approval] fine"));
    assert_eq!(state.text("approved_by"), Some("chief"));
    assert_eq!(
        state.text("order_date"),
        Some("1970-01-02T00:00:00.000000Z")
    );

    let state = then(state, delivered(&[(&first(), 4)]));
    assert_eq!(status(&state), "ORDERED", "more is to come");
    let state = then(state, delivered(&[(&first(), 6), (&second(), 3)]));
    assert_eq!(status(&state), "RECEIVED");
    let received: Vec<_> = lines(ORDER, &state)
        .iter()
        .map(|line| line.quantity_received)
        .collect();
    assert_eq!(received, [10, 3]);
    assert_eq!(
        refusal(&state, &delivered(&[(&first(), 1)])).1,
        "Cannot receive purchase order with status 'RECEIVED'. Must be ORDERED."
    );
    let state = then(state, PurchaseOrderCommand::Close { notes: None });
    assert_eq!(status(&state), "CLOSED");
}

#[test]
fn nobody_approves_their_own_order_but_who_may_everything() {
    let refusal = decide(&draft(), ORDER, &approve(Role::FleetManager), NOW).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.code),
        (RefusalKind::Forbidden, "own_work")
    );
    let alone = decide(&draft(), ORDER, &approve(Role::SuperAdmin), NOW);
    assert_eq!(alone.map(|drafts| drafts.len()), Ok(1));
}

#[test]
fn each_step_starts_from_its_status() {
    let sent = PurchaseOrderCommand::Order {
        order_date: None,
        notes: None,
    };
    let expected = "Cannot order purchase order with status 'DRAFT'. Must be APPROVED.";
    assert_eq!(
        refusal(&draft(), &sent),
        (RefusalKind::Rule, expected.to_owned())
    );
    assert_eq!(
        refusal(&ordered(), &approve(Role::SuperAdmin)).1,
        "Cannot approve purchase order with status 'ORDERED'. Must be DRAFT."
    );
    assert_eq!(
        refusal(&draft(), &PurchaseOrderCommand::Close { notes: None }).1,
        "Cannot close purchase order with status 'DRAFT'. Must be ORDERED or RECEIVED."
    );
    let change = PurchaseOrderCommand::Change(object(json!({ "currency": "CHF" })));
    assert_eq!(refusal(&ordered(), &change).0, RefusalKind::Rule);
    assert_eq!(
        refusal(&Folded::default(), &change),
        (RefusalKind::Missing, "Purchase order not found".to_owned())
    );
}

#[test]
fn approving_needs_the_role() {
    assert_eq!(
        refusal(&draft(), &approve(Role::Dispatcher)).0,
        RefusalKind::Forbidden
    );
    assert!(run(&draft(), &approve(Role::FleetManager)).is_ok());
}

#[test]
fn a_delivery_is_for_lines_of_the_order_and_for_no_more_than_is_open() {
    let state = then(ordered(), delivered(&[(&first(), 8)]));
    assert_eq!(
        refusal(&state, &delivered(&[(&first(), 3)])),
        (
            RefusalKind::Conflict,
            "Line 1 has 2 of 10 pieces still to come, 3 cannot be received".to_owned()
        )
    );
    assert_eq!(
        refusal(&state, &delivered(&[(&first(), 1), (&first(), 2)])).0,
        RefusalKind::Conflict,
        "a line named twice counts twice"
    );
    assert_eq!(
        refusal(&state, &delivered(&[("x", 1)])).0,
        RefusalKind::Missing
    );
    assert_eq!(refusal(&state, &delivered(&[])).0, RefusalKind::Invalid);
}

#[test]
fn a_delivery_means_one_incoming_move_a_line() {
    let PurchaseOrderCommand::Receive(delivery) = delivered(&[(&second(), 2)]) else {
        unreachable!()
    };
    let moves = moves_of(&ordered(), ORDER, &delivery);
    assert_eq!(moves.len(), 1);
    assert_eq!((moves[0].part_no.as_str(), moves[0].quantity), ("Q", 2));
    assert_eq!(moves[0].to_location_id.as_deref(), Some("north"));
    assert_eq!(
        Value::Object(moves[0].details.clone()),
        json!({
            "reference_doc": "PO-PO-1", "unit_price": "0.10", "purchase_order_id": ORDER,
            "purchase_order_line_id": second(),
        })
    );
}

#[test]
fn lines_that_contradict_each_other_are_refused() {
    let attempt = |lines: Value| {
        let mut all = object(body());
        all.insert("lines".to_owned(), lines);
        let fields = creation(&all).unwrap();
        run(&Folded::default(), &PurchaseOrderCommand::Create(fields))
            .unwrap_err()
            .code
    };
    let line = |number: i64, quantity: i64, price: &str| json!({ "line_number": number, "part_no": "P", "quantity_ordered": quantity, "unit_price": price });
    assert_eq!(attempt(json!([])), "line_count");
    assert_eq!(
        attempt(json!([line(1, 1, "1"), line(1, 1, "1")])),
        "line_number_twice"
    );
    let dear = json!([line(1, 2_147_483_647, "99999999.99")]);
    assert_eq!(attempt(dear), "total_too_large");
}

#[test]
fn malformed_lines_are_faults_and_not_passed_over() {
    let lines = json!([{ "line_id": "a" }, { "line_id": "", "quantity_received": 0 }, 7, { "quantity_received": 1 }]);
    let faults = delivery(&object(
        json!({ "delivery_location_id": "north", "lines_received": lines }),
    ));
    let found: Vec<_> = faults
        .unwrap_err()
        .iter()
        .map(|fault| fault.path.join("."))
        .collect();
    let expected = [
        "lines_received.0.quantity_received",
        "lines_received.1.line_id",
        "lines_received.1.quantity_received",
        "lines_received.2",
        "lines_received.3.line_id",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_draft_may_change_its_lines() {
    let lines =
        json!([{ "line_number": 5, "part_no": "P", "quantity_ordered": 1, "unit_price": "7" }]);
    let fields = change(&object(json!({ "lines": lines, "notes": "less" }))).unwrap();
    let state = then(draft(), PurchaseOrderCommand::Change(fields));
    assert_eq!(state.text("total_amount"), Some("7.00"));
    assert_eq!(lines_count(&state), 1);
    let same = change(&row(ORDER, &state).unwrap()).unwrap();
    assert_eq!(
        run(&state, &PurchaseOrderCommand::Change(same)).unwrap(),
        []
    );
}

fn lines_count(state: &Folded) -> usize {
    lines(ORDER, state).len()
}

#[test]
fn imported_and_foreign_orders_fold_too() {
    let mut state = Folded::default();
    let created = json!({
        "po_number": "X", "status": "ORDERED",
        "lines": [{ "line_number": 1, "part_no": "P", "quantity_ordered": 5, "quantity_received": 2 }, "junk"],
    });
    state.fold(&TestEvent::new(AGGREGATE_TYPE, "PurchaseOrderCreatedEvent", 1, 1, created).view());
    let received = json!({ "lines_received": [{ "line_id": first(), "quantity_received": 3 }] });
    state.fold(&TestEvent::new(AGGREGATE_TYPE, "PurchaseOrderReceived", 2, 2, received).view());
    assert_eq!(status(&state), "RECEIVED");
    assert_eq!(lines(ORDER, &state)[0].quantity_received, 5);
}

proptest! {
    /// However deliveries come, no line gets more than was ordered, and the order is received when every line is.
    #[test]
    fn receipts_never_exceed_the_order(deliveries in prop::collection::vec((any::<bool>(), 1_i64..8), 0..12)) {
        let mut state = ordered();
        let mut came = [0_i64, 0];
        for (is_first, quantity) in deliveries {
            let id = if is_first { first() } else { second() };
            if let Ok(drafts) = run(&state, &delivered(&[(&id, quantity)])) {
                state = applied(AGGREGATE_TYPE, state, &drafts);
                came[usize::from(!is_first)] += quantity;
            }
            let lines = lines(ORDER, &state);
            for (line, came) in lines.iter().zip(came) {
                prop_assert_eq!(line.quantity_received, came);
                prop_assert!(line.quantity_received <= line.quantity_ordered);
            }
            prop_assert_eq!(status(&state) == "RECEIVED", came == [10, 3]);
        }
    }

    #[test]
    fn bodies_of_any_json_never_panic(body in crate::testing::any_data()) {
        if let Ok(fields) = creation(&body) {
            let _ = run(&Folded::default(), &PurchaseOrderCommand::Create(fields));
        }
        let _ = (change(&body), delivery(&body), order(&body), notes(&body));
    }
}
