//! What an operator asks of a running server: a backup of the log, taken while it is written.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use storage::BackupError;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::small_json;
use super::json_response;
use super::problem::{Kind, Problem};
use crate::app::AppState;
use crate::auth::keys::create_private_folder;
use crate::field_error::FieldError;

/// Bytes of a backup's name.
const NAME_BYTES_MAX: usize = 100;

/// The routes of operators.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create_backup))
}

/// A backup to take.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBackup {
    /// What to call it: letters, digits, `-`, `_` and `.`. It neither begins with a dot or with `auto-`, as the server's own
    /// do, nor ends in `.partial`, as one that is being made.
    #[schema(example = "2026-10-31")]
    name: String,
}

/// A backup that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupTaken {
    /// Its name: that of its folder within the folder for backups.
    name: String,
    /// Every event up to here is in it.
    position: u64,
    /// Segments in it.
    segments: u64,
    /// How many of them are links to the log's own files, which share the fate of its disk.
    linked: u64,
    /// Bytes copied.
    bytes_copied: u64,
}

/// Take a backup while the server runs.
///
/// It is whole up to a position, and lies in the folder that `events.backups_path` names. Copy it to another disk from there;
/// `railfleet verify` and `railfleet restore` take it as it is.
#[utoipa::path(
    post,
    path = "/api/v1/operations/backups",
    tag = "operations",
    operation_id = "create_backup",
    request_body = NewBackup,
    responses((status = 201, description = "Taken", body = BackupTaken)),
)]
pub(crate) async fn create_backup(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let wanted: NewBackup = small_json(&state, request).await?;
    check_name(&wanted.name)?;
    let folder = state.config.backups_folder();
    let to = folder.join(&wanted.name);
    // Not one of the reads: a large log takes longer than any of them, and there is one log to copy.
    let task = state.clone();
    let taken = tokio::task::spawn_blocking(move || take(&task, &folder, to)).await;
    let report = taken.map_err(|error| Problem::internal(&error))??;
    let body = BackupTaken {
        name: wanted.name,
        position: report.position.get(),
        segments: report.segments,
        linked: report.linked,
        bytes_copied: report.bytes_copied,
    };
    let mut response =
        json_response(serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn take(state: &AppState, folder: &Path, to: PathBuf) -> Result<storage::BackupReport, Problem> {
    create_private_folder(folder).map_err(|error| Problem::internal(&error))?;
    state.log.backup(&to).map_err(|error| match error {
        BackupError::NotEmpty { .. } => {
            Problem::new(Kind::Conflict, "there is a backup of this name already")
        }
        BackupError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            Problem::new(Kind::DiskFull, "the disk is full: there is no backup")
        }
        error => Problem::internal(&error),
    })
}

/// A name becomes a folder's, so it may hold nothing that leads elsewhere.
fn check_name(name: &str) -> Result<(), Problem> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fit = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('.')
        && !name.starts_with("auto-")
        && !name.ends_with(".partial");
    if fit {
        return Ok(());
    }
    let msg = "must be 1 to 100 letters, digits, '-', '_' or '.', not begin with a dot or 'auto-', and not end in '.partial'";
    Err(Problem::invalid(vec![FieldError::body(
        "name",
        "string_pattern",
        msg,
    )]))
}
