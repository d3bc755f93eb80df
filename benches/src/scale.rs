//! A plan past these machines: what a fleet comes to at a depot and at headquarters, from what an event costs.
//!
//! No measurement is made here. [`Costs::measured`] holds figures of docs/benchmarks.md, some of them of earlier runs; [`plan`]
//! is arithmetic over them that anybody can follow, and `docs/scale.md` is what it prints. What a figure is measured on is
//! said beside it.

use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// What an event costs. Bytes and seconds of one core, unless a field says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// CPU of a write of one event over HTTP, µs: the server's, projections included.
    pub append_us: f64,
    /// CPU of an event that another depot sent, µs: those come in batches.
    pub receive_us: f64,
    /// Bytes of the log on disk, its indexes included.
    pub log_bytes: f64,
    /// Bytes of these that are its index, and stay when its segment is sent to the archive.
    pub index_bytes: f64,
    /// Bytes that its stub takes then: its id.
    pub stub_bytes: f64,
    /// Bytes of memory of figures, which hold every event.
    pub figures_bytes: f64,
    /// Bytes of memory of the filter of ids.
    pub filter_bytes: f64,
    /// Bytes of memory of a stream: its name's place and its last event.
    pub stream_bytes: f64,
    /// Bytes of memory and of disk of a row of the read models.
    pub row_bytes: f64,
    /// Bytes of memory of a server without events.
    pub base_bytes: f64,
    /// Bytes of the lake.
    pub lake_bytes: f64,
    /// Bytes in the broker's stream.
    pub broker_bytes: f64,
    /// Events a second that figures take in at a start.
    pub figures_rate: f64,
    /// Events a second that a read model is rebuilt with.
    pub rebuild_rate: f64,
    /// Events a second that another depot's come in with.
    pub catch_up_rate: f64,
    /// Events a second that are exported.
    pub export_rate: f64,
    /// Bytes a second that `verify` reads.
    pub verify_rate: f64,
    /// Bytes a second that a backup copies to another disk.
    pub copy_rate: f64,
    /// Bytes a second that come from the archive.
    pub fetch_rate: f64,
    /// Bytes a second that the scrub reads with its default setting.
    pub scrub_rate: f64,
}

impl Costs {
    /// As docs/benchmarks.md has them, but for three that are of earlier runs: catching up with another depot (commit 90b3f0c),
    /// the rate and the bytes of the export to the lake (commit a1b2508).
    pub const fn measured() -> Self {
        Costs {
            append_us: 17.5,  // 64 writers over HTTP, server CPU an event
            receive_us: 24.3, // one core at the rate of catching up, 41,200 events/s
            log_bytes: 387.0, // 1.29 x a payload of 300 bytes
            index_bytes: 17.1,
            stub_bytes: 16.0,
            figures_bytes: 59.0, // figures of a fleet, memory for an event
            filter_bytes: 17.0 / 8.0,
            stream_bytes: 36.0,   // memory of the import, what stays of a stream
            row_bytes: 700.0,     // a row of JSON with its keys, as lists hold it
            base_bytes: 140e6,    // resident after open, kill -9
            lake_bytes: 15.7,     // export as Parquet
            broker_bytes: 500.0,  // the event with its envelope and headers
            figures_rate: 1.32e6, // events into columns and sums by day
            rebuild_rate: 1.38e6, // rebuild of current_state
            catch_up_rate: 41_200.0,
            export_rate: 348_000.0,
            verify_rate: 871e6,
            copy_rate: 750e6, // sequential read of the disk, cold
            fetch_rate: 50e6, // an assumption: 400 Mbit/s
            scrub_rate: 64.0 * 1024.0 * 1024.0 / 60.0,
        }
    }
}

/// How much happens.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Depots.
    pub depots: f64,
    /// Vehicles of each.
    pub vehicles: f64,
    /// Years that have passed.
    pub years: f64,
    /// Events of a vehicle and day: readings, changes of status, work orders and what hangs on them.
    pub events_per_day: f64,
    /// Streams that a vehicle begins in a year: work orders, tasks, documents.
    pub streams_per_year: f64,
    /// Days that the broker keeps events.
    pub broker_days: f64,
    /// Days that segments stay on the disk; what is older lies in the archive. Infinite without one.
    pub kept_days: f64,
    /// For how many days a depot was cut off, when it catches up.
    pub cut_days: f64,
}

impl Fleet {
    /// Forty depots of two thousand vehicles for ten years.
    pub const fn asked() -> Self {
        Fleet {
            depots: 40.0,
            vehicles: 2_000.0,
            years: 10.0,
            events_per_day: 12.0,
            streams_per_year: 30.0,
            broker_days: 30.0,
            kept_days: 365.0,
            cut_days: 3.0,
        }
    }
}

/// What one server comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    /// Events in its log.
    pub events: f64,
    /// Streams in its log.
    pub streams: f64,
    /// Bytes of its log with all segments here.
    pub disk_whole: f64,
    /// The same with old ones in the archive.
    pub disk_tiered: f64,
    /// Bytes in the archive.
    pub archived: f64,
    /// Bytes of memory.
    pub memory: f64,
    /// Of these, those of figures.
    pub memory_figures: f64,
    /// Share of one core, on average over the day.
    pub cpu: f64,
    /// Seconds from the start until figures are whole; reads and writes are answered after a tenth of a second.
    pub start_figures: f64,
    /// Seconds more when what lies in the archive has to be fetched for them.
    pub start_fetch: f64,
    /// Seconds that the rebuild of a read model takes.
    pub rebuild: f64,
    /// Seconds to take in what came while it was cut off.
    pub catch_up: f64,
    /// Seconds of a whole `verify`.
    pub verify: f64,
    /// Days of one round of the scrub, of what is here.
    pub scrub_days: f64,
    /// Seconds of a backup to another disk, of what is here.
    pub backup: f64,
    /// Bytes of its lake.
    pub lake: f64,
    /// Seconds of its first export.
    pub export: f64,
}

/// The whole plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// A depot that takes its own events only.
    pub depot: Site,
    /// Headquarters, which takes everybody's.
    pub headquarters: Site,
    /// Bytes in the broker's stream.
    pub broker: f64,
    /// Events a second through the broker, on average.
    pub broker_rate: f64,
}

const DAYS_PER_YEAR: f64 = 365.25;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// What the fleet comes to.
pub fn plan(fleet: &Fleet, costs: &Costs) -> Plan {
    let daily = fleet.vehicles * fleet.events_per_day;
    let depot = site(fleet, costs, 1.0, costs.append_us);
    let headquarters = site(fleet, costs, fleet.depots, costs.receive_us);
    Plan {
        depot,
        headquarters,
        broker: daily * fleet.depots * fleet.broker_days * costs.broker_bytes,
        broker_rate: daily * fleet.depots / SECONDS_PER_DAY,
    }
}

/// A server that holds the events of so many depots, each of which costs so much CPU.
fn site(fleet: &Fleet, costs: &Costs, depots: f64, event_us: f64) -> Site {
    let daily = fleet.vehicles * fleet.events_per_day * depots;
    let events = daily * fleet.years * DAYS_PER_YEAR;
    let vehicles = fleet.vehicles * depots;
    let streams = vehicles * (1.0 + fleet.streams_per_year * fleet.years);
    let old = (events - daily * fleet.kept_days).max(0.0);
    let archived = old * (costs.log_bytes - costs.index_bytes);
    let stays = costs.index_bytes + costs.stub_bytes;
    let disk_whole = events * costs.log_bytes;
    let disk_tiered = (events - old) * costs.log_bytes + old * stays;
    let memory_figures = events * costs.figures_bytes;
    let rows = streams * costs.row_bytes;
    Site {
        events,
        streams,
        disk_whole,
        disk_tiered,
        archived,
        memory: costs.base_bytes
            + memory_figures
            + events * costs.filter_bytes
            + streams * costs.stream_bytes
            + rows,
        memory_figures,
        cpu: daily * event_us / 1e6 / SECONDS_PER_DAY,
        start_figures: events / costs.figures_rate,
        start_fetch: archived / costs.fetch_rate,
        rebuild: events / costs.rebuild_rate,
        catch_up: daily * fleet.cut_days / costs.catch_up_rate,
        verify: disk_whole / costs.verify_rate + archived / costs.fetch_rate,
        scrub_days: disk_tiered / costs.scrub_rate / SECONDS_PER_DAY,
        backup: disk_tiered / costs.copy_rate,
        lake: events * costs.lake_bytes,
        export: events / costs.export_rate,
    }
}

/// A bound that a growing fleet reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// What is reached.
    pub what: &'static str,
    /// Events in one log at which it is.
    pub events: f64,
}

/// What breaks, and at how many events in one log, the first one first, on a machine of so many bytes of memory and disk.
pub fn bounds(fleet: &Fleet, costs: &Costs, memory: f64, disk: f64) -> Vec<Bound> {
    let one = site(fleet, costs, 1.0, costs.append_us);
    let memory_per_event = (one.memory - costs.base_bytes) / one.events;
    let mut bounds = vec![
        Bound {
            what: "memory: figures hold every event, rows every stream",
            events: (memory - costs.base_bytes) / memory_per_event,
        },
        Bound {
            what: "disk, with no archive",
            events: disk / costs.log_bytes,
        },
        Bound {
            what: "disk, with an archive: stubs and indexes stay",
            events: disk / (costs.index_bytes + costs.stub_bytes),
        },
        Bound {
            what: "a start: figures are whole after five minutes",
            events: 300.0 * costs.figures_rate,
        },
        Bound {
            what: "a rebuilt read model after an hour",
            events: 3_600.0 * costs.rebuild_rate,
        },
        Bound {
            what: "the id filter is full: new ids ask indexes more and more often",
            events: 1.4e9,
        },
        Bound {
            what: "a first export of the lake within a night of eight hours",
            events: 8.0 * 3_600.0 * costs.export_rate,
        },
    ];
    bounds.sort_by(|left, right| left.events.total_cmp(&right.events));
    bounds
}

/// The plan as the tables of `docs/scale.md`.
pub fn markdown(fleet: &Fleet, costs: &Costs, memory: f64, disk: f64) -> String {
    let plan = plan(fleet, costs);
    let (depot, all) = (&plan.depot, &plan.headquarters);
    let mut text = format!(
        "| {} depots × {} vehicles × {} years, {} events a vehicle and day | a depot | headquarters |\n|---|---|---|\n",
        fleet.depots, fleet.vehicles, fleet.years, fleet.events_per_day
    );
    let kept = format!(
        "disk, what is older than {} days in the archive",
        fleet.kept_days
    );
    let cut = format!(
        "catching up after {} days without the broker",
        fleet.cut_days
    );
    type Row<'a> = (&'a str, fn(f64) -> String, f64, f64);
    let rows: [Row<'_>; 16] = [
        ("events", count, depot.events, all.events),
        ("streams", count, depot.streams, all.streams),
        (
            "disk, all of the log here",
            bytes,
            depot.disk_whole,
            all.disk_whole,
        ),
        (&kept, bytes, depot.disk_tiered, all.disk_tiered),
        ("in the archive", bytes, depot.archived, all.archived),
        ("memory", bytes, depot.memory, all.memory),
        (
            "of it figures",
            bytes,
            depot.memory_figures,
            all.memory_figures,
        ),
        (
            "CPU, share of one core on average",
            percent,
            depot.cpu,
            all.cpu,
        ),
        (
            "after a start until figures are whole",
            time,
            depot.start_figures,
            all.start_figures,
        ),
        (
            "the same with an archive, which they fetch: more",
            time,
            depot.start_fetch,
            all.start_fetch,
        ),
        ("a read model rebuilt", time, depot.rebuild, all.rebuild),
        (&cut, time, depot.catch_up, all.catch_up),
        (
            "a backup of what is here, to another disk",
            time,
            depot.backup,
            all.backup,
        ),
        (
            "a whole verify, the archive included",
            time,
            depot.verify,
            all.verify,
        ),
        ("lake", bytes, depot.lake, all.lake),
        ("its first export", time, depot.export, all.export),
    ];
    for (name, unit, of_depot, of_all) in rows {
        let _ = writeln!(text, "| {name} | {} | {} |", unit(of_depot), unit(of_all));
    }
    let _ = writeln!(
        text,
        "\nThe broker holds {} for {} days, and passes {:.1} events a second on average.\n",
        bytes(plan.broker),
        fleet.broker_days,
        plan.broker_rate
    );
    let _ = writeln!(
        text,
        "| what is reached, on {} of memory and {} of disk | events in one log | years of a depot | years of headquarters |\n|---|---|---|---|",
        bytes(memory),
        bytes(disk)
    );
    for bound in bounds(fleet, costs, memory, disk) {
        let years = |events: f64| format!("{:.1}", fleet.years * bound.events / events);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            bound.what,
            count(bound.events),
            years(depot.events),
            years(all.events)
        );
    }
    text
}

fn count(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{:.2} billion", value / 1e9),
        value if value >= 1e6 => format!("{:.1} million", value / 1e6),
        value => format!("{:.0} thousand", value / 1e3),
    }
}

fn bytes(value: f64) -> String {
    match value {
        value if value >= 1e12 => format!("{:.2} TB", value / 1e12),
        value if value >= 1e9 => format!("{:.1} GB", value / 1e9),
        value => format!("{:.0} MB", value / 1e6),
    }
}

fn percent(value: f64) -> String {
    format!("{:.4} %", value * 100.0)
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 5_400.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds if seconds >= 90.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{seconds:.0} s"),
    }
}
