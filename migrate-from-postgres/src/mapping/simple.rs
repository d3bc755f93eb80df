//! Tables of which each row is an aggregate that came into being once and has been so since.

use uuid::Uuid;

use super::{Columns, Family, Mapping, Seen};
use crate::finding::Treatment;
use crate::made::{Made, Making};
use crate::places::is_usable;
use crate::row::Row;
use crate::tables::assets::WORKSHOPS as W;
use crate::tables::goods::STOCK_LOCATIONS as L;
use crate::tables::money::{BUDGETS as B, COST_CENTERS as C, SUPPLIERS as S};
use crate::tables::people::STAFF as P;

/// The place of a table's `created_at` and `updated_at`.
type Times = (usize, usize);

pub(super) const WORKSHOPS: Family = Family::alone(
    Mapping::new(&W, fleet::workshop::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    |row, made| {
        let times = (W.place("created_at"), W.place("updated_at"));
        created(
            row,
            made,
            &WORKSHOPS.parent,
            "WorkshopCreated",
            "code",
            times,
        );
    },
);

pub(super) const STAFF: Family = Family::alone(
    Mapping::new(&P, fleet::staff::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    |row, made| {
        let times = (P.place("created_at"), P.place("updated_at"));
        created(row, made, &STAFF.parent, "StaffCreated", "staff_id", times);
    },
);

pub(super) const STOCK_LOCATIONS: Family = Family::alone(
    Mapping::new(&L, fleet::stock_location::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    |row, made| {
        let times = (L.place("created_at"), L.place("updated_at"));
        created(
            row,
            made,
            &STOCK_LOCATIONS.parent,
            "StockLocationCreated",
            "location_code",
            times,
        );
    },
);

pub(super) const SUPPLIERS: Family = Family::alone(
    Mapping::new(&S, fleet::supplier::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    |row, made| {
        let times = (S.place("created_at"), S.place("updated_at"));
        created(
            row,
            made,
            &SUPPLIERS.parent,
            "SupplierCreated",
            "supplier_code",
            times,
        );
    },
);

/// A cost center goes by its code.
pub(super) const COST_CENTERS: Family = Family::alone(
    Mapping::new(&C, fleet::cost_center::AGGREGATE_TYPE, Seen::State),
    |row, made| {
        let id = business_id(row, made, C.place("code"));
        made.begin(&COST_CENTERS.parent, row, &id);
        if made.wants_events() {
            let at = time_of(row, (C.place("created_at"), C.place("updated_at")));
            begun(row, made, "CostCenterCreated", at)
                .columns(row, Columns::NONE)
                .done();
        }
    },
);

pub(super) const BUDGETS: Family = Family::alone(
    Mapping::new(&B, fleet::budget::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    |row, made| {
        let key = row.key();
        made.begin(&BUDGETS.parent, row, &key);
        if made.wants_events() {
            let at = time_of(row, (B.place("created_at"), B.place("updated_at")));
            let names = ["period", "cost_center", "category"].map(|name| row.text(B.place(name)));
            let together = serde_json::json!(names).to_string();
            begun(row, made, "BudgetCreated", at)
                .columns(row, Columns::NONE)
                .found_by("period+cost_center+category", Some(&together))
                .done();
        }
    },
);

/// An aggregate that goes by the row's UUID and is found by the text in column `key`: one event with the whole row.
fn created(
    row: &Row<'_>,
    made: &mut Made<'_>,
    mapping: &Mapping,
    event_type: &str,
    key: &str,
    times: Times,
) {
    made.begin(mapping, row, &row.key());
    if made.wants_events() {
        let name = row.layout.table.place(key);
        begun(row, made, event_type, time_of(row, times))
            .columns(row, Columns::NONE)
            .found_by(key, row.text(name).as_deref())
            .done();
    }
}

/// The event that begins the aggregate of a row.
pub(super) fn begun<'m, 'a>(
    row: &Row<'_>,
    made: &'m mut Made<'a>,
    event_type: &str,
    at: Option<i64>,
) -> Making<'m, 'a> {
    Making::new(
        made,
        row.layout.table.name,
        &row.key(),
        "created",
        event_type,
        at,
    )
}

/// A later event of a row.
pub(super) fn later<'m, 'a>(
    row: &Row<'_>,
    made: &'m mut Made<'a>,
    (kind, event_type): (&str, &str),
    at: Option<i64>,
) -> Making<'m, 'a> {
    Making::new(
        made,
        row.layout.table.name,
        &row.key(),
        kind,
        event_type,
        at,
    )
}

/// When a row was made; when it was last changed where it does not say.
pub(super) fn time_of(row: &Row<'_>, (created, updated): Times) -> Option<i64> {
    row.time(created).or_else(|| row.time(updated))
}

/// The id of an aggregate that goes by a business key: the row's UUID where it has none, or another row has it already. A row
/// whose history is in the log goes on there.
pub(super) fn business_id(row: &Row<'_>, made: &mut Made<'_>, place: usize) -> String {
    let key = row.text(place);
    if let Some(found) = made
        .places
        .get(&(row.layout.table.name, row.key()))
        .cloned()
    {
        made.note(row, found.why, key.as_deref().unwrap_or_default());
        return found.id;
    }
    let Some(key) = key.filter(|key| is_usable(key)) else {
        made.note(row, Treatment::NullKey, "");
        return row.key();
    };
    let shared = made
        .shared_keys
        .get_mut(&(row.layout.table.name, key.to_string()));
    if let Some(is_taken) = shared
        && std::mem::replace(is_taken, true)
    {
        made.note(row, Treatment::KeyTaken, &key);
        return row.key();
    }
    key.into_owned()
}

/// JSON of a text.
pub(super) fn json_text(text: &str) -> String {
    let mut json = Vec::with_capacity(text.len() + 2);
    crate::json::put_string(text, &mut json);
    String::from_utf8(json).unwrap_or_default()
}

/// JSON of a moment.
pub(super) fn json_time(micros: i64) -> String {
    let mut json = Vec::with_capacity(29);
    crate::json::put_time(micros, &mut json);
    String::from_utf8(json).unwrap_or_default()
}

/// JSON of an id.
pub(super) fn json_id(id: Uuid) -> String {
    format!("\"{}\"", id.hyphenated())
}
