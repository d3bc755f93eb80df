//! Invoices: held against their orders, approved and booked, with sums that are exact.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::money::Money;
use crate::policy::Role;
use crate::refusal::{Refusal, RefusalKind};
use crate::step::Writers;
use crate::testing::{TestEvent, applied, object};

const INVOICE: &str = "7d444840-9dc0-11d1-b245-5ffdce74fad2";
const NOW: Asked<'static> = Asked {
    now: 0,
    by: "accountant",
};

fn invoice(lines: Value) -> Folded {
    let body = json!({
        "invoice_number": "R/1", "supplier_id": "s1", "invoice_date": "2026-03-05T10:00:00+02:00", "lines": lines,
    });
    let fields = creation(&object(body)).unwrap();
    let drafts = run(&Folded::default(), &InvoiceCommand::Create(fields)).unwrap();
    applied(AGGREGATE_TYPE, Folded::default(), &drafts)
}

/// Who approves is another than who took it in.
const CHIEF: Asked<'static> = Asked { by: "chief", ..NOW };

fn run(state: &Folded, command: &InvoiceCommand) -> Result<Vec<EventDraft>, Refusal> {
    let asked = match command {
        InvoiceCommand::Approve { .. } => CHIEF,
        _ => NOW,
    };
    decide(state, INVOICE, command, asked)
}

fn order(work_order_id: Option<&str>) -> Folded {
    let data = json!({
        "po_number": "PO-1", "supplier_id": "s1", "work_order_id": work_order_id,
        "lines": [
            { "id": "l1", "line_number": 1, "part_no": "P", "quantity_ordered": 10, "unit_price": "12.50" },
            { "id": "l2", "line_number": 2, "part_no": "P", "quantity_ordered": 10, "unit_price": "99.00" },
        ],
    });
    let mut state = Folded::default();
    state.fold(&TestEvent::new("PurchaseOrder", "PurchaseOrderCreated", 1, 1, data).view());
    state
}

fn two_lines() -> Value {
    json!([
        { "line_number": 1, "description": "pads", "part_no": "P", "quantity": 10, "unit_price": "13.00", "tax_amount": "24.70" },
        { "line_number": 2, "description": "freight", "unit_price": "9.99", "cost_center": "LOG", "account_code": "4711" },
    ])
}

fn matched(state: &Folded, order: &Folded, allocates: bool) -> Matching {
    match_with(state, Some(("o1", order)), allocates, NOW).unwrap()
}

#[test]
fn an_invoice_comes_in_as_a_draft() {
    let row = Value::Object(row(INVOICE, &invoice(two_lines())).unwrap());
    assert_eq!(
        (&row["total_amount"], &row["tax_amount"], &row["status"]),
        (&json!("139.99"), &json!("24.70"), &json!("DRAFT"))
    );
    assert_eq!(row["invoice_date"], "2026-03-05T08:00:00.000000Z");
    assert_eq!(
        row["lines"][1],
        json!({
            "id": line_id(INVOICE, 2), "invoice_id": INVOICE, "line_number": 2, "description": "freight", "part_no": null,
            "purchase_order_line_id": null, "quantity": null, "unit_price": "9.99", "line_total": "9.99",
            "tax_amount": "0.00", "cost_center": "LOG", "cost_bearer": null, "account_code": "4711", "variance": null,
            "notes": null,
        })
    );
}

#[test]
fn matching_finds_the_orders_line_and_the_difference() {
    let state = invoice(two_lines());
    let matching = matched(&state, &order(Some("0f8fad5b-d9cb")), true);
    assert_eq!((matching.matched_lines, matching.unmatched_lines), (1, 1));
    assert_eq!(matching.total_variance, Money::parse("5.00").unwrap());
    let state = applied(AGGREGATE_TYPE, state, &matching.events);
    assert_eq!(
        (status(&state), state.text("reviewed_by")),
        ("REVIEWED", Some("accountant"))
    );
    assert_eq!(state.text("purchase_order_id"), Some("o1"));
    let lines = lines(&state);
    assert_eq!(lines[0].text("purchase_order_line_id"), Some("l1"));
    assert_eq!(lines[0].text("variance"), Some("5.00"));
    assert_eq!(lines[0].text("cost_center"), Some(MAINTENANCE_COST_CENTER));
    assert_eq!(lines[0].text("cost_bearer"), Some("0f8fad5b"));
    assert_eq!(lines[1].text("cost_center"), Some("LOG"));
}

#[test]
fn a_cost_center_that_was_named_stays() {
    let named = json!([{ "line_number": 1, "description": "x", "part_no": "P", "unit_price": "1", "cost_center": "HQ" }]);
    let state = invoice(named);
    let matching = matched(&state, &order(Some("w")), true);
    let state = applied(AGGREGATE_TYPE, state, &matching.events);
    assert_eq!(lines(&state)[0].text("cost_center"), Some("HQ"));
    let unnamed = invoice(two_lines());
    let matching = matched(&unnamed, &order(Some("w")), false);
    let state = applied(AGGREGATE_TYPE, unnamed, &matching.events);
    assert_eq!(
        lines(&state)[0].text("cost_center"),
        None,
        "nobody asked for it"
    );
}

#[test]
fn nothing_matched_leaves_a_draft() {
    let state = invoice(json!([{ "line_number": 1, "description": "x", "unit_price": "1" }]));
    let matching = matched(&state, &order(None), true);
    assert_eq!((matching.matched_lines, matching.events.len()), (0, 0));
    let alone = match_with(&invoice(two_lines()), None, true, NOW).unwrap();
    assert_eq!((alone.matched_lines, alone.unmatched_lines), (0, 2));
}

#[test]
fn the_order_is_the_same_suppliers_and_the_invoice_a_draft() {
    let mut other = order(None);
    let changed = json!({ "supplier_id": "s2" });
    other.fold(&TestEvent::new("PurchaseOrder", "PurchaseOrderUpdated", 2, 2, changed).view());
    let state = invoice(two_lines());
    let refusal = match_with(&state, Some(("o1", &other)), true, NOW).unwrap_err();
    assert_eq!(refusal.code, "other_supplier");
    let reviewed = applied(
        AGGREGATE_TYPE,
        state.clone(),
        &matched(&state, &order(None), true).events,
    );
    let refusal = match_with(&reviewed, Some(("o1", &order(None))), true, NOW).unwrap_err();
    assert_eq!(
        refusal.message,
        "Cannot match invoice with status 'REVIEWED'. Must be DRAFT."
    );
}

fn reviewed() -> Folded {
    let state = invoice(two_lines());
    let events = matched(&state, &order(Some("w")), true).events;
    applied(AGGREGATE_TYPE, state, &events)
}

fn approve(role: Role) -> InvoiceCommand {
    InvoiceCommand::Approve {
        role,
        wrote_it: false,
        notes: Some("ok".into()),
    }
}

#[test]
fn nobody_approves_their_own_invoice_but_who_may_everything() {
    let refusal = decide(&reviewed(), INVOICE, &approve(Role::FleetManager), NOW).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.code),
        (RefusalKind::Forbidden, "own_work")
    );
    let alone = decide(&reviewed(), INVOICE, &approve(Role::SuperAdmin), NOW);
    assert_eq!(alone.map(|drafts| drafts.len()), Ok(1));
}

/// Regression: who changed an invoice that somebody else took in approved what they had made of it.
#[test]
fn who_changed_an_invoice_does_not_approve_it_and_who_held_it_against_its_order_may() {
    let created = {
        let body = json!({ "invoice_number": "R/1", "supplier_id": "s1", "invoice_date": "2026-03-05", "lines": two_lines() });
        let fields = creation(&object(body)).unwrap();
        run(&Folded::default(), &InvoiceCommand::Create(fields)).unwrap()
    };
    let state = applied(AGGREGATE_TYPE, Folded::default(), &created);
    let mut lines = two_lines();
    lines[1]["cost_center"] = json!("HQ");
    let changed = change(&object(json!({ "lines": lines }))).unwrap();
    let changed = run(&state, &InvoiceCommand::Change(changed)).unwrap();
    let state = applied(AGGREGATE_TYPE, state, &changed);
    let reviewed = matched(&state, &order(Some("w")), true).events;
    let state = applied(AGGREGATE_TYPE, state, &reviewed);
    let late = change(&object(
        json!({ "due_date": "2026-04-05", "notes": "soon" }),
    ))
    .unwrap();
    let late = run(&state, &InvoiceCommand::Change(late)).unwrap();

    let mut writers = Writers::of(covered);
    let steps = [
        ("clerk", &created),
        ("editor", &changed),
        ("matcher", &reviewed),
        ("reminder", &late),
    ];
    for (position, (by, drafts)) in (1_u32..).zip(steps) {
        assert_eq!(drafts.len(), 1, "{by}");
        let at = i64::from(position) * 1_000_000;
        let event = TestEvent::of_draft(AGGREGATE_TYPE, &drafts[0], position, at);
        writers.take_in(&event.view(), Some(by));
    }
    let wrote = |name: &str| writers.include(|known| known == name);
    assert!(wrote("clerk") && wrote("editor"));
    assert!(!wrote("matcher") && !wrote("reminder"));
    let own = InvoiceCommand::Approve {
        role: Role::FleetManager,
        wrote_it: true,
        notes: None,
    };
    let refusal = run(&state, &own).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.code),
        (RefusalKind::Forbidden, "own_work")
    );
}

/// Regression: an event that is named a review gave lines to any cost center, and that was nobody's work.
#[test]
fn a_review_gives_no_line_to_another_cost_center_unseen() {
    let told = |position: u32, event_type: &str, cost_center: Option<&str>| {
        let mut lines = two_lines();
        lines[0]["cost_center"] = json!(cost_center);
        let data = json!({ "lines": lines });
        TestEvent::new(
            AGGREGATE_TYPE,
            event_type,
            position,
            i64::from(position),
            data,
        )
    };
    let by_rule = Some(MAINTENANCE_COST_CENTER);
    let mut writers = Writers::of(covered);
    writers.take_in(&told(1, event::INVOICE_CREATED, None).view(), Some("clerk"));
    for (position, cost_center, by, writes) in [
        (2, by_rule, "matcher", false),
        (3, Some("HQ"), "allocator", true),
    ] {
        let review = told(position, event::INVOICE_REVIEWED, cost_center);
        writers.take_in(&review.view(), Some(by));
        assert_eq!(writers.include(|name| name == by), writes, "{by}");
    }
}

/// Regression: prices in one currency were taken from prices in another.
#[test]
fn an_invoice_is_not_held_against_an_order_in_another_currency() {
    let state = invoice(two_lines());
    let changed = json!({ "currency": "USD" });
    let fields = change(&object(changed.clone())).unwrap();
    let drafts = run(&state, &InvoiceCommand::Change(fields)).unwrap();
    let state = applied(AGGREGATE_TYPE, state, &drafts);
    let refusal = match_with(&state, Some(("o1", &order(None))), true, NOW).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.field, refusal.code),
        (RefusalKind::Rule, "purchase_order_id", "other_currency")
    );
    let mut dollars = order(None);
    dollars.fold(&TestEvent::new("PurchaseOrder", "PurchaseOrderUpdated", 2, 2, changed).view());
    assert_eq!(matched(&state, &dollars, true).matched_lines, 1);
}

#[test]
fn approval_needs_a_review_and_the_role_and_names_the_costs() {
    let refusal = run(&invoice(two_lines()), &approve(Role::FleetManager)).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.message.as_ref()),
        (
            RefusalKind::Rule,
            "Cannot approve invoice with status 'DRAFT'. Must be REVIEWED."
        )
    );
    let refusal = run(&reviewed(), &approve(Role::WorkshopManager)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
    let drafts = run(&reviewed(), &approve(Role::FleetManager)).unwrap();
    let state = applied(AGGREGATE_TYPE, reviewed(), &drafts);
    assert_eq!(
        (status(&state), state.text("notes")),
        ("APPROVED", Some("[Approval] ok"))
    );
    assert_eq!(period(&state).as_deref(), Some("2026-03"));
    let costs = costs(&state);
    assert_eq!(costs.len(), 2);
    assert_eq!(
        (
            costs[0].cost_center.as_str(),
            costs[0].is_parts,
            costs[0].amount
        ),
        ("WS-MAINT", true, Money::parse("130").unwrap())
    );
    assert_eq!(costs[1].account_code.as_deref(), Some("4711"));
}

#[test]
fn what_is_approved_is_exported_and_paid_but_changes_no_more() {
    let drafts = run(&reviewed(), &approve(Role::SuperAdmin)).unwrap();
    let approved = applied(AGGREGATE_TYPE, reviewed(), &drafts);
    let attempt = |body: Value| {
        run(
            &approved,
            &InvoiceCommand::Change(change(&object(body)).unwrap()),
        )
    };
    assert_eq!(
        attempt(json!({ "currency": "CHF" })).unwrap_err().code,
        "wrong_status"
    );
    let paid = attempt(json!({ "payment_date": "2026-04-01", "due_date": "2026-04-02" })).unwrap();
    let types: Vec<_> = paid.iter().map(|draft| draft.event_type).collect();
    assert_eq!(types, ["InvoicePaid", "InvoiceUpdated"]);
    let exported = run(&approved, &InvoiceCommand::Export { notes: None }).unwrap();
    assert_eq!(
        status(&applied(AGGREGATE_TYPE, approved, &exported)),
        "EXPORTED"
    );
    let early =
        InvoiceCommand::Change(change(&object(json!({ "payment_date": "2026-04-01" }))).unwrap());
    assert_eq!(run(&reviewed(), &early).unwrap_err().code, "wrong_status");
}

#[test]
fn a_row_read_and_sent_back_is_a_change_of_nothing() {
    let state = invoice(two_lines());
    let fields = change(&row(INVOICE, &state).unwrap()).unwrap();
    assert_eq!(run(&state, &InvoiceCommand::Change(fields)).unwrap(), []);
}

#[test]
fn lines_that_contradict_each_other_are_refused() {
    let attempt = |lines: Value| {
        let body = json!({ "invoice_number": "R", "supplier_id": "s", "invoice_date": "2026-03-05", "lines": lines });
        let fields = creation(&object(body)).unwrap();
        run(&Folded::default(), &InvoiceCommand::Create(fields))
            .unwrap_err()
            .code
    };
    let line = json!({ "line_number": 1, "description": "x", "unit_price": "1" });
    assert_eq!(attempt(json!([])), "line_count");
    assert_eq!(attempt(json!([line, line])), "line_number_twice");
}

proptest! {
    /// The total is the sum of the lines to the last hundredth, and so is the difference to the order.
    #[test]
    fn sums_are_exact(lines in prop::collection::vec((1_i64..5_000, 0_i64..10_000_000, 0_i64..1_000_000), 1..20)) {
        let told: Vec<Value> = lines.iter().zip(1..).map(|((quantity, price, tax), number)| json!({
            "line_number": number, "description": "x", "part_no": "P", "quantity": quantity,
            "unit_price": Money::of_hundredths(*price), "tax_amount": Money::of_hundredths(*tax),
        })).collect();
        let state = invoice(told.into());
        let total: i64 = lines.iter().map(|(quantity, price, _)| quantity * price).sum();
        let tax: i64 = lines.iter().map(|(_, _, tax)| tax).sum();
        prop_assert_eq!(state.record.money("total_amount"), Some(Money::of_hundredths(total)));
        prop_assert_eq!(state.record.money("tax_amount"), Some(Money::of_hundredths(tax)));
        let matching = matched(&state, &order(None), true);
        let variance: i64 = lines.iter().map(|(quantity, price, _)| quantity * (price - 1_250)).sum();
        prop_assert_eq!(matching.total_variance, Money::of_hundredths(variance));
        applied(AGGREGATE_TYPE, state, &matching.events);
    }

    #[test]
    fn bodies_of_any_json_never_panic(body in crate::testing::any_data()) {
        if let Ok(fields) = creation(&body) {
            let _ = run(&Folded::default(), &InvoiceCommand::Create(fields));
        }
        let _ = change(&body);
    }
}
