//! Events over HTTP: writing them, listing them, one aggregate's history, and following them live.

pub(crate) mod append;
mod docs;
pub(crate) mod filter;
mod history;
pub(in crate::http) mod live;
mod page;
mod rank;
mod replay;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

pub use append::IDEMPOTENCY_KEY;

/// The routes of events.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(append::append_event, page::list_events))
        .routes(routes!(append::append_batch))
        .routes(routes!(live::follow_events))
        .routes(routes!(page::list_events_of_type))
        .routes(routes!(replay::replay_events))
        .routes(routes!(replay::replay_aggregate))
        .routes(routes!(history::aggregate_version))
        .routes(routes!(history::aggregate_events))
        .routes(routes!(history::stream_events))
}
