//! The states that a worker is folding, in parsed form: those of the current batch, and some of the batches before.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use storage::{EventRef, StreamName, StreamRef};

/// Streams kept in parsed form between batches; reaching it lets go of all of them.
const PARSED_STREAMS_MAX: usize = 2_048;
/// Room that a state is packed in: most take less.
const PACKED_BYTES_EXPECTED: usize = 1 << 10;

/// What is known of a stream's last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(super) struct LastEvent {
    pub(super) version: u32,
    pub(super) position: u64,
    pub(super) occurred_at: i64,
    pub(super) recorded_at: i64,
}

impl LastEvent {
    /// Of the stream that ends with `event`.
    pub(super) fn of(event: &EventRef<'_>) -> Self {
        LastEvent {
            version: event.version().get(),
            position: event.position().get(),
            occurred_at: event.occurred_at().micros(),
            recorded_at: event.recorded_at().micros(),
        }
    }
}

/// See the module.
pub(super) struct Workbench<S> {
    items: Vec<Item<S>>,
    hashes: DefaultHashBuilder,
    by_stream: HashTable<usize>,
    /// The one that was taken last.
    latest: Option<usize>,
    /// In the order of their first change in this batch: new rows are numbered in it.
    changed: Vec<usize>,
}

/// One stream in parsed form.
pub(super) struct Item<S> {
    pub(super) stream: StreamName,
    pub(super) state: S,
    pub(super) last: LastEvent,
    changed: bool,
}

impl<S> Default for Workbench<S> {
    fn default() -> Self {
        Workbench {
            items: Vec::new(),
            hashes: DefaultHashBuilder::default(),
            by_stream: HashTable::new(),
            latest: None,
            changed: Vec::new(),
        }
    }
}

impl<S> Workbench<S> {
    /// The stream of `event`, which is its last one now. `load` brings its state if it is not here.
    ///
    /// # Errors
    /// Those of `load`; then nothing changed.
    pub(super) fn take<E>(
        &mut self,
        event: &EventRef<'_>,
        load: impl FnOnce() -> Result<S, E>,
    ) -> Result<&mut S, E> {
        let stream = event.stream();
        let index = match self.latest {
            // Most transactions write to one stream.
            Some(latest) if stream == self.items[latest].stream => latest,
            _ => {
                let hash = self.hashes.hash_one(stream);
                let known = self
                    .by_stream
                    .find(hash, |index| stream == self.items[*index].stream)
                    .copied();
                match known {
                    Some(index) => index,
                    None => self.place(hash, stream, load()?),
                }
            }
        };
        self.latest = Some(index);
        let item = &mut self.items[index];
        if !item.changed {
            item.changed = true;
            self.changed.push(index);
        }
        item.last = LastEvent::of(event);
        Ok(&mut item.state)
    }

    /// How many streams changed in this batch.
    pub(super) fn changed(&self) -> usize {
        self.changed.len()
    }

    /// What `pack` makes of each changed stream; none counts as changed afterwards.
    pub(super) fn drain_changed<C>(&mut self, pack: impl Fn(&mut Item<S>) -> C) -> Vec<C> {
        let mut packed = Vec::with_capacity(self.changed.len());
        for index in self.changed.drain(..) {
            let item = &mut self.items[index];
            item.changed = false;
            packed.push(pack(item));
        }
        if self.items.len() > PARSED_STREAMS_MAX {
            *self = Workbench::default();
        }
        packed
    }

    fn place(&mut self, hash: u64, stream: StreamRef<'_>, state: S) -> usize {
        let index = self.items.len();
        self.items.push(Item {
            stream: stream.to_name(),
            state,
            last: LastEvent::default(),
            changed: false,
        });
        let (items, hashes) = (&self.items, &self.hashes);
        self.by_stream
            .insert_unique(hash, index, |other| hashes.hash_one(&items[*other].stream));
        index
    }
}

/// A fold as it is kept and saved. MessagePack, because a state holds free JSON, which a format that does not say what
/// comes next cannot give back.
pub(super) fn pack<S: serde::Serialize>(state: &S) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(PACKED_BYTES_EXPECTED);
    rmp_serde::encode::write(&mut bytes, state).expect("a state in memory always encodes");
    // A copy, for which an allocator has no more room than it needs; what is cut to its size may keep all that it had.
    bytes.as_slice().into()
}

/// The fold that was packed.
pub(super) fn unpack<S: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<S> {
    rmp_serde::from_slice(bytes).ok()
}
