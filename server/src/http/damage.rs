//! What cannot be read, as answers say it: an answer that may lack something for it never keeps quiet about that.

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;
use storage::{Log, Position};

use super::json_response;
use super::problem::Problem;
use crate::app::AppState;
use crate::reads;

/// Stretches of damage that an answer lists; `/health` lists all.
pub(crate) const LISTED_MAX: usize = 1_000;

/// The first and the last position of events that cannot be read.
pub(crate) type Stretch = (Position, Position);

/// Adds the member `damaged` to an object that has others already; nothing where there is no damage.
pub(crate) fn put_member(damaged: &[Stretch], text: &mut Vec<u8>) {
    if damaged.is_empty() {
        return;
    }
    let listed = damaged.iter().take(LISTED_MAX);
    let list: Vec<String> = listed
        .map(|(first, last)| format!("[{first},{last}]"))
        .collect();
    text.extend_from_slice(format!(",\"damaged\":[{}]", list.join(",")).as_bytes());
}

/// The object that `read` makes on a blocking thread, with the member `damaged` where it met damage.
///
/// # Errors
/// Those of `read`; `internal` when it panicked.
pub(crate) async fn answer(
    state: &AppState,
    read: impl FnOnce(&AppState, &mut Vec<Stretch>) -> Result<Value, Problem> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    let body = reads::run(state, move |state| {
        let mut damaged = Vec::new();
        let mut body = read(state, &mut damaged)?;
        if !damaged.is_empty() {
            body["damaged"] = listed(&damaged).into();
        }
        Ok(body)
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn listed(damaged: &[Stretch]) -> Vec<Value> {
    let listed = damaged.iter().take(LISTED_MAX);
    let pair = |(first, last): &Stretch| serde_json::json!([first.get(), last.get()]);
    listed.map(pair).collect()
}

/// The answer where nothing was found. Where events of the log are lost, what was asked for may be among them.
pub(crate) fn unless_lost(log: &Log, missing: Problem) -> Problem {
    let damage = log.health().damage;
    let lost: Vec<Stretch> = damage.iter().filter_map(|range| range.positions).collect();
    if lost.is_empty() {
        return missing;
    }
    missing
        .adding("; events of the log are damaged, and what was asked for may be among them")
        .with("damaged", listed(&lost))
}
