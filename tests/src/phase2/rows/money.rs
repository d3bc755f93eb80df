//! What is bought, what it costs, and who pays.

use std::io;

use super::goods::some_part;
use super::{DAY, Filler, decimal};
use crate::phase2::Shape;

pub(super) fn write(filler: &mut Filler<'_>) -> io::Result<()> {
    suppliers(filler)?;
    orders(filler)?;
    order_lines(filler)?;
    invoices(filler)?;
    invoice_lines(filler)?;
    cost_centers(filler)?;
    budgets(filler)
}

fn suppliers(filler: &mut Filler<'_>) -> io::Result<()> {
    let mut columns = vec![
        "id",
        "supplier_code",
        "name",
        "contact_person",
        "email",
        "phone",
        "address",
        "vat_id",
        "payment_terms",
        "currency",
        "is_active",
        "notes",
        "created_at",
        "updated_at",
    ];
    if filler.shape == Shape::Patched {
        columns.push("rating");
    }
    filler.table("suppliers", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("SUP-{number}"));
        row.text("Knorr & Söhne");
        row.text_or_null("Herr Knorr");
        row.text_or_null("einkauf@example.org");
        row.text_or_null("+49 89 1234");
        row.text_or_null("Moosacher Str. 80\nMünchen");
        row.text_or_null("DE123456789");
        row.text_or_null("30 Tage netto");
        row.raw(Some("EUR"));
        row.truth(true);
        row.text_or_null("Rahmenvertrag");
        row.time(made);
        row.time(made);
        if row.shape == Shape::Patched {
            row.real(3.5);
        }
    })
}

fn orders(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "po_number",
        "supplier_id",
        "work_order_id",
        "status",
        "order_date",
        "expected_delivery_date",
        "received_date",
        "delivery_location_id",
        "total_amount",
        "currency",
        "notes",
        "created_by",
        "approved_by",
        "approved_at",
        "created_at",
        "updated_at",
    ];
    filler.table("purchase_orders", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("PO-2024-{number:04}"));
        row.reference("suppliers");
        row.loose_reference("work_orders");
        let statuses = ["DRAFT", "APPROVED", "ORDERED", "RECEIVED", "CLOSED"];
        let stage = usize::try_from(row.random.below(5)).unwrap_or(0);
        row.raw(Some(statuses[stage]));
        let ordered = made + row.span(5 * DAY);
        row.time_or_null((stage >= 2).then_some(ordered));
        row.time_or_null((stage >= 1).then_some(ordered + 20 * DAY));
        // Received without a date: the status says one thing, the column nothing.
        let dated = stage >= 3 && !row.trap(10);
        let received = ordered + row.span(30 * DAY);
        row.time_or_null(dated.then_some(received));
        row.reference_or_null("stock_locations");
        let total = row.random.below(9_000_000);
        row.money(total);
        row.raw(Some("EUR"));
        row.text_or_null("Teillieferung erlaubt");
        row.loose_reference("users");
        match stage >= 1 {
            true => {
                row.reference("users");
                let approved = made + row.span(3 * DAY);
                row.time(approved);
            }
            false => {
                row.null();
                row.null();
            }
        }
        row.time(made);
        let changed = made + row.span(60 * DAY);
        row.time(changed);
    })
}

fn order_lines(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "purchase_order_id",
        "line_number",
        "part_no",
        "description",
        "quantity_ordered",
        "quantity_received",
        "unit_price",
        "line_total",
        "notes",
    ];
    filler.table("purchase_order_lines", &columns, |row| {
        row.id();
        row.reference("purchase_orders");
        row.set(row.number + 1);
        let part = some_part(row);
        row.raw(Some(&part));
        row.text_or_null("Bremsscheibe 610 mm");
        let (ordered, price) = (row.random.below(40) + 1, row.random.below(50_000));
        row.set(ordered);
        // More received than ordered: nothing there forbade it.
        let received = row.random.below(ordered + 5);
        row.set(received);
        row.raw(Some(&decimal(price)));
        row.money(price * ordered);
        row.text_or_null("eilig");
    })
}

fn invoices(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "invoice_number",
        "supplier_id",
        "purchase_order_id",
        "work_order_id",
        "invoice_date",
        "due_date",
        "payment_date",
        "status",
        "total_amount",
        "tax_amount",
        "currency",
        "notes",
        "attachment_url",
        "created_by",
        "reviewed_by",
        "reviewed_at",
        "approved_by",
        "approved_at",
        "created_at",
        "updated_at",
    ];
    filler.table("invoices", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("RE {number}/2024"));
        row.reference("suppliers");
        row.reference_or_null("purchase_orders");
        row.loose_reference("work_orders");
        row.time(made);
        row.time_or_null(Some(made + 30 * DAY));
        let stage = usize::try_from(row.random.below(4)).unwrap_or(0);
        let paid = made + row.span(40 * DAY);
        row.time_or_null((stage == 3).then_some(paid));
        let word = match row.trap(25) {
            true => "PAID",
            false => ["DRAFT", "REVIEWED", "APPROVED", "EXPORTED"][stage],
        };
        row.raw(Some(word));
        let total = row.random.below(9_000_000);
        row.money(total);
        row.raw(Some(&decimal(total / 5)));
        row.raw(Some("EUR"));
        row.text_or_null("Skonto möglich");
        row.text_or_null("https://files.example.org/re.pdf");
        row.loose_reference("users");
        for step in 1..=2 {
            match stage >= step {
                true => {
                    row.reference("users");
                    let at = made + row.span(10 * DAY);
                    row.time(at);
                }
                false => {
                    row.null();
                    row.null();
                }
            }
        }
        row.time(made);
        let changed = made + row.span(60 * DAY);
        row.time(changed);
    })
}

fn invoice_lines(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "invoice_id",
        "line_number",
        "description",
        "part_no",
        "purchase_order_line_id",
        "quantity",
        "unit_price",
        "line_total",
        "tax_amount",
        "cost_center",
        "cost_bearer",
        "account_code",
        "variance",
        "notes",
    ];
    filler.table("invoice_lines", &columns, |row| {
        row.id();
        row.reference("invoices");
        row.set(row.number + 1);
        row.text("Bremsscheibe");
        match row.random.once_in(2) {
            true => row.null(),
            false => {
                let part = some_part(row);
                row.raw(Some(&part));
            }
        }
        row.reference_or_null("purchase_order_lines");
        row.set(row.number % 9);
        let price = row.random.below(50_000);
        row.raw(Some(&decimal(price)));
        row.raw(Some(&decimal(price * 3)));
        row.raw(Some(&decimal(price / 5)));
        row.text_or_null("4711");
        row.text_or_null("Traktion");
        row.text_or_null("6300");
        row.raw(Some("-0.05"));
        row.null();
    })
}

fn cost_centers(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "code",
        "name",
        "parent_code",
        "is_active",
        "notes",
        "created_at",
        "updated_at",
    ];
    filler.table("cost_centers", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("{}", 4_711 + number));
        row.text("Werkstatt");
        row.text_or_null("4700");
        row.truth(true);
        row.text_or_null("seit 2019");
        row.time(made);
        row.time(made);
    })
}

fn budgets(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "period",
        "cost_center",
        "category",
        "planned_amount",
        "forecast_amount",
        "actual_amount",
        "currency",
        "notes",
        "created_at",
        "updated_at",
    ];
    filler.table("budgets", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.raw(Some(&format!(
            "20{:02}-{:02}",
            23 + number / 12 % 70,
            number % 12 + 1
        )));
        row.raw(Some("4711"));
        // Without a category the old unique key holds nothing apart.
        match number % 2 {
            0 => row.null(),
            _ => row.raw(Some(&format!("Ersatzteile {number}"))),
        }
        let planned = row.random.below(90_000_000);
        row.raw(Some(&decimal(planned)));
        row.raw(Some(&decimal(planned + 100)));
        row.raw(Some(&decimal(planned / 2)));
        row.raw(Some("EUR"));
        row.text_or_null("Plan 2");
        row.time(made);
        let changed = made + row.span(60 * DAY);
        row.time(changed);
    })
}
