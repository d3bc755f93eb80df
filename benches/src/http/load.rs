//! Many connections served by one thread, each sending its next event as soon as the last one is answered.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::answer::{self, Body};
use super::request::PostEvent;
use crate::sample::{Sample, per_second};

/// After this long without any answer the server is taken for dead.
const SILENCE_MAX: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};
/// An answer to one event is smaller than this.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// See the module.
#[derive(Debug)]
pub struct Load {
    epoll: rustix::fd::OwnedFd,
    writers: Vec<Writer>,
}

#[derive(Debug)]
struct Writer {
    socket: TcpStream,
    post: PostEvent,
    number: u64,
    sent: Instant,
    buffer: Vec<u8>,
    received: usize,
}

/// What a load reached.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Events answered a second.
    pub rate: f64,
    /// How many events were answered, those after the time was up included.
    pub events: u64,
    /// How long each was waited for.
    pub waited: Sample,
}

impl Load {
    /// Opens a connection to `address` for each of `posts`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn connect(address: SocketAddr, posts: Vec<PostEvent>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut writers = Vec::with_capacity(posts.len());
        for (at, post) in posts.into_iter().enumerate() {
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            let data = epoll::EventData::new_u64(at as u64);
            epoll::add(&epoll, &socket, data, epoll::EventFlags::IN)?;
            writers.push(Writer {
                socket,
                post,
                number: 0,
                sent: Instant::now(),
                buffer: vec![0; ANSWER_BYTES_MAX],
                received: 0,
            });
        }
        Ok(Load { epoll, writers })
    }

    /// Keeps all writers busy for `lasting`, then waits for what is under way.
    ///
    /// # Errors
    /// What the operating system says, or `InvalidData` for an answer other than 200 or 201.
    pub fn run(&mut self, lasting: Duration) -> io::Result<Reached> {
        let began = Instant::now();
        let end = began + lasting;
        for writer in &mut self.writers {
            writer.send()?;
        }
        let mut waiting = self.writers.len();
        let mut waited = Sample::default();
        let mut in_time = 0;
        let mut ready = Vec::with_capacity(self.writers.len());
        while waiting > 0 {
            epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&SILENCE_MAX))?;
            if ready.is_empty() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            for event in ready.drain(..) {
                let at = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
                let Some(writer) = self.writers.get_mut(at) else {
                    continue;
                };
                if !writer.receive()? {
                    continue;
                }
                let now = Instant::now();
                waited.push(now - writer.sent);
                if now < end {
                    in_time += 1;
                    writer.send()?;
                } else {
                    waiting -= 1;
                }
            }
        }
        Ok(Reached {
            rate: per_second(in_time, lasting),
            events: waited.count() as u64,
            waited,
        })
    }
}

impl Writer {
    fn send(&mut self) -> io::Result<()> {
        self.number += 1;
        self.sent = Instant::now();
        self.socket.write_all(self.post.numbered(self.number))
    }

    /// Takes in what has come; whether the answer is whole.
    fn receive(&mut self) -> io::Result<bool> {
        let count = self.socket.read(&mut self.buffer[self.received..])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.received += count;
        let received = &self.buffer[..self.received];
        let head = answer::head(received).map_err(|_| invalid("it is malformed"))?;
        let Some(head) = head else { return Ok(false) };
        let Body::Length(length) = head.body else {
            return Err(invalid("it comes in chunks"));
        };
        if received.len() < head.bytes + length {
            return Ok(false);
        }
        if !matches!(head.status, 200 | 201) {
            let body = String::from_utf8_lossy(&received[head.bytes..]);
            return Err(invalid(&format!("status {}: {body}", head.status)));
        }
        self.received = 0;
        Ok(true)
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("an answer is not as expected: {why}"),
    )
}
