//! Reads of the log from async code.
//!
//! The log is synchronous and may touch the disk, so reads run on blocking threads, a bounded number at a time. A long
//! answer is made in chunks: one is written to the socket while the next is read ahead, and between chunks no thread
//! waits, so a client that does not read holds two chunks of memory and nothing else. Chunks grow as a client takes them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use storage::{Log, Position, ReadError};
use tokio::task::JoinHandle;

use crate::app::AppState;
use crate::http::problem::{Kind, Problem};

/// Bytes after which an answer's first chunk is sent.
pub const CHUNK_BYTES: usize = 256 << 10;
/// Bytes after which a chunk is sent at most.
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// The bytes of the chunk behind one of `bytes`. Threads take turns at each chunk, so a client that takes many gets larger
/// ones; one that takes none holds two of the smallest.
pub fn next_chunk_bytes(bytes: usize) -> usize {
    bytes.saturating_mul(2).min(CHUNK_BYTES_MAX)
}

/// Whether there is more to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is.
    More,
    /// There is not.
    Done,
}

/// Writes the next chunk each time it is called: of about [`CHUNK_BYTES`], or growing by [`next_chunk_bytes`].
pub type Producer = Box<dyn FnMut(&Log, &mut Vec<u8>) -> Result<Progress, ReadError> + Send>;

/// Runs `read` on a blocking thread, once it is its turn.
///
/// # Errors
/// Those of `read`; `internal` when it panicked.
pub async fn run<T: Send + 'static>(
    state: &AppState,
    read: impl FnOnce(&AppState) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let closed = |_| Problem::new(Kind::Unavailable, "the server is stopping");
    let permit = state.reads.clone().acquire_owned().await.map_err(closed)?;
    let state = state.clone();
    let task = tokio::task::spawn_blocking(move || {
        let answer = read(&state);
        drop(permit);
        answer
    });
    task.await
        .unwrap_or_else(|error| Err(Problem::internal(&error)))
}

/// A body that is made chunk by chunk. What fits one chunk is sent whole, with its length.
///
/// # Errors
/// What goes wrong in the first chunk. Later the answer has begun, and breaks off.
pub async fn body(state: &AppState, producer: Producer) -> Result<Body, Problem> {
    let (chunk, progress, producer) = produce(state.clone(), producer, CHUNK_BYTES).await?;
    if progress == Progress::Done {
        return Ok(Body::from(chunk));
    }
    let room = next_chunk_bytes(CHUNK_BYTES);
    let next = tokio::spawn(produce(state.clone(), producer, room));
    Ok(Body::new(ChunkedBody {
        state: state.clone(),
        first: Some(chunk),
        next: Some(next),
        room,
    }))
}

type Produced = Result<(Vec<u8>, Progress, Producer), Problem>;

async fn produce(state: AppState, mut producer: Producer, room: usize) -> Produced {
    run(&state, move |state| {
        let mut chunk = Vec::with_capacity(room + (16 << 10));
        let progress = producer(&state.log, &mut chunk)?;
        Ok((chunk, progress, producer))
    })
    .await
}

/// See [`body`].
struct ChunkedBody {
    state: AppState,
    first: Option<Vec<u8>>,
    next: Option<JoinHandle<Produced>>,
    /// Bytes that room was made for in `next`.
    room: usize,
}

/// The answer broke off; its head was sent long ago, so all that is left is to close the connection.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
struct BrokeOff;

impl HttpBody for ChunkedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first.into()))));
        }
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let produced = ready!(Pin::new(next).poll(context));
        self.next = None;
        match produced {
            Ok(Ok((chunk, progress, producer))) => {
                if progress == Progress::More {
                    self.room = next_chunk_bytes(self.room);
                    let next = produce(self.state.clone(), producer, self.room);
                    self.next = Some(tokio::spawn(next));
                }
                Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
            }
            Ok(Err(_)) | Err(_) => Poll::Ready(Some(Err(BrokeOff.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Waits until the log is durable up to `position`: what somebody else has written is there then.
///
/// # Errors
/// `position-not-reached` when it takes longer than `wait`.
pub async fn reach(state: &AppState, position: Position, wait: Duration) -> Result<(), Problem> {
    if state.log.durable_position() >= position {
        return Ok(());
    }
    let mut durable = state.durable.clone();
    let reached = durable.wait_for(|durable| *durable >= position);
    match tokio::time::timeout(wait, reached).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(not_yet(position, state.log.durable_position())),
    }
}

/// The answer to a read that did not reach the position it was asked for.
pub fn not_yet(wanted: Position, reached: Position) -> Problem {
    let detail = format!("position {wanted} is not reached yet, it is at {reached}");
    Problem::new(Kind::NotYet, detail)
        .with("min_position", wanted.get())
        .with("position", reached.get())
}
