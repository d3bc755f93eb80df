//! One connection in a lane: a write is read, handed to the log, and answered, again and again.

use std::io;
use std::net;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use fleet::policy::Role;
use storage::{AppendError, Transaction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, timeout, timeout_at};

use super::PATH;
use super::answer::{About, Answer};
use super::direct::{Direct, Entrusted, Reply, Sent};
use super::head::{self, Bounds, Head};
use super::mailbox::Mailbox;
use crate::app::AppState;
use crate::append::submit;
use crate::audit::security::RefusedWrite;
use crate::command::{is_guarded, refuse_astray};
use crate::config::HttpConfig;
use crate::federation::may_be_decided_elsewhere;
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
    /// Writes that the log has not answered.
    under_way: AtomicUsize,
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
            under_way: AtomicUsize::new(0),
        }
    }

    /// Waits for the beginning of a request, and reads it.
    async fn receive(&self, read: &mut OwnedReadHalf, received: &mut Vec<u8>) -> io::Result<usize> {
        read.readable().await?;
        if self.under_way.load(Ordering::Relaxed) == 0 {
            // A write, most likely: the log's thread wakes while it is read.
            self.state.log.announce();
        }
        read.read_buf(received).await
    }

    /// The write that was received under `head`, if the caller may and nothing is wrong with it.
    fn read(&self, head: &Head<'_>, received: &[u8]) -> Option<(Transaction, Asked)> {
        let body = received.get(head.body_at..head.end)?;
        let caller = self.state.accounts.authenticate(head.token).ok()?;
        if !caller.role().reaches(self.least) {
            return None;
        }
        let write = read_write(&self.state, &caller, head.wishes, body).ok()?;
        // What is guarded is held against what the log has first, and what another depot decides, or goes astray, is refused:
        // the router's.
        let mut writes = write.0.writes.iter();
        let is_ours = writes.all(|write| {
            !may_be_decided_elsewhere(&self.state, write)
                && refuse_astray(&self.state, &write.stream).is_ok()
        });
        (is_ours && !is_guarded(&write.0)).then_some(write)
    }

    /// Counts an answer and, where that is wanted, logs it.
    fn note(&self, status: StatusCode, began: Instant, request_id: &[u8]) {
        let took = began.elapsed();
        self.metrics.observe(status, took);
        if status.is_client_error() {
            // Only the log itself refuses here: whatever else is wrong goes to the router.
            self.state.security.refused_write(RefusedWrite {
                method: "POST",
                path: PATH,
                status: status.as_u16(),
                problem: "",
                user: None,
                address: None,
            });
        }
        if self.state.config.http.access_log {
            let id = str::from_utf8(request_id).unwrap_or_default();
            note_access(&Method::POST, PATH, status, took, id);
        }
    }

    /// Hands a transaction to the log. What is `entrusted` goes with it.
    fn submit(
        self: &Arc<Self>,
        transaction: Transaction,
        entrusted: Entrusted,
    ) -> oneshot::Receiver<Reply> {
        let (answer, answered) = oneshot::channel();
        let desk = self.clone();
        submit(&self.state.log, transaction, move |transaction, result| {
            let answered = (transaction, result);
            let reply = match entrusted.take() {
                Some(direct) => direct.send(answered, &desk.state),
                None => Reply::Answered(answered),
            };
            desk.mailbox.put(answer, reply);
        });
        answered
    }
}

/// Counts a write as under way while it lives.
struct UnderWay<'a>(&'a Desk);

impl<'a> UnderWay<'a> {
    /// The write, and whether it is the only one.
    fn begin(desk: &'a Desk) -> (Self, bool) {
        let others = desk.under_way.fetch_add(1, Ordering::Relaxed);
        (UnderWay(desk), others == 0)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection's writing half, and the buffers of its answers: with the lane, or with the log's thread.
struct Outward {
    write: OwnedWriteHalf,
    answer: Answer,
}

/// How a write was answered.
struct Done {
    outward: Outward,
    status: StatusCode,
    /// How many of the answer's bytes are sent.
    sent: usize,
    closes: bool,
}

impl Done {
    fn set(outward: Outward, status: StatusCode, closes: bool) -> Self {
        Done {
            outward,
            status,
            sent: 0,
            closes,
        }
    }
}

/// Answers the writes that come over a connection, until it ends or asks for something else.
///
/// # Errors
/// When the connection breaks, or its client takes no answers.
pub(super) async fn serve(socket: net::TcpStream, desk: Arc<Desk>) -> io::Result<Left> {
    let (mut read, write) = TcpStream::from_std(socket)?.into_split();
    let (state, http) = (&desk.state, &desk.state.config.http);
    let mut stopping = state.stopping.subscribe();
    let mut stopped = pin!(stopping.wait_for(|stopping| *stopping));
    // Two timers that are only ever put off cost nothing; one that is also set forward would be filed anew each time.
    let mut idle = pin!(sleep(http.header_read_timeout));
    let mut limit = pin!(sleep(http.request_timeout));
    let mut received = Vec::new();
    let mut outward = Outward {
        write,
        answer: Answer::default(),
    };
    loop {
        if received.is_empty() {
            received.reserve(READ_BYTES);
            idle.as_mut()
                .reset(Instant::now() + http.header_read_timeout);
            let count = tokio::select! {
                biased;
                count = desk.receive(&mut read, &mut received) => count?,
                _ = stopped.as_mut() => 0,
                () = idle.as_mut() => 0,
            };
            if count == 0 {
                return Ok(Left::Ended);
            }
        }
        let began = Instant::now();
        let head = match head::read(&received, desk.bounds) {
            Some(head) if head.end <= received.len() => Some(head),
            Some(Head { end, .. }) => {
                if let Err(late) = fill(&mut read, &mut received, end, began, http).await? {
                    let id = desk.ids.next();
                    let about = About::new(state, &id, true);
                    let status = outward.answer.set_problem(&late, about).await;
                    desk.note(status, began, &id);
                    let Outward { mut write, answer } = outward;
                    send(&mut write, answer.bytes(), http.body_read_timeout).await?;
                    return end_politely(write).await;
                }
                head::read(&received, desk.bounds)
            }
            None => None,
        };
        // A panic is the router's to answer as well.
        let asks = catch_unwind(AssertUnwindSafe(|| desk.read(head.as_ref()?, &received)));
        let (Some(head), Ok(Some((transaction, asked)))) = (head, asks) else {
            let socket = read.reunite(outward.write).map_err(io::Error::other)?;
            return Ok(Left::ToRouter(socket.into_std()?, received));
        };
        limit.as_mut().reset(began + http.request_timeout);
        let own_id = desk.ids.next();
        let id = head.request_id.unwrap_or(&own_id);
        let done = write_one(&desk, outward, (transaction, asked), id, limit.as_mut()).await?;
        desk.note(done.status, began, id);
        outward = done.outward;
        let rest = outward.answer.bytes().get(done.sent..).unwrap_or_default();
        send(&mut outward.write, rest, http.body_read_timeout).await?;
        if done.closes {
            return end_politely(outward.write).await;
        }
        let end = head.end;
        received.drain(..end);
        if received.is_empty() {
            received.shrink_to(PIECE_BYTES_MAX);
            outward.answer.forget();
        }
    }
}

/// Has the log take a write, and its answer made: by the log's thread and sent, where the write is the only one.
async fn write_one(
    desk: &Arc<Desk>,
    outward: Outward,
    (transaction, asked): (Transaction, Asked),
    id: &[u8],
    limit: Pin<&mut Sleep>,
) -> io::Result<Done> {
    let state = &desk.state;
    let (_under_way, is_lone) = UnderWay::begin(desk);
    let (mut kept, entrusted) = if is_lone {
        let direct = Direct {
            write: outward.write,
            answer: outward.answer,
            asked,
            request_id: id.to_vec(),
        };
        (None, Entrusted::new(direct))
    } else {
        (Some(outward), Entrusted::default())
    };
    let mut reply = desk.submit(transaction, entrusted.clone());
    let in_time = tokio::select! {
        biased;
        reply = &mut reply => Some(reply),
        () = limit => None,
    };
    if in_time.is_none() {
        kept = kept.or_else(|| entrusted.take().map(Outward::from));
        if let Some(mut outward) = kept {
            let about = About::new(state, id, *state.stopping.borrow());
            let status = outward.answer.set_problem(&request_timeout(), about).await;
            return Ok(Done::set(outward, status, about.closes));
        }
    }
    // The log's thread never waits with what it was given: where it has it, the answer comes at once.
    let reply = match in_time {
        Some(reply) => reply,
        None => reply.await,
    };
    let about = About::new(state, id, *state.stopping.borrow());
    let (mut outward, problem) = match (reply, kept) {
        (Ok(Reply::Sent(sent)), _) => return Ok(sent.into()),
        (Ok(Reply::Refused(direct, problem)), _) => (direct.into(), problem),
        (Ok(Reply::Answered(answered)), Some(mut outward)) => {
            let status = outward.answer.set(asked, answered, about).await;
            return Ok(Done::set(outward, status, about.closes));
        }
        (Err(_), Some(outward)) => (outward, AppendError::Closed.into()),
        (Err(_), None) => match entrusted.take() {
            Some(direct) => (direct.into(), AppendError::Closed.into()),
            None => return Err(io::ErrorKind::BrokenPipe.into()),
        },
        (Ok(Reply::Answered(_)), None) => return Err(io::ErrorKind::BrokenPipe.into()),
    };
    let status = outward.answer.set_problem(&problem, about).await;
    Ok(Done::set(outward, status, about.closes))
}

impl From<Direct> for Outward {
    fn from(direct: Direct) -> Self {
        Outward {
            write: direct.write,
            answer: direct.answer,
        }
    }
}

impl From<Sent> for Done {
    fn from(sent: Sent) -> Self {
        Done {
            outward: Outward {
                write: sent.write,
                answer: sent.answer,
            },
            status: sent.status,
            sent: sent.taken,
            closes: sent.closes,
        }
    }
}

/// Reads until `end` bytes are there, or says that they took too long.
async fn fill(
    socket: &mut OwnedReadHalf,
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
async fn send(socket: &mut OwnedWriteHalf, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
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
async fn end_politely(mut socket: OwnedWriteHalf) -> io::Result<Left> {
    socket.shutdown().await?;
    Ok(Left::Ended)
}
