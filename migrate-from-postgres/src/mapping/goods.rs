//! Parts and what happened to them. Three truths about a stock come together here and disagree: the row's level counts,
//! moves are history, and one last event without a move makes up the difference.

use super::simple::{begun, business_id, later, time_of};
use super::{Child, Columns, Family, Mapping, Seen, keep_orphan};
use crate::finding::Treatment;
use crate::made::{Made, Making};
use crate::row::Row;
use crate::tables::goods::{
    PART_AVAILABILITY as A, PART_INVENTORY as P, STOCK_MOVES as M, USED_PARTS as U,
};

const STOCK: usize = P.place("current_stock");

/// A part goes by its number. Its moves are aggregates of their own that change its level here.
pub(super) const PARTS: Family = Family {
    parent: Mapping::new(&P, fleet::part::AGGREGATE_TYPE, Seen::State),
    key: "part_no",
    begin: part,
    children: &[
        Child {
            mapping: Mapping::new(
                &A,
                fleet::part::AGGREGATE_TYPE,
                Seen::Item(fleet::part::schema::AVAILABILITIES_KEY, "announced"),
            )
            .renamed(&[("id", "availability_id")])
            .implied(&["part_no"]),
            refers_by: "part_no",
            ordered_by: "created_at",
            add: availability,
            orphan: |row, made| {
                let at = Some(A.place("created_at"));
                keep_orphan(row, made, &PARTS.children[0].mapping, at);
            },
        },
        Child {
            mapping: Mapping::new(&M, fleet::stock_move::AGGREGATE_TYPE, Seen::State)
                .implied(&["id"]),
            refers_by: "part_no",
            ordered_by: "performed_at",
            add: stock_move,
            orphan: |row, made| {
                made.note(row, Treatment::DanglingReference, "part_no");
                move_alone(row, made);
            },
        },
    ],
    end: make_up,
};

/// The older table of used parts: moves too, which may repeat what `stock_moves` says, and change no level.
pub(super) const USED_PARTS: Family = Family::alone(
    Mapping::new(&U, fleet::stock_move::AGGREGATE_TYPE, Seen::State)
        .renamed(&[
            ("quantity_used", "quantity"),
            ("used_at", "performed_at"),
            ("recorded_by", "performed_by"),
        ])
        .implied(&["id"]),
    used_part,
);

fn part(row: &Row<'_>, made: &mut Made<'_>) {
    const CREATED: usize = P.place("created_at");
    const UPDATED: usize = P.place("updated_at");
    let id = business_id(row, made, P.place("part_no"));
    made.begin(&PARTS.parent, row, &id);
    if !made.wants_events() {
        return;
    }
    let stock = row.whole(STOCK);
    let creation = begun(row, made, "PartCreated", time_of(row, (CREATED, UPDATED)));
    let Some(stock) = stock else {
        return creation.columns(row, Columns::NONE).done();
    };
    creation
        .columns(row, Columns::of(&[STOCK]))
        .number("current_stock", 0)
        .done();
    if stock < 0 {
        made.note(row, Treatment::NegativeStock, "current_stock");
    }
    let updated_at = row.time(UPDATED).or_else(|| row.time(CREATED));
    made.state_level(stock, updated_at);
}

fn availability(row: &Row<'_>, made: &mut Made<'_>) {
    made.expect(&PARTS.children[0].mapping, row);
    if made.wants_events() {
        later(
            row,
            made,
            ("announced", "PartAvailabilityAnnounced"),
            row.time(A.place("created_at")),
        )
        .columns(row, Columns::NONE)
        .done();
    }
}

fn stock_move(row: &Row<'_>, made: &mut Made<'_>) {
    const FROM: usize = M.place("from_location_id");
    const TO: usize = M.place("to_location_id");
    let at = row.time(M.place("performed_at"));
    let performer = row.uuid(M.place("performed_by"));
    let key = row.key();
    move_alone(row, made);
    let quantity = row.whole(M.place("quantity")).unwrap_or(0);
    if !made.wants_events() || made.level().is_none() {
        return;
    }
    if quantity < 0 {
        made.note(row, Treatment::NegativeStock, "quantity");
    }
    let kind = row.text(M.place("move_type"));
    let (takes, gives) = match kind.as_deref().unwrap_or_default() {
        "INCOMING" => (false, true),
        "USAGE" | "WRITEOFF" => (true, false),
        "TRANSFER" => (true, true),
        // A count found more at a location, or less.
        "ADJUSTMENT" if row.has(FROM) && !row.has(TO) => (true, false),
        "ADJUSTMENT" => (row.has(FROM), true),
        _ => (false, false),
    };
    for (does, kind, place, delta) in [
        (takes, "level from", FROM, quantity.saturating_neg()),
        (gives, "level to", TO, quantity),
    ] {
        if does {
            made.move_level(delta);
            later(row, made, (kind, "StockLevelChanged"), at)
                .schema(2)
                .number("delta", delta)
                .column_as("location_id", row, place)
                .text("stock_move_id", &key)
                .by(performer)
                .done();
        }
    }
}

fn move_alone(row: &Row<'_>, made: &mut Made<'_>) {
    made.apart(&PARTS.children[1].mapping, row, &row.key(), |made| {
        if made.wants_events() {
            begun(
                row,
                made,
                "StockMoveCreated",
                row.time(M.place("performed_at")),
            )
            .columns(row, Columns::NONE)
            .by(row.uuid(M.place("performed_by")))
            .done();
        }
    });
}

/// What the moves do not explain of the level that the row states.
fn make_up(made: &mut Made<'_>) {
    let Some(level) = made.level().filter(|_| !made.is_known()) else {
        return;
    };
    let difference = level.stated.saturating_sub(level.moved);
    if difference == 0 {
        return;
    }
    let key = made.key();
    let (treatment, met) = match level.has_moves {
        true => (
            Treatment::StockDisagrees,
            format!("{} in the row, {} moved", level.stated, level.moved),
        ),
        false => (Treatment::StockUnmoved, level.stated.to_string()),
    };
    made.note_key(P.name, &key, treatment, &met);
    Making::new(
        made,
        P.name,
        &key,
        "level",
        "StockLevelChanged",
        level.changed_at,
    )
    .schema(2)
    .number("delta", difference)
    .text("reason", "the level that the old system stated")
    .done();
}

fn used_part(row: &Row<'_>, made: &mut Made<'_>) {
    let at = row.time(U.place("used_at"));
    made.begin(&USED_PARTS.parent, row, &row.key());
    if made.wants_events() {
        begun(row, made, "StockMoveCreated", at)
            .columns(row, Columns::NONE)
            .text("move_type", "USAGE")
            .text("source", "used_parts")
            .by(row.uuid(U.place("recorded_by")))
            .done();
    }
}
