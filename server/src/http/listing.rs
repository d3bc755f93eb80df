//! What every list and every row of the fleet has in common: parameters, waiting for a position, the answer's shape.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::events::append::etag;
use super::extract::ReadAt;
use super::json_response;
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::command::Done;
use crate::field_error::FieldError;
use crate::projection::{Ask, BadCursor, CATALOG, Entry};

/// Rows of a list that asks for no number.
const LIMIT_DEFAULT: u64 = 100;

/// The header that names the next part of a list whose body is an array.
pub const NEXT_CURSOR: &str = "x-next-cursor";
/// The header that says how many rows there are, for lists whose body is an array.
pub const TOTAL_COUNT: &str = "x-total-count";
/// The header that says which position an array reflects.
pub const POSITION: &str = "x-position";

/// A list that was asked for, with what all lists take: `skip` (or `offset`), `limit`, `cursor`, `min_position`, `wait_ms`.
#[derive(Debug)]
pub struct List {
    /// What is asked of the catalog.
    pub ask: Ask,
    at: ReadAt,
}

impl List {
    /// Reads the common parameters; `filters` and `searches` name what this list can be narrowed by and searched for,
    /// each a parameter of the same name.
    pub fn read(
        query: &mut Query<'_>,
        state: &AppState,
        aggregate_type: &'static str,
        searches: &[&'static str],
    ) -> Self {
        let limit_max = state.config.http.page_limit_max as u64;
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let searches = searches
            .iter()
            .filter_map(|name| Some((*name, query.text(name)?)));
        let ask = Ask {
            aggregate_type,
            searches: searches.collect(),
            skip: number(
                query
                    .number("skip", 0..=u64::MAX)
                    .or(query.number("offset", 0..=u64::MAX))
                    .unwrap_or(0),
            ),
            limit: number(
                query
                    .number("limit", 1..=limit_max)
                    .unwrap_or(LIMIT_DEFAULT),
            ),
            cursor: query.text("cursor"),
            ..Ask::default()
        };
        List {
            ask,
            at: ReadAt::read(query, state),
        }
    }

    /// Has what was asked for under one search looked for by another of the listing's.
    pub fn search_by(&mut self, asked: &str, search: &'static str) {
        for (name, _) in self
            .ask
            .searches
            .iter_mut()
            .filter(|(name, _)| *name == asked)
        {
            *name = search;
        }
    }

    /// Narrows the list to rows with this value, if there is one.
    pub fn narrow(&mut self, filter: &'static str, value: Option<impl Into<String>>) {
        self.ask
            .filters
            .extend(value.map(|value| (filter, value.into())));
    }

    /// Answers as `{total, <plural>: […], position, next_cursor}`.
    ///
    /// # Errors
    /// `position-not-reached`; 422 for a cursor of another list.
    pub async fn answer(
        self,
        state: &AppState,
        plural: &'static str,
    ) -> Result<Response<Body>, Problem> {
        let (position, page) = self.page(state).await?;
        let body = json!({
            "total": page.total,
            plural: rows(&page.entries),
            "position": position,
            "next_cursor": page.next,
        });
        Ok(json_response(body.to_string()))
    }

    /// Answers as a bare array; what does not fit one is in headers.
    ///
    /// # Errors
    /// As [`answer`](List::answer).
    pub async fn answer_bare(self, state: &AppState) -> Result<Response<Body>, Problem> {
        let (position, page) = self.page(state).await?;
        let rows = rows(&page.entries);
        Ok(bare(rows, page.total, position, page.next))
    }

    /// The rows themselves, for lists with a shape of their own.
    ///
    /// # Errors
    /// As [`answer`](List::answer).
    pub async fn page(self, state: &AppState) -> Result<(u64, crate::projection::Page), Problem> {
        self.at.reach_projection(state, CATALOG).await?;
        let answer = state.projections.catalog().page(&self.ask)?;
        Ok((answer.position.get(), answer.value))
    }
}

/// A bare array; what does not fit one is in headers.
pub fn bare(rows: Vec<Value>, total: usize, position: u64, next: Option<String>) -> Response<Body> {
    let mut response = json_response(Value::from(rows).to_string());
    let headers = response.headers_mut();
    headers.insert(TOTAL_COUNT, HeaderValue::from(total));
    headers.insert(POSITION, HeaderValue::from(position));
    if let Some(next) = next.and_then(|next| HeaderValue::try_from(next).ok()) {
        headers.insert(NEXT_CURSOR, next);
    }
    response
}

impl From<BadCursor> for Problem {
    fn from(error: BadCursor) -> Self {
        Problem::invalid(vec![FieldError::query(
            "cursor",
            "value_error",
            error.to_string(),
        )])
    }
}

/// The rows of entries, as they are shown.
pub fn rows(entries: &[Entry]) -> Vec<Value> {
    let rows = entries.iter().filter_map(Entry::row);
    rows.map(Value::Object).collect()
}

/// One row, asked for by id, UUID or business key.
///
/// # Errors
/// 404 with `missing` as its text; `position-not-reached`.
pub async fn one(
    state: &AppState,
    mut query: Query<'_>,
    aggregate_type: &'static str,
    id: &str,
    missing: &'static str,
) -> Result<Response<Body>, Problem> {
    let at = ReadAt::read(&mut query, state);
    query.finish()?;
    at.reach_projection(state, CATALOG).await?;
    let answer = state.projections.catalog().find(aggregate_type, id);
    let entry = answer.value.ok_or_else(|| Problem::not_found(missing))?;
    row_response(StatusCode::OK, &entry, answer.position.get())
}

/// The row of what was written, with the position of the write.
///
/// # Errors
/// When it cannot be read.
pub fn written<T>(status: StatusCode, done: &Done<T>) -> Result<Response<Body>, Problem> {
    row_response(status, &done.entry()?, done.position.get())
}

/// As [`written`], with what the row does not have: `complete` adds it.
///
/// # Errors
/// As [`written`].
pub fn written_with<T>(
    status: StatusCode,
    done: &Done<T>,
    complete: impl FnOnce(&mut Map<String, Value>, &Entry),
) -> Result<Response<Body>, Problem> {
    row_response_with(status, &done.entry()?, done.position.get(), complete)
}

/// A row with its position and its version as the entity tag.
///
/// # Errors
/// 404 when it was deleted meanwhile.
pub fn row_response(
    status: StatusCode,
    entry: &Entry,
    position: u64,
) -> Result<Response<Body>, Problem> {
    row_response_with(status, entry, position, |_, _| {})
}

/// As [`row_response`], with what the row does not have: `complete` adds it.
pub fn row_response_with(
    status: StatusCode,
    entry: &Entry,
    position: u64,
    complete: impl FnOnce(&mut Map<String, Value>, &Entry),
) -> Result<Response<Body>, Problem> {
    let gone = || Problem::not_found("it was deleted meanwhile");
    let mut row = entry.row().ok_or_else(gone)?;
    complete(&mut row, entry);
    row.insert("position".to_owned(), position.into());
    let mut response = json_response(Value::Object(row).to_string());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::ETAG, etag(entry.version));
    Ok(response)
}

/// Nothing to show, but where it was written.
pub fn no_content<T>(done: &Done<T>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
        .headers_mut()
        .insert(POSITION, HeaderValue::from(done.position.get()));
    response
}

/// Faults that the domain found in a body, as the edge shows them.
impl From<Vec<fleet::schema::FieldError>> for Problem {
    fn from(faults: Vec<fleet::schema::FieldError>) -> Self {
        let shown = faults.into_iter().map(|fault| {
            let path = fault.path.into_iter().map(Into::into);
            FieldError::new(
                std::iter::once("body".into()).chain(path),
                fault.kind,
                fault.message,
            )
        });
        Problem::invalid(shown.collect())
    }
}
