//! Following the log: `GET /events/stream`, as server-sent events or as a long poll.
//!
//! Catching up and being live are the same read: from a position to what is durable, again and again. A subscriber is a
//! task that reads a chunk when the one before has been taken, so a slow one costs two chunks and falls behind, and
//! never a queue. Server-sent events: WHATWG HTML, "Server-sent events".

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Body as HttpBody, Frame};
use prometheus_client::metrics::gauge::Gauge;
use storage::{Direction, Log, Position, ReadError, ReadRequest, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::docs;
use super::filter::Filter;
use super::page::PAGE_BYTES_MAX;
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::damage::{self, Stretch};
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::json::put_number;
use crate::reads;

/// Where a client that reconnects says what it saw last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Bytes after which a chunk is sent.
const CHUNK_BYTES: usize = 64 << 10;
/// Events of a long poll where no limit is asked for.
const LIMIT_DEFAULT: u64 = 100;
/// What a stream begins with: after how many milliseconds to reconnect.
const GREETING: &[u8] = b": connected\nretry: 2000\n\n";

/// Follow events as they are appended.
///
/// Server-sent events: each has the event's JSON as `data` and its position as `id`. Without a place to begin, only new
/// events come. A client that reconnects with `Last-Event-ID` misses nothing. Comments keep a quiet stream open. It ends
/// with the token that opened it, and with its session. Where
/// events cannot be read that may belong to the stream, a message `damaged` says their first and last position.
///
/// With `wait`, `limit` or `Accept: application/json` it is a long poll instead: the answer is a page of events, or an
/// empty one when none came in time, with the position to go on from.
#[utoipa::path(
    get,
    path = "/api/v1/events/stream",
    tag = "events",
    operation_id = "follow_events",
    params(
        ("Last-Event-ID" = Option<u64>, Header, description = "The last position seen; the stream goes on behind it"),
        ("last_event_id" = Option<u64>, Query, description = "The same, for clients that cannot send the header"),
        ("from_position" = Option<u64>, Query, description = "Begin at this position, itself included"),
        ("since" = Option<String>, Query, description = "Begin with what was recorded at or after this time"),
        ("aggregate_type" = Option<String>, Query, description = "Only of this aggregate type"),
        ("aggregate_id" = Option<String>, Query, description = "Only of this aggregate"),
        ("event_type" = Option<String>, Query, description = "Only of this type, in either spelling"),
        ("tag" = Option<Vec<String>>, Query, description = "Only with all of these tags"),
        ("user_id" = Option<String>, Query, description = "Only caused by this user"),
        ("correlation_id" = Option<String>, Query, description = "Only of this correlation"),
        ("wait" = Option<u64>, Query, description = "Long poll: seconds to wait for an event, 0 to 30"),
        ("limit" = Option<u64>, Query, description = "Long poll: events at most, 1 to 1,000, default 100"),
    ),
    responses((status = 200, description = "The stream, or a page", content(
        (docs::Event = "text/event-stream"),
        (docs::EventPage = "application/json"),
    ))),
)]
pub(crate) async fn follow_events(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let follow = Follow {
        filter: Filter::of_kind(&mut query),
        sight: Sight::of(&caller),
        caller,
        start: Start::read(&mut query, &headers),
    };
    let wait = query
        .number("wait", 0..=state.config.http.wait_max.as_secs())
        .map(Duration::from_secs);
    let limit = query.number("limit", 1..=state.config.http.page_limit_max as u64);
    query.finish()?;
    let json = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes() == b"application/json");
    if wait.is_some() || limit.is_some() || json {
        return poll(
            state,
            follow,
            wait.unwrap_or_default(),
            limit.unwrap_or(LIMIT_DEFAULT),
        )
        .await;
    }
    subscribe(state, follow)
}

/// What is followed.
#[derive(Clone, Debug)]
struct Follow {
    filter: Filter,
    caller: Caller,
    sight: Sight,
    start: Start,
}

/// Where to begin.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// With what comes.
    Now,
    /// At this position.
    At(Position),
    /// With what was recorded at or after this time.
    Since(Timestamp),
}

impl Start {
    /// What a reconnecting client says counts more than what its address says: that one it was opened with.
    fn read(query: &mut Query<'_>, headers: &HeaderMap) -> Self {
        let header = headers
            .get(LAST_EVENT_ID)
            .and_then(|id| id.to_str().ok()?.trim().parse().ok());
        let seen = query.position("last_event_id");
        let (from, since) = (query.position("from_position"), query.time("since"));
        match (header.map(Position::new).or(seen), from, since) {
            (Some(seen), ..) => Start::At(seen.next()),
            (None, Some(from), _) => Start::At(from.max(Position::FIRST)),
            (None, None, Some(since)) => Start::Since(since),
            (None, None, None) => Start::Now,
        }
    }

    fn position(self, log: &Log) -> Result<Position, ReadError> {
        match self {
            Start::Now => Ok(log.durable_position().next()),
            Start::At(position) => Ok(position),
            Start::Since(time) => Ok(log.position_at(time.plus_micros(-1))?.next()),
        }
    }
}

/// Counts a subscriber for as long as it lives.
#[derive(Debug)]
struct Subscriber {
    gauge: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

fn subscribe(state: AppState, mut follow: Follow) -> Result<Response<Body>, Problem> {
    if let Start::Now = follow.start {
        // Decided before the answer's head leaves: whoever has read it and then appends hears of that.
        follow.start = Start::At(state.log.durable_position().next());
    }
    let permit = state.subscribers.clone().try_acquire_owned();
    let permit = permit
        .map_err(|_| Problem::new(Kind::Busy, "too many event streams are open").retry_after(5))?;
    state.metrics.subscribers.inc();
    let subscriber = Subscriber {
        gauge: state.metrics.subscribers.clone(),
        _permit: permit,
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let _subscriber = subscriber;
        if let Err(problem) = pump(&state, follow, &sender).await {
            tracing::error!(detail = problem.detail(), "an event stream ended");
        }
    });
    let mut response = Response::new(Body::new(Channel(receiver)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that buffers would hold events back.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

/// Sends what is there, then waits for more, until the client goes, may not follow any longer, or the server stops.
async fn pump(
    state: &AppState,
    mut follow: Follow,
    sender: &mpsc::Sender<Bytes>,
) -> Result<(), Problem> {
    let mut durable = state.durable.clone();
    let mut stopping = state.stopping.subscribe();
    let start = follow.start;
    let mut from = reads::run(state, move |state| Ok(start.position(&state.log)?)).await?;
    if sender.send(Bytes::from_static(GREETING)).await.is_err() {
        return Ok(());
    }
    while !*stopping.borrow() {
        // Its session may have ended since, and its role may be another.
        let Ok(caller) = state.accounts.still(&follow.caller) else {
            return Ok(());
        };
        follow.sight = Sight::of(&caller);
        let to = *durable.borrow_and_update();
        if from <= to {
            let (text, next) = chunk(state, &follow, from, to).await?;
            from = next;
            if !text.is_empty() && sender.send(text.into()).await.is_err() {
                return Ok(());
            }
            continue;
        }
        let heartbeat = tokio::time::sleep(state.config.http.heartbeat);
        tokio::select! {
            changed = durable.changed() => if changed.is_err() { return Ok(()) },
            changed = stopping.changed() => if changed.is_err() { return Ok(()) },
            () = sender.closed() => return Ok(()),
            () = heartbeat => {
                // The id moves the client's place past events that its filter left out.
                let text = format!(": heartbeat\nid: {}\n\n", from.previous());
                if sender.send(text.into()).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Server-sent events from `from` on, and where the next chunk begins.
async fn chunk(
    state: &AppState,
    follow: &Follow,
    from: Position,
    to: Position,
) -> Result<(Vec<u8>, Position), Problem> {
    let follow = follow.clone();
    reads::run(state, move |state| {
        let mut text = Vec::new();
        let next = read(&state.log, &follow, from, to, |met| {
            match met {
                Met::Event(event) => {
                    text.extend_from_slice(b"id: ");
                    put_number(event.position().get(), &mut text);
                    text.extend_from_slice(b"\ndata: ");
                    // Compact JSON has no line break: one line is the whole event.
                    follow.sight.write(event, &mut text);
                    text.extend_from_slice(b"\n\n");
                }
                Met::Damage(first, last) => text.extend_from_slice(
                    format!(
                        "id: {last}\nevent: damaged\n\
                         data: {{\"first_position\":{first},\"last_position\":{last}}}\n\n"
                    )
                    .as_bytes(),
                ),
            }
            text.len() < CHUNK_BYTES
        })?;
        Ok((text, next))
    })
    .await
}

/// What lies on the way through the log.
enum Met<'a> {
    /// An event that is followed.
    Event(&'a storage::EventRef<'a>),
    /// Events, from the first to the last, that cannot be read and may be such.
    Damage(Position, Position),
}

/// Reads matching events until `take` says false; gives the position behind the last one looked at.
fn read(
    log: &Log,
    follow: &Follow,
    from: Position,
    to: Position,
    mut take: impl FnMut(Met<'_>) -> bool,
) -> Result<Position, ReadError> {
    // An aggregate that does not exist yet may come into being: its query is made anew for each read.
    let mut reader = log.read(&ReadRequest {
        query: follow.filter.query(log),
        from,
        to,
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) if follow.sight.covers(event.stream().aggregate_type) => {
                if !take(Met::Event(&event)) {
                    return Ok(event.position().next());
                }
            }
            Ok(_) => {}
            Err(ReadError::Damaged { first, last, .. }) => {
                tracing::error!(
                    first = first.get(),
                    last = last.get(),
                    "events of a stream are damaged"
                );
                if !take(Met::Damage(first, last)) {
                    return Ok(last.next());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(to.next())
}

/// One page of what comes next, after waiting for it if there is nothing yet.
async fn poll(
    state: AppState,
    follow: Follow,
    wait: Duration,
    limit: u64,
) -> Result<Response<Body>, Problem> {
    let deadline = tokio::time::Instant::now() + wait;
    let mut durable = state.durable.clone();
    let mut stopping = state.stopping.subscribe();
    let mut from = first_of_poll(&state, &follow, wait, limit).await?;
    loop {
        let to = *durable.borrow_and_update();
        let page = poll_page(&state, &follow, from, to, limit).await?;
        let next = page.next;
        if !page.is_empty() || tokio::time::Instant::now() >= deadline || *stopping.borrow() {
            return Ok(json_response(page.finish(to)));
        }
        from = next;
        tokio::select! {
            _ = durable.changed() => {}
            _ = stopping.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

/// Where a poll begins. One that neither names a place nor waits is given the most recent events.
async fn first_of_poll(
    state: &AppState,
    follow: &Follow,
    wait: Duration,
    limit: u64,
) -> Result<Position, Problem> {
    let follow = follow.clone();
    reads::run(state, move |state| {
        if !(matches!(follow.start, Start::Now) && wait.is_zero()) {
            return Ok(follow.start.position(&state.log)?);
        }
        let request = ReadRequest {
            query: follow.filter.query(&state.log),
            direction: Direction::Backward,
            ..ReadRequest::default()
        };
        let mut reader = state.log.read(&request)?;
        let (mut first, mut seen) = (state.log.durable_position().next(), 0);
        while seen < limit
            && let Some(event) = reader.next()
        {
            match event {
                Ok(event) if follow.sight.covers(event.stream().aggregate_type) => {
                    (first, seen) = (event.position(), seen + 1);
                }
                Err(error @ ReadError::Archived { .. }) => return Err(error.into()),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(first)
    })
    .await
}

/// The answer to a long poll, as far as it is written.
#[derive(Debug)]
struct PollPage {
    text: Vec<u8>,
    events: u64,
    damaged: Vec<Stretch>,
    /// Where the next one begins.
    next: Position,
}

impl PollPage {
    fn is_empty(&self) -> bool {
        self.events == 0 && self.damaged.is_empty()
    }

    fn finish(mut self, durable: Position) -> Vec<u8> {
        self.text.push(b']');
        damage::put_member(&self.damaged, &mut self.text);
        self.text.extend_from_slice(b",\"next_position\":");
        put_number(self.next.get(), &mut self.text);
        self.text.extend_from_slice(b",\"position\":");
        put_number(durable.get(), &mut self.text);
        self.text.push(b'}');
        self.text
    }
}

async fn poll_page(
    state: &AppState,
    follow: &Follow,
    from: Position,
    to: Position,
    limit: u64,
) -> Result<PollPage, Problem> {
    let mut page = PollPage {
        text: b"{\"events\":[".to_vec(),
        events: 0,
        damaged: Vec::new(),
        next: from,
    };
    if from > to {
        return Ok(page);
    }
    let follow = follow.clone();
    reads::run(state, move |state| {
        page.next = read(&state.log, &follow, from, to, |met| {
            match met {
                Met::Event(event) => {
                    if page.events > 0 {
                        page.text.push(b',');
                    }
                    follow.sight.write(event, &mut page.text);
                    page.events += 1;
                }
                Met::Damage(first, last) => page.damaged.push((first, last)),
            }
            page.events < limit
                && page.text.len() < PAGE_BYTES_MAX
                && page.damaged.len() < damage::LISTED_MAX
        })?;
        Ok(page)
    })
    .await
}

/// A body whose chunks come through a channel.
#[derive(Debug)]
pub(in crate::http) struct Channel(pub(in crate::http) mpsc::Receiver<Bytes>);

impl HttpBody for Channel {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(context)
            .map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
