//! The text that searches look into, of all rows of a type in one piece, and which stretches of it have which grams.
//!
//! A search is a pass over memory that lies together. Of a million rows that is forty megabytes, so rows are taken together in
//! blocks, and for each gram (three neighbouring bytes) is noted in which blocks it begins: only blocks with all grams of
//! what is searched for are looked into ([`Grams`]). A text that stands nowhere is mostly found to by its grams alone.

mod grams;
#[cfg(test)]
mod tests;

use memchr::memmem;

use grams::Grams;

/// Waste that is tolerated before the text is written anew.
const WASTE_MIN: usize = 64 << 10;
/// Bytes of text from which on its grams are noted: less is looked through at once.
const GRAMS_FROM_BYTES: usize = 256 << 10;

/// Texts of rows, found by what they contain.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Each row's lines, each ended by a line feed, in the order in which they were written; a row that changed stands
    /// at the end again.
    bytes: Vec<u8>,
    /// Where each piece begins, and whose it is. Begins rise.
    pieces: Vec<(u32, u32)>,
    /// By ordinal: the index of its piece, and [`NONE`] where it has none.
    piece_of: Vec<u32>,
    waste: usize,
    /// `None` while there is little text.
    grams: Option<Grams>,
}

const NONE: u32 = u32::MAX;

impl Texts {
    /// Sets a row's text: lines in lower case, joined by line feeds. Empty: none.
    pub(super) fn set(&mut self, ordinal: u32, text: &str) {
        let index = ordinal as usize;
        if self.piece_of.len() <= index {
            self.piece_of.resize(index + 1, NONE);
        }
        if self.get(self.piece_of[index]) == text.as_bytes() {
            return;
        }
        self.waste += self.get(self.piece_of[index]).len();
        self.piece_of[index] = NONE;
        if text.is_empty() {
            return;
        }
        if self.waste > WASTE_MIN && self.waste > self.bytes.len() / 2 {
            self.rewrite();
        }
        self.push(ordinal, text.as_bytes());
    }

    /// The rows with `needle` in one of their lines, in no particular order, each once.
    pub(super) fn find(&self, needle: &str) -> Vec<u32> {
        let mut found = Vec::new();
        if needle.contains('\n') {
            return found;
        }
        let finder = memmem::Finder::new(needle.as_bytes());
        let stretches = match &self.grams {
            Some(grams) => grams.pieces_with(needle.as_bytes(), self.pieces.len()),
            None => std::iter::once(0..self.pieces.len()).collect(),
        };
        for mut pieces in stretches.into_iter().filter(|pieces| !pieces.is_empty()) {
            let end = self.end_of(pieces.end - 1);
            while pieces.start < pieces.end {
                let at = self.pieces[pieces.start].0 as usize;
                let Some(offset) = finder.find(&self.bytes[at..end]) else {
                    break;
                };
                let piece = self.piece_at(at + offset, pieces.start);
                let (_, ordinal) = self.pieces[piece];
                if self.piece_of[ordinal as usize] as usize == piece {
                    found.push(ordinal);
                }
                pieces.start = piece + 1;
            }
        }
        found
    }

    /// The piece that the byte at `offset` is part of; it is none before `from`.
    fn piece_at(&self, offset: usize, from: usize) -> usize {
        // Hits are near each other where there are many: the next pieces are looked at first.
        let mut step = 1;
        let mut low = from;
        while let Some((begin, _)) = self.pieces.get(low + step)
            && *begin as usize <= offset
        {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.pieces.len());
        let behind = self.pieces[low..high].partition_point(|(begin, _)| *begin as usize <= offset);
        low + behind - 1
    }

    /// The text of a piece, without its last line feed.
    fn get(&self, piece: u32) -> &[u8] {
        match self.pieces.get(piece as usize) {
            Some((begin, _)) => &self.bytes[*begin as usize..self.end_of(piece as usize) - 1],
            None => &[],
        }
    }

    fn end_of(&self, piece: usize) -> usize {
        self.pieces
            .get(piece + 1)
            .map_or(self.bytes.len(), |(begin, _)| *begin as usize)
    }

    fn push(&mut self, ordinal: u32, text: &[u8]) {
        let (Ok(begin), Ok(piece)) = (
            u32::try_from(self.bytes.len()),
            u32::try_from(self.pieces.len()),
        ) else {
            // Four gigabytes of names: what does not fit is not found by text.
            return;
        };
        self.bytes.extend_from_slice(text);
        self.bytes.push(b'\n');
        self.pieces.push((begin, ordinal));
        self.piece_of[ordinal as usize] = piece;
        match &mut self.grams {
            Some(grams) => grams.note(piece, text),
            None if self.bytes.len() >= GRAMS_FROM_BYTES => self.note_grams(),
            None => {}
        }
    }

    /// Notes the grams of all pieces.
    fn note_grams(&mut self) {
        let mut grams = Grams::default();
        for (piece, _) in (0_u32..).zip(&self.pieces) {
            grams.note(piece, self.get(piece));
        }
        self.grams = Some(grams);
    }

    fn rewrite(&mut self) {
        let old = std::mem::take(self);
        self.piece_of = vec![NONE; old.piece_of.len()];
        for (piece, (_, ordinal)) in (0_u32..).zip(&old.pieces) {
            if old.piece_of[*ordinal as usize] == piece {
                self.push(*ordinal, old.get(piece));
            }
        }
    }
}
