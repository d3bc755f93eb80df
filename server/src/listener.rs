//! The socket: connections, their number, their time limits, and their orderly end.
//!
//! `axum::serve` sets no time limit on a request's head, so one client could hold connections for ever. Here hyper's
//! own server is used with its timer; a connection whose client stops reading is given up as well ([`Patient`]).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service as _;

use crate::app::AppState;
use crate::http::App;
use crate::http::auth::PeerAddress;
use patient::Patient;

mod patient;

/// Header lines of a request.
const HEADERS_MAX: usize = 100;
/// Bytes that hyper buffers of a connection at least.
const BUFFER_BYTES_MIN: usize = 64 << 10;
/// How long to wait after the system refused a connection, for want of file descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection too many is told.
const TOO_MANY: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n",
    "connection: close\r\ncontent-length: 120\r\n\r\n",
    "{\"type\":\"urn:railfleet:problem:busy\",\"title\":\"Busy\",\"status\":503,",
    "\"detail\":\"too many connections; try again in a moment\"}"
);

/// Serves connections until `stopping` turns true, then waits for the open ones, at most the configured time.
pub async fn serve(listener: TcpListener, app: App, state: AppState) {
    let http = &state.config.http;
    let gate = Gate::new(http.connections_max, http.connections_per_address_max);
    let mut stopping = state.stopping.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(stream, peer, &gate, &app, &state),
                Err(error) => {
                    // One connection that was gone before it was taken is no reason to pause; no descriptors are.
                    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            },
            () = stopped(&mut stopping) => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(http.shutdown_timeout, gate.all_gone())
        .await
        .is_err()
    {
        tracing::warn!(
            seconds = http.shutdown_timeout.as_secs(),
            "connections were still open when the time to end was over"
        );
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, gate: &Arc<Gate>, app: &App, state: &AppState) {
    let Some(pass) = gate.enter(peer.ip()) else {
        state.metrics.connections_refused.inc();
        // Best effort: the socket's buffer is empty, so this takes or fails at once.
        let _ = stream.try_write(TOO_MANY.as_bytes());
        return;
    };
    let (app, state) = (app.clone(), state.clone());
    tokio::spawn(async move {
        state.metrics.connections.inc();
        connection(stream, peer, app, &state).await;
        state.metrics.connections.dec();
        drop(pass);
    });
}

async fn connection(stream: TcpStream, peer: SocketAddr, app: App, state: &AppState) {
    // Small answers should not wait for more.
    let _ = stream.set_nodelay(true);
    let http = &state.config.http;
    let io = TokioIo::new(Patient::new(stream, http.body_read_timeout));
    let service = Connection {
        app,
        peer: peer.ip(),
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(http.header_read_timeout)
        .max_headers(HEADERS_MAX)
        .max_header_size(http.header_bytes_max)
        .max_buf_size(http.header_bytes_max.max(BUFFER_BYTES_MIN));
    // Flushes are not put off while more input waits (hyper's `pipeline_flush`): the refusal of what cannot be parsed
    // would never leave, and an answer would wait for the rest of the next request's head.
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stopping = state.stopping.subscribe();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            // The request being answered is answered, no other is taken.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// What one connection's requests go to.
struct Connection {
    app: App,
    peer: IpAddr,
}

impl hyper::service::Service<Request<Incoming>> for Connection {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = <App as tower::Service<Request<Body>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(PeerAddress(self.peer));
        self.app.clone().call(request)
    }
}

/// How many connections there may be, in all and from one address.
#[derive(Debug)]
struct Gate {
    places: Arc<Semaphore>,
    places_max: usize,
    per_address_max: usize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

impl Gate {
    fn new(places_max: usize, per_address_max: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places_max));
        Arc::new(Gate {
            places,
            places_max,
            per_address_max,
            addresses: Mutex::default(),
        })
    }

    /// A place for a connection from `address`, if there is one left.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Pass> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_default();
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        Some(Pass {
            gate: self.clone(),
            address,
            _place: place,
        })
    }

    /// Waits until every place is free.
    async fn all_gone(&self) {
        let all = u32::try_from(self.places_max).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
struct Pass {
    gate: Arc<Gate>,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut addresses = self
            .gate
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
