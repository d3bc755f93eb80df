//! Has the processor fetch records that lie apart before they are read.
//!
//! The events of one stream lie strewn over the log. Read one after the other, each would be waited for: its page is in no
//! table of the processor, its bytes are in no cache, and the checksum of one must end before the next is asked for.

use super::items::Step;
use crate::mmap::prefetch;

/// How many records before its turn a record's beginning is asked for.
const BEGINNING_AHEAD: usize = 16;
/// How many records before its turn the rest of it is: its beginning, which says how long it is, should have come by then.
const REST_AHEAD: usize = 8;
/// Bytes of a record that are asked for at most: behind them the processor has noticed by itself where this leads.
const REST_BYTES_MAX: usize = 1 << 10;
/// Records whose beginnings are no further apart than this are found without help.
const NEAR_BYTES: u64 = 1 << 10;
/// Bytes that the processor fetches at once.
const LINE_BYTES: usize = 64;

/// Asks for parts of records among `steps`, the first of which is about to be read. To be called before each of them.
pub(super) fn fetch_ahead(bytes: &[u8], steps: &[Step]) {
    if let Some(offset) = lies_apart(steps, BEGINNING_AHEAD) {
        prefetch(bytes, offset);
    }
    if let Some(offset) = lies_apart(steps, REST_AHEAD) {
        let front = bytes.get(offset..).and_then(|rest| rest.first_chunk());
        let length = front.map_or(0, |front| u32::from_le_bytes(*front) as usize);
        for line in (LINE_BYTES..length.min(REST_BYTES_MAX) + LINE_BYTES).step_by(LINE_BYTES) {
            prefetch(bytes, offset + line);
        }
    }
}

/// Where the step at `place` lies, unless that is near the one before it.
fn lies_apart(steps: &[Step], place: usize) -> Option<usize> {
    let offset = steps.get(place)?.offset?;
    let before = steps.get(place - 1)?.offset?;
    let is_apart = offset.abs_diff(before) > NEAR_BYTES;
    usize::try_from(offset).ok().filter(|_| is_apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(offsets: &[Option<u64>]) -> Vec<Step> {
        let places = offsets.iter().zip(0..);
        places
            .map(|(offset, ordinal)| Step::at(ordinal, *offset))
            .collect()
    }

    #[test]
    fn places_inside_and_outside_the_bytes_may_be_asked_for() {
        let bytes = vec![0xff; 100_000];
        let some = [Some(0), Some(99_999), None, Some(50_000), Some(u64::MAX)];
        let steps = steps(&some.repeat(10));
        for from in 0..steps.len() {
            fetch_ahead(&bytes, &steps[from..]);
            fetch_ahead(&[], &steps[from..]);
        }
    }

    #[test]
    fn only_what_lies_apart_is_asked_for() {
        let steps = steps(&[
            Some(0),
            Some(500),
            Some(5_000),
            Some(4_500),
            Some(100),
            None,
        ]);
        let apart: Vec<_> = (1..7).map(|place| lies_apart(&steps, place)).collect();
        assert_eq!(
            apart,
            [None, Some(5_000), None, Some(100), None, None],
            "forwards and backwards"
        );
    }
}
