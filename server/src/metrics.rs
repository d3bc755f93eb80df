//! What Prometheus is told. Counts of requests are kept as they happen; the log's and the read models' figures are asked
//! for when somebody looks.
//!
//! Labels hold routes, methods, names of projections and other depots, never users, queries or ids of what is in the log.

mod federation;
mod figures;
mod keys;
mod process;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use storage::{Clock, Log, LogState, TierStats, Timestamp};

use crate::federation::Homes;
use crate::figures::Figures;
use crate::privacy::Privacy;
use crate::projection::{ProjectionState, ProjectionStatus, Projections};

/// The media type of what [`Metrics::render`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the latency buckets, in seconds: from a read in memory to the request limit.
const BUCKETS: [f64; 14] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Which requests.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: String,
}

/// Which requests, with the first digit of the status.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabels {
    method: String,
    route: String,
    status: String,
}

type Latencies = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// All figures.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    latencies: Latencies,
    answers: Family<StatusLabels, Counter>,
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections that were turned away because there were too many.
    pub connections_refused: Counter,
    /// Event streams that are open.
    pub subscribers: Gauge,
    /// Backups on schedule that could not be taken or verified.
    pub backups_failed: Counter,
    /// When the newest verified backup was taken, in seconds since 1970.
    backup_taken: Gauge,
    /// When the TLS certificate ends, in seconds since 1970.
    certificate_expires: Gauge,
    /// Operations of tablets, by what became of them.
    sync_operations: Family<VerdictLabels, Counter>,
    /// What was refused that no honest tablet sends, by its code.
    sync_refusals: Family<CodeLabels, Counter>,
    /// Requests beyond their class's rate.
    rate_limited: Family<ClassLabels, Counter>,
}

/// Which class of requests.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

/// What became of an operation.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
}

/// Why something was refused.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

/// One route's figures, looked up once.
#[derive(Clone, Debug)]
pub struct RouteMetrics(Arc<RouteFigures>);

#[derive(Debug)]
struct RouteFigures {
    latency: Histogram,
    by_class: [Counter; 5],
}

impl RouteMetrics {
    /// Counts an answer.
    pub fn observe(&self, status: StatusCode, took: Duration) {
        self.0.latency.observe(took.as_secs_f64());
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.0.by_class[class].inc();
    }
}

impl Metrics {
    /// Figures about this log and these read models. They are held weakly: what watches must not keep alive.
    pub fn new(
        log: &Arc<Log>,
        projections: &Arc<Projections>,
        figures: &Arc<Figures>,
        clock: &Arc<dyn Clock>,
        federation: Option<(&::federation::Member, &Arc<Homes>)>,
        privacy: &Arc<Privacy>,
        data: &Path,
    ) -> Self {
        let mut registry = Registry::with_prefix("railfleet");
        let latencies: Latencies = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let answers = Family::default();
        let (connections, connections_refused, subscribers) =
            (Gauge::default(), Counter::default(), Gauge::default());
        registry.register_with_unit(
            "http_request_duration",
            "Time to an answer's head",
            Unit::Seconds,
            latencies.clone(),
        );
        registry.register(
            "http_answers",
            "Answers by the first digit of their status",
            answers.clone(),
        );
        registry.register("http_connections", "Open connections", connections.clone());
        registry.register(
            "http_connections_refused",
            "Connections turned away at the limit",
            connections_refused.clone(),
        );
        registry.register(
            "http_subscribers",
            "Open event streams",
            subscribers.clone(),
        );
        let (backups_failed, backup_taken) = (Counter::default(), Gauge::default());
        registry.register(
            "backups_failed",
            "Backups on schedule that could not be taken or verified",
            backups_failed.clone(),
        );
        registry.register_with_unit(
            "backup_taken_timestamp",
            "When the newest verified backup was taken, since 1970; 0 where there is none",
            Unit::Seconds,
            backup_taken.clone(),
        );
        let certificate_expires = Gauge::default();
        registry.register_with_unit(
            "tls_certificate_expires_timestamp",
            "When the TLS certificate ends, since 1970; 0 where there is none",
            Unit::Seconds,
            certificate_expires.clone(),
        );
        let (sync_operations, sync_refusals) = (Family::default(), Family::default());
        registry.register(
            "sync_operations",
            "Operations of tablets by what became of them",
            Family::clone(&sync_operations),
        );
        registry.register(
            "sync_refusals",
            "What was refused that no honest tablet sends",
            Family::clone(&sync_refusals),
        );
        let rate_limited = Family::default();
        registry.register(
            "http_rate_limited",
            "Requests refused because there were too many of their class",
            Family::clone(&rate_limited),
        );
        registry.register_collector(Box::new(LogCollector(Arc::downgrade(log))));
        registry.register_collector(Box::new(ProjectionCollector(Arc::downgrade(projections))));
        registry.register_collector(Box::new(figures::FiguresCollector {
            log: Arc::downgrade(log),
            figures: Arc::clone(figures),
            clock: Arc::clone(clock),
        }));
        if let Some((member, homes)) = federation {
            registry.register_collector(Box::new(federation::FederationCollector {
                member: member.clone(),
                homes: Arc::clone(homes),
                log: Arc::downgrade(log),
                clock: Arc::clone(clock),
                started: clock.now(),
            }));
        }
        registry.register_collector(Box::new(keys::KeysCollector(Arc::downgrade(privacy))));
        registry.register_collector(Box::new(process::ProcessCollector {
            data: data.to_owned(),
        }));
        Metrics {
            registry,
            latencies,
            answers,
            connections,
            connections_refused,
            subscribers,
            backups_failed,
            backup_taken,
            certificate_expires,
            sync_operations,
            sync_refusals,
            rate_limited,
        }
    }

    /// Tells of the newest verified backup.
    pub fn backup_taken(&self, at: Timestamp) {
        self.backup_taken.set(at.micros() / 1_000_000);
    }

    /// Tells when the TLS certificate ends.
    pub fn certificate_expires(&self, at: Option<Timestamp>) {
        let seconds = at.map_or(0, |at| at.micros() / 1_000_000);
        self.certificate_expires.set(seconds);
    }

    /// Counts operations of tablets.
    pub fn count_operations(&self, verdict: &'static str, count: u64) {
        if count > 0 {
            let labels = VerdictLabels { verdict };
            self.sync_operations.get_or_create(&labels).inc_by(count);
        }
    }

    /// Counts something that was refused.
    pub fn count_refusal(&self, code: &'static str) {
        self.sync_refusals.get_or_create(&CodeLabels { code }).inc();
    }

    /// Counts a request that was one too many of its class.
    pub fn count_rate_limited(&self, class: &'static str) {
        self.rate_limited
            .get_or_create(&ClassLabels { class })
            .inc();
    }

    /// The figures of one route.
    pub fn route(&self, method: &Method, route: &str) -> RouteMetrics {
        let labels = RouteLabels {
            method: method.to_string(),
            route: route.to_owned(),
        };
        let by_class = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|status| {
            let labels = StatusLabels {
                method: method.to_string(),
                route: route.to_owned(),
                status: status.to_owned(),
            };
            self.answers.get_or_create_owned(&labels)
        });
        let latency = self.latencies.get_or_create_owned(&labels);
        RouteMetrics(Arc::new(RouteFigures { latency, by_class }))
    }

    /// All figures as OpenMetrics text.
    ///
    /// # Errors
    /// When they cannot be written as text, which does not happen.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What the log says of itself when asked.
#[derive(Debug)]
struct LogCollector(Weak<Log>);

impl Collector for LogCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(log) = self.0.upgrade() else {
            return Ok(());
        };
        let (stats, health) = (log.stats(), log.health());
        let writable = u64::from(health.state == LogState::Writable);
        let gauges = [
            ("log_events", "Events in the log", stats.events),
            ("log_streams", "Streams in the log", stats.streams),
            ("log_segments", "Segments of the log", stats.segments),
            (
                "log_disk_bytes",
                "Bytes of the log's folder",
                stats.bytes_on_disk,
            ),
            (
                "log_damaged_ranges",
                "Ranges of the log known to be damaged",
                health.damage.len() as u64,
            ),
            ("log_writable", "1 while the log takes events", writable),
            (
                "log_maintained",
                "1 while the thread behind the log's writer does its work",
                u64::from(health.maintained),
            ),
        ];
        for (name, help, value) in gauges {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            gauge(&mut encoder, name, help, value)?;
        }
        let counters = [
            (
                "log_transactions",
                "Transactions answered",
                stats.transactions,
            ),
            ("log_groups", "Groups made durable", stats.groups),
            ("log_syncs", "Syncs of segments", stats.syncs),
            (
                "log_events_appended",
                "Events appended",
                stats.events_appended,
            ),
            ("log_bytes_appended", "Bytes appended", stats.bytes_appended),
            (
                "log_watermark_failures",
                "How often the log's watermark could not be written",
                stats.watermark_failures,
            ),
        ];
        for (name, help, value) in counters {
            counter(&mut encoder, name, help, value)?;
        }
        match log.tier_stats() {
            Some(stats) => archive(&mut encoder, &stats),
            None => Ok(()),
        }
    }
}

/// What lies in the archive, and what was fetched from it.
fn archive(encoder: &mut DescriptorEncoder<'_>, stats: &TierStats) -> fmt::Result {
    let gauges = [
        (
            "archive_segments",
            "Segments of the log that lie in the archive",
            stats.segments,
        ),
        ("archive_bytes", "Their bytes", stats.bytes),
        (
            "archive_cache_bytes",
            "Bytes of segments that were fetched and are kept",
            stats.bytes_held,
        ),
    ];
    for (name, help, value) in gauges {
        gauge(
            encoder,
            name,
            help,
            i64::try_from(value).unwrap_or(i64::MAX),
        )?;
    }
    let counters = [
        (
            "archive_cache_hits",
            "Times that a segment of the archive was asked for and was here",
            stats.hits,
        ),
        (
            "archive_cache_misses",
            "Times that it had to be fetched",
            stats.misses,
        ),
        (
            "archive_cache_evictions",
            "Fetched segments that made room for others",
            stats.evictions,
        ),
        (
            "archive_fetch_failures",
            "Segments that could not be fetched",
            stats.failures,
        ),
        (
            "archive_fetched_bytes",
            "Bytes fetched from the archive",
            stats.bytes_fetched,
        ),
    ];
    for (name, help, value) in counters {
        counter(encoder, name, help, value)?;
    }
    Ok(())
}

/// A figure of a read model: name, help, value.
type Figure = (&'static str, &'static str, fn(&ProjectionStatus) -> f64);

/// What the read models say of themselves when asked.
#[derive(Debug)]
struct ProjectionCollector(Weak<Projections>);

impl Collector for ProjectionCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(projections) = self.0.upgrade() else {
            return Ok(());
        };
        let statuses = projections.status();
        let figures: [Figure; 4] = [
            (
                "projection_lag_events",
                "Events that a projection has not folded yet",
                |status| status.lag_events as f64,
            ),
            (
                "projection_lag_seconds",
                "For how long the oldest of them has waited",
                |status| status.lag_seconds,
            ),
            (
                "projection_skipped_events",
                "Events that a projection could not fold",
                |status| status.skipped_events as f64,
            ),
            (
                "projection_failed",
                "1 while a projection does not run",
                |status| {
                    f64::from(u8::from(matches!(
                        status.state,
                        ProjectionState::Failed { .. }
                    )))
                },
            ),
        ];
        for (name, help, figure) in figures {
            let gauges =
                Family::<Vec<(String, String)>, Gauge<f64, std::sync::atomic::AtomicU64>>::default(
                );
            for status in &statuses {
                let labels = vec![("projection".to_owned(), status.name.to_owned())];
                gauges.get_or_create(&labels).set(figure(status));
            }
            let kind = gauges.metric_type();
            gauges.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        Ok(())
    }
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
