//! The text that searches look into, of all rows of a type in one piece: a search is one pass over memory that lies
//! together, which for a hundred thousand rows takes a fraction of a millisecond.

use memchr::memmem;

/// Waste that is tolerated before the text is written anew.
const WASTE_MIN: usize = 64 << 10;

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
        let mut at = 0;
        let mut piece = 0;
        while let Some(offset) = self.bytes.get(at..).and_then(|rest| finder.find(rest)) {
            let hit = at + offset;
            // Hits rise, so the piece is looked for from the last one on.
            piece += self.pieces[piece..].partition_point(|(begin, _)| *begin as usize <= hit) - 1;
            let (_, ordinal) = self.pieces[piece];
            if self.piece_of[ordinal as usize] as usize == piece {
                found.push(ordinal);
            }
            at = self.end_of(piece);
        }
        found
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
