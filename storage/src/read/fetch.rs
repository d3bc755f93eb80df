//! Has the processor fetch records that lie apart before they are read.
//!
//! The events of one stream lie strewn over the log. Read one after the other, each would be waited for: its page is in no
//! table of the processor, its bytes in no cache, and the checksum of one must end before the next is asked for.

use super::items::Step;

/// Records that are fetched together.
const FETCH_RECORDS: usize = 16;
/// Bytes of a record that are fetched at most: behind them the processor has noticed by itself where this leads.
const FETCH_BYTES_MAX: usize = 1 << 10;
/// Bytes that the processor fetches at once.
const LINE_BYTES: usize = 64;

/// Touches the next records where they lie apart, and says how many. Read one after the other, each would be waited for;
/// the touches depend on nothing, so the processor waits for all of them at once.
pub(super) fn fetch(bytes: &[u8], steps: &[Step]) -> usize {
    let steps = &steps[..steps.len().min(FETCH_RECORDS)];
    let offsets = || {
        let offsets = steps.iter().filter_map(|step| step.offset);
        offsets.filter_map(|offset| usize::try_from(offset).ok())
    };
    let (Some(lowest), Some(highest)) = (offsets().min(), offsets().max()) else {
        return steps.len();
    };
    if highest - lowest < FETCH_RECORDS * FETCH_BYTES_MAX {
        return steps.len();
    }
    let mut touched = 0_u8;
    // First where each begins, which says how long it is.
    for offset in offsets() {
        touched ^= bytes.get(offset).copied().unwrap_or(0);
    }
    for offset in offsets() {
        let front = bytes.get(offset..).and_then(|rest| rest.first_chunk());
        let length = front.map_or(0, |front| u32::from_le_bytes(*front) as usize);
        let length = length.min(FETCH_BYTES_MAX);
        for line in (LINE_BYTES..length + LINE_BYTES).step_by(LINE_BYTES) {
            touched ^= bytes.get(offset + line).copied().unwrap_or(0);
        }
    }
    std::hint::black_box(touched);
    steps.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_places_are_fetched_those_outside_the_bytes_as_well() {
        let bytes = vec![0xff; 100_000];
        let offsets = [
            Some(0),
            Some(99_999),
            None,
            Some(50_000),
            Some(u64::MAX),
            Some(200_000),
        ];
        let steps: Vec<Step> = (0..)
            .zip(offsets)
            .map(|(ordinal, offset)| Step::at(ordinal, offset))
            .collect();
        assert_eq!(fetch(&bytes, &steps), offsets.len());
        assert_eq!(fetch(&[], &steps), offsets.len());
        assert_eq!(fetch(&bytes, &steps[2..3]), 1);
        assert_eq!(fetch(&bytes, &[]), 0);
        let many = vec![Step::at(0, Some(7)); 3 * FETCH_RECORDS];
        assert_eq!(fetch(&bytes, &many), FETCH_RECORDS);
    }
}
