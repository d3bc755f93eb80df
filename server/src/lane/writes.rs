//! One connection in a lane: a write is read, handed to the log, and answered, again and again.

use std::io;
use std::net;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use fleet::policy::Role;
use storage::{AppendError, Transaction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::PATH;
use super::answer::{About, Answer};
use super::head::{self, Bounds, Head};
use super::mailbox::Mailbox;
use crate::app::AppState;
use crate::append::{Answered, submit};
use crate::command::touches_stock;
use crate::config::HttpConfig;
use crate::http::body::body_timeout;
use crate::http::edge::{Ids, note_access, request_timeout};
use crate::http::events::append::{Asked, read_write};
use crate::http::problem::Problem;
use crate::metrics::RouteMetrics;

/// Room that is made before a read: most requests come in one.
const READ_BYTES: usize = 8 << 10;
/// Room that is made at a time for what a head promises and may never send.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// What a lane's connections share.
#[derive(Debug)]
pub(super) struct Desk {
    state: AppState,
    /// The least role that may write.
    least: Role,
    bounds: Bounds,
    metrics: RouteMetrics,
    ids: Ids,
    mailbox: Arc<Mailbox>,
}

/// Why a connection left its lane.
#[derive(Debug)]
pub(super) enum Left {
    /// It is over.
    Ended,
    /// It asks for something else. What was read of it and not answered comes with it.
    ToRouter(net::TcpStream, Vec<u8>),
}

impl Desk {
    pub(super) fn new(state: &AppState, ids: &Ids, least: Role, mailbox: Arc<Mailbox>) -> Self {
        let http = &state.config.http;
        Desk {
            state: state.clone(),
            least,
            bounds: Bounds {
                head_bytes_max: http.header_bytes_max,
                body_bytes_max: http.body_bytes_max,
            },
            metrics: state.metrics.route(&Method::POST, PATH),
            ids: ids.clone(),
            mailbox,
        }
    }

    /// The write that was received under `head`, if the caller may and nothing is wrong with it.
    fn read(&self, head: &Head<'_>, received: &[u8]) -> Option<(Transaction, Asked)> {
        let body = received.get(head.body_at..head.end)?;
        let caller = self.state.accounts.authenticate(head.token).ok()?;
        if !caller.role().reaches(self.least) {
            return None;
        }
        let write = read_write(&caller, head.wishes, body).ok()?;
        // What changes a level is held against the part first, which is the router's.
        (!touches_stock(&write.0)).then_some(write)
    }

    /// Counts an answer and, where that is wanted, logs it.
    fn note(&self, status: StatusCode, began: Instant, request_id: &[u8]) {
        let took = began.elapsed();
        self.metrics.observe(status, took);
        if self.state.config.http.access_log {
            let id = str::from_utf8(request_id).unwrap_or_default();
            note_access(&Method::POST, PATH, status, took, id);
        }
    }

    fn submit(&self, transaction: Transaction) -> oneshot::Receiver<Answered> {
        let (answer, answered) = oneshot::channel();
        let mailbox = self.mailbox.clone();
        submit(&self.state.log, transaction, move |transaction, result| {
            mailbox.put(answer, (transaction, result));
        });
        answered
    }
}

/// Answers the writes that come over a connection, until it ends or asks for something else.
///
/// # Errors
/// When the connection breaks, or its client takes no answers.
pub(super) async fn serve(socket: net::TcpStream, desk: &Desk) -> io::Result<Left> {
    let mut socket = TcpStream::from_std(socket)?;
    let (state, http) = (&desk.state, &desk.state.config.http);
    let mut stopping = state.stopping.subscribe();
    let mut stopped = pin!(stopping.wait_for(|stopping| *stopping));
    // Two timers that are only ever put off cost nothing; one that is also set forward would be filed anew each time.
    let mut idle = pin!(sleep(http.header_read_timeout));
    let mut limit = pin!(sleep(http.request_timeout));
    let mut received = Vec::new();
    let mut answer = Answer::default();
    loop {
        if received.is_empty() {
            received.reserve(READ_BYTES);
            idle.as_mut()
                .reset(Instant::now() + http.header_read_timeout);
            let read = tokio::select! {
                biased;
                read = socket.read_buf(&mut received) => read?,
                _ = stopped.as_mut() => 0,
                () = idle.as_mut() => 0,
            };
            if read == 0 {
                return Ok(Left::Ended);
            }
        }
        let began = Instant::now();
        let head = match head::read(&received, desk.bounds) {
            Some(head) if head.end <= received.len() => Some(head),
            Some(Head { end, .. }) => {
                if let Err(late) = fill(&mut socket, &mut received, end, began, http).await? {
                    let id = desk.ids.next();
                    let about = About::new(state, &id, true);
                    let status = answer.set_problem(&late, about).await;
                    desk.note(status, began, &id);
                    send(&mut socket, answer.bytes(), http.body_read_timeout).await?;
                    return end_politely(socket).await;
                }
                head::read(&received, desk.bounds)
            }
            None => None,
        };
        // A panic is the router's to answer as well.
        let read = catch_unwind(AssertUnwindSafe(|| desk.read(head.as_ref()?, &received)));
        let (Some(head), Ok(Some((transaction, asked)))) = (head, read) else {
            return Ok(Left::ToRouter(socket.into_std()?, received));
        };
        let mut answered = desk.submit(transaction);
        limit.as_mut().reset(began + http.request_timeout);
        let answered = tokio::select! {
            biased;
            answered = &mut answered => Some(answered),
            () = limit.as_mut() => None,
        };
        let own_id = desk.ids.next();
        let id = head.request_id.unwrap_or(&own_id);
        let about = About::new(state, id, *state.stopping.borrow());
        let status = match answered {
            Some(Ok(answered)) => answer.set(asked, answered, about).await,
            Some(Err(_)) => answer.set_problem(&AppendError::Closed.into(), about).await,
            None => answer.set_problem(&request_timeout(), about).await,
        };
        desk.note(status, began, id);
        send(&mut socket, answer.bytes(), http.body_read_timeout).await?;
        if about.closes {
            return end_politely(socket).await;
        }
        let end = head.end;
        received.drain(..end);
        if received.is_empty() {
            received.shrink_to(PIECE_BYTES_MAX);
            answer.forget();
        }
    }
}

/// Reads until `end` bytes are there, or says that they took too long.
async fn fill(
    socket: &mut TcpStream,
    received: &mut Vec<u8>,
    end: usize,
    began: Instant,
    http: &HttpConfig,
) -> io::Result<Result<(), Problem>> {
    let reading = async {
        while received.len() < end {
            received.reserve((end - received.len()).min(PIECE_BYTES_MAX));
            if socket.read_buf(received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    };
    let limit = http.body_read_timeout.min(http.request_timeout);
    match timeout_at(began + limit, reading).await {
        Ok(read) => read.map(Ok),
        Err(_) if http.request_timeout < http.body_read_timeout => Ok(Err(request_timeout())),
        Err(_) => Ok(Err(body_timeout(http.body_read_timeout))),
    }
}

/// Sends all of `bytes`; gives up on a client that takes nothing for `patience`.
async fn send(socket: &mut TcpStream, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout(patience, socket.writable()).await??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Says that nothing more comes, so that the last answer is not lost with the connection.
async fn end_politely(mut socket: TcpStream) -> io::Result<Left> {
    socket.shutdown().await?;
    Ok(Left::Ended)
}
