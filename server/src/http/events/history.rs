//! One aggregate's events: by type and id as an array, by id alone as the old system gave them, and its version.
//!
//! Answers are as long as the stream; they are made in chunks ([`reads::body`]).

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use storage::{
    Direction, Log, Position, Query as LogQuery, QueryItem, ReadError, ReadRequest, StreamName,
    StreamRange, Version,
};

use super::append::etag;
use super::docs;
use super::filter::stream_meant;
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope::KeptNames;
use crate::http::damage;
use crate::http::extract::{PathParts, ReadAt};
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::json::{put_number, put_string};
use crate::reads::{self, CHUNK_BYTES, Producer, Progress, next_chunk_bytes};

/// One aggregate's events, by version.
///
/// A bare array. With `limit` it is a page, and the header `Link` says where the next one is. The header `ETag` holds the
/// stream's version.
#[utoipa::path(
    get,
    path = "/api/v1/events/{aggregate_type}/{aggregate_id}",
    tag = "events",
    operation_id = "stream_events",
    params(
        ("aggregate_type" = String, Path, description = "The aggregate's type"),
        ("aggregate_id" = String, Path, description = "The aggregate's id, escaped: a slash is %2F"),
        ("from_version" = Option<u32>, Query, description = "From this version, itself included"),
        ("to_version" = Option<u32>, Query, description = "To this version, itself included"),
        ("limit" = Option<u64>, Query, description = "At most this many; all if absent"),
        ("order" = Option<String>, Query, description = "`asc` (default) or `desc`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The events", body = Vec<docs::Event>)),
)]
pub(crate) async fn stream_events(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_type, aggregate_id]): PathParts<2>,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let window = Window::read(&mut query);
    let limit = query.number("limit", 1..=state.config.http.page_limit_max as u64);
    let backward = query.one_of("order", &["asc", "desc"]) == Some(1);
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    let mut name = StreamName::new(aggregate_type, aggregate_id);
    if sight.covers(&name.aggregate_type) {
        name = stream_meant(&state, name);
    }
    let tip = state
        .log
        .stream(&name)
        .filter(|tip| tip.version > Version::NONE && sight.covers(&name.aggregate_type));
    let Some(tip) = tip else {
        return Err(nothing_found(&state.log, &name.aggregate_id));
    };
    let tag = etag(tip.version);
    if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let page = window.page(tip.version, limit, backward);
    let link = page
        .next
        .map(|next| next.link(uri.path(), limit.unwrap_or_default(), backward));
    let body = reads::body(&state, array_of(name, page.window, backward, sight)).await?;
    let mut response = json_response(body);
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        headers.insert(header::LINK, link);
    }
    Ok(response)
}

/// The events of an aggregate id, by version.
///
/// Ids are unique within a type. Where several types have this id, all of their events are given, in the order of the
/// log; `aggregate_type` narrows.
#[utoipa::path(
    get,
    path = "/api/v1/events/{aggregate_id}",
    tag = "events",
    operation_id = "aggregate_events",
    params(
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("aggregate_type" = Option<String>, Query, description = "Only of this type"),
        ("from_version" = Option<u32>, Query, description = "From this version, itself included"),
        ("to_version" = Option<u32>, Query, description = "To this version, itself included"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The events", body = docs::AggregateEvents)),
)]
pub(crate) async fn aggregate_events(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    whole_history(&state, &caller, aggregate_id, query.as_deref(), "total").await
}

/// Every event of an aggregate id; `total` is what the count is called.
pub(super) async fn whole_history(
    state: &AppState,
    caller: &Caller,
    aggregate_id: String,
    query: Option<&str>,
    total: &str,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query);
    let window = Window::read(&mut query);
    let aggregate_type = query.text("aggregate_type");
    ReadAt::await_log(query, state).await?;
    let sight = Sight::of(caller);
    let streams = streams_of(&state.log, &aggregate_id, aggregate_type.as_deref(), sight);
    let count: u64 = streams
        .iter()
        .map(|(_, latest)| window.count(*latest))
        .sum();
    if count == 0 {
        return Err(nothing_found(&state.log, &aggregate_id));
    }
    let mut head = b"{\"aggregate_id\":".to_vec();
    put_string(&aggregate_id, &mut head);
    head.push(b',');
    put_string(total, &mut head);
    head.push(b':');
    put_number(count, &mut head);
    head.extend_from_slice(b",\"events\":");
    let names: Vec<StreamName> = streams.into_iter().map(|(name, _)| name).collect();
    let mut events = match <[StreamName; 1]>::try_from(names) {
        Ok([name]) => array_of(name, window, false, sight),
        Err(names) => array_of_several(names, window, state.log.durable_position(), sight),
    };
    let mut head = Some(head);
    let producer: Producer = Box::new(move |log, out| {
        if let Some(head) = head.take() {
            out.extend_from_slice(&head);
        }
        let progress = events(log, out)?;
        if progress == Progress::Done {
            out.push(b'}');
        }
        Ok(progress)
    });
    Ok(json_response(reads::body(state, producer).await?))
}

/// How far an aggregate is.
#[utoipa::path(
    get,
    path = "/api/v1/events/{aggregate_id}/version",
    tag = "events",
    operation_id = "aggregate_version",
    params(
        ("aggregate_id" = String, Path, description = "The aggregate's id"),
        ("aggregate_type" = Option<String>, Query, description = "Only of this type"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The version of its last event", body = docs::LatestVersion)),
)]
pub(crate) async fn aggregate_version(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([aggregate_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let aggregate_type = query.text("aggregate_type");
    ReadAt::await_log(query, &state).await?;
    let streams = streams_of(
        &state.log,
        &aggregate_id,
        aggregate_type.as_deref(),
        Sight::of(&caller),
    );
    let Some(latest) = streams.iter().map(|(_, latest)| *latest).max() else {
        let missing = Problem::not_found(format!("Aggregate {aggregate_id} not found"));
        return Err(damage::unless_lost(&state.log, missing));
    };
    let version = docs::LatestVersion {
        aggregate_id,
        latest_version: latest.get(),
        streams: streams
            .into_iter()
            .map(|(name, latest)| docs::StreamVersion {
                aggregate_type: name.aggregate_type.into(),
                latest_version: latest.get(),
            })
            .collect(),
    };
    let mut response =
        json_response(serde_json::to_vec(&version).map_err(|error| Problem::internal(&error))?);
    response.headers_mut().insert(header::ETAG, etag(latest));
    Ok(response)
}

fn nothing_found(log: &Log, aggregate_id: &str) -> Problem {
    let missing = Problem::not_found(format!("No events found for aggregate {aggregate_id}"));
    damage::unless_lost(log, missing)
}

/// The streams of this id that the caller may see, with the version of their last event.
fn streams_of(
    log: &Log,
    id: &str,
    aggregate_type: Option<&str>,
    sight: Sight,
) -> Vec<(StreamName, Version)> {
    let mut streams: Vec<_> = log
        .streams_of_id(id)
        .into_iter()
        .filter(|name| sight.covers(&name.aggregate_type))
        .filter(|name| aggregate_type.is_none_or(|wanted| *name.aggregate_type == *wanted))
        .filter_map(|name| log.stream(&name).map(|tip| (name, tip.version)))
        .filter(|(_, version)| *version > Version::NONE)
        .collect();
    streams.sort();
    streams
}

/// Which versions are wanted, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Window {
    from: u32,
    to: u32,
}

impl Window {
    fn read(query: &mut Query<'_>) -> Self {
        let from = query.version("from_version").unwrap_or(0).max(1);
        Window {
            from,
            to: query.version("to_version").unwrap_or(u32::MAX),
        }
    }

    /// How many events of a stream whose last version is `latest` are in it.
    fn count(self, latest: Version) -> u64 {
        (u64::from(self.to.min(latest.get())) + 1).saturating_sub(u64::from(self.from))
    }

    /// The first `limit` versions in reading order, and what is left behind them.
    fn page(self, latest: Version, limit: Option<u64>, backward: bool) -> Page {
        let whole = Window {
            from: self.from,
            to: self.to.min(latest.get()),
        };
        let limit = limit.and_then(|limit| u32::try_from(limit).ok());
        match limit.filter(|limit| u64::from(*limit) < self.count(latest)) {
            None => Page {
                window: whole,
                next: None,
            },
            Some(limit) if backward => Page {
                window: Window {
                    from: whole.to - limit + 1,
                    to: whole.to,
                },
                next: Some(Window {
                    from: whole.from,
                    to: whole.to - limit,
                }),
            },
            Some(limit) => Page {
                window: Window {
                    from: whole.from,
                    to: whole.from + limit - 1,
                },
                next: Some(Window {
                    from: whole.from + limit,
                    to: self.to,
                }),
            },
        }
    }

    /// A link to the page of this window. `path` is the request's, its escapes untouched.
    fn link(self, path: &str, limit: u64, backward: bool) -> String {
        let order = if backward { "&order=desc" } else { "" };
        let to = if self.to == u32::MAX {
            String::new()
        } else {
            format!("&to_version={}", self.to)
        };
        format!(
            "<{path}?from_version={}{to}&limit={limit}{order}>; rel=\"next\"",
            self.from
        )
    }
}

/// A part of a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Page {
    window: Window,
    next: Option<Window>,
}

/// A JSON array of one stream's events.
fn array_of(name: StreamName, window: Window, backward: bool, sight: Sight) -> Producer {
    let (mut window, mut list) = (window, List::default());
    let (mut names, mut full_at) = (KeptNames::default(), CHUNK_BYTES);
    Box::new(move |log, out| {
        list.open(out);
        if window.from <= window.to {
            let range = StreamRange {
                from: Version::new(window.from),
                to: Version::new(window.to),
                direction: if backward {
                    Direction::Backward
                } else {
                    Direction::Forward
                },
                limit: None,
            };
            let mut reader = log.read_stream(&name, &range);
            while let Some(event) = reader.next() {
                match event {
                    Ok(event) => {
                        list.separate(out);
                        sight.write_next(&mut names, &event, out);
                        let version = event.version().get();
                        match backward {
                            true => window.to = version - 1,
                            false => window.from = version.saturating_add(1),
                        }
                    }
                    Err(error) => list.damage(error, range.direction, out)?,
                }
                if out.len() >= full_at {
                    full_at = next_chunk_bytes(full_at);
                    return Ok(Progress::More);
                }
            }
        }
        out.push(b']');
        Ok(Progress::Done)
    })
}

/// A JSON array of several streams' events, in the order of the log.
fn array_of_several(
    names: Vec<StreamName>,
    window: Window,
    to: Position,
    sight: Sight,
) -> Producer {
    let query = LogQuery::from(QueryItem {
        streams: names,
        ..QueryItem::default()
    });
    let mut request = ReadRequest {
        query,
        to,
        ..ReadRequest::default()
    };
    let mut list = List::default();
    let (mut kept_names, mut full_at) = (KeptNames::default(), CHUNK_BYTES);
    Box::new(move |log, out| {
        list.open(out);
        let mut reader = log.read(&request)?;
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => {
                    if (window.from..=window.to).contains(&event.version().get()) {
                        list.separate(out);
                        sight.write_next(&mut kept_names, &event, out);
                    }
                    request.from = event.position().next();
                }
                Err(error) => list.damage(error, Direction::Forward, out)?,
            }
            if out.len() >= full_at {
                full_at = next_chunk_bytes(full_at);
                return Ok(Progress::More);
            }
        }
        out.push(b']');
        Ok(Progress::Done)
    })
}

/// A JSON array as it grows over several chunks.
#[derive(Debug, Default)]
struct List {
    opened: bool,
    filled: bool,
    /// The damage marked last: a chunk begins by version, and meets damage of the chunk before again.
    marked: Option<(Position, Position)>,
}

impl List {
    fn open(&mut self, out: &mut Vec<u8>) {
        if !self.opened {
            self.opened = true;
            out.push(b'[');
        }
    }

    fn separate(&mut self, out: &mut Vec<u8>) {
        if self.filled {
            out.push(b',');
        }
        self.filled = true;
    }

    /// Puts a mark in the place of events that cannot be read: a history with a hole says so.
    fn damage(
        &mut self,
        error: ReadError,
        direction: Direction,
        out: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        let ReadError::Damaged { first, last, .. } = error else {
            return Err(error);
        };
        let is_marked = self.marked.is_some_and(|(from, to)| match direction {
            Direction::Forward => last <= to,
            Direction::Backward => first >= from,
        });
        if is_marked {
            return Ok(());
        }
        self.marked = Some((first, last));
        tracing::error!(
            first = first.get(),
            last = last.get(),
            "events of a stream are damaged"
        );
        self.separate(out);
        out.extend_from_slice(b"{\"damaged\":true,\"first_position\":");
        put_number(first.get(), out);
        out.extend_from_slice(b",\"last_position\":");
        put_number(last.get(), out);
        out.push(b'}');
        Ok(())
    }
}
