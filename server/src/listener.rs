//! The socket: connections, their number, their time limits, and their orderly end.
//!
//! A connection begins in a lane (`lane.rs`), which answers writes of one event and passes everything else on.
//!
//! `axum::serve` sets no time limit on a request's head, so one client could hold connections for ever. Here hyper's
//! own server is used with its timer; a connection whose client stops reading is given up as well ([`Patient`]).

use std::io;
use std::net::{self, IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tower::Service as _;

use crate::app::AppState;
use crate::http::App;
use crate::http::auth::PeerAddress;
use crate::lane::Lanes;
use crate::tls::Tls;
use gate::{Gate, Pass};
use patient::Patient;

mod gate;
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
pub async fn serve(listener: TcpListener, app: App, state: AppState, tls: Option<Arc<Tls>>) {
    let http = &state.config.http;
    let gate = Gate::new(http.connections_max, http.connections_per_address_max);
    let mut stopping = state.stopping.subscribe();
    let lanes = Lanes::start(Lanes::count(), &state, &app.ids()).unwrap_or_else(|error| {
        tracing::error!(%error, "there is no thread for a lane; the router answers writes as well");
        Lanes::default()
    });
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Err(error) = admit(stream, peer, &gate, &lanes, &app, &state, tls.as_ref()) {
                        tracing::debug!(%error, %peer, "a connection ended at once");
                    }
                }
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

fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    gate: &Arc<Gate>,
    lanes: &Lanes,
    app: &App,
    state: &AppState,
    tls: Option<&Arc<Tls>>,
) -> io::Result<()> {
    let Some(pass) = gate.enter(peer.ip()) else {
        state.metrics.connections_refused.inc();
        // Best effort: the socket's buffer is empty, so this takes or fails at once.
        let _ = stream.try_write(TOO_MANY.as_bytes());
        return Ok(());
    };
    // Small answers should not wait for more.
    let _ = stream.set_nodelay(true);
    let guest = Guest::new(peer, pass, app, state);
    if let Some(tls) = tls {
        // A lane reads the bytes where they lie, so it has nothing for those that are encrypted.
        tokio::spawn(encrypted(stream, tls.clone(), guest));
        return Ok(());
    }
    let here = Handle::current();
    lanes.serve(stream.into_std()?, move |stream, received| {
        here.spawn(routed(stream, received, guest));
    });
    Ok(())
}

/// A connection's claim on the server, however it is served.
struct Guest {
    peer: SocketAddr,
    app: App,
    state: AppState,
    _pass: Pass,
}

impl Guest {
    fn new(peer: SocketAddr, pass: Pass, app: &App, state: &AppState) -> Self {
        state.metrics.connections.inc();
        Guest {
            peer,
            app: app.clone(),
            state: state.clone(),
            _pass: pass,
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.state.metrics.connections.dec();
    }
}

/// Serves a connection through hyper and the router. `received` was read of it already.
async fn routed(stream: net::TcpStream, received: Vec<u8>, guest: Guest) {
    let answered = match TcpStream::from_std(stream) {
        Ok(stream) => answer(stream, received, &guest).await,
        Err(error) => Err(error.into()),
    };
    note_end(answered, &guest);
}

/// The same over TLS. The handshake has as long as a request's head.
async fn encrypted(stream: TcpStream, tls: Arc<Tls>, guest: Guest) {
    let patience = guest.state.config.http.header_read_timeout;
    let answered = match tokio::time::timeout(patience, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, Vec::new(), &guest).await,
        Ok(Err(error)) => Err(error.into()),
        Err(late) => Err(late.into()),
    };
    note_end(answered, &guest);
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn note_end(ended: Ended, guest: &Guest) {
    if let Err(error) = ended {
        tracing::debug!(%error, peer = %guest.peer, "a connection ended early");
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    received: Vec<u8>,
    guest: &Guest,
) -> Ended {
    let state = &guest.state;
    let http = &state.config.http;
    let io = TokioIo::new(Patient::new(stream, received, http.body_read_timeout));
    let service = Connection {
        app: guest.app.clone(),
        peer: guest.peer.ip(),
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
    tokio::select! {
        ended = connection.as_mut() => ended?,
        () = stopped(&mut stopping) => {
            // The request being answered is answered, no other is taken.
            connection.as_mut().graceful_shutdown();
            connection.await?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests;
