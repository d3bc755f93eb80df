//! Rows that are packed once a segment is full: of each column the differences to its least value, in as few bytes as the
//! greatest of them needs.

use super::Row;

/// Rows that are unpacked at once, so that they are still in the nearest cache when they are looked at.
pub(super) const CHUNK_ROWS: usize = 512;

/// What a column is unpacked into.
trait Value: Copy {
    /// The value, which it can hold.
    fn of(value: i64) -> Self;
}

impl Value for i64 {
    fn of(value: i64) -> Self {
        value
    }
}

impl Value for u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "days and numbers fit"
    )]
    fn of(value: i64) -> Self {
        value as u32
    }
}

/// One column of a segment.
#[derive(Debug)]
struct Packed {
    least: i64,
    words: Words,
}

#[derive(Debug)]
enum Words {
    One(Box<[u8]>),
    Two(Box<[u16]>),
    Four(Box<[u32]>),
    /// The low four bytes, and the two above them: what times within a few years need.
    Six(Box<[u32]>, Box<[u16]>),
    Eight(Box<[u64]>),
}

impl Packed {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the greatest difference fits"
    )]
    fn of(values: impl Iterator<Item = i64> + Clone) -> Self {
        let least = values.clone().min().unwrap_or(0);
        let above = values.map(|value| value.wrapping_sub(least).cast_unsigned());
        let words = match above.clone().max().unwrap_or(0) {
            0..=0xFF => Words::One(above.map(|value| value as u8).collect()),
            0x100..=0xFFFF => Words::Two(above.map(|value| value as u16).collect()),
            0x1_0000..=0xFFFF_FFFF => Words::Four(above.map(|value| value as u32).collect()),
            0x1_0000_0000..=0xFFFF_FFFF_FFFF => Words::Six(
                above.clone().map(|value| value as u32).collect(),
                above.map(|value| (value >> 32) as u16).collect(),
            ),
            _ => Words::Eight(above.collect()),
        };
        Packed { least, words }
    }

    fn get(&self, row: usize) -> i64 {
        let above = match &self.words {
            Words::One(words) => u64::from(words[row]),
            Words::Two(words) => u64::from(words[row]),
            Words::Four(words) => u64::from(words[row]),
            Words::Six(low, high) => u64::from(low[row]) | u64::from(high[row]) << 32,
            Words::Eight(words) => words[row],
        };
        self.least.wrapping_add(above.cast_signed())
    }

    /// Unpacks the rows from `first` on into all of `out`.
    fn unpack<V: Value>(&self, first: usize, out: &mut [V]) {
        let rows = first..first + out.len();
        match &self.words {
            Words::One(words) => self.widen(&words[rows], out),
            Words::Two(words) => self.widen(&words[rows], out),
            Words::Four(words) => self.widen(&words[rows], out),
            Words::Six(low, high) => {
                let words = low[rows.clone()].iter().zip(&high[rows]);
                for (out, (low, high)) in out.iter_mut().zip(words) {
                    let above = i64::from(*low) | i64::from(*high) << 32;
                    *out = V::of(self.least.wrapping_add(above));
                }
            }
            Words::Eight(words) => {
                for (out, word) in out.iter_mut().zip(&words[rows]) {
                    *out = V::of(self.least.wrapping_add(word.cast_signed()));
                }
            }
        }
    }

    fn widen<T: Copy + Into<i64>, V: Value>(&self, words: &[T], out: &mut [V]) {
        for (out, word) in out.iter_mut().zip(words) {
            *out = V::of(self.least.wrapping_add((*word).into()));
        }
    }

    /// Takes from `hits` the rows from `first` on that do not have this value.
    fn keep(&self, first: usize, wanted: i64, hits: &mut [bool]) {
        let above = wanted.wrapping_sub(self.least).cast_unsigned();
        let rows = first..first + hits.len();
        match &self.words {
            Words::One(words) => keep_word(&words[rows], u8::try_from(above).ok(), hits),
            Words::Two(words) => keep_word(&words[rows], u16::try_from(above).ok(), hits),
            Words::Four(words) => keep_word(&words[rows], u32::try_from(above).ok(), hits),
            Words::Six(..) | Words::Eight(_) => {
                for (hit, row) in hits.iter_mut().zip(rows) {
                    *hit &= self.get(row) == wanted;
                }
            }
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        match &self.words {
            Words::One(words) => words.len(),
            Words::Two(words) => words.len() * 2,
            Words::Four(words) => words.len() * 4,
            Words::Six(low, _) => low.len() * 6,
            Words::Eight(words) => words.len() * 8,
        }
    }
}

/// A value that no word can hold is in no row.
fn keep_word<T: Copy + PartialEq>(words: &[T], wanted: Option<T>, hits: &mut [bool]) {
    let Some(wanted) = wanted else {
        return hits.fill(false);
    };
    for (hit, word) in hits.iter_mut().zip(words) {
        *hit &= *word == wanted;
    }
}

/// Some rows of a segment, unpacked.
pub(super) struct Chunk {
    pub(super) day: [u32; CHUNK_ROWS],
    pub(super) who: [u32; CHUNK_ROWS],
    pub(super) amount: [i64; CHUNK_ROWS],
}

/// Rows that stand together and change no more.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) rows: usize,
    /// The least and the greatest time.
    pub(super) least: i64,
    pub(super) greatest: i64,
    at: Packed,
    day: Packed,
    kind: Packed,
    who: Packed,
    amount: Packed,
}

impl Segment {
    pub(super) fn of(rows: &[Row]) -> Self {
        let times = rows.iter().map(|row| row.at);
        Segment {
            rows: rows.len(),
            least: times.clone().min().unwrap_or(i64::MAX),
            greatest: times.clone().max().unwrap_or(i64::MIN),
            at: Packed::of(times),
            day: Packed::of(rows.iter().map(|row| row.day.into())),
            kind: Packed::of(rows.iter().map(|row| row.kind.into())),
            who: Packed::of(rows.iter().map(|row| row.who.into())),
            amount: Packed::of(rows.iter().map(|row| row.amount)),
        }
    }

    /// Where chunks begin, and how many rows each has.
    fn chunks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = self.rows;
        let begins = (0..rows).step_by(CHUNK_ROWS);
        begins.map(move |first| (first, CHUNK_ROWS.min(rows - first)))
    }

    /// Calls `visit` with the days, whom and amounts of a chunk of rows each.
    pub(super) fn each_chunk(&self, mut visit: impl FnMut(&Chunk, usize)) {
        let mut chunk = Chunk {
            day: [0; CHUNK_ROWS],
            who: [0; CHUNK_ROWS],
            amount: [0; CHUNK_ROWS],
        };
        for (first, rows) in self.chunks() {
            self.day.unpack(first, &mut chunk.day[..rows]);
            self.who.unpack(first, &mut chunk.who[..rows]);
            self.amount.unpack(first, &mut chunk.amount[..rows]);
            visit(&chunk, rows);
        }
    }

    /// Calls `visit` with the amounts of a chunk of rows each.
    pub(super) fn each_amounts(&self, mut visit: impl FnMut(&[i64])) {
        let mut amounts = [0; CHUNK_ROWS];
        for (first, rows) in self.chunks() {
            self.amount.unpack(first, &mut amounts[..rows]);
            visit(&amounts[..rows]);
        }
    }

    /// Visits the rows of this kind, about this one, from a time to a time, in their order.
    pub(super) fn each(&self, filter: &super::Filter, visit: &mut impl FnMut(&Row)) {
        if self.greatest < filter.from || self.least >= filter.to {
            return;
        }
        let all_times = filter.from <= self.least && self.greatest < filter.to;
        let mut times = [0; CHUNK_ROWS];
        for (first, rows) in self.chunks() {
            let mut hits = [true; CHUNK_ROWS];
            let hits = &mut hits[..rows];
            if let Some(kind) = filter.kind {
                self.kind.keep(first, kind.into(), hits);
            }
            if let Some(who) = filter.who {
                self.who.keep(first, who.into(), hits);
            }
            if !all_times {
                self.at.unpack(first, &mut times[..rows]);
                for (hit, at) in hits.iter_mut().zip(&times) {
                    *hit &= filter.from <= *at && *at < filter.to;
                }
            }
            for (group, eight) in hits.chunks(8).enumerate() {
                if eight.contains(&true) {
                    let places = eight.iter().enumerate().filter(|(_, hit)| **hit);
                    places.for_each(|(place, _)| visit(&self.row(first + group * 8 + place)));
                }
            }
        }
    }

    fn row(&self, row: usize) -> Row {
        Row {
            at: self.at.get(row),
            day: u16::try_from(self.day.get(row)).unwrap_or(u16::MAX),
            kind: u16::try_from(self.kind.get(row)).unwrap_or(u16::MAX),
            who: u32::try_from(self.who.get(row)).unwrap_or(u32::MAX),
            amount: self.amount.get(row),
        }
    }

    /// Bytes that its columns take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let columns = [&self.at, &self.day, &self.kind, &self.who, &self.amount];
        columns.into_iter().map(Packed::bytes).sum()
    }
}
