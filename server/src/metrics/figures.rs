//! Key figures of the whole fleet, and how far they are behind the log.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use analytics::kpi::{KPIS, Selection};
use fleet::calendar::DAY;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use storage::{Clock, Log};

use super::gauge;
use crate::figures::Figures;

/// Days over which figures are taken.
const DAYS: i64 = 30;

/// See the module. Asking takes nothing in: a scrape waits for no log to be read.
pub(super) struct FiguresCollector {
    pub(super) log: Weak<Log>,
    pub(super) figures: Arc<Figures>,
    pub(super) clock: Arc<dyn Clock>,
}

impl fmt::Debug for FiguresCollector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FiguresCollector")
    }
}

impl Collector for FiguresCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(log) = self.log.upgrade() else {
            return Ok(());
        };
        let now = self.clock.now().micros();
        let values = Family::<Vec<(String, String)>, Gauge<f64, AtomicU64>>::default();
        let position = self.figures.peek(|known| {
            let edges = [now - DAYS * DAY, now];
            let selection = Selection {
                edges: &edges,
                now,
                vehicle: None,
            };
            let taken = known.take(&selection);
            for kpi in KPIS {
                // A figure without a value is left out: no number would be true.
                if let Some(value) = kpi.value(taken.figures(kpi)[0]) {
                    let labels = vec![("kpi".to_owned(), kpi.key.to_owned())];
                    values.get_or_create(&labels).set(value);
                }
            }
            known.position()
        });
        let lag = log.durable_position().get().saturating_sub(position.get());
        gauge(
            &mut encoder,
            "figures_lag_events",
            "Events that key figures have not taken in yet",
            i64::try_from(lag).unwrap_or(i64::MAX),
        )?;
        let help = "Key figures of the whole fleet over 30 days, each in the unit of the catalogue";
        let kind = values.metric_type();
        values.encode(encoder.encode_descriptor("kpi", help, None, kind)?)
    }
}
