//! How this depot stands with the others.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use federation::{DepotStanding, Member};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use storage::{Clock, Log, Timestamp};

use super::gauge;
use crate::federation::{Homes, still_gone};

/// See the module.
#[derive(Debug)]
pub(super) struct FederationCollector {
    pub(super) member: Member,
    /// Who is gone: of whom nobody waits to hear.
    pub(super) homes: Arc<Homes>,
    pub(super) log: Weak<Log>,
    pub(super) clock: Arc<dyn Clock>,
    /// When this server started.
    pub(super) started: Timestamp,
}

impl Collector for FederationCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let standing = self.member.standing();
        gauge(
            &mut encoder,
            "federation_publishes",
            "1 while the broker takes this depot's events",
            i64::from(standing.publishes),
        )?;
        gauge(
            &mut encoder,
            "federation_receives",
            "1 while the broker sends those of others",
            i64::from(standing.receives),
        )?;
        let now = self.clock.now();
        let silent = |depot: &DepotStanding| {
            let since = silent_since(depot.last_contact, depot.key.is_some(), self.started)?;
            Some((now.micros() - since.micros()) as f64 / 1e6)
        };
        let lag =
            |depot: &DepotStanding| Some(depot.published.saturating_sub(depot.received) as f64);
        let twice = |depot: &DepotStanding| {
            let twice = depot.twice_recorded.map_or(0, |twice| twice.events);
            Some(twice as f64)
        };
        type Figure<'a> = (&'a str, &'a str, &'a dyn Fn(&DepotStanding) -> Option<f64>);
        let figures: [Figure<'_>; 3] = [
            (
                "federation_lag_positions",
                "How far what is here of another depot's log is behind what it published",
                &lag,
            ),
            (
                "federation_silent_seconds",
                "For how long nothing was heard of another depot; since the start where it was not heard of since",
                &silent,
            ),
            (
                "federation_twice_recorded_events",
                "Events of another depot that are here under the same ids as another log's, since the start",
                &twice,
            ),
        ];
        // Where the log cannot be read all are shown: an alert too many names who is gone, one too few says nothing.
        let gone = self
            .log
            .upgrade()
            .and_then(|log| still_gone(&self.homes, &log, &self.member).ok())
            .unwrap_or_default();
        let mut depots = standing.depots;
        depots.retain(|depot| !gone.contains(&depot.log));
        for (name, help, figure) in figures {
            let gauges = Family::<Vec<(String, String)>, Gauge<f64, AtomicU64>>::default();
            for depot in &depots {
                if let Some(value) = figure(depot) {
                    // Two may have the same name.
                    let labels = vec![
                        ("depot".to_owned(), depot.depot.clone()),
                        ("log".to_owned(), depot.log.to_string()),
                    ];
                    gauges.get_or_create(&labels).set(value);
                }
            }
            let kind = gauges.metric_type();
            gauges.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        Ok(())
    }
}

/// Since when nothing was heard of a depot. When it was heard of last is forgotten at a restart: one that has signed something that
/// is here, and has not been heard of since, is silent since the start at least.
fn silent_since(
    last_contact: Option<Timestamp>,
    has_signed: bool,
    started: Timestamp,
) -> Option<Timestamp> {
    last_contact.or(has_signed.then_some(started))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An alert on a depot that is silent must not end with a restart of this server for good.
    #[test]
    fn a_known_depot_that_was_not_heard_of_is_silent_since_the_start() {
        let (heard, started) = (Timestamp::from_micros(9), Timestamp::from_micros(5));
        assert_eq!(silent_since(Some(heard), true, started), Some(heard));
        assert_eq!(silent_since(Some(heard), false, started), Some(heard));
        assert_eq!(silent_since(None, true, started), Some(started));
        assert_eq!(
            silent_since(None, false, started),
            None,
            "anybody may send something in the name of a depot that there is not"
        );
    }
}
