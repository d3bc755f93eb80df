//! Audit over HTTP: proofs of what the log holds.

mod docs;
mod proof;
#[cfg(test)]
mod tests;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// The routes of audit.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(proof::checkpoint))
        .routes(routes!(proof::checkpoints))
        .routes(routes!(proof::inclusion))
        .routes(routes!(proof::consistency))
}
