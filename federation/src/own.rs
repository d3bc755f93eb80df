//! What the stream holds of this log alone. A broker's filter cannot say "all but mine", so a depot that publishes much, as
//! one that joins does, would be sent all of it back. It knows from the acknowledgements where its messages lie: between two
//! that follow each other there is no other's, and the receiver passes them by.

/// Events that are left to publish when somebody begins to wait: making the place in the stream anew costs some, too.
const WORTH_WAITING: u64 = 10_000;

/// A part of the stream that holds this log's messages only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnPart {
    /// When the stream was made: another one counts anew.
    stream_made_at: i128,
    /// The first message's place and the last one's, both part of it. 0: there is none.
    from: u64,
    to: u64,
    /// How many events at most are being published behind it.
    pub(crate) left: u64,
}

impl OwnPart {
    /// What is known of it in this stream.
    pub(crate) fn in_stream(self, stream_made_at: i128) -> Self {
        match self.stream_made_at == stream_made_at {
            true => self,
            false => OwnPart {
                stream_made_at,
                ..OwnPart::default()
            },
        }
    }

    /// The next message that was published lies there.
    pub(crate) fn add(&mut self, sequence: u64) {
        match sequence == self.to + 1 && self.from > 0 {
            true => self.to = sequence,
            false => (self.from, self.to) = (sequence, sequence),
        }
    }

    /// Whether a receiver that has all up to `acknowledged` does better to wait for the end of this part.
    pub(crate) fn is_worth_waiting(self, stream_made_at: i128, acknowledged: u64) -> bool {
        self.left >= WORTH_WAITING && self.follows(stream_made_at, acknowledged)
    }

    /// Whether what a receiver that has all up to `acknowledged` would be sent next is of this part, or behind it.
    pub(crate) fn follows(self, stream_made_at: i128, acknowledged: u64) -> bool {
        self.stream_made_at == stream_made_at && self.from > 0 && self.from <= acknowledged + 1
    }

    /// Up to where a receiver goes without looking that has all up to `acknowledged`, which this part follows.
    pub(crate) fn passed(self, acknowledged: u64) -> u64 {
        self.to.max(acknowledged)
    }
}

#[cfg(test)]
mod tests;
