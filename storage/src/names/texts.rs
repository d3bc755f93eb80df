//! Many short texts, kept for as long as the process lives.
//!
//! They lie in a file of no name, mapped: the system may take their memory for something else and read them again. What
//! the file does not take (no file, a full disk) stays in memory, so a text is never refused.

use std::sync::atomic::{AtomicU32, Ordering};

use super::slots::Slots;
use crate::mmap::Scratch;

#[cfg(test)]
mod tests;

/// Marks a text that is in memory; the other bits are its number there.
const IN_MEMORY: u32 = 1 << 31;

pub(super) struct Texts {
    scratch: Option<Scratch>,
    in_memory: Slots<Box<str>>,
    in_memory_count: AtomicU32,
}

/// Where a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text {
    at: u32,
    length: u16,
}

impl Texts {
    pub(super) fn new(scratch: Option<Scratch>) -> Self {
        Texts {
            scratch,
            in_memory: Slots::new(),
            in_memory_count: AtomicU32::new(0),
        }
    }

    pub(super) fn push(&self, text: &str) -> Text {
        let scratch = self.scratch.as_ref();
        if let Some(scratch) = scratch
            && let Ok(length) = u16::try_from(text.len())
            && let Ok(at) = scratch.push(text.as_bytes())
            && at & IN_MEMORY == 0
        {
            return Text { at, length };
        }
        let number = self.in_memory_count.fetch_add(1, Ordering::Relaxed);
        self.in_memory.set(number, text.into());
        Text {
            at: number | IN_MEMORY,
            length: 0,
        }
    }

    /// The text; `None` when the file no longer has what was put into it.
    pub(super) fn get(&self, text: Text) -> Option<&str> {
        if text.at & IN_MEMORY != 0 {
            return self.in_memory.get(text.at & !IN_MEMORY).map(|text| &**text);
        }
        let bytes = self.scratch.as_ref()?.get(text.at, text.length.into())?;
        std::str::from_utf8(bytes).ok()
    }
}
