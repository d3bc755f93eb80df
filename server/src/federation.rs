//! The other depots: what the crate `federation` needs to know of this server, and where their events were decided.

use std::sync::Arc;

use federation::{Broker, FederationError, Member, Settings};
use fleet::{Origin, budget, invoice, part, purchase_order, transfer_plan};
use storage::{Clock, Log, StreamName, StreamRange, Version};
use uuid::Uuid;

use crate::app::AppState;
use crate::config::Config;
use crate::http::problem::{Kind, Problem};

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
) -> Result<Option<Member>, FederationError> {
    let wanted = &config.federation;
    if wanted.servers.is_empty() {
        return Ok(None);
    }
    let settings = Settings {
        name: wanted.name.clone(),
        broker: Broker {
            servers: wanted.servers.clone(),
            stream: wanted.stream.clone(),
            credentials: wanted.credentials.clone(),
            ca: wanted.ca.clone(),
            replicas: wanted.replicas,
            kept_for: wanted.kept_for,
        },
        aggregate_types: wanted.aggregate_types.clone(),
        folder: config.federation_folder(),
    };
    Member::new(Arc::clone(log), Arc::clone(clock), settings).map(Some)
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

/// Whether somebody else may have to decide about this aggregate.
pub(crate) fn may_be_decided_elsewhere(state: &AppState, aggregate_type: &str) -> bool {
    state.federation.is_some() && DECIDED_AT_HOME.contains(&aggregate_type)
}

/// Makes sure that nobody else decides about this aggregate: that it began here, or has not begun.
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
    let log = Uuid::from_u128(home.log);
    let depot = member.name_of(log).unwrap_or_else(|| log.to_string());
    let detail =
        format!("{name} belongs to the depot {depot}, which alone decides about it; ask there");
    Err(Problem::new(Kind::DecidedElsewhere, detail).with("depot", depot))
}
