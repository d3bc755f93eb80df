//! The vehicles: what they are, and how one changes its state.

use fleet::calendar::{DAY, HOUR, MINUTE, format_time};
use fleet::listing::row_id;
use fleet::vehicle::event;
use serde_json::json;
use uuid::Uuid;

use super::outbox::{Happening, Outbox, Reporter, TABLETS};
use super::random::Random;
use super::rates::{GROUPS, Kind, TWO_CAR_SHARE};
use super::stock::put;
use super::wear::{Component, KILOMETRE, age_factor, vehicle_frailty};

/// The depots; a vehicle belongs to one.
pub(super) const DEPOTS: [&str; 3] = ["Depot East", "Depot North", "Depot West"];

/// Metres of an ordinary working day, by kind: an assumption.
const DAILY_METRES: [f64; 2] = [215_000.0, 330_000.0];
/// Kilometres between inspections, by kind: an assumption.
const INSPECTION_KM: [i64; 2] = [15_000, 18_000];
/// The mean speed from which operating hours follow, km/h: an assumption.
const MEAN_SPEED: i64 = 30;

/// One vehicle.
#[derive(Debug)]
pub(super) struct Vehicle {
    pub index: usize,
    pub asset_id: String,
    pub kind: Kind,
    pub depot: usize,
    pub built: i64,
    pub random: Random,
    pub components: Vec<Component>,
    pub mileage_m: i64,
    /// Metres of an ordinary day of this vehicle.
    pub daily_metres: f64,
    pub status: &'static str,
    pub location: &'static str,
    /// Work orders in progress.
    pub orders_in_progress: u32,
    /// Components that keep it out of service until they are repaired.
    pub breakdowns: u32,
    /// Metres at which the next inspection is due.
    pub inspection_due_m: i64,
    /// Whether an order for an inspection is open.
    pub inspection_open: bool,
    /// The day of the year on which the yearly main inspection is due.
    pub main_inspection_day: i64,
    pub main_inspection_open: bool,
    /// The id of the task that the open main inspection is for.
    pub main_inspection_task: Option<String>,
    /// Operating hours told last.
    pub hours_told: i64,
}

impl Vehicle {
    /// The vehicle number `index` of `count`, on the day before the history begins.
    pub(super) fn new(seed: u64, index: usize, count: usize) -> Self {
        let mut random = Random::new(seed, "vehicle", index);
        let two_car_count = count * TWO_CAR_SHARE.0 / TWO_CAR_SHARE.1;
        let (kind, number, built) = if index < two_car_count {
            (Kind::TwoCar, 5_001 + index, random.between(1997, 2001))
        } else {
            (
                Kind::SixCar,
                6_001 + (index - two_car_count),
                random.between(2011, 2017),
            )
        };
        let frailty = vehicle_frailty(&mut random);
        let components = (0..GROUPS.len())
            .map(|group| Component::new(group, kind, frailty, &mut random))
            .collect();
        let yearly_km = if kind == Kind::TwoCar { 62_000 } else { 95_000 };
        let mileage_m = (2_023 - built) * yearly_km * KILOMETRE + random.between(0, 40_000_000);
        let interval_m = INSPECTION_KM[kind.column()] * KILOMETRE;
        Vehicle {
            index,
            asset_id: number.to_string(),
            kind,
            depot: index % DEPOTS.len(),
            built,
            components,
            mileage_m,
            daily_metres: DAILY_METRES[kind.column()] * random.range(0.9, 1.1),
            status: "in_service",
            location: DEPOTS[index % DEPOTS.len()],
            orders_in_progress: 0,
            breakdowns: 0,
            inspection_due_m: mileage_m + random.between(0, interval_m),
            inspection_open: false,
            main_inspection_day: random.between(0, 364),
            main_inspection_open: false,
            main_inspection_task: None,
            hours_told: mileage_m / KILOMETRE / MEAN_SPEED,
            random,
        }
    }

    /// The UUID of its row, which work orders name it by.
    pub(super) fn row_id(&self) -> String {
        row_id(fleet::vehicle::AGGREGATE_TYPE, &self.asset_id).to_string()
    }

    /// The odometer in whole kilometres.
    pub(super) fn mileage_km(&self) -> i64 {
        self.mileage_m / KILOMETRE
    }

    /// How age shapes its failures in this year.
    pub(super) fn age_factor(&self, year: i64) -> f64 {
        age_factor(year - self.built)
    }

    /// The tablet on which its drivers and its depot enter things.
    pub(super) fn tablet(&self) -> Reporter {
        // Half of the tablets are the depots', a few each; the other half the workshops'.
        let per_depot = TABLETS / 2 / DEPOTS.len();
        Reporter::Tablet(self.depot * per_depot + self.index / DEPOTS.len() % per_depot)
    }

    /// An event of this vehicle.
    pub(super) fn happening(
        &self,
        draft: fleet::EventDraft,
        at: i64,
        reporter: Reporter,
    ) -> Happening {
        Happening {
            aggregate_type: fleet::vehicle::AGGREGATE_TYPE,
            aggregate_id: self.asset_id.clone(),
            draft,
            at,
            reporter,
            correlation: None,
        }
    }

    /// Tells that the vehicle exists.
    pub(super) fn tell_created(&self, at: i64, outbox: &mut Outbox) {
        let (model, max_speed_kmh, power_kw, weight_tons) = match self.kind {
            Kind::TwoCar => ("Married pair, two cars", 88, 1_040, 66.6),
            Kind::SixCar => ("Trainset, six cars", 88, 3_360, 205.0),
        };
        let fields = json!({
            "id": self.row_id(),
            "asset_id": self.asset_id,
            "model": model,
            "type": "electric",
            "manufacturer": "Lakeside Carworks",
            "year": self.built,
            "max_speed_kmh": max_speed_kmh,
            "power_kw": power_kw,
            "weight_tons": weight_tons,
            "current_location": self.location,
            "home_depot": DEPOTS[self.depot],
            "specifications": { "cars": if self.kind == Kind::TwoCar { 2 } else { 6 } },
            "status": self.status,
            "current_mileage_km": self.mileage_km(),
            "total_operating_hours": self.hours_told,
        });
        let draft = event::created(fields.as_object().cloned().unwrap_or_default());
        outbox.put(self.happening(draft, at, Reporter::Desk("fleet manager")));
    }

    /// Takes another status, and tells so if it is another.
    pub(super) fn take_status(
        &mut self,
        status: &'static str,
        at: i64,
        reporter: Reporter,
        outbox: &mut Outbox,
    ) {
        if self.status != status {
            let draft = event::status_changed(Some(self.status), status, None);
            outbox.put(self.happening(draft, at, reporter));
            self.status = status;
        }
    }

    /// Stands somewhere else, and tells so if it does.
    pub(super) fn move_to(&mut self, location: &'static str, at: i64, outbox: &mut Outbox) {
        if self.location != location {
            let draft = event::location_changed(Some(self.location), Some(location));
            outbox.put(self.happening(draft, at, Reporter::Desk("dispatcher")));
            self.location = location;
        }
    }

    /// Reads the counter of operating hours, on Mondays.
    pub(super) fn tell_hours(&mut self, day: i64, outbox: &mut Outbox) {
        let hours = self.mileage_km() / MEAN_SPEED;
        if hours > self.hours_told {
            let at = day + 3 * HOUR + self.random.between(0, 50) * MINUTE;
            let draft = event::operating_hours_updated(Some(self.hours_told), hours);
            outbox.put(self.happening(draft, at, self.tablet()));
            self.hours_told = hours;
        }
    }

    /// Whether an inspection is due and none is on its way.
    pub(super) fn needs_inspection(&self) -> bool {
        !self.inspection_open && self.mileage_m >= self.inspection_due_m
    }

    /// Whether the yearly main inspection comes due two weeks after `day` and none is on its way.
    pub(super) fn needs_main_inspection(&self, day: i64) -> bool {
        !self.main_inspection_open && (day / DAY + 14).rem_euclid(365) == self.main_inspection_day
    }

    /// Tells that the yearly main inspection falls due, two weeks after `day`.
    pub(super) fn tell_main_inspection_due(&mut self, day: i64, outbox: &mut Outbox) {
        self.main_inspection_open = true;
        let due = day + 15 * DAY;
        let name = format!("{} HU {}", self.asset_id, format_time(due));
        let id = row_id("MaintenanceTask", &name).to_string();
        let data = json!({
            "vehicle_id": self.row_id(), "type": "HU", "description": "Yearly main inspection",
            "due_date": format_time(due), "is_completed": false,
        });
        let told = ("MaintenanceTaskCreated", data);
        put(
            outbox,
            "MaintenanceTask",
            &id,
            told,
            day + 6 * HOUR,
            "dispatcher",
            None,
        );
        self.main_inspection_task = Some(id);
    }

    /// Tells that it was made, under this order.
    pub(super) fn tell_main_inspection_done(&mut self, order: Uuid, at: i64, outbox: &mut Outbox) {
        self.main_inspection_open = false;
        if let Some(id) = self.main_inspection_task.take() {
            let data =
                json!({ "completed_at": format_time(at), "work_order_id": order.to_string() });
            let told = ("MaintenanceTaskCompleted", data);
            put(
                outbox,
                "MaintenanceTask",
                &id,
                told,
                at,
                "dispatcher",
                Some(order),
            );
        }
    }

    /// An inspection was made.
    pub(super) fn inspected(&mut self) {
        let interval_m = INSPECTION_KM[self.kind.column()] * KILOMETRE;
        let early = self.random.range(0.93, 1.03);
        #[expect(clippy::cast_precision_loss, reason = "kilometres between inspections")]
        let next_m = super::random::round(interval_m as f64 * early);
        self.inspection_due_m = self.mileage_m + next_m;
        self.inspection_open = false;
    }
}
