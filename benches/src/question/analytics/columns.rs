//! The columns and the sums by day themselves, without a log and without HTTP.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use analytics::columns::{Columns, Filter, Row as Event};
use analytics::facts::{Incident, OrderFacts, OrderStatus, Reading, Standing, StandingSince, Work};
use analytics::kpi::{KPIS, Kpi, Selection};
use analytics::rollup::{Day, Store};
use fleet::calendar::{DAY, HOUR};

use super::fleet::{AMOUNT_MAX, DEPOTS, Fleet, KINDS, What};
use crate::BenchError;
use crate::error::doing;
use crate::peer::duckdb::{Asked, DuckDb};
use crate::process;
use crate::row::{Bar, Row};
use crate::sample::{Sample, per_second};
use crate::seed::SplitMix64;
use crate::setting::Setting;

/// Bins of the histogram, and how wide they are.
const BINS: usize = 64;
const BIN_WIDTH: i64 = (AMOUNT_MAX / BINS as u64) as i64;
/// Days of the groups that stand for months.
const MONTH_DAYS: u16 = 30;

pub(super) fn ask(setting: &Setting, fleet: Fleet) -> Result<Vec<Row>, BenchError> {
    let mut rows = sums(setting, fleet)?;
    rows.extend(queries(setting, fleet)?);
    Ok(rows)
}

fn calendar(at: i64) -> Day {
    let begin = at.div_euclid(DAY) * DAY;
    Day {
        begin,
        end: begin + DAY,
    }
}

fn day_number(at: i64) -> u16 {
    u16::try_from(at.div_euclid(DAY)).unwrap_or(u16::MAX)
}

/// Takes in one event, as the server does once it has read it.
fn take_in(
    store: &mut Store,
    columns: &mut Columns,
    position: u64,
    happened: super::fleet::Happened,
) {
    let (at, vehicle) = (happened.at, usize::try_from(happened.vehicle).unwrap_or(0));
    let stands = |standing| StandingSince::new(at, position, standing);
    let (kind, amount) = match happened.what {
        What::Down => {
            store.stands(vehicle, stands(Standing::Down));
            (0, 0)
        }
        What::Runs => {
            store.stands(vehicle, stands(Standing::Running));
            (0, 0)
        }
        What::Read(km) => {
            let reading = Reading {
                at,
                position,
                km,
                corrects: false,
            };
            store.read(vehicle, reading);
            (1, 0)
        }
        What::Incident { failure } => {
            let incident = Incident {
                at,
                position,
                delay_min: 5,
                is_failure: failure,
            };
            store.suffers(vehicle, incident);
            (2, 0)
        }
        What::OrderMade(number) => {
            let index = usize::try_from(number - 1).unwrap_or(0);
            let order = OrderFacts {
                vehicle: vehicle.to_string().into(),
                work: if number.is_multiple_of(3) {
                    Work::Corrective
                } else {
                    Work::Planned
                },
                created: at,
                scheduled_end: Some(at + 3 * DAY),
                status: OrderStatus::Scheduled,
                updated: at,
                position,
                ..OrderFacts::default()
            };
            store.set_order(index, order);
            (3, 0)
        }
        What::OrderClosed(number, cost) => {
            let index = usize::try_from(number - 1).unwrap_or(0);
            if let Some(order) = store.facts().orders.get(index) {
                let closed = OrderFacts {
                    started: Some(at - 4 * HOUR),
                    ended: Some(at),
                    status: OrderStatus::Completed,
                    updated: at,
                    cost_cents: Some(cost),
                    position,
                    ..order.clone()
                };
                store.set_order(index, closed);
            }
            (4, cost)
        }
    };
    let row = Event {
        at,
        day: day_number(at),
        kind,
        who: u32::try_from(vehicle).unwrap_or(0),
        amount,
    };
    columns.push_row(row, calendar(at));
}

fn filled(fleet: Fleet) -> (Store, Columns) {
    let mut store = Store::new(calendar);
    let mut columns = Columns::default();
    for vehicle in 0..fleet.vehicles {
        store.add_vehicle(&vehicle.to_string());
        columns.who_mut().number(&vehicle.to_string());
    }
    let mut position = 0;
    let filled: Result<(), Infallible> = fleet.each(|happened| {
        position += 1;
        take_in(&mut store, &mut columns, position, happened);
        Ok(())
    });
    match filled {
        Ok(()) => (store, columns),
    }
}

fn sums(setting: &Setting, fleet: Fleet) -> Result<Vec<Row>, BenchError> {
    let resident = || process::memory("self").map_err(doing("asking for memory"));
    let before = resident()?.anonymous_kb;
    let began = Instant::now();
    let (mut store, columns) = filled(fleet);
    let took = began.elapsed();
    let bytes = (resident()?.anonymous_kb.saturating_sub(before) * 1_024) as f64;
    let events = columns.rows();
    let mut rows = vec![
        Row::new(
            "figures: events into columns and sums by day",
            "events/s",
            vec![per_second(events, took)],
        )
        .bar(Bar::AtLeast(500_000.0))
        .note(format!(
            "{events} events of {} vehicles over {} days, parsed already; one thread",
            fleet.vehicles, fleet.days
        )),
        Row::new(
            "figures: memory for an event",
            "bytes",
            vec![bytes / events as f64],
        )
        .bar(Bar::AtMost(64.0))
        .note("anonymous memory of the process before and after, facts, columns and sums"),
    ];
    let end = fleet.end();
    let window = [end - 90 * DAY - HOUR, end - HOUR];
    let months: Vec<i64> = (0..=24)
        .map(|month| end - (24 - month) * 30 * DAY)
        .collect();
    let count = setting.pick(3, 200);
    let all = Sample::of(count, || {
        for edges in [&window[..], &months[..]] {
            let selection = Selection {
                edges,
                now: end,
                vehicle: None,
            };
            let taken = store.take(&selection, None);
            for kpi in KPIS {
                black_box(taken.figures(kpi));
            }
        }
        Ok::<(), BenchError>(())
    })?;
    rows.push(
        Row::new(
            "figures: all of the catalogue, p99",
            "ms",
            vec![all.p99() / 1e3],
        )
        .bar(Bar::AtMost(5.0))
        .note("90 days that cut two days, and 24 months of each figure"),
    );
    let days = i64::try_from(fleet.days).unwrap_or(0);
    let edges: Vec<i64> = (0..=days).map(|day| end - (days - day) * DAY).collect();
    let series = Sample::of(count, || {
        let selection = Selection {
            edges: &edges,
            now: end,
            vehicle: None,
        };
        let taken = store.take(&selection, None);
        for key in ["availability", "failures"] {
            black_box(Kpi::named(key).map(|kpi| taken.figures(kpi)));
        }
        Ok::<(), BenchError>(())
    })?;
    rows.push(
        Row::new(
            "figures: five years of days, p99",
            "ms",
            vec![series.p99() / 1e3],
        )
        .bar(Bar::AtMost(5.0))
        .note(format!("two figures of the fleet, {days} buckets each")),
    );
    let mut chance = SplitMix64::new(3);
    let mut position = events;
    let late = Sample::of(setting.pick(20, 2_000), || {
        let draw = chance.draw();
        let vehicle = usize::try_from(draw % fleet.vehicles).unwrap_or(0);
        let back = i64::try_from(draw >> 20).unwrap_or(0) % (days * DAY);
        position += 1;
        let since = StandingSince::new(end - back, position, Standing::Down);
        store.stands(vehicle, since);
        Ok::<(), BenchError>(())
    })?;
    rows.push(
        Row::new(
            "figures: an event that comes late, p99",
            "ms",
            vec![late.p99() / 1e3],
        )
        .bar(Bar::AtMost(10.0))
        .note("a vehicle's status at a chance time of the five years"),
    );
    Ok(rows)
}

/// A query over the columns, which comes to the sum that is compared.
type Run<'a> = Box<dyn Fn() -> i64 + 'a>;

/// The advice's four queries over one table: day, vehicle, depot, kind, cost.
fn queries(setting: &Setting, fleet: Fleet) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let mut columns = Columns::default();
    for vehicle in 0..fleet.vehicles {
        columns.who_mut().number(&vehicle.to_string());
    }
    let mut csv = String::from("day,vehicle,depot,kind,cost\n");
    let mut chance = SplitMix64::new(5);
    let day_rows = fleet.events() / fleet.days;
    let first = 18_000_u16;
    for day in 0..fleet.days {
        let number = first + u16::try_from(day).unwrap_or(0);
        let begin = i64::from(number) * DAY;
        for row in 0..day_rows {
            let draw = chance.draw();
            let (vehicle, kind) = (draw % fleet.vehicles, (draw >> 16) % KINDS);
            let cost = (draw >> 32) % AMOUNT_MAX;
            let depot = vehicle % DEPOTS;
            csv.push_str(&format!("{number},{vehicle},{depot},{kind},{cost}\n"));
            let event = Event {
                at: begin + i64::try_from(row).unwrap_or(0),
                day: number,
                kind: u16::try_from(kind).unwrap_or(0),
                who: u32::try_from(vehicle).unwrap_or(0),
                amount: i64::try_from(cost).unwrap_or(0),
            };
            columns.push_row(event, calendar(begin));
        }
    }
    let of_day: Vec<u16> = (0..=u16::MAX).map(|day| day / MONTH_DAYS).collect();
    let of_who: Vec<u8> = (0..fleet.vehicles)
        .map(|vehicle| u8::try_from(vehicle % DEPOTS).unwrap_or(0))
        .collect();
    let depots = usize::try_from(DEPOTS).unwrap_or(1);
    let last = i64::from(first) + i64::try_from(fleet.days).unwrap_or(0);
    let year = Filter {
        from: (last - 365) * DAY,
        to: i64::MAX,
        kind: Some(3),
        who: Some(7),
    };
    let own: [(&str, Run<'_>); 4] = [
        (
            "month × depot, sum and count",
            Box::new(|| {
                let groups = columns.by_groups(&of_day, &of_who, depots);
                groups.iter().map(|(_, sum)| *sum).sum()
            }),
        ),
        (
            "last year, one vehicle, one kind",
            Box::new(|| {
                let mut sum = 0;
                columns.each(&year, |row| sum += row.amount);
                sum
            }),
        ),
        (
            "cost by vehicle, sorted",
            Box::new(|| {
                let mut sums = columns.sums_by_who();
                sums.sort_unstable_by(|left, right| right.cmp(left));
                sums.iter().sum()
            }),
        ),
        (
            "histogram of 64 bins",
            Box::new(|| {
                let (_, bins, _) = columns.histogram(0, BIN_WIDTH, BINS);
                let counted = bins.iter().zip(1..);
                counted
                    .map(|(count, bin)| i64::try_from(*count).unwrap_or(0) * bin)
                    .sum()
            }),
        ),
    ];
    let asked = [
        Asked::new(
            format!(
                "select day // {MONTH_DAYS} m, depot, count(*), sum(cost) from t group by m, depot"
            ),
            "sum(row[3] for row in rows)",
        ),
        Asked::new(
            format!(
                "select count(*), coalesce(sum(cost), 0) from t where day >= {} and vehicle = 7 and kind = 3",
                last - 365
            ),
            "rows[0][1]",
        ),
        Asked::new(
            "select vehicle, sum(cost) s from t group by vehicle order by s desc".to_owned(),
            "sum(row[1] for row in rows)",
        ),
        Asked::new(
            format!("select cost // {BIN_WIDTH} b, count(*) from t group by b order by b"),
            "sum((row[0] + 1) * row[1] for row in rows)",
        ),
    ];
    let peer = DuckDb::start(setting, &scratch.join("table.csv"), &csv, &asked);
    let mut peer = match peer {
        Ok(peer) => Some(peer),
        Err(BenchError::Missing { what, remedy }) => {
            return Ok(vec![Row::skipped(
                "figures: the advice's four queries",
                format!("{what}: {remedy}"),
            )]);
        }
        Err(error) => return Err(error),
    };
    let rounds = setting.pick(1, 7);
    let mut rows = Vec::new();
    for (number, (name, run)) in own.iter().enumerate() {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let began = Instant::now();
            let found = black_box(run());
            mine.push(began.elapsed().as_secs_f64() * 1e3);
            if let Some(peer) = &mut peer {
                let (ms, said) = peer.ask(number)?;
                if said != found {
                    return Err(BenchError::Peer(format!(
                        "{name}: {found} here, DuckDB says {said}"
                    )));
                }
                theirs.push(ms);
            }
        }
        rows.push(
            Row::new(format!("figures: {name}"), "ms", mine)
                .against("DuckDB, one thread", &theirs)
                .bar(Bar::RatioAtMost(0.5))
                .note(format!(
                    "{} rows, in turns; both find the same",
                    columns.rows()
                )),
        );
    }
    Ok(rows)
}
