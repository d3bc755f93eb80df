//! The other depots: what the crate `federation` needs to know of this server, and who decides about what.

pub(crate) mod decided;
mod homes;

use std::sync::Arc;

use federation::{Broker, FederationError, Member, Settings};
use fleet::vehicle::home::{Home, is_decided_at_home};
use fleet::{Origin, budget, invoice, part, purchase_order, transfer_plan, vehicle};
use storage::{Clock, Log, StreamName, StreamRange, StreamWrite, Version};
use uuid::Uuid;

use crate::app::AppState;
use crate::audit::Checkpoints;
use crate::config::{Config, FederationConfig};
use crate::http::problem::{Kind, Problem};

pub(crate) use homes::Homes;

/// Aggregates with rules that hold only where one place decides: stock, approvals, and numbers that never repeat. They are
/// written at home, where they began, and read everywhere.
const DECIDED_AT_HOME: [&str; 5] = [
    part::AGGREGATE_TYPE,
    purchase_order::AGGREGATE_TYPE,
    invoice::AGGREGATE_TYPE,
    budget::AGGREGATE_TYPE,
    transfer_plan::AGGREGATE_TYPE,
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
    let first = StreamRange {
        to: Version::new(1),
        ..StreamRange::default()
    };
    let mut reader = state.log.read_stream(name, &first);
    let first = reader.next().transpose()?;
    let Some(home) = first.and_then(|event| Origin::of(event.tags())) else {
        return Ok(());
    };
    let depot = name_of(member, Uuid::from_u128(home.log));
    let detail =
        format!("{name} belongs to the depot {depot}, which alone decides about it; ask there");
    Err(Problem::new(Kind::DecidedElsewhere, detail).with("depot", depot))
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
            Err(decided_elsewhere(member, own, &name.aggregate_id, &home))
        }
        _ => Ok(()),
    }
}

/// Who has to act before anything is decided about a vehicle.
fn decided_elsewhere(member: &Member, own: Uuid, asset_id: &str, home: &Home) -> Problem {
    let depot = name_of(member, home.decides());
    let detail = match home.on_its_way {
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
