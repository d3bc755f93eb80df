//! The other depots: what the crate `federation` needs to know of this server, and where their events were decided.

use std::sync::Arc;

use federation::{Broker, FederationError, Member, Settings};
use fleet::{Origin, budget, invoice, part, purchase_order, transfer_plan};
use storage::{Clock, Log, ReadError, StreamName, StreamRange, Version};

use crate::app::AppState;
use crate::config::Config;

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

/// The log in which an aggregate began that is decided there and not here.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn home_elsewhere(log: &Log, name: &StreamName) -> Result<Option<Origin>, ReadError> {
    if !DECIDED_AT_HOME.contains(&&*name.aggregate_type) {
        return Ok(None);
    }
    let first = StreamRange {
        to: Version::new(1),
        ..StreamRange::default()
    };
    let mut reader = log.read_stream(name, &first);
    match reader.next() {
        Some(event) => Ok(Origin::of(event?.tags())),
        None => Ok(None),
    }
}
