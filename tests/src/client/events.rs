//! Server-sent events, as the HTML standard frames them (section 9.2.6): what our own live stream answers with.

use std::io::{self, BufReader};
use std::time::{Duration, Instant};

use super::body::Body;
use super::read_line;

/// One event of the stream, or a comment that keeps it alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// The value of `id:`, where the stream is resumed.
    pub id: Option<String>,
    /// The value of `event:`.
    pub event: Option<String>,
    /// The lines of `data:`, put together by line feeds.
    pub data: String,
}

/// A stream of events that is being read.
#[derive(Debug)]
pub struct EventStream {
    body: BufReader<Body>,
}

impl EventStream {
    pub(super) fn new(body: Body) -> Self {
        EventStream {
            body: BufReader::new(body),
        }
    }

    /// The next event that carries data; `None` when the stream ends or `within` has passed.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn next(&mut self, within: Duration) -> io::Result<Option<ServerSentEvent>> {
        let deadline = Instant::now() + within;
        let mut event = ServerSentEvent::default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.body
                .get_ref()
                .connection()
                .set_read_timeout(Some(left))?;
            let line = match read_line(&mut self.body) {
                Ok(line) => line,
                Err(error) if ended(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() && !event.data.is_empty() => return Ok(Some(event)),
                "id" => event.id = Some(value.to_owned()),
                "event" => event.event = Some(value.to_owned()),
                "data" if event.data.is_empty() => value.clone_into(&mut event.data),
                "data" => {
                    event.data.push('\n');
                    event.data.push_str(value);
                }
                _ => {}
            }
        }
    }
}

fn ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
