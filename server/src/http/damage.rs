//! What cannot be read, as answers say it: an answer that may lack something for it never keeps quiet about that.

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;
use storage::{DamagedRange, Log, Position};

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

/// The answer where nothing was found. Where the log is damaged, what was asked for may be among what is lost.
pub(crate) fn unless_lost(log: &Log, missing: Problem) -> Problem {
    or_lost(&log.health().damage, missing)
}

/// Damage of which no events are known counts as well: right after a start, bytes were found that are no records, and nobody
/// has looked yet which events they were; and a name that is lost is that of a stream.
fn or_lost(damage: &[DamagedRange], missing: Problem) -> Problem {
    if damage.is_empty() {
        return missing;
    }
    let lost: Vec<Stretch> = damage.iter().filter_map(|range| range.positions).collect();
    missing
        .adding("; events of the log are damaged, and what was asked for may be among them")
        .with("damaged", listed(&lost))
}

#[cfg(test)]
mod tests {
    use storage::SegmentId;

    use super::*;

    #[test]
    fn damage_of_which_no_events_are_known_says_so_as_well() {
        let missing = || Problem::not_found("No such stream");
        let damage = |positions| DamagedRange {
            segment: SegmentId::FIRST,
            offsets: (64, 128),
            positions,
        };
        let known = Some((Position::new(3), Position::new(4)));
        for damage in [damage(None), damage(known)] {
            let told = or_lost(&[damage], missing());
            assert!(told.detail().contains("damaged"), "{}", told.detail());
        }
        assert_eq!(or_lost(&[], missing()).detail(), "No such stream");
    }
}
