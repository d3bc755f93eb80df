//! Vehicles' bodies, as the description shows them. What checks them is `fleet::vehicle`.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A vehicle to create.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct VehicleCreate {
    /// The business key; 1 to 50 characters.
    #[schema(example = "185 123-4")]
    asset_id: String,
    /// 1 to 100 characters.
    model: String,
    /// `electric`, `diesel` or `hybrid`.
    r#type: String,
    manufacturer: Option<String>,
    /// 1900 to 2100.
    year: Option<u32>,
    max_speed_kmh: Option<u32>,
    power_kw: Option<u32>,
    weight_tons: Option<f64>,
    current_location: Option<String>,
    home_depot: Option<String>,
    notes: Option<String>,
    specifications: Option<Value>,
    /// Default `available`.
    status: Option<String>,
    /// Kilometres, default 0.
    current_mileage_km: Option<u64>,
    /// Default 0.
    total_operating_hours: Option<u64>,
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct VehicleUpdate {
    model: Option<String>,
    status: Option<String>,
    manufacturer: Option<String>,
    year: Option<u32>,
    /// Not below what it is.
    current_mileage_km: Option<u64>,
    total_operating_hours: Option<u64>,
    current_location: Option<String>,
    home_depot: Option<String>,
    notes: Option<String>,
    specifications: Option<Value>,
}

/// A vehicle.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Vehicle {
    /// Its UUID; paths take it as well as the asset id.
    id: String,
    asset_id: String,
    model: Option<String>,
    r#type: Option<String>,
    manufacturer: Option<String>,
    year: Option<u32>,
    max_speed_kmh: Option<u32>,
    power_kw: Option<u32>,
    weight_tons: Option<f64>,
    current_location: Option<String>,
    home_depot: Option<String>,
    notes: Option<String>,
    specifications: Option<Value>,
    status: String,
    current_mileage_km: u64,
    total_operating_hours: u64,
    last_service_date: Option<String>,
    created_at: String,
    updated_at: String,
    /// What befell it, counted.
    incidents: Value,
    /// The maintenance planned last, unless some was done since.
    next_maintenance: Option<Value>,
    /// What `If-Match` may ask for.
    version: u32,
    /// The position of the log that this reflects.
    position: Option<u64>,
    /// To which depot it belongs; null where this one takes part in no federation. Not in lists.
    home: Option<VehicleHome>,
}

/// To which depot a vehicle belongs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VehicleHome {
    /// What people call the depot; its log's id where it was not heard of.
    pub(super) depot: String,
    /// The id of its log.
    pub(super) log_id: Uuid,
    /// `here`, `elsewhere`, or `on_its_way`: handed over, and not taken over yet.
    pub(super) state: &'static str,
    /// Since when, by that depot's clock.
    pub(super) since: String,
    /// Who has to take it over.
    #[schema(required)]
    pub(super) handed_over_to: Option<VehicleClaim>,
    /// Other depots that claim it, in vain: another claim was recorded earlier. Handing it over settles that.
    pub(super) passed_over: Vec<VehicleClaim>,
    /// The depot that had it before and was said to be gone, until it is handed over the next time.
    #[schema(required)]
    pub(super) was_of_gone: Option<VehicleClaim>,
}

/// A depot that a vehicle was given to, or that claims it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VehicleClaim {
    /// What people call the depot; its log's id where it was not heard of.
    pub(super) depot: String,
    /// The id of its log.
    pub(super) log_id: Uuid,
    /// When that was recorded, by the clock of the depot that did.
    pub(super) recorded_at: String,
}

/// To whom a vehicle is handed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct VehicleHandOver {
    /// The depot: its name, or the id of its log where several have the name.
    to: String,
    /// Why; at most 1,000 characters.
    reason: Option<String>,
}

/// A page of vehicles.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct VehicleList {
    /// How many there are in all pages.
    total: u64,
    vehicles: Vec<Vehicle>,
    /// The position of the log that this reflects.
    position: u64,
    /// The next page; null at the end.
    next_cursor: Option<String>,
}
