//! How this depot stands with the others.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use federation::{DepotStanding, Member};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use storage::{Clock, Log};

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
        let now = self.clock.now().micros();
        let silent = |depot: &DepotStanding| {
            let since = depot.last_contact?;
            Some((now - since.micros()) as f64 / 1e6)
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
                "Since when nothing was heard of another depot",
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
                    let labels = vec![("depot".to_owned(), depot.depot.clone())];
                    gauges.get_or_create(&labels).set(value);
                }
            }
            let kind = gauges.metric_type();
            gauges.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        Ok(())
    }
}
