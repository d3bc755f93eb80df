//! What handlers take out of a request, with refusals as problems.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use std::time::Duration;

use storage::Position;

use super::problem::{Kind, Problem};
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::field_error::FieldError;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The guard puts the caller there for every route that is not open.
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::new(Kind::Unauthenticated, "Not authenticated"))
    }
}

/// The decoded pieces of the path, in order.
#[derive(Debug)]
pub struct PathParts<const COUNT: usize>(pub [String; COUNT]);

impl<S: Send + Sync, const COUNT: usize> FromRequestParts<S> for PathParts<COUNT> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let invalid = |msg: &'static str| {
            Problem::invalid(vec![FieldError::new(["path".into()], "value_error", msg)])
        };
        let found = RawPathParams::from_request_parts(parts, state).await;
        let found = found.map_err(|_| invalid("is no valid UTF-8 once its escapes are decoded"))?;
        let texts: Vec<String> = found.iter().map(|(_, text)| text.to_owned()).collect();
        if texts.iter().any(|text| text.contains('\0')) {
            return Err(invalid("must hold no NUL character"));
        }
        texts
            .try_into()
            .map(PathParts)
            .map_err(|_| invalid("has another number of parts"))
    }
}

/// How long a read may wait, and for what: `min_position` and `wait_ms`.
#[derive(Clone, Copy, Debug)]
pub struct ReadAt {
    /// What must be reached; the start where nothing was asked.
    pub position: Position,
    /// How long to wait for it.
    pub wait: Duration,
}

impl ReadAt {
    /// Reads the two parameters.
    pub fn read(query: &mut Query<'_>, state: &AppState) -> Self {
        let http = &state.config.http;
        let wait_max = u64::try_from(http.wait_max.as_millis()).unwrap_or(u64::MAX);
        let wait = query
            .number("wait_ms", 0..=wait_max)
            .map_or(http.wait_default, Duration::from_millis);
        ReadAt {
            position: query.position("min_position").unwrap_or(Position::START),
            wait,
        }
    }

    /// Reads the two parameters, ends the reading of `query`, and waits until the log has the position.
    ///
    /// # Errors
    /// Those of [`Query::finish`]; `position-not-reached`.
    pub async fn await_log(mut query: Query<'_>, state: &AppState) -> Result<(), Problem> {
        let at = ReadAt::read(&mut query, state);
        query.finish()?;
        at.reach_log(state).await
    }

    /// As [`await_log`](ReadAt::await_log), until the read model of this name has it.
    ///
    /// # Errors
    /// As there.
    pub async fn await_projection(
        mut query: Query<'_>,
        state: &AppState,
        name: &str,
    ) -> Result<(), Problem> {
        let at = ReadAt::read(&mut query, state);
        query.finish()?;
        at.reach_projection(state, name).await
    }

    /// Waits until the log has it.
    ///
    /// # Errors
    /// `position-not-reached`.
    pub async fn reach_log(self, state: &AppState) -> Result<(), Problem> {
        crate::reads::reach(state, self.position, self.wait).await
    }

    /// Waits until the read model has it.
    ///
    /// # Errors
    /// `position-not-reached`.
    pub async fn reach_projection(self, state: &AppState, name: &str) -> Result<(), Problem> {
        if state.projections.position(name) >= self.position
            || state
                .projections
                .reach(name, self.position, self.wait)
                .await
        {
            return Ok(());
        }
        Err(crate::reads::not_yet(
            self.position,
            state.projections.position(name),
        ))
    }
}
