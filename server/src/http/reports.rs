//! Reports: the figures of a month, under the names that the old system's clients know.
//!
//! A figure that has nothing to be divided by is null, and `reasons` says why. Months are the depot's
//! (`analytics.time_zone`), as everywhere where figures are taken. Vehicles, moves and budgets come from the read model,
//! orders and kilometres from the facts of the key figures ([`crate::figures`]).

mod availability;
mod costs;
mod docs;
mod month;
mod on_time;
mod parts_usage;
mod summary;

use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// The routes of reports.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(availability::availability_report))
        .routes(routes!(on_time::on_time_report))
        .routes(routes!(parts_usage::parts_usage_report))
        .routes(routes!(costs::cost_report))
        .routes(routes!(summary::dashboard_report))
}

/// Why figures are null, by their names.
#[derive(Debug, Default)]
struct Reasons(Map<String, Value>);

impl Reasons {
    /// The value as it is shown; where there is none, `why` is noted.
    fn or_why(&mut self, name: &str, value: Option<f64>, why: &str) -> Value {
        match value {
            Some(value) => value.into(),
            None => {
                self.0.insert(name.to_owned(), why.into());
                Value::Null
            }
        }
    }
}

/// `part` of `whole` in percent, two places; `None` when `whole` is nothing.
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 * 100.0 / whole as f64, 2))
}

/// Rounded to so many places, halves away from zero.
fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}
