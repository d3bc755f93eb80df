//! Which aggregate a question is about, and what to say when there is none.

use fleet::vehicle;
use storage::{StreamName, Version};

use crate::app::AppState;
use crate::http::damage;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::http::visible::Sight;

/// Names that are looked through for similar ones.
const NAMES_MAX: usize = 100_000;
/// Similar names that are told.
const SIMILAR_MAX: usize = 3;
/// How alike a name must be to be told, from 0 to 1.
const SIMILARITY_MIN: f64 = 0.6;

/// An aggregate that has events and that the caller may see.
#[derive(Clone, Debug)]
pub(in crate::http) struct Target {
    /// Its stream.
    pub(in crate::http) name: StreamName,
    /// The version of its last event.
    pub(in crate::http) version: Version,
}

impl Target {
    /// Reads `aggregate_type` and `aggregate_id`, which have to be there.
    pub(super) fn read(query: &mut Query<'_>) -> StreamName {
        StreamName::new(
            query.required("aggregate_type"),
            query.required("aggregate_id"),
        )
    }

    /// The aggregate of this name. It may also be given by its UUID or business key.
    ///
    /// # Errors
    /// A 404 that tells the most similar names there are.
    pub(in crate::http) fn find(
        state: &AppState,
        sight: Sight,
        name: StreamName,
    ) -> Result<Target, Problem> {
        if sight.covers(&name.aggregate_type) {
            if let Some(tip) = state.log.stream(&name) {
                let version = tip.version;
                return Ok(Target { name, version });
            }
            if let Some(name) = by_other_name(state, &name)
                && let Some(tip) = state.log.stream(&name)
            {
                let version = tip.version;
                return Ok(Target { name, version });
            }
        }
        Err(damage::unless_lost(
            &state.log,
            unknown(state, sight, &name),
        ))
    }

    /// The aggregate of this id, whatever its type.
    ///
    /// # Errors
    /// A 404 when there is none, a 409 that lists the types when there are several.
    pub(in crate::http) fn find_by_id(
        state: &AppState,
        sight: Sight,
        aggregate_type: Option<String>,
        aggregate_id: &str,
    ) -> Result<Target, Problem> {
        if let Some(aggregate_type) = aggregate_type {
            return Target::find(state, sight, StreamName::new(aggregate_type, aggregate_id));
        }
        let mut names = state.log.streams_of_id(aggregate_id);
        names.retain(|name| sight.covers(&name.aggregate_type));
        match names.len() {
            0 => Target::find(
                state,
                sight,
                StreamName::new(vehicle::AGGREGATE_TYPE, aggregate_id),
            ),
            1 => Target::find(state, sight, names.remove(0)),
            _ => {
                let types: Vec<&str> = names.iter().map(|name| &*name.aggregate_type).collect();
                let detail = format!(
                    "{aggregate_id} is the id of several aggregates: say `aggregate_type`, one of {}",
                    types.join(", ")
                );
                Err(Problem::new(Kind::Conflict, detail).with("aggregate_types", types))
            }
        }
    }
}

fn by_other_name(state: &AppState, name: &StreamName) -> Option<StreamName> {
    let catalog = state.projections.catalog();
    let found = catalog
        .find(&name.aggregate_type, &name.aggregate_id)
        .value?;
    Some(StreamName::new(&*name.aggregate_type, &*found.aggregate_id))
}

/// The answer for an aggregate that nobody knows.
fn unknown(state: &AppState, sight: Sight, name: &StreamName) -> Problem {
    let (aggregate_type, id) = (&*name.aggregate_type, &*name.aggregate_id);
    let types: Vec<Box<str>> = state
        .log
        .aggregate_type_names()
        .into_iter()
        .filter(|known| sight.covers(known))
        .collect();
    if !types.iter().any(|known| &**known == aggregate_type) {
        let similar = most_similar(aggregate_type, types.iter().map(|known| &**known));
        let detail = format!(
            "there is no aggregate of type {aggregate_type}{}",
            told(&similar)
        );
        return Problem::not_found(detail).with("similar_types", similar);
    }
    let names = state.log.streams_of_type(aggregate_type);
    let ids = names.iter().take(NAMES_MAX).map(|name| &*name.aggregate_id);
    let similar = most_similar(id, ids);
    let detail = format!(
        "No state found for {aggregate_type}:{id}: it has no events{}",
        told(&similar)
    );
    Problem::not_found(detail).with("similar_ids", similar)
}

/// Similar names, as the end of a sentence.
pub(in crate::http) fn told(similar: &[String]) -> String {
    if similar.is_empty() {
        String::new()
    } else {
        format!("; similar are {}", similar.join(", "))
    }
}

/// The names that are most like `wanted`, the most similar first.
pub(in crate::http) fn most_similar<'a>(
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= SIMILARITY_MIN)
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    let best = scored.into_iter().take(SIMILAR_MAX);
    best.map(|(_, name)| name.to_owned()).collect()
}
