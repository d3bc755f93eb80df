//! Time at standings.

use super::{Contribution, Facts, Selection, Side, Visit, inside, spread, vehicles};
use crate::facts::{Standing, StandingSince, VehicleFacts};
use crate::kpi::Page;

/// Some of the standings, a bit each.
pub(super) type Standings = u8;

/// Ready or running.
pub(super) const UP: Standings = 1 << Standing::Ready as u8 | RUNNING;
/// Running.
pub(super) const RUNNING: Standings = 1 << Standing::Running as u8;
/// All at which it was asked for.
pub(super) const REQUIRED: Standings = UP | 1 << Standing::Down as u8 | 1 << Standing::Failed as u8;
/// None of them.
pub(super) const NONE: Standings = 0;

/// Stretches of which it is looked at once whether one of them is on a page; few where tests are to fill some.
const CHUNK: usize = if cfg!(test) { 4 } else { 64 };

/// Which of a vehicle's standings reach into the selection.
fn reaching(vehicle: &VehicleFacts, selection: &Selection<'_>) -> std::ops::Range<usize> {
    let range = inside(&vehicle.standings, selection, |one| one.at);
    // The one before lasts into it.
    range.start.saturating_sub(1)..range.end
}

/// Each stretch of time at one standing that reaches into the selection: since when, until when.
pub(super) fn stretches<'a>(
    vehicle: &'a VehicleFacts,
    selection: &Selection<'_>,
) -> impl Iterator<Item = (&'a StandingSince, i64)> + use<'a> {
    let range = reaching(vehicle, selection);
    let all = &vehicle.standings;
    range.clone().zip(&all[range]).map(|(index, since)| {
        let next = all.get(index + 1);
        (since, next.map_or(i64::MAX, |next| next.at))
    })
}

/// Time at standings that count to the numerator, and at those that count to the denominator.
pub(super) fn time_at(
    facts: &Facts,
    selection: &Selection<'_>,
    (numerator, denominator): (Standings, Standings),
    visit: &mut Visit<'_>,
) {
    for (index, vehicle) in vehicles(facts, selection) {
        if let (Visit::Page(counted, divided), [from, to]) = (&mut *visit, selection.edges) {
            let clip = (*from, selection.now.min(*to));
            let range = reaching(vehicle, selection);
            let mut sides = [(numerator, &mut **counted), (denominator, &mut **divided)];
            page(&vehicle.standings, range, clip, &mut sides);
            continue;
        }
        for (since, until) in stretches(vehicle, selection) {
            for (side, standings) in [
                (Side::Numerator, numerator),
                (Side::Denominator, denominator),
            ] {
                if since.is_one_of(standings) {
                    add(selection, since, until, (side, index), visit);
                }
            }
        }
    }
}

/// The time of one stretch to one side.
fn add(
    selection: &Selection<'_>,
    since: &StandingSince,
    until: i64,
    (side, vehicle): (Side, usize),
    visit: &mut Visit<'_>,
) {
    spread(selection, since.at, until, |bucket, begin, end| {
        visit.take(Contribution {
            side,
            bucket,
            amount: end - begin,
            position: since.position(),
            vehicle: Some(vehicle),
        });
    });
}

/// A side's page and the standings that count to it.
type Paged<'a> = (Standings, &'a mut Page);

/// What a stretch at the standing of each number adds to the counts of both sides, which share a word: the denominator's is
/// its upper half. So a stretch is counted by one look and one addition.
type Counted = [u64; 8];
/// Where the denominator's count begins. A chunk has fewer stretches than the half below can count.
const DENOMINATOR: u32 = u32::BITS;

fn counted(numerator: Standings, denominator: Standings) -> Counted {
    let counts = |standings: Standings, number: usize| u64::from(standings >> number & 1);
    std::array::from_fn(|number| {
        counts(numerator, number) | counts(denominator, number) << DENOMINATOR
    })
}

/// The positions that can still come onto a page: from `begin` on, so many.
#[derive(Clone, Copy)]
struct Reach {
    begin: u64,
    span: u64,
}

impl Reach {
    fn of(sides: &[Paged<'_>; 2]) -> Self {
        let used = sides.iter().filter(|(standings, _)| *standings != NONE);
        let reach = used.map(|(_, page)| page.reach());
        let (after, end) = reach.fold((u64::MAX, 0), |all, one| {
            (all.0.min(one.0), all.1.max(one.1))
        });
        Reach {
            begin: after.wrapping_add(1),
            span: end.saturating_sub(after),
        }
    }

    fn holds(self, since: &StandingSince) -> bool {
        since.position().wrapping_sub(self.begin) < self.span
    }
}

/// How many stretches of a chunk last and count to the numerator, and to the denominator; none where one of them may come
/// onto a page. Nearly all of a long time's do not, so it is without a branch.
fn count(
    stretches: &[StandingSince],
    counted: &Counted,
    reach: Reach,
    lasts: impl Fn(&StandingSince, i64) -> bool,
) -> Option<(u64, u64)> {
    let (mut counts, mut on_a_page) = (0_u64, false);
    for pair in stretches.windows(2) {
        let (since, until) = (&pair[0], pair[1].at);
        // All bits, or none.
        let lasts = u64::from(lasts(since, until)).wrapping_neg();
        counts += counted[since.number()] & lasts;
        on_a_page |= reach.holds(since);
    }
    (!on_a_page).then_some((counts & u64::from(u32::MAX), counts >> DENOMINATOR))
}

/// Puts stretches on the pages of both sides. Nearly all of a long time are on neither: those are only counted, a chunk
/// at once.
fn page(
    all: &[StandingSince],
    range: std::ops::Range<usize>,
    (from, to): (i64, i64),
    sides: &mut [Paged<'_>; 2],
) {
    let lasts = |since: &StandingSince, until: i64| until.min(to) > since.at.max(from);
    let put = |sides: &mut [Paged<'_>; 2], since: &StandingSince, until: i64| {
        let sides = sides.iter_mut();
        for (_, page) in sides.filter(|(standings, _)| since.is_one_of(*standings)) {
            page.take(since.position(), until.min(to) - since.at.max(from));
        }
    };
    let counted = counted(sides[0].0, sides[1].0);
    for first in range.clone().step_by(CHUNK) {
        // Of the last of all there is no next one.
        let last = range.end.min(first + CHUNK).min(all.len() - 1);
        let stretches = &all[first..=last];
        let reach = Reach::of(sides);
        // Times ascend: where the ends lie inside, all do, and nothing has to be cut.
        let is_inside = from <= all[first].at && all[last].at <= to;
        let counts = match is_inside {
            true => count(stretches, &counted, reach, |since, until| until > since.at),
            false => count(stretches, &counted, reach, lasts),
        };
        if let Some((numerator, denominator)) = counts {
            sides[0].1.count(numerator);
            sides[1].1.count(denominator);
            continue;
        }
        for pair in stretches.windows(2) {
            if lasts(&pair[0], pair[1].at) {
                put(sides, &pair[0], pair[1].at);
            }
        }
    }
    if let Some(since) = all
        .last()
        .filter(|_| range.end == all.len() && !range.is_empty())
        && lasts(since, i64::MAX)
    {
        put(sides, since, i64::MAX);
    }
}

/// Time up to both sides, and time of restorations to the denominator: down since it was out of service.
pub(in crate::kpi) fn restoration(facts: &Facts, selection: &Selection<'_>, visit: &mut Visit<'_>) {
    time_at(facts, selection, (UP, UP), visit);
    for (index, vehicle) in vehicles(facts, selection) {
        let before = reaching(vehicle, selection).start.checked_sub(1);
        let mut restores = before.is_some_and(|before| vehicle.is_restored_at(before));
        for (since, until) in stretches(vehicle, selection) {
            let standing = since.standing();
            restores = standing == Standing::Failed || restores && standing == Standing::Down;
            if restores {
                add(selection, since, until, (Side::Denominator, index), visit);
            }
        }
    }
}
