//! The other depots: what the crate `federation` needs to know of this server, and who decides about what.

pub(crate) mod decided;
mod homes;

use std::collections::BTreeSet;
use std::sync::Arc;

use federation::{Broker, FederationError, Member, Settings};
use fleet::vehicle::home::{Home, is_decided_at_home};
use fleet::{Origin, budget, invoice, order, part, purchase_order, transfer_plan, vehicle};
use storage::{
    Clock, Log, Query, QueryItem, ReadError, ReadRequest, StreamName, StreamRange, StreamWrite,
    Version,
};
use uuid::Uuid;

use crate::app::AppState;
use crate::audit::Checkpoints;
use crate::config::{Config, FederationConfig};
use crate::http::problem::{Kind, Problem};

pub(crate) use homes::{Gone, Homes};

/// Aggregates with rules that hold only where one place decides: stock, approvals, and numbers that never repeat. They are
/// written at home, where they began, and read everywhere.
const DECIDED_AT_HOME: [&str; 5] = [
    part::AGGREGATE_TYPE,
    purchase_order::AGGREGATE_TYPE,
    invoice::AGGREGATE_TYPE,
    budget::AGGREGATE_TYPE,
    transfer_plan::AGGREGATE_TYPE,
];

/// What begins them. Depots that do not hear each other may begin one twice, under one number; the one that was recorded first
/// says where it is decided, in every log alike.
const BEGINNINGS: [&str; 5] = [
    part::event::PART_CREATED,
    purchase_order::event::PURCHASE_ORDER_CREATED,
    invoice::event::INVOICE_CREATED,
    budget::event::BUDGET_CREATED,
    transfer_plan::schema::CREATED,
];

/// This depot as one that takes part, where it is told to.
///
/// # Errors
/// See [`FederationError`].
pub(crate) fn member(
    config: &Config,
    log: &Arc<Log>,
    clock: &Arc<dyn Clock>,
    checkpoints: &Checkpoints,
) -> Result<Option<Member>, FederationError> {
    let wanted = &config.federation;
    if wanted.servers.is_empty() {
        return Ok(None);
    }
    let settings = Settings {
        name: wanted.name.clone(),
        broker: broker(wanted),
        aggregate_types: wanted.aggregate_types.clone(),
        folder: config.federation_folder(),
        key: checkpoints.federation_key(),
        quarantined: decided::quarantined(log)?,
    };
    Member::new(Arc::clone(log), Arc::clone(clock), settings).map(Some)
}

/// The broker that these settings name.
pub(crate) fn broker(wanted: &FederationConfig) -> Broker {
    Broker {
        servers: wanted.servers.clone(),
        stream: wanted.stream.clone(),
        credentials: wanted.credentials.clone(),
        ca: wanted.ca.clone(),
        replicas: wanted.replicas,
        kept_for: wanted.kept_for,
    }
}

/// Publishes and receives until the server stops.
pub(crate) fn follow(state: &AppState, member: &Member) {
    let (publisher, durable, stopping) = (
        member.clone(),
        state.durable.clone(),
        state.stopping.subscribe(),
    );
    tokio::spawn(async move { publisher.publish(durable, stopping).await });
    let (receiver, stopping) = (member.clone(), state.stopping.subscribe());
    tokio::spawn(async move { receiver.receive(stopping).await });
}

/// Whether somebody else may have to decide about what is written here.
pub(crate) fn may_be_decided_elsewhere(state: &AppState, write: &StreamWrite) -> bool {
    let aggregate_type = &*write.stream.aggregate_type;
    state.federation.is_some()
        && (DECIDED_AT_HOME.contains(&aggregate_type)
            || aggregate_type == vehicle::AGGREGATE_TYPE
                && write
                    .events
                    .iter()
                    .any(|event| is_decided_at_home(&event.event_type)))
}

/// Makes sure that nobody else decides about this aggregate: that it began here, or has not begun. Says nothing of
/// vehicles, of which some may be told anywhere.
///
/// # Errors
/// `decided-elsewhere`, with the depot to ask; when the log cannot be read.
pub(crate) fn check_home(state: &AppState, name: &StreamName) -> Result<(), Problem> {
    let Some(member) = &state.federation else {
        return Ok(());
    };
    if !DECIDED_AT_HOME.contains(&&*name.aggregate_type) {
        return Ok(());
    }
    let Some(home) = beginning(&state.log, name)? else {
        return Ok(());
    };
    let depot = name_of(member, Uuid::from_u128(home.log));
    let detail =
        format!("{name} belongs to the depot {depot}, which alone decides about it; ask there");
    Err(Problem::new(Kind::DecidedElsewhere, detail).with("depot", depot))
}

/// Where an aggregate began, if that was in another log.
fn beginning(log: &Log, name: &StreamName) -> Result<Option<Origin>, ReadError> {
    // One that the log does not know begins here, whatever events have lost the names of their streams.
    if log.stream(name).is_none() {
        return Ok(None);
    }
    let beginnings = BEGINNINGS.into_iter().flat_map(fleet::alias::spellings);
    let item = QueryItem {
        streams: vec![name.clone()],
        event_types: beginnings.map(Into::into).collect(),
        ..QueryItem::default()
    };
    let mut reader = log.read(&ReadRequest {
        query: Query::from(item),
        ..ReadRequest::default()
    })?;
    let mut first: Option<(u64, Option<Origin>)> = None;
    let mut damage = None;
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            // One that only may be a beginning decides nothing where another is.
            Err(error @ ReadError::Damaged { .. }) => {
                damage = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let origin = Origin::of(event.tags());
        let order = order(event.recorded_at().micros(), event.id().as_u128(), origin);
        if first.is_none_or(|(earliest, _)| order < earliest) {
            first = Some((order, origin));
        }
    }
    if let Some((_, origin)) = first {
        return Ok(origin);
    }
    if let Some(error) = damage {
        return Err(error);
    }
    // One that was never created begins with whatever is told of it first.
    let only_first = StreamRange {
        to: Version::new(1),
        ..StreamRange::default()
    };
    let mut reader = log.read_stream(name, &only_first);
    let told = reader.next().transpose()?;
    Ok(told.and_then(|event| Origin::of(event.tags())))
}

/// Makes sure that this depot may record these events: that none of them is for a vehicle's home to record, or that this
/// is its home.
///
/// # Errors
/// `decided-elsewhere`, with the depot that has to act; when the log cannot be read.
pub(crate) fn check_vehicle<'a>(
    state: &AppState,
    name: &StreamName,
    event_types: impl IntoIterator<Item = &'a str>,
) -> Result<(), Problem> {
    let Some(member) = &state.federation else {
        return Ok(());
    };
    if *name.aggregate_type != *vehicle::AGGREGATE_TYPE
        || !event_types.into_iter().any(is_decided_at_home)
    {
        return Ok(());
    }
    let own = state.log.log_id();
    match state.homes.home(&state.log, &name.aggregate_id)? {
        Some(home) if !home.is_decided_by(own) => {
            let asset_id = &name.aggregate_id;
            let is_gone = still_gone(&state.homes, &state.log, member)?.contains(&home.claim.log);
            Err(decided_elsewhere(member, own, asset_id, &home, is_gone))
        }
        _ => Ok(()),
    }
}

/// The depots that an administrator here has said are gone, and that have not said since that they are there, by their logs.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn still_gone(
    homes: &Homes,
    log: &Log,
    member: &Member,
) -> Result<BTreeSet<Uuid>, ReadError> {
    let gone = homes.gone(log)?.into_iter();
    let is_silent = |(log, gone): &(Uuid, Gone)| {
        let last = member.last_presence(*log);
        last.is_none_or(|last| last.micros() <= gone.since)
    };
    Ok(gone.filter(is_silent).map(|(log, _)| log).collect())
}

/// Who has to act before anything is decided about a vehicle.
fn decided_elsewhere(
    member: &Member,
    own: Uuid,
    asset_id: &str,
    home: &Home,
    is_gone: bool,
) -> Problem {
    let depot = name_of(member, home.decides());
    let detail = match home.on_its_way {
        None if is_gone => format!(
            "the vehicle {asset_id} belongs to the depot {depot}, which is gone; this one decides about it once it has taken it over: POST /vehicles/{{vehicle_id}}/take-over"
        ),
        None => format!(
            "the vehicle {asset_id} belongs to the depot {depot}, which alone decides about it; ask there"
        ),
        Some((to, _)) if to == own => format!(
            "the vehicle {asset_id} was handed over to this depot, which decides about it once it has taken it over: POST /vehicles/{{vehicle_id}}/take-over"
        ),
        Some(_) => format!(
            "the vehicle {asset_id} was handed over to the depot {depot}; nobody decides about it until it is taken over there, or taken back by the depot that handed it over"
        ),
    };
    Problem::new(Kind::DecidedElsewhere, detail).with("depot", depot)
}

/// What people call the depot of this log, which may be this one; its id where it was not heard of.
pub(crate) fn name_of(member: &Member, log: Uuid) -> String {
    member.name_of(log).unwrap_or_else(|| log.to_string())
}
