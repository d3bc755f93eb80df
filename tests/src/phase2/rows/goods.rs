//! Parts and what happened to them. The three truths about a stock disagree, as they do in every real database.

use std::io;

use super::{DAY, Filler, Row};

pub(super) fn write(filler: &mut Filler<'_>) -> io::Result<()> {
    parts(filler)?;
    if filler.shape.has_scripted() && filler.shape != crate::phase2::Shape::Patched {
        availability(filler)?;
    }
    locations(filler)?;
    moves(filler)?;
    used(filler)
}

/// The number of a part. It carries no trap of its own, since other tables repeat it.
pub(super) fn part_no(number: u64) -> String {
    match number % 9 {
        0 => format!("P/{number} Ä"),
        _ => format!("P-{number}"),
    }
}

pub(super) fn some_part(row: &mut Row<'_>) -> String {
    let number = row.random.below(row.count("part_inventory"));
    part_no(number)
}

fn parts(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "part_no",
        "name",
        "railway_class",
        "unit",
        "min_stock",
        "current_stock",
        "preferred_supplier_id",
        "unit_price",
        "is_active",
        "created_at",
        "updated_at",
    ];
    filler.table("part_inventory", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.raw(Some(&part_no(number)));
        row.text("Bremsscheibe");
        let class = row.random.pick(&["CRITICAL", "STANDARD", "WEAR_PART"]);
        row.raw(Some(class));
        row.raw(Some("pc"));
        row.set(10);
        let stock = row.random.below(500);
        match row.patched_trap(8) {
            true => row.set(-7),
            false => row.set(stock),
        }
        row.loose_reference("suppliers");
        let price = row.random.below(90_000);
        row.money(price);
        row.truth(true);
        row.time(made);
        let changed = made + row.span(300 * DAY);
        row.time(changed);
    })
}

fn availability(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "part_no",
        "available_qty",
        "available_from_ts",
        "location",
        "reservation_work_order_id",
        "created_at",
    ];
    filler.table("part_availability", &columns, |row| {
        let made = row.beginning();
        row.id();
        match row.trap(20) {
            true => row.null(),
            false => {
                let part = some_part(row);
                row.raw(Some(&part));
            }
        }
        row.set(row.number % 40 + 1);
        row.time(made + 10 * DAY);
        row.text_or_null("Zentrallager");
        row.loose_reference("work_orders");
        row.time(made);
    })
}

fn locations(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "location_code",
        "name",
        "location_type",
        "workshop_id",
        "address",
        "is_active",
        "created_at",
        "updated_at",
    ];
    filler.table("stock_locations", &columns, |row| {
        let made = row.beginning();
        let number = row.number;
        row.id();
        row.key(&format!("LOC-{number}"));
        row.text("Hauptlager");
        let kind = row
            .random
            .pick(&["WORKSHOP", "CENTRAL", "TRAIN", "CONSIGNMENT"]);
        row.raw(Some(kind));
        row.loose_reference("workshops");
        row.text_or_null("Am Bahnhof 1");
        row.truth(true);
        row.time(made);
        row.time(made);
    })
}

fn moves(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "part_no",
        "move_type",
        "quantity",
        "from_location_id",
        "to_location_id",
        "work_order_id",
        "reference_doc",
        "unit_price",
        "performed_by",
        "performed_at",
        "notes",
    ];
    filler.table("stock_moves", &columns, |row| {
        let made = row.beginning();
        row.id();
        let part = some_part(row);
        row.raw(Some(&part));
        let kind = row
            .random
            .pick(&["INCOMING", "USAGE", "TRANSFER", "WRITEOFF", "ADJUSTMENT"]);
        row.raw(Some(kind));
        let quantity = row.random.below(50) + 1;
        match row.patched_trap(30) {
            true => row.set(-3),
            false => row.set(quantity),
        }
        row.reference_or_null("stock_locations");
        row.reference_or_null("stock_locations");
        row.loose_reference("work_orders");
        row.text_or_null("PO-2024-0001");
        let price = row.random.below(90_000);
        row.money(price);
        row.loose_reference("users");
        row.time(made);
        row.text_or_null("Umlagerung");
    })
}

fn used(filler: &mut Filler<'_>) -> io::Result<()> {
    let columns = [
        "id",
        "work_order_id",
        "part_no",
        "quantity_used",
        "unit_price",
        "used_at",
        "recorded_by",
        "notes",
    ];
    filler.table("used_parts", &columns, |row| {
        let made = row.beginning();
        row.id();
        row.reference("work_orders");
        let part = some_part(row);
        row.raw(Some(&part));
        row.set(row.number % 4 + 1);
        let price = row.random.below(90_000);
        row.money(price);
        row.time(made);
        row.loose_reference("users");
        row.text_or_null("beim Tausch");
    })
}
