//! Who is planned for which work order by `/hr/assignments`, and where that last began or ended.
//!
//! Folded from the log beside the entities: an assignment's event moves another aggregate, the order, into a device's scope
//! or out of it, and the order itself does not change by it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crdt::LogPosition;
use crdt::collapsed::{CollapsedEntity, StoreError};
use crdt::sync::{RecordBody, Verdict};
use crdt::wire::{DecodeError, Reader, TEXT_BYTES_MAX, Writer};
use fleet::sync::tables::STAFF_ASSIGNMENT;
use storage::EventRef;

use super::engine::Fold;
use super::visible::{is_deleted, text};

/// Somebody's plan for one order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Planned {
    /// How many assignments to the order are neither done nor called off.
    assignments: u32,
    /// Where the first of them began, or the last one ended.
    pub(super) since: LogPosition,
}

impl Planned {
    /// Whether the person is planned for the order now.
    pub(super) fn is_now(&self) -> bool {
        self.assignments > 0
    }
}

/// See the module. An order that somebody was planned for once stays, so that a device that pulled it is told that it left.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Plans(BTreeMap<Box<str>, BTreeMap<Box<str>, Planned>>);

/// Whom an assignment plans for which order.
type Plan = (Box<str>, Box<str>);

impl Plans {
    /// The orders that somebody is or was planned for, by their ids.
    pub(super) fn of(&self, staff_id: &str) -> impl Iterator<Item = (&str, Planned)> {
        let orders = self.0.get(staff_id).into_iter().flatten();
        orders.map(|(order, planned)| (&**order, *planned))
    }

    /// An assignment said `before`, and says `after` from `position` on.
    fn tell(&mut self, before: Option<Plan>, after: Option<Plan>, position: LogPosition) {
        if before == after {
            return;
        }
        if let Some((staff, order)) = before
            && let Some(planned) = self.0.get_mut(&staff).and_then(|of| of.get_mut(&order))
        {
            planned.assignments = planned.assignments.saturating_sub(1);
            if !planned.is_now() {
                planned.since = position;
            }
        }
        let Some((staff, order)) = after else { return };
        match self.0.entry(staff).or_default().entry(order) {
            Entry::Occupied(mut held) => {
                let planned = held.get_mut();
                if !planned.is_now() {
                    planned.since = position;
                }
                planned.assignments = planned.assignments.saturating_add(1);
            }
            Entry::Vacant(free) => {
                free.insert(Planned {
                    assignments: 1,
                    since: position,
                });
            }
        }
    }

    /// Appends what [`Plans::restore`] reads.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for (staff, orders) in &self.0 {
            writer.text(staff);
            writer.count(orders.len());
            for (order, planned) in orders {
                writer.text(order);
                writer.varint(planned.assignments.into());
                writer.varint(planned.since.get());
            }
        }
    }

    /// Reads what [`Plans::save`] wrote.
    ///
    /// # Errors
    /// Bytes that are none.
    pub(super) fn restore(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut plans = Plans::default();
        for _ in 0..reader.count(2)? {
            let staff = reader.text("staff", TEXT_BYTES_MAX)?.into();
            let mut orders = BTreeMap::new();
            for _ in 0..reader.count(3)? {
                let order = reader.text("order", TEXT_BYTES_MAX)?.into();
                let planned = Planned {
                    assignments: reader.varint_u32("assignments")?,
                    since: LogPosition::new(reader.exact("position")?),
                };
                orders.insert(order, planned);
            }
            plans.0.insert(staff, orders);
        }
        Ok(plans)
    }
}

/// Whom the assignment plans for which order, while it is neither done nor called off.
fn plan_of(assignment: &CollapsedEntity) -> Option<Plan> {
    let is_over = matches!(text(assignment, "status"), Some("completed" | "cancelled"));
    if is_over || is_deleted(assignment) {
        return None;
    }
    let (staff, order) = (
        text(assignment, "staff_id")?,
        text(assignment, "work_order_id")?,
    );
    Some((staff.into(), order.into()))
}

impl Fold {
    /// Folds an assignment's event: the assignment, and what it says of its order.
    pub(super) fn fold_assignment(
        &mut self,
        event: &EventRef<'_>,
        carried: Option<&(RecordBody, Verdict)>,
    ) -> Result<(), StoreError> {
        let before = self.plan(event);
        self.fold_written(&STAFF_ASSIGNMENT, event, carried)?;
        let after = self.plan(event);
        let position = LogPosition::new(event.position().get());
        self.plans.tell(before, after, position);
        Ok(())
    }

    fn plan(&self, event: &EventRef<'_>) -> Option<Plan> {
        let (_, assignment) = self.entity(&STAFF_ASSIGNMENT, event.stream().aggregate_id)?;
        plan_of(&assignment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(staff: &str, order: &str) -> Option<Plan> {
        Some((staff.into(), order.into()))
    }

    #[track_caller]
    fn check(plans: &Plans, staff: &str, expected: &[(&str, bool, u64)]) {
        let found = plans.of(staff);
        let found: Vec<_> = found
            .map(|(order, planned)| (order, planned.is_now(), planned.since.get()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn somebody_is_planned_from_the_first_assignment_to_the_end_of_the_last() {
        let mut plans = Plans::default();
        let mut tell = |before, after, position| {
            plans.tell(before, after, LogPosition::new(position));
            plans.clone()
        };
        check(&tell(None, plan("a", "1"), 5), "a", &[("1", true, 5)]);
        check(&tell(None, plan("a", "1"), 6), "a", &[("1", true, 5)]);
        check(
            &tell(plan("a", "1"), plan("a", "1"), 7),
            "a",
            &[("1", true, 5)],
        );
        check(&tell(plan("a", "1"), None, 8), "a", &[("1", true, 5)]);
        let moved = tell(plan("a", "1"), plan("b", "1"), 9);
        check(&moved, "a", &[("1", false, 9)]);
        check(&moved, "b", &[("1", true, 9)]);
        let again = tell(None, plan("a", "1"), 10);
        check(&again, "a", &[("1", true, 10)]);

        let mut writer = Writer::new();
        again.save(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(Plans::restore(&mut reader).as_ref(), Ok(&again));
        for end in 0..bytes.len() {
            assert!(Plans::restore(&mut Reader::new(&bytes[..end])).is_err());
        }
    }
}
