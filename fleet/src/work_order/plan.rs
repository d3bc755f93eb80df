//! Whether a plan can be kept: tracks, teams and the vehicle can each be in so many places at once.

use serde_json::{Map, Value};

use super::decide::status;
use crate::availability::SPANS;
use crate::calendar;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::span::{Span, most_at_once};
use crate::transfer_plan;

/// Fields whose change makes another plan.
const PLAN_FIELDS: &[&str] = &[
    "workshop_id",
    "scheduled_start",
    "scheduled_end",
    "assigned_track",
    "assigned_team",
];

/// What is known around an order that is planned.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The workshop, if one is named.
    pub workshop: Option<&'a Folded>,
    /// The track that `assigned_track` names, if it is one that is kept.
    pub track: Option<&'a Folded>,
    /// The team that `assigned_team` names, if it is one that is kept.
    pub team: Option<&'a Folded>,
    /// Every other order at the workshop or on the vehicle that [`is_active`].
    pub others: &'a [Folded],
    /// Transfer plans that the vehicle is put into.
    pub transfers: &'a [Folded],
}

/// Whether an order takes place and time: planned or in work.
pub fn is_active(order: &Folded) -> bool {
    order.exists() && matches!(status(order), "scheduled" | "in_progress")
}

/// Whether the step from one state to the other plans something that was not planned so before.
pub fn needs_plan_check(before: &Folded, after: &Folded) -> bool {
    let differs = |name: &&str| before.get(name) != after.get(name);
    is_active(after) && (!is_active(before) || PLAN_FIELDS.iter().any(differs))
}

/// The time that an order takes as far as it is known. Work that is late takes it until `now`.
pub fn span_of(order: &Folded, now: i64) -> Option<Span> {
    let moment = |name| order.text(name).and_then(calendar::parse_time);
    if status(order) != "in_progress" {
        return Span::new(moment("scheduled_start")?, moment("scheduled_end")?);
    }
    let start = moment("actual_start").or(moment("scheduled_start"))?;
    Span::new(start, moment("scheduled_end").unwrap_or(now).max(now))
}

/// Holds a planned order against what is planned around it.
///
/// `last_in_time` gives the last moment at which what is due at a time is in time, as
/// [`is_overdue`](crate::maintenance_task::is_overdue) has it: a deadline that is a day alone is met until that day is over.
///
/// # Errors
/// `Conflict`, naming the first thing that cannot be and what takes its place.
pub fn check_plan(
    order: &Folded,
    around: &Around<'_>,
    now: i64,
    last_in_time: impl Fn(i64) -> i64,
) -> Result<(), Refusal> {
    if let Some(workshop) = around.workshop
        && workshop.get("is_active") == Some(Value::Bool(false))
    {
        let text = format!("Workshop {} takes no orders", shown(workshop, "code"));
        return Err(Refusal::conflict("workshop_id", "workshop_inactive", text));
    }
    for (kept, field, what) in [
        (around.track, "assigned_track", "Track"),
        (around.team, "assigned_team", "Team"),
    ] {
        check_home(order, kept, field, what)?;
    }
    let Some(span) = span_of(order, now) else {
        return Ok(());
    };
    check_limits(order, span, last_in_time)?;
    check_vehicle(order, span, around.others, now)?;
    check_transfers(order, span, around.transfers, now)?;
    check_tracks(order, span, around, now)?;
    check_team(order, span, around, now)
}

/// A track or team of another workshop cannot do it.
fn check_home(
    order: &Folded,
    kept: Option<&Folded>,
    field: &'static str,
    what: &str,
) -> Result<(), Refusal> {
    let Some(kept) = kept else { return Ok(()) };
    let name = order.text(field).unwrap_or_default();
    let (home, asked) = (kept.text("workshop_id"), order.text("workshop_id"));
    if home.is_some() && asked.is_some() && home != asked {
        let text = format!("{what} {name} belongs to another workshop");
        return Err(Refusal::conflict(field, "elsewhere", text));
    }
    if kept.get("is_active") == Some(Value::Bool(false)) {
        let text = format!("{what} {name} is not in use");
        return Err(Refusal::conflict(field, "inactive", text));
    }
    Ok(())
}

/// The bounds that the order itself names.
fn check_limits(
    order: &Folded,
    span: Span,
    last_in_time: impl Fn(i64) -> i64,
) -> Result<(), Refusal> {
    let moment = |name| order.text(name).and_then(calendar::parse_time);
    if let Some(earliest) = moment("earliest_start_ts").filter(|earliest| span.start() < *earliest)
    {
        let text = format!(
            "It starts before its earliest start, {}",
            calendar::format_time(earliest)
        );
        return Err(Refusal::conflict("scheduled_start", "too_early", text));
    }
    // What ends with the day, at the first moment of the next, has met that day.
    let last = span.end().saturating_sub(1);
    if let Some(deadline) = moment("hard_deadline_ts").filter(|due| last_in_time(*due) < last) {
        let shown = match calendar::date_alone(deadline) {
            Some(day) => calendar::format_date(day),
            None => calendar::format_time(deadline),
        };
        let text = format!("It ends after its deadline, {shown}");
        return Err(Refusal::conflict("scheduled_end", "too_late", text));
    }
    Ok(())
}

/// A vehicle is in one workshop at a time; several orders there are one visit.
fn check_vehicle(order: &Folded, span: Span, others: &[Folded], now: i64) -> Result<(), Refusal> {
    let elsewhere = others.iter().find(|other| {
        other.text("vehicle_id") == order.text("vehicle_id")
            && other.text("workshop_id").is_some()
            && order.text("workshop_id").is_some()
            && other.text("workshop_id") != order.text("workshop_id")
            && span_of(other, now).is_some_and(|taken| taken.meets(span))
    });
    let Some(other) = elsewhere else {
        return Ok(());
    };
    let text = format!(
        "The vehicle is in another workshop then: {}",
        taken_by(other, now)
    );
    Err(Refusal::conflict(
        "scheduled_start",
        "vehicle_elsewhere",
        text,
    ))
}

/// A vehicle that runs is in no workshop then. Work that is begun is begun on what stands there, whatever was planned.
fn check_transfers(
    order: &Folded,
    span: Span,
    transfers: &[Folded],
    now: i64,
) -> Result<(), Refusal> {
    if status(order) != "scheduled" {
        return Ok(());
    }
    let run = transfers.iter().find(|plan| {
        plan.text("status") != Some("completed")
            && transfer_plan::span_of(plan, now).is_some_and(|taken| taken.meets(span))
    });
    let Some(run) = run else { return Ok(()) };
    let taken = transfer_plan::span_of(run, now).map(Span::shown);
    let text = format!(
        "The vehicle runs in transfer plan {} then: {}; take it out of the plan, or choose another time",
        shown(run, "plan_id"),
        taken.unwrap_or_default()
    );
    Err(Refusal::conflict(
        "scheduled_start",
        "vehicle_in_transfer",
        text,
    ))
}

fn check_tracks(order: &Folded, span: Span, around: &Around<'_>, now: i64) -> Result<(), Refusal> {
    let Some(workshop) = around.workshop else {
        return Ok(());
    };
    let here: Vec<&Folded> = around
        .others
        .iter()
        .filter(|other| other.text("workshop_id") == order.text("workshop_id"))
        .collect();
    if let Some(track) = order
        .text("assigned_track")
        .filter(|track| !track.is_empty())
    {
        let taken = here.iter().find(|other| {
            other.text("assigned_track") == Some(track)
                && span_of(other, now).is_some_and(|taken| taken.meets(span))
        });
        if let Some(other) = taken {
            let text = format!("Track {track} is taken: {}", taken_by(other, now));
            return Err(Refusal::conflict("assigned_track", "track_taken", text));
        }
        check_hours(
            around.track,
            span,
            "assigned_track",
            &format!("Track {track}"),
        )?;
    }
    let tracks = workshop
        .integer("total_tracks")
        .unwrap_or(1)
        .max(0)
        .unsigned_abs();
    let spans = here.iter().filter_map(|other| span_of(other, now));
    if most_at_once(span, spans) as u64 >= tracks {
        let text = format!(
            "Workshop {} has {tracks} tracks, all are taken at some time of {}",
            shown(workshop, "code"),
            span.shown()
        );
        return Err(Refusal::conflict("scheduled_start", "workshop_full", text));
    }
    Ok(())
}

fn check_team(order: &Folded, span: Span, around: &Around<'_>, now: i64) -> Result<(), Refusal> {
    let (Some(team), Some(name)) = (around.team, order.text("assigned_team")) else {
        return Ok(());
    };
    check_hours(Some(team), span, "assigned_team", &format!("Team {name}"))?;
    let most = team
        .integer("max_concurrent_work_orders")
        .unwrap_or(1)
        .max(0)
        .unsigned_abs();
    let theirs = around.others.iter().filter(|other| {
        other.text("assigned_team") == Some(name)
            && other.text("workshop_id") == order.text("workshop_id")
    });
    let spans = theirs.filter_map(|other| span_of(other, now));
    if most_at_once(span, spans) as u64 >= most {
        let text = format!("Team {name} works on at most {most} orders at once");
        return Err(Refusal::conflict("assigned_team", "team_busy", text));
    }
    Ok(())
}

/// Hours in which a track or team was said not to be there.
fn check_hours(
    kept: Option<&Folded>,
    span: Span,
    field: &'static str,
    what: &str,
) -> Result<(), Refusal> {
    let hours = kept.map_or_else(Vec::new, |kept| kept.record.items(SPANS));
    let text_of = |item: &Map<String, Value>, name: &str| {
        item.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    for item in &hours {
        let away = Span::of_text(
            text_of(item, "start_ts").as_deref(),
            text_of(item, "end_ts").as_deref(),
        );
        if item.get("is_available") == Some(&Value::Bool(false))
            && let Some(away) = away.filter(|away| away.meets(span))
        {
            let why = text_of(item, "reason").or(text_of(item, "notes"));
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            let text = format!("{what} is not available {}{why}", away.shown());
            return Err(Refusal::conflict(field, "not_available", text));
        }
    }
    Ok(())
}

fn taken_by(order: &Folded, now: i64) -> String {
    let span = span_of(order, now).map(Span::shown).unwrap_or_default();
    format!("{}, {span}", shown(order, "order_number"))
}

fn shown<'a>(folded: &'a Folded, key: &str) -> &'a str {
    folded.text(key).unwrap_or("(unnamed)")
}
