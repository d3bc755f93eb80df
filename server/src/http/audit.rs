//! Audit over HTTP: trails of who did what, and proofs of what the log holds.

mod docs;
mod entries;
mod proof;
mod table;
#[cfg(test)]
mod tests;
mod trail;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// The routes of audit.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(trail::trail))
        .routes(routes!(trail::trail_of_aggregate))
        .routes(routes!(trail::user_actions))
        .routes(routes!(proof::checkpoint))
        .routes(routes!(proof::checkpoints))
        .routes(routes!(proof::inclusion))
        .routes(routes!(proof::consistency))
}
