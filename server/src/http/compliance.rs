//! Compliance over HTTP: reports for auditors, a vehicle's maintenance record, what is held on a person, and its erasure.

mod docs;
mod erase;
mod person;
mod record;
pub(super) mod reports;
#[cfg(test)]
mod tests;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// The routes of compliance.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(erase::erase_subject))
        .routes(routes!(erase::erasures))
        .routes(routes!(erase::key_status))
        .routes(routes!(person::user_data))
        .routes(routes!(record::maintenance_record))
        .routes(routes!(reports::gdpr))
        .routes(routes!(reports::sox))
        .routes(routes!(reports::soc2))
        .routes(routes!(reports::activity_summary))
        .routes(routes!(reports::access_review))
}
