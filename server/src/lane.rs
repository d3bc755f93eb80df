//! The writers' lane: `POST /api/v1/events` is answered by threads of its own, past hyper and the router.
//!
//! What a depot's server does all day is to append one event, and for that a router is most of the work: it looks the path
//! up, boxes a future for each layer, fills a map of headers, and its runtime wakes a thread for every answer. In a lane a
//! connection stays on one thread. The request is read where it lies, and the log's writer puts the answers of a whole
//! group into one [`mailbox`], for which it wakes the thread once. The answer to a lone write it sends itself ([`direct`]).
//!
//! A lane can only say yes. Whatever it is not sure of (another route, a head that did not come in one piece, a token or a
//! body that is not right) leaves it: the connection goes to the router with every byte that was read of it, and does not
//! come back. So there is one place that refuses, and a refusal cannot depend on the way. What is answered here is what the
//! log answered, and that time ran out.

mod answer;
mod direct;
mod head;
mod mailbox;
#[cfg(test)]
mod tests;
mod writes;

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use axum::http::Method;
use fleet::policy::Role;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::app::AppState;
use crate::config::rates::Class;
use crate::http::access::{self, Access};
use crate::http::edge::Ids;
use mailbox::Mailbox;
use writes::{Desk, Left};

/// The path whose writes a lane answers.
pub(crate) const PATH: &str = "/api/v1/events";
/// Lanes at most: one alone keeps up with a disk.
const LANES_MAX: usize = 4;

/// All lanes. Dropping them ends their connections.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    desk: Arc<Desk>,
    /// Dropped to end it.
    open: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lanes {
    /// One lane for every two processors: the other half is the writer's, the readers' and the read models'.
    pub(crate) fn count() -> usize {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        (processors / 2).clamp(1, LANES_MAX)
    }

    /// Starts `count` lanes. There are none when writes are open to everybody, or to nobody, or are counted: a lane says
    /// yes only, and the router has to say how many are left.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(count: usize, state: &AppState, ids: &Ids) -> io::Result<Self> {
        let Some(Access::AtLeast(least)) = access::of(&Method::POST, PATH) else {
            return Ok(Lanes::default());
        };
        if state.config.rates.rate(Class::Events).is_some() {
            return Ok(Lanes::default());
        }
        let lanes = (0..count).map(|number| Lane::start(number, state, ids, least));
        Ok(Lanes {
            lanes: lanes.collect::<io::Result<_>>()?,
            next: AtomicUsize::new(0),
        })
    }

    /// Serves a connection. `leave` gets it, with what was read of it, when it asks for what is not answered here.
    pub(crate) fn serve(
        &self,
        socket: TcpStream,
        leave: impl FnOnce(TcpStream, Vec<u8>) + Send + 'static,
    ) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(lane) = self.lanes.get(turn % self.lanes.len().max(1)) else {
            return leave(socket, Vec::new());
        };
        let desk = lane.desk.clone();
        lane.runtime.spawn(async move {
            match writes::serve(socket, desk).await {
                Ok(Left::Ended) => {}
                Ok(Left::ToRouter(socket, received)) => leave(socket, received),
                Err(error) => tracing::debug!(%error, "a writer's connection ended early"),
            }
        });
    }
}

impl Lane {
    fn start(number: usize, state: &AppState, ids: &Ids, least: Role) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let mailbox = Arc::new(Mailbox::default());
        let desk = Arc::new(Desk::new(state, ids, least, mailbox.clone()));
        let (open, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(format!("lane-{number}"))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = ended => {}
                        () = mailbox.deliver() => {}
                    }
                });
            })?;
        Ok(Lane {
            runtime: handle,
            desk,
            open: Some(open),
            thread: Some(thread),
        })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.open = None;
        if let Some(thread) = self.thread.take() {
            // A lane's thread never blocks, so this is soon.
            let _ = thread.join();
        }
    }
}
