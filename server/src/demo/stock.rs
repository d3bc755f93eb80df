//! The store: parts, what is taken out, what is bought. Stock never falls below zero: what is not there is not taken,
//! and the work waits.

use fleet::calendar::{DAY, Date, HOUR, MINUTE, SECOND, date_of, format_time, month_of};
use fleet::listing::row_id;
use fleet::{EventDraft, invoice, purchase_order, registry};
use serde_json::{Value, json};
use uuid::Uuid;

use super::outbox::{Happening, Outbox, Reporter};
use super::parts::{Needs, PARTS, PartKind, SUPPLIERS, money};
use super::random::Random;

/// The store that all workshops draw from.
const STORE: &str = "CENTRAL";
/// The cost center that pays for all of it.
pub(super) const COST_CENTER: &str = "WS-MAINT";
/// The category of the budgets that parts are booked on.
pub(super) const PARTS_CATEGORY: &str = "PARTS";

/// The id of the store's location.
fn store_id() -> String {
    row_id("StockLocation", STORE).to_string()
}

/// The id of a supplier, by its place in the list.
fn supplier_id(place: usize) -> String {
    row_id("Supplier", SUPPLIERS[place].0).to_string()
}

/// The id of the budget for parts of a month, `2026-10`.
pub(super) fn budget_id(period: &str) -> String {
    row_id(
        "Budget",
        &format!("{period}/{COST_CENTER}/{PARTS_CATEGORY}"),
    )
    .to_string()
}

/// The store with what lies in it and what is under way.
#[derive(Debug)]
pub(super) struct Stock {
    levels: Vec<i64>,
    deliveries: Vec<Delivery>,
    ordered: [u32; 2],
    /// The time of the last booking: bookings are made one after another.
    booked_at: i64,
    random: Random,
}

#[derive(Debug)]
struct Delivery {
    day: i64,
    part: usize,
    quantity: i64,
    order: Uuid,
    number: String,
}

impl Stock {
    pub(super) fn new(seed: u64) -> Self {
        Stock {
            levels: vec![0; PARTS.len()],
            deliveries: Vec::new(),
            ordered: [0, 0],
            booked_at: 0,
            random: Random::new(seed, "stock", 0),
        }
    }

    /// Tells of suppliers, the store and the parts, and puts onto the shelves what lies there in the beginning.
    pub(super) fn tell_created(&mut self, at: i64, outbox: &mut Outbox) {
        for (place, (code, name)) in SUPPLIERS.into_iter().enumerate() {
            let data = json!({ "supplier_code": code, "name": name, "currency": "EUR", "is_active": true });
            let told = ("SupplierCreated", data);
            put(
                outbox,
                "Supplier",
                &supplier_id(place),
                told,
                at,
                "buyer",
                None,
            );
        }
        let data = json!({
            "location_code": STORE, "name": "Central store", "location_type": "CENTRAL", "is_active": true,
        });
        put(
            outbox,
            "StockLocation",
            &store_id(),
            ("StockLocationCreated", data),
            at,
            "storekeeper",
            None,
        );
        for (place, part) in PARTS.iter().enumerate() {
            let data = json!({
                "part_no": part.part_no,
                "name": part.name,
                "railway_class": if part.group.is_some() { "CRITICAL" } else { "WEAR_PART" },
                "unit": "pc",
                "min_stock": part.min_stock,
                "current_stock": 0,
                "unit_price": money(part.price_cents),
                "preferred_supplier_id": supplier_id(part.supplier),
                "is_active": true,
            });
            put(
                outbox,
                "Part",
                part.part_no,
                ("PartCreated", data),
                at,
                "storekeeper",
                None,
            );
            let opening = part.min_stock + part.order_quantity;
            let data = json!({
                "part_no": part.part_no,
                "move_type": "INCOMING",
                "quantity": opening,
                "to_location_id": store_id(),
                "reference_doc": "Opening stock",
                "unit_price": money(part.price_cents),
            });
            let at = self.next_booking(at);
            self.book(place, opening, data, at, None, outbox);
        }
    }

    /// Whether all that is needed lies there.
    pub(super) fn has(&self, needs: &Needs) -> bool {
        needs
            .iter()
            .all(|(place, quantity)| self.levels[*place] >= *quantity)
    }

    /// Takes out what a work order needs, at `at` or right after the booking before; buys what runs low.
    pub(super) fn take(
        &mut self,
        needs: &Needs,
        order: Uuid,
        at: i64,
        correlation: Uuid,
        outbox: &mut Outbox,
    ) {
        debug_assert!(self.has(needs));
        for (place, quantity) in needs {
            let part = &PARTS[*place];
            let at = self.next_booking(at);
            let data = json!({
                "part_no": part.part_no,
                "move_type": "USAGE",
                "quantity": quantity,
                "from_location_id": store_id(),
                "work_order_id": order.to_string(),
                "unit_price": money(part.price_cents),
            });
            self.book(*place, -quantity, data, at, Some(correlation), outbox);
            self.buy_if_low(*place, at, outbox);
        }
    }

    /// Takes in what is delivered on the day that starts at `day`.
    pub(super) fn receive(&mut self, day: i64, outbox: &mut Outbox) {
        let (due, later) = self
            .deliveries
            .drain(..)
            .partition(|delivery| delivery.day <= day);
        self.deliveries = later;
        let due: Vec<Delivery> = due;
        for delivery in due {
            let Delivery {
                part: place,
                quantity,
                order,
                number,
                ..
            } = delivery;
            let part = &PARTS[place];
            let at = self.next_booking(day + 6 * HOUR);
            let price = money(part.price_cents);
            let order_id = order.to_string();
            let line_id = purchase_order::line_id(&order_id, 1);
            let data = json!({
                "status": "RECEIVED",
                "received_date": format_time(at),
                "delivery_location_id": store_id(),
                "lines_received": [{
                    "line_id": line_id, "line_number": 1, "part_no": part.part_no, "quantity_received": quantity,
                }],
            });
            put(
                outbox,
                "PurchaseOrder",
                &order_id,
                ("PurchaseOrderReceived", data),
                at,
                "storekeeper",
                Some(order),
            );
            let data = json!({
                "part_no": part.part_no,
                "move_type": "INCOMING",
                "quantity": quantity,
                "to_location_id": store_id(),
                "reference_doc": format!("PO-{number}"),
                "purchase_order_id": order_id,
                "purchase_order_line_id": line_id,
                "unit_price": price,
            });
            self.book(place, quantity, data, at, Some(order), outbox);
            self.tell_invoice(place, quantity, order, &number, at + DAY, outbox);
        }
    }

    /// Books one move and the level that it leads to.
    fn book(
        &mut self,
        place: usize,
        change: i64,
        data: Value,
        at: i64,
        correlation: Option<Uuid>,
        outbox: &mut Outbox,
    ) {
        let (part_no, old) = (PARTS[place].part_no, self.levels[place]);
        let new = old + change;
        assert!(new >= 0, "{part_no} would fall below zero");
        self.levels[place] = new;
        let id = outbox.id(&format!("move {part_no} {at}")).to_string();
        put(
            outbox,
            "StockMove",
            &id,
            ("StockMoveCreated", data),
            at,
            "storekeeper",
            correlation,
        );
        let data = json!({
            "delta": change, "location_id": store_id(), "old_current_stock": old, "new_current_stock": new,
            "stock_move_id": id,
        });
        put(
            outbox,
            "Part",
            part_no,
            ("StockLevelChanged", data),
            at,
            "storekeeper",
            correlation,
        );
    }

    fn buy_if_low(&mut self, place: usize, at: i64, outbox: &mut Outbox) {
        let part = &PARTS[place];
        let on_order = self
            .deliveries
            .iter()
            .any(|delivery| delivery.part == place);
        if self.levels[place] > part.min_stock || on_order {
            return;
        }
        let data = json!({ "part_number": part.part_no, "quantity": self.levels[place], "reorder_point": part.min_stock });
        put(
            outbox,
            "Part",
            part.part_no,
            ("InventoryLowStockAlert", data),
            at,
            "storekeeper",
            None,
        );
        let number = self.next_number(0, "PO", date_of(at));
        let order = outbox.id(&number);
        let days = self
            .random
            .between(part.lead_days * 7 / 10, part.lead_days * 15 / 10 + 1);
        let arrives = at - at.rem_euclid(DAY) + days * DAY;
        tell_purchase(part, &number, order, at, arrives, outbox);
        self.deliveries.push(Delivery {
            day: arrives,
            part: place,
            quantity: part.order_quantity,
            order,
            number,
        });
    }

    fn tell_invoice(
        &mut self,
        place: usize,
        quantity: i64,
        order: Uuid,
        po: &str,
        at: i64,
        outbox: &mut Outbox,
    ) {
        let part = &PARTS[place];
        let number = self.next_number(1, "INV", date_of(at));
        let id = outbox.id(&number).to_string();
        let total = money(part.price_cents * quantity);
        let line = |order_line: Option<String>| {
            json!({
                "id": invoice::line_id(&id, 1), "line_number": 1, "part_no": part.part_no, "description": part.name,
                "quantity": quantity, "unit_price": money(part.price_cents), "line_total": total,
                "tax_amount": "0.00", "cost_center": COST_CENTER, "purchase_order_line_id": order_line,
                "variance": order_line.as_ref().map(|_| "0.00"),
            })
        };
        let data = json!({
            "invoice_number": number,
            "supplier_id": supplier_id(part.supplier),
            "purchase_order_id": order.to_string(),
            "invoice_date": format_time(at),
            "currency": "EUR",
            "status": "DRAFT",
            "total_amount": total,
            "tax_amount": "0.00",
            "notes": format!("Delivery of {po}"),
            "lines": [line(None)],
        });
        put(
            outbox,
            "Invoice",
            &id,
            ("InvoiceCreated", data),
            at,
            "accountant",
            Some(order),
        );
        let reviewed = at + 2 * HOUR;
        let order_line = purchase_order::line_id(&order.to_string(), 1);
        let data = json!({
            "status": "REVIEWED", "purchase_order_id": order.to_string(), "reviewed_at": format_time(reviewed),
            "lines": [line(Some(order_line))], "matched_lines": 1, "unmatched_lines": 0, "total_variance": "0.00",
        });
        put(
            outbox,
            "Invoice",
            &id,
            ("InvoiceReviewed", data),
            reviewed,
            "accountant",
            Some(order),
        );
        let approved = at + self.random.between(1, 6) * DAY;
        let data = json!({ "status": "APPROVED", "approved_at": format_time(approved) });
        put(
            outbox,
            "Invoice",
            &id,
            ("InvoiceApproved", data),
            approved,
            "fleet manager",
            Some(order),
        );
        let data = json!({ "amount": total, "invoice_id": id, "invoice_number": number });
        put(
            outbox,
            "Budget",
            &budget_id(&month_of(at)),
            ("BudgetBooked", data),
            approved,
            "fleet manager",
            Some(order),
        );
    }

    fn next_booking(&mut self, at: i64) -> i64 {
        self.booked_at = at.max(self.booked_at + SECOND);
        self.booked_at
    }

    /// `PO-2025-0001`: numbers rise over all years, so that none is used twice.
    fn next_number(&mut self, series: usize, prefix: &str, date: Date) -> String {
        self.ordered[series] += 1;
        format!("{prefix}-{}-{:04}", date.year, self.ordered[series])
    }
}

/// Tells a purchase from its draft to the order.
fn tell_purchase(
    part: &PartKind,
    number: &str,
    order: Uuid,
    at: i64,
    arrives: i64,
    outbox: &mut Outbox,
) {
    let id = order.to_string();
    let total = money(part.price_cents * part.order_quantity);
    let data = json!({
        "po_number": number,
        "supplier_id": supplier_id(part.supplier),
        "status": "DRAFT",
        "expected_delivery_date": format_time(arrives),
        "delivery_location_id": store_id(),
        "currency": "EUR",
        "total_amount": total,
        "lines": [{
            "id": purchase_order::line_id(&id, 1), "line_number": 1, "part_no": part.part_no,
            "description": part.name, "quantity_ordered": part.order_quantity, "quantity_received": 0,
            "unit_price": money(part.price_cents), "line_total": total,
        }],
    });
    put(
        outbox,
        "PurchaseOrder",
        &id,
        ("PurchaseOrderCreated", data),
        at + 5 * MINUTE,
        "buyer",
        Some(order),
    );
    let approved = at + 3 * HOUR;
    let data = json!({ "status": "APPROVED", "approved_at": format_time(approved) });
    put(
        outbox,
        "PurchaseOrder",
        &id,
        ("PurchaseOrderApproved", data),
        approved,
        "fleet manager",
        Some(order),
    );
    let ordered = at + 4 * HOUR;
    let data = json!({ "status": "ORDERED", "order_date": format_time(ordered) });
    put(
        outbox,
        "PurchaseOrder",
        &id,
        ("PurchaseOrderOrdered", data),
        ordered,
        "buyer",
        Some(order),
    );
}

/// Puts an event entered at a desk on its way.
pub(super) fn put(
    outbox: &mut Outbox,
    aggregate_type: &'static str,
    aggregate_id: &str,
    (event_type, data): (&'static str, Value),
    at: i64,
    desk: &'static str,
    correlation: Option<Uuid>,
) {
    let known = registry().event(aggregate_type, event_type);
    let schema = known.map_or(1, |known| known.event.schema);
    outbox.put(Happening {
        aggregate_type,
        aggregate_id: aggregate_id.to_owned(),
        draft: EventDraft::new(event_type, data).with_schema(schema),
        at,
        reporter: Reporter::Desk(desk),
        correlation,
    });
}
