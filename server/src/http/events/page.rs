//! Lists of events, page by page.
//!
//! A page is bounded twice, by its number of events and by its bytes, and is made whole before it is sent. The cursor
//! says where the next one begins, which filter it belongs to, and the total, so that only the first page counts.

use std::fmt;
use std::str::FromStr;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, Response, header};
use storage::{
    Direction, Log, Order, Position, Query as LogQuery, ReadError, ReadRequest, TimeRange,
    Timestamp,
};

use super::docs;
use super::filter::Filter;
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::damage::{self, Stretch};
use crate::http::extract::{PathParts, ReadAt};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::json::{put_number, put_string};
use crate::reads;

/// Events on a page where none is asked for.
const LIMIT_DEFAULT: u64 = 100;
/// Bytes after which a page ends, however few its events.
pub(super) const PAGE_BYTES_MAX: usize = 8 << 20;
/// The words for the orders, in the order of [`Sorting::ALL`].
const ORDERS: [&str; 6] = [
    "occurred_desc",
    "occurred_asc",
    "position_asc",
    "position_desc",
    "desc",
    "asc",
];

/// List events.
///
/// Newest first by when they happened, unless `order` says otherwise. Filters are combined with *and*.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    operation_id = "list_events",
    params(
        ("aggregate_type" = Option<String>, Query, description = "Only of this aggregate type"),
        ("aggregate_id" = Option<String>, Query, description = "Only of this aggregate"),
        ("event_type" = Option<String>, Query, description = "Only of this type, in either spelling"),
        ("tag" = Option<Vec<String>>, Query, description = "Only with all of these tags"),
        ("user_id" = Option<String>, Query, description = "Only caused by this user"),
        ("correlation_id" = Option<String>, Query, description = "Only of this correlation"),
        ("since" = Option<String>, Query, description = "Only happened at or after this time"),
        ("until" = Option<String>, Query, description = "Only happened at or before this time"),
        ("recorded_since" = Option<String>, Query, description = "Only recorded at or after this time"),
        ("recorded_until" = Option<String>, Query, description = "Only recorded at or before this time"),
        ("from_position" = Option<u64>, Query, description = "Only at or after this position"),
        ("to_position" = Option<u64>, Query, description = "Only at or before this position"),
        ("order" = Option<String>, Query, description = "`occurred_desc` (default), `occurred_asc`, `position_asc`, `position_desc`"),
        ("limit" = Option<u64>, Query, description = "Events on a page, 1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("offset" = Option<u64>, Query, description = "Events to pass over; `cursor` is the better way"),
        ("skip" = Option<u64>, Query, description = "The older spelling of `offset`", deprecated),
        ("count" = Option<bool>, Query, description = "Whether to give `total`, default true"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page", body = docs::EventPage)),
)]
pub(crate) async fn list_events(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let filter = Filter::read(&mut query).resolved(&state);
    let request = PageRequest::read(query, filter, &state, Sorting::OccurredDown)?;
    respond(&state, Sight::of(&caller), request, "total").await
}

/// List events of one type.
#[utoipa::path(
    get,
    path = "/api/v1/events/type/{event_type}",
    tag = "events",
    operation_id = "list_events_of_type",
    params(
        ("event_type" = String, Path, description = "The type, in either spelling"),
        ("aggregate_type" = Option<String>, Query, description = "Only of this aggregate type"),
        ("aggregate_id" = Option<String>, Query, description = "Only of this aggregate"),
        ("tag" = Option<Vec<String>>, Query, description = "Only with all of these tags"),
        ("user_id" = Option<String>, Query, description = "Only caused by this user"),
        ("correlation_id" = Option<String>, Query, description = "Only of this correlation"),
        ("since" = Option<String>, Query, description = "Only happened at or after this time"),
        ("until" = Option<String>, Query, description = "Only happened at or before this time"),
        ("recorded_since" = Option<String>, Query, description = "Only recorded at or after this time"),
        ("recorded_until" = Option<String>, Query, description = "Only recorded at or before this time"),
        ("from_position" = Option<u64>, Query, description = "Only at or after this position"),
        ("to_position" = Option<u64>, Query, description = "Only at or before this position"),
        ("order" = Option<String>, Query, description = "As for `GET /events`"),
        ("limit" = Option<u64>, Query, description = "Events on a page, 1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("offset" = Option<u64>, Query, description = "Events to pass over; `cursor` is the better way"),
        ("skip" = Option<u64>, Query, description = "The older spelling of `offset`", deprecated),
        ("count" = Option<bool>, Query, description = "Whether to give the count, default true"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "A page", body = docs::EventPage)),
)]
pub(crate) async fn list_events_of_type(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([event_type]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let filter = Filter::read(&mut query).resolved(&state);
    let filter = filter.with_event_type(event_type);
    let request = PageRequest::read(query, filter, &state, Sorting::OccurredDown)?;
    respond(&state, Sight::of(&caller), request, "total").await
}

/// How a list is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sorting {
    OccurredDown,
    OccurredUp,
    PositionUp,
    PositionDown,
}

impl Sorting {
    /// For each word of [`ORDERS`].
    const ALL: [Sorting; 6] = [
        Sorting::OccurredDown,
        Sorting::OccurredUp,
        Sorting::PositionUp,
        Sorting::PositionDown,
        Sorting::OccurredDown,
        Sorting::OccurredUp,
    ];

    fn order(self) -> Order {
        match self {
            Sorting::OccurredDown | Sorting::OccurredUp => Order::Occurred,
            Sorting::PositionUp | Sorting::PositionDown => Order::Position,
        }
    }

    fn direction(self) -> Direction {
        match self {
            Sorting::OccurredUp | Sorting::PositionUp => Direction::Forward,
            Sorting::OccurredDown | Sorting::PositionDown => Direction::Backward,
        }
    }
}

/// Which page of which list.
#[derive(Clone, Debug)]
pub(super) struct PageRequest {
    filter: Filter,
    sorting: Sorting,
    limit: u64,
    offset: u64,
    count: bool,
    cursor: Option<Cursor>,
    at: ReadAt,
}

impl PageRequest {
    /// Reads what is left of the parameters.
    ///
    /// # Errors
    /// A 422 with every fault.
    pub(super) fn read(
        mut query: Query<'_>,
        filter: Filter,
        state: &AppState,
        default: Sorting,
    ) -> Result<Self, Problem> {
        let limit_max = state.config.http.page_limit_max as u64;
        let offset = query.number("offset", 0..=u64::MAX);
        let skip = query.number("skip", 0..=u64::MAX);
        let request = PageRequest {
            limit: query
                .number("limit", 1..=limit_max)
                .unwrap_or(LIMIT_DEFAULT),
            offset: offset.or(skip).unwrap_or(0),
            sorting: query
                .one_of("order", &ORDERS)
                .map_or(default, |place| Sorting::ALL[place]),
            count: query.flag("count").unwrap_or(true),
            cursor: query
                .text("cursor")
                .and_then(|text| match text.parse::<Cursor>() {
                    Ok(cursor) if cursor.filter == filter.fingerprint() => Some(cursor),
                    Ok(_) => {
                        query.fault(
                            "cursor",
                            "value_error",
                            "belongs to a list with other filters",
                        );
                        None
                    }
                    Err(NoCursor) => {
                        query.fault("cursor", "value_error", "is no cursor of this server");
                        None
                    }
                }),
            at: ReadAt::read(&mut query, state),
            filter,
        };
        query.finish()?;
        Ok(request)
    }
}

/// Where a page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cursor {
    /// The last event of the page before.
    occurred_at: Timestamp,
    position: Position,
    /// What was counted for the first page; `None` if nothing was.
    total: Option<(u64, bool)>,
    /// The fingerprint of the filter.
    filter: u32,
}

/// A text that is no cursor.
#[derive(Debug)]
struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, exact) = self.total.unwrap_or((0, false));
        let counted = match (self.total, exact) {
            (None, _) => 'n',
            (_, true) => 'e',
            (_, false) => 'l',
        };
        let (micros, position) = (self.occurred_at.micros(), self.position.get());
        write!(
            formatter,
            "{micros:x}_{position:x}_{counted}{total:x}_{:08x}",
            self.filter
        )
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let parts: Vec<&str> = text.split('_').collect();
        let [micros, position, total, filter] = parts.as_slice() else {
            return Err(NoCursor);
        };
        let number = |text: &str| u64::from_str_radix(text, 16).map_err(|_| NoCursor);
        let (counted, total) = total.split_at_checked(1).ok_or(NoCursor)?;
        Ok(Cursor {
            occurred_at: Timestamp::from_micros(number(micros)?.cast_signed()),
            position: Position::new(number(position)?),
            total: match counted {
                "n" => None,
                _ => Some((number(total)?, counted == "e")),
            },
            filter: u32::from_str_radix(filter, 16).map_err(|_| NoCursor)?,
        })
    }
}

/// Reads the page and writes the answer; `total` is what the count is called.
pub(super) async fn respond(
    state: &AppState,
    sight: Sight,
    request: PageRequest,
    total: &'static str,
) -> Result<Response<Body>, Problem> {
    request.at.reach_log(state).await?;
    let count_max = state.config.http.count_max;
    let text = reads::run(state, move |state| {
        Ok(page(&state.log, sight, &request, count_max, total)?)
    })
    .await?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

fn page(
    log: &Log,
    sight: Sight,
    page: &PageRequest,
    count_max: u64,
    total_name: &str,
) -> Result<Vec<u8>, ReadError> {
    let durable = log.durable_position();
    let request = page.filter.request(log, durable);
    let total = match page.cursor {
        Some(cursor) => cursor.total,
        None if !page.count => None,
        None => Some(count(log, sight, &page.filter, &request, count_max)?),
    };
    let mut text = Vec::with_capacity(16 << 10);
    text.push(b'{');
    if let Some((total, exact)) = total {
        put_string(total_name, &mut text);
        text.push(b':');
        put_number(total, &mut text);
        text.extend_from_slice(if exact {
            b",\"total_exact\":true,"
        } else {
            b",\"total_exact\":false,"
        });
    }
    text.extend_from_slice(b"\"events\":[");
    let found = write_events(log, sight, page, request, &mut text)?;
    text.extend_from_slice(b"],\"next_cursor\":");
    match found.next {
        Some((occurred_at, position)) => {
            let cursor = Cursor {
                occurred_at,
                position,
                total,
                filter: page.filter.fingerprint(),
            };
            put_string(&cursor.to_string(), &mut text);
        }
        None => text.extend_from_slice(b"null"),
    }
    damage::put_member(&found.damaged, &mut text);
    text.extend_from_slice(b",\"position\":");
    put_number(durable.get(), &mut text);
    text.push(b'}');
    Ok(text)
}

/// What was met on the way through a page.
#[derive(Debug, Default)]
struct Found {
    /// The last event of the page, if another follows.
    next: Option<(Timestamp, Position)>,
    /// What cannot be read and may belong to the list.
    damaged: Vec<Stretch>,
}

fn write_events(
    log: &Log,
    sight: Sight,
    page: &PageRequest,
    request: ReadRequest,
    text: &mut Vec<u8>,
) -> Result<Found, ReadError> {
    let request = resumed(request, page);
    let start = text.len();
    let mut found = Found::default();
    let (mut written, mut passed) = (0, 0);
    let mut last = None;
    let mut reader = log.read(&request)?;
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            Err(ReadError::Damaged { first, last, .. }) => {
                tracing::error!(
                    first = first.get(),
                    last = last.get(),
                    "events of a list are damaged"
                );
                found.damaged.push((first, last));
                continue;
            }
            Err(error) => return Err(error),
        };
        let here = (event.occurred_at(), event.position());
        if !sight.covers(event.stream().aggregate_type)
            || !page
                .cursor
                .is_none_or(|cursor| is_behind(page.sorting, here, cursor))
        {
            continue;
        }
        if passed < page.offset {
            passed += 1;
            continue;
        }
        if written == page.limit || (text.len() - start > PAGE_BYTES_MAX && written > 0) {
            found.next = last;
            break;
        }
        if written > 0 {
            text.push(b',');
        }
        sight.write(&event, text);
        written += 1;
        last = Some(here);
    }
    Ok(found)
}

/// The request narrowed to what lies behind the cursor, its last event possibly included.
fn resumed(mut request: ReadRequest, page: &PageRequest) -> ReadRequest {
    request.order = page.sorting.order();
    request.direction = page.sorting.direction();
    let Some(cursor) = page.cursor else {
        return request;
    };
    let occurred = request.occurred.unwrap_or(TimeRange::ALL);
    match page.sorting {
        Sorting::PositionUp => request.from = request.from.max(cursor.position.next()),
        Sorting::PositionDown => request.to = request.to.min(cursor.position.previous()),
        Sorting::OccurredUp => {
            request.occurred = Some(TimeRange {
                from: occurred.from.max(cursor.occurred_at),
                ..occurred
            });
        }
        Sorting::OccurredDown => {
            request.occurred = Some(TimeRange {
                to: occurred.to.min(cursor.occurred_at),
                ..occurred
            });
        }
    }
    request
}

/// Whether an event comes after the cursor's.
fn is_behind(sorting: Sorting, here: (Timestamp, Position), cursor: Cursor) -> bool {
    let there = (cursor.occurred_at, cursor.position);
    match sorting {
        Sorting::OccurredUp => here > there,
        Sorting::OccurredDown => here < there,
        Sorting::PositionUp => here.1 > there.1,
        Sorting::PositionDown => here.1 < there.1,
    }
}

/// How many match, and whether that is all of them.
fn count(
    log: &Log,
    sight: Sight,
    filter: &Filter,
    request: &ReadRequest,
    count_max: u64,
) -> Result<(u64, bool), ReadError> {
    if !filter.is_all() {
        return count_by_reading(log, request, count_max, |kind| sight.covers(kind));
    }
    // Positions are dense: everything is counted by its last position, less what this caller does not see.
    let hidden = fleet::registry().aggregates();
    let hidden: Vec<&str> = hidden
        .iter()
        .map(|table| table.aggregate_type)
        .filter(|kind| !sight.covers(kind))
        .collect();
    if hidden.is_empty() {
        return Ok((request.to.get(), true));
    }
    let of_hidden = ReadRequest {
        query: LogQuery::aggregate_types(hidden),
        ..request.clone()
    };
    let (hidden, exact) = count_by_reading(log, &of_hidden, count_max, |_| true)?;
    Ok((request.to.get().saturating_sub(hidden), exact))
}

fn count_by_reading(
    log: &Log,
    request: &ReadRequest,
    count_max: u64,
    covers: impl Fn(&str) -> bool,
) -> Result<(u64, bool), ReadError> {
    let mut reader = log.read(&ReadRequest {
        order: Order::Position,
        direction: Direction::Forward,
        ..request.clone()
    })?;
    let mut total = 0;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) if covers(event.stream().aggregate_type) => total += 1,
            Ok(_) | Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        if total >= count_max {
            return Ok((total, reader.next().is_none()));
        }
    }
    Ok((total, true))
}
