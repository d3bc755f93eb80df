//! Audit over HTTP: trails of who did what, what changed, what looks odd or was refused, and proofs of what the log holds.

pub(super) mod anomalies;
mod changes;
mod docs;
pub(super) mod entries;
mod moments;
pub(super) mod proof;
pub(super) mod related;
mod report;
mod security;
pub(super) mod table;
#[cfg(test)]
mod tests;
pub(super) mod trail;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// The routes of audit.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(trail::trail))
        .routes(routes!(trail::trail_of_aggregate))
        .routes(routes!(trail::user_actions))
        .routes(routes!(moments::state_of))
        .routes(routes!(moments::difference))
        .routes(routes!(moments::changed))
        .routes(routes!(changes::change_history))
        .routes(routes!(changes::recent_changes))
        .routes(routes!(changes::field_history))
        .routes(routes!(changes::compare_versions))
        .routes(routes!(changes::who_changed_what))
        .routes(routes!(report::report))
        .routes(routes!(anomalies::anomalies))
        .routes(routes!(security::security_events))
        .routes(routes!(proof::checkpoint))
        .routes(routes!(proof::checkpoints))
        .routes(routes!(proof::inclusion))
        .routes(routes!(proof::consistency))
}
