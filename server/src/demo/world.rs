//! The depot as a whole, a day at a time.

use fleet::calendar::{DAY, MINUTE, SECOND};
use serde_json::json;

use super::order::Surroundings;
use super::outbox::Outbox;
use super::parts::money;
use super::rolling_stock::Vehicle;
use super::service::{Day, run_day};
use super::stock::{COST_CENTER, PARTS_CATEGORY, Stock, budget_id, put};
use super::workshop::Workshops;
use super::{DemoEvent, Options};

/// Cents planned for parts a vehicle and month: an assumption.
const BUDGET_CENTS: i64 = 90_000;

/// The depot.
#[derive(Debug)]
pub(super) struct World {
    vehicles: Vec<Vehicle>,
    workshops: Workshops,
    stock: Stock,
    outbox: Outbox,
    first_day: i64,
    days: usize,
    today: usize,
}

impl World {
    pub(super) fn new(seed: u64, options: Options) -> Self {
        let days = options.days.max(1);
        World {
            vehicles: (0..options.vehicles)
                .map(|index| Vehicle::new(seed, index, options.vehicles))
                .collect(),
            workshops: Workshops::new(seed),
            stock: Stock::new(seed),
            outbox: Outbox::new(seed),
            first_day: options.end.micros() - (days - 1) * DAY,
            days: usize::try_from(days).unwrap_or(1),
            today: 0,
        }
    }

    /// What arrives on the next day; `None` after the last.
    pub(super) fn next_day(&mut self) -> Option<Vec<DemoEvent>> {
        if self.today >= self.days {
            return None;
        }
        let day = Day::new(self.first_day, self.today);
        self.today += 1;
        self.outbox.begin_day(day.start);
        if day.index == 0 {
            self.tell_created(&day);
        }
        if day.date.day == 1 || day.index == 0 {
            self.tell_budget(&day);
        }
        self.live_through(&day);
        Some(
            self.outbox
                .arrived_before(day.start + DAY)
                .into_values()
                .collect(),
        )
    }

    fn live_through(&mut self, day: &Day) {
        let World {
            vehicles,
            workshops,
            stock,
            outbox,
            ..
        } = self;
        stock.receive(day.start, outbox);
        workshops.start_due(&mut Surroundings {
            day,
            vehicles,
            stock,
            outbox,
        });
        let mut failures = Vec::new();
        for vehicle in vehicles.iter_mut() {
            if day.weekday == 0 {
                vehicle.tell_hours(day.start, outbox);
            }
            failures.extend(run_day(vehicle, day, outbox));
        }
        let mut around = Surroundings {
            day,
            vehicles,
            stock,
            outbox,
        };
        workshops.complete_due(&mut around);
        for failure in &failures {
            workshops.open_repair(failure, &mut around);
        }
        workshops.open_inspections(&mut around);
    }

    /// All that exists when the history begins, in its first minutes.
    fn tell_created(&mut self, day: &Day) {
        Workshops::tell_created(day.start, &mut self.outbox);
        self.tell_cost_center(day.start);
        self.stock
            .tell_created(day.start + MINUTE, &mut self.outbox);
        for (vehicle, place) in self.vehicles.iter().zip(0..) {
            vehicle.tell_created(day.start + 2 * MINUTE + place * SECOND, &mut self.outbox);
        }
    }

    /// The month's plan for parts.
    fn tell_budget(&mut self, day: &Day) {
        let period = format!("{:04}-{:02}", day.date.year, day.date.month);
        let vehicles = i64::try_from(self.vehicles.len()).unwrap_or(0);
        let data = json!({
            "period": period,
            "cost_center": COST_CENTER,
            "category": PARTS_CATEGORY,
            "planned_amount": money(BUDGET_CENTS * vehicles),
            "forecast_amount": money(BUDGET_CENTS * vehicles),
            "currency": "EUR",
        });
        put(
            &mut self.outbox,
            "Budget",
            &budget_id(&period),
            ("BudgetCreated", data),
            day.start + 5 * MINUTE,
            "accountant",
            None,
        );
    }

    fn tell_cost_center(&mut self, at: i64) {
        let data = json!({ "code": COST_CENTER, "name": "Maintenance of the workshops", "is_active": true });
        put(
            &mut self.outbox,
            "CostCenter",
            COST_CENTER,
            ("CostCenterCreated", data),
            at,
            "accountant",
            None,
        );
    }
}
