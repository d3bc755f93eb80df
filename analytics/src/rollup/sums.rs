//! What is added up by day.
//!
//! Sums wrap: a sum over all of time may leave the range while the difference of two of them, which is what is asked for,
//! does not, and then it is exact.

/// How many are in a state, and for how long they have been together: a sum that grows while time passes.
///
/// `count` is the change in how many; `time` is what all of them together have until an instant that is told beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lasting {
    /// How many.
    pub count: i64,
    /// Microseconds, together.
    pub time: i64,
}

impl Lasting {
    /// One more since `at`, up to `until`.
    pub(super) fn enter(&mut self, at: i64, until: i64) {
        self.count += 1;
        self.time = self.time.wrapping_add(until.wrapping_sub(at));
    }

    /// One that would have lasted since `at` is over: `lost` is what it would have until the instant meant.
    pub(super) fn leave(&mut self, lost: i64) {
        self.count -= 1;
        self.time = self.time.wrapping_sub(lost);
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, micros: i64) {
        self.time = self.time.wrapping_add(self.count.wrapping_mul(micros));
    }

    fn plus(&mut self, other: Lasting, sign: i64) {
        self.count = self.count.wrapping_add(other.count.wrapping_mul(sign));
        self.time = self.time.wrapping_add(other.time.wrapping_mul(sign));
    }
}

macro_rules! sums {
    (lasting { $($(#[$lasting_doc:meta])* $lasting:ident,)* } counted { $($(#[$doc:meta])* $counted:ident,)* }) => {
        /// All that is added up.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Sums {
            $($(#[$lasting_doc])* pub $lasting: Lasting,)*
            $($(#[$doc])* pub $counted: i64,)*
        }

        impl Sums {
            /// Adds (`sign` 1) or takes away (`sign` -1).
            pub fn plus(&mut self, other: &Sums, sign: i64) {
                $(self.$lasting.plus(other.$lasting, sign);)*
                $(self.$counted = self.$counted.wrapping_add(other.$counted.wrapping_mul(sign));)*
            }

            /// Lets time pass over what lasts.
            pub(super) fn pass(&mut self, micros: i64) {
                $(self.$lasting.pass(micros);)*
            }
        }
    };
}

sums! {
    lasting {
        /// Vehicles ready or running.
        up,
        /// Vehicles running.
        running,
        /// Vehicles required.
        required,
        /// Vehicles down since they were out of service.
        restoration,
        /// Orders open, since they were created.
        open,
    }
    counted {
        /// Failures.
        failures,
        /// Kilometres.
        km,
        /// Times down that ended.
        restored,
        /// How long they were, microseconds.
        restored_time,
        /// Orders closed.
        closed,
        /// Corrective ones among them.
        corrective,
        /// Corrective ones whose begin is known.
        corrective_known,
        /// Their working time.
        corrective_time,
        /// Working time of planned orders closed.
        planned_time,
        /// Working time of all orders closed.
        worked_time,
        /// From creation to end, of orders closed.
        cycle_time,
        /// Corrective orders closed after which the vehicle did not come back.
        fixed,
        /// Cost of orders closed, hundredths.
        cost,
        /// Tasks due.
        due,
        /// Tasks due that were done in time.
        due_met,
        /// Orders planned to end.
        planned_ends,
        /// Orders planned to end that ended in time.
        planned_ends_met,
        /// Safety-critical tasks past their date.
        overdue,
        /// Estimated minutes of orders that are ready to be begun.
        ready_min,
        /// What vehicles cost whose purchase price is told, discounted to the purchase, hundredths.
        life_cost,
        /// Those vehicles.
        bought,
        /// Completed orders, by when they last changed.
        completed,
        /// From creation to the last change, of those.
        completed_time,
        /// Orders that are still to be done, by when they were created.
        waiting,
        /// Orders whose cost is known, of those closed.
        costed,
        /// Orders that are drafts, by when they were created; so are those behind it.
        drafts,
        /// Orders that have their time.
        scheduled,
        /// Orders that are worked on.
        in_progress,
        /// Orders that are done.
        done,
        /// Orders that were cancelled.
        cancelled,
        /// Orders of the least priority.
        low,
        /// Orders of the usual priority.
        medium,
        /// Orders of a high priority.
        high,
        /// Orders of the highest priority.
        urgent,
        /// Open orders of the least priority.
        open_low,
        /// Open orders of the usual priority.
        open_medium,
        /// Open orders of a high priority.
        open_high,
        /// Open orders of the highest priority.
        open_urgent,
    }
}

impl Sums {
    /// Orders by status, as [`crate::facts::OrderStatus`] numbers them.
    pub fn by_status(&self) -> [i64; 5] {
        [
            self.drafts,
            self.scheduled,
            self.in_progress,
            self.done,
            self.cancelled,
        ]
    }

    /// Orders by priority, the least first.
    pub fn by_priority(&self) -> [i64; 4] {
        [self.low, self.medium, self.high, self.urgent]
    }

    /// Open orders by priority, the least first.
    pub fn open_by_priority(&self) -> [i64; 4] {
        [
            self.open_low,
            self.open_medium,
            self.open_high,
            self.open_urgent,
        ]
    }

    /// What lies between two running sums.
    pub fn since(mut self, earlier: &Sums) -> Sums {
        self.plus(earlier, -1);
        self
    }
}
