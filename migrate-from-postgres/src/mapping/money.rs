//! What was ordered and what was invoiced. Lines lie within their order and their invoice.

use super::simple::{begun, later, time_of};
use super::work::{note_span, quoted};
use super::{Child, Columns, Family, Mapping, Seen, keep_orphan};
use crate::finding::Treatment;
use crate::made::Made;
use crate::row::Row;
use crate::tables::money::{
    INVOICE_LINES as N, INVOICES as I, PURCHASE_ORDER_LINES as L, PURCHASE_ORDERS as O,
};

pub(super) const PURCHASE_ORDERS: Family = Family {
    parent: Mapping::new(&O, fleet::purchase_order::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    key: "id",
    begin: order,
    children: &[Child {
        mapping: Mapping::new(
            &L,
            fleet::purchase_order::AGGREGATE_TYPE,
            Seen::Line("lines"),
        )
        .implied(&["purchase_order_id"]),
        refers_by: "purchase_order_id",
        ordered_by: "line_number",
        add: |row, made| {
            made.expect(&PURCHASE_ORDERS.children[0].mapping, row);
            if made.wants_events() {
                let quantity = |name| row.whole(L.place(name)).unwrap_or(0);
                if quantity("quantity_received") > quantity("quantity_ordered") {
                    made.note(row, Treatment::ReceivedMoreThanOrdered, "");
                }
                made.add_line(row);
            }
        },
        orphan: |row, made| keep_orphan(row, made, &PURCHASE_ORDERS.children[0].mapping, None),
    }],
    end: |made| made.put_lines("lines"),
};

pub(super) const INVOICES: Family = Family {
    parent: Mapping::new(&I, fleet::invoice::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    key: "id",
    begin: invoice,
    children: &[Child {
        mapping: Mapping::new(&N, fleet::invoice::AGGREGATE_TYPE, Seen::Line("lines"))
            .implied(&["invoice_id"]),
        refers_by: "invoice_id",
        ordered_by: "line_number",
        add: |row, made| {
            made.expect(&INVOICES.children[0].mapping, row);
            if made.wants_events() {
                made.add_line(row);
            }
        },
        orphan: |row, made| keep_orphan(row, made, &INVOICES.children[0].mapping, None),
    }],
    end: |made| made.put_lines("lines"),
};

/// A step that an order or an invoice takes.
struct Step {
    word: &'static str,
    kind: &'static str,
    event_type: &'static str,
    /// The column with its time; none where the row tells none.
    at: Option<usize>,
    /// Another column that it tells.
    by: Option<usize>,
}

const ORDER_STEPS: &[Step] = &[
    Step {
        word: "APPROVED",
        kind: "approved",
        event_type: "PurchaseOrderApproved",
        at: Some(O.place("approved_at")),
        by: Some(O.place("approved_by")),
    },
    Step {
        word: "ORDERED",
        kind: "ordered",
        event_type: "PurchaseOrderOrdered",
        at: Some(O.place("order_date")),
        by: None,
    },
    Step {
        word: "RECEIVED",
        kind: "received",
        event_type: "PurchaseOrderReceived",
        at: Some(O.place("received_date")),
        by: None,
    },
    Step {
        word: "CLOSED",
        kind: "closed",
        event_type: "PurchaseOrderClosed",
        at: None,
        by: None,
    },
];

const INVOICE_STEPS: &[Step] = &[
    Step {
        word: "REVIEWED",
        kind: "reviewed",
        event_type: "InvoiceReviewed",
        at: Some(I.place("reviewed_at")),
        by: Some(I.place("reviewed_by")),
    },
    Step {
        word: "APPROVED",
        kind: "approved",
        event_type: "InvoiceApproved",
        at: Some(I.place("approved_at")),
        by: Some(I.place("approved_by")),
    },
    Step {
        word: "EXPORTED",
        kind: "exported",
        event_type: "InvoiceExported",
        at: None,
        by: None,
    },
];

fn order(row: &Row<'_>, made: &mut Made<'_>) {
    made.begin(&PURCHASE_ORDERS.parent, row, &row.key());
    if made.wants_events() {
        note_span(row, made, (O.place("order_date"), O.place("received_date")));
        take_steps(
            row,
            made,
            ("PurchaseOrderCreated", "po_number"),
            ORDER_STEPS,
            Columns::NONE,
        );
    }
}

fn invoice(row: &Row<'_>, made: &mut Made<'_>) {
    const PAID: usize = I.place("payment_date");
    made.begin(&INVOICES.parent, row, &row.key());
    if !made.wants_events() {
        return;
    }
    let paid_at = row.time(PAID);
    let later_told = match paid_at {
        Some(_) => Columns::of(&[PAID]),
        None => Columns::NONE,
    };
    take_steps(
        row,
        made,
        ("InvoiceCreated", "invoice_number"),
        INVOICE_STEPS,
        later_told,
    );
    if paid_at.is_some() {
        later(row, made, ("paid", "InvoicePaid"), paid_at)
            .column(row, PAID)
            .done();
    }
}

/// The creation, and every step up to the one that the row's status names.
fn take_steps(
    row: &Row<'_>,
    made: &mut Made<'_>,
    (event_type, key): (&str, &str),
    steps: &[Step],
    mut later_told: Columns,
) {
    let table = row.layout.table;
    let status_place = table.place("status");
    let times = (table.place("created_at"), table.place("updated_at"));
    let status = row.text(status_place);
    let word = status.as_deref().unwrap_or_default();
    // POSTED is another word for the last step.
    let last = steps
        .iter()
        .position(|step| step.word == word || (word == "POSTED" && step.word == "EXPORTED"));
    let taken: Vec<(&Step, bool)> = steps
        .iter()
        .enumerate()
        .filter(|(at, _)| last.is_some_and(|last| *at <= last))
        .map(|(at, step)| (step, Some(at) == last))
        .filter(|(step, is_last)| {
            *is_last || step.at.is_some_and(|place| row.time(place).is_some())
        })
        .collect();
    if last.is_some() {
        later_told = later_told.and(status_place);
    }
    for (step, _) in &taken {
        for place in [step.at.filter(|place| row.time(*place).is_some()), step.by]
            .into_iter()
            .flatten()
        {
            later_told = later_told.and(place);
        }
    }
    let name = row.text(table.place(key));
    let creation = begun(row, made, event_type, time_of(row, times))
        .columns(row, later_told)
        .found_by(key, name.as_deref())
        .by(row.uuid(table.place("created_by")));
    match last {
        Some(_) => creation.claim("status", "status", quoted("DRAFT")).done(),
        None => return creation.done(),
    }
    for (step, is_last) in taken {
        let told_at = step.at.and_then(|place| row.time(place));
        if told_at.is_none() && step.at.is_some() {
            made.note(row, Treatment::StatusWithoutTime, step.word);
        }
        let at = told_at
            .or_else(|| row.time(times.1))
            .or_else(|| row.time(times.0));
        let said = if is_last { word } else { step.word };
        let mut event = later(row, made, (step.kind, step.event_type), at).claim(
            "status",
            "status",
            quoted(said),
        );
        if let (Some(place), Some(_)) = (step.at, told_at) {
            event = event.column(row, place);
        }
        if let Some(place) = step.by {
            event = event.column(row, place).by(row.uuid(place));
        }
        event.done();
    }
    made.want("status", quoted(word));
}
