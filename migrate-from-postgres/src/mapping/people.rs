//! Accounts, and whose time is planned for what.

use fleet::user::{self, events};

use super::simple::{begun, later};
use super::work::{note_span, quoted};
use super::{Columns, Family, Mapping, Seen};
use crate::finding::Treatment;
use crate::made::Made;
use crate::row::Row;
use crate::tables::people::{STAFF_ASSIGNMENTS as A, USERS as U};

/// The most that a bcrypt hash may cost to be checked: one more would let it hold a processor for seconds.
const BCRYPT_COST_MAX: u32 = 14;

pub(super) const USERS: Family = Family::alone(
    Mapping::new(&U, user::AGGREGATE_TYPE, Seen::Account)
        .renamed(&[("hashed_password", "password_hash")])
        .implied(&["id"]),
    account,
);

pub(super) const STAFF_ASSIGNMENTS: Family = Family::alone(
    Mapping::new(&A, fleet::staff_assignment::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    assignment,
);

fn account(row: &Row<'_>, made: &mut Made<'_>) {
    const CREATED: usize = U.place("created_at");
    const UPDATED: usize = U.place("updated_at");
    const LAST_LOGIN: usize = U.place("last_login");
    let text = |name| row.text(U.place(name)).unwrap_or_default();
    let (username, email, hash) = (text("username"), text("email"), text("hashed_password"));
    let key = row.key();
    let names = made.accounts.judge(&key, &username, &email);
    if names.is_other {
        made.note(row, Treatment::AccountExists, &username);
        return made.keep_without(&USERS.parent, row, "hashed_password", row.time(CREATED));
    }
    if !row.has(U.place("username")) || !row.has(U.place("email")) {
        made.note(row, Treatment::AccountNameless, &username);
        return made.keep_without(&USERS.parent, row, "hashed_password", row.time(CREATED));
    }
    made.begin(&USERS.parent, row, &key);
    if !made.wants_events() {
        return;
    }
    if !names.by_username {
        made.note(row, Treatment::LoginByEmail, &username);
    }
    if !names.by_email {
        made.note(row, Treatment::LoginByUsername, &email);
    }
    note_hash(row, made, &hash);
    let updated_at = row.time(UPDATED).or_else(|| row.time(CREATED));
    let later_told = Columns::of(&[U.place("is_active"), LAST_LOGIN]);
    let mut creation = begun(
        row,
        made,
        events::USER_REGISTERED,
        row.time(CREATED).or(updated_at),
    )
    .columns(row, later_told);
    for tag in names.tags {
        creation = creation.tag(tag);
    }
    if !row.has(U.place("is_active")) {
        // Closed, since nobody said that it is open; and the row says neither.
        creation = creation.raw("is_active", "null");
    }
    creation.done();
    if !row.is_true(U.place("is_active")) {
        later(
            row,
            made,
            ("deactivated", events::USER_DEACTIVATED),
            updated_at,
        )
        .done();
    }
    if let Some(at) = row.time(LAST_LOGIN) {
        later(row, made, ("logged in", events::USER_LOGGED_IN), Some(at)).done();
    }
}

fn note_hash(row: &Row<'_>, made: &mut Made<'_>, hash: &str) {
    let bcrypt = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .find_map(|prefix| hash.strip_prefix(prefix));
    match bcrypt {
        Some(rest) => {
            let cost = rest.split('$').next().and_then(|cost| cost.parse().ok());
            if cost.is_none_or(|cost: u32| cost > BCRYPT_COST_MAX) {
                made.note(row, Treatment::HashCostly, "");
            }
        }
        None if hash.starts_with("$argon2") => {}
        None => made.note(row, Treatment::HashUnknown, ""),
    }
}

fn assignment(row: &Row<'_>, made: &mut Made<'_>) {
    const CREATED: usize = A.place("created_at");
    const STATUS: usize = A.place("status");
    const START: usize = A.place("actual_start_ts");
    const END: usize = A.place("actual_end_ts");
    made.begin(&STAFF_ASSIGNMENTS.parent, row, &row.key());
    if !made.wants_events() {
        return;
    }
    let status = row.text(STATUS);
    let word = status.as_deref().unwrap_or_default();
    let at = row
        .time(CREATED)
        .or_else(|| row.time(A.place("scheduled_start_ts")));
    let (start, end) = (row.time(START), row.time(END));
    note_span(
        row,
        made,
        (A.place("scheduled_start_ts"), A.place("scheduled_end_ts")),
    );
    note_span(row, made, (START, END));
    let has_begun =
        word == "in_progress" || (matches!(word, "completed" | "cancelled") && start.is_some());
    let has_ended = word == "completed";
    let is_step = matches!(
        word,
        "confirmed" | "in_progress" | "completed" | "cancelled"
    );
    let mut later_told = Columns::NONE;
    if is_step {
        later_told = later_told.and(STATUS);
    }
    if has_begun && start.is_some() {
        later_told = later_told.and(START);
    }
    if has_ended {
        later_told = later_told.and(END);
    }
    let creation = begun(row, made, "StaffAssignmentCreated", at)
        .columns(row, later_told)
        .by(row.uuid(A.place("created_by")));
    if !is_step {
        return creation.done();
    }
    creation
        .claim("status", "status", quoted("scheduled"))
        .done();
    // The table has no time of its last change.
    if matches!(word, "confirmed" | "cancelled") {
        let kind = if word == "confirmed" {
            "confirmed"
        } else {
            "cancelled"
        };
        later(row, made, (kind, "StaffAssignmentStatusChanged"), at)
            .claim("status", "new_status", quoted(word))
            .done();
    }
    if has_begun {
        if start.is_none() {
            made.note(row, Treatment::StatusWithoutTime, "in_progress");
        }
        later(
            row,
            made,
            ("started", "StaffAssignmentStarted"),
            start.or(at),
        )
        .claim("status", "new_status", quoted("in_progress"))
        .column(row, START)
        .done();
    }
    if has_ended {
        if end.is_none() {
            made.note(row, Treatment::StatusWithoutTime, "completed");
        }
        later(
            row,
            made,
            ("ended", "StaffAssignmentEnded"),
            end.or(start).or(at),
        )
        .claim("status", "new_status", quoted("completed"))
        .column(row, END)
        .done();
    }
    made.want("status", quoted(word));
}
