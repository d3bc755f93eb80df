//! What holds of every target beside what it checks itself: memory stays within a small multiple of the input.
//!
//! The time is libFuzzer's to watch: `make fuzz` ends a run that takes a second.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Times its length that an input may take in memory.
const TIMES_MAX: usize = 4;
/// Bytes that any input may take.
const FREE_BYTES: usize = 1 << 20;

/// Runs `check` on `bytes` and holds it to its memory.
///
/// # Panics
/// When it takes more, and when `check` panics.
pub fn bounded(bytes: &[u8], check: fn(&[u8])) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    check(bytes);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let allowed = TIMES_MAX * bytes.len() + FREE_BYTES;
    assert!(
        taken <= allowed,
        "{taken} bytes of memory for {} of input",
        bytes.len()
    );
}

/// A fuzz target of this function.
#[macro_export]
macro_rules! target {
    ($check:path) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::bounded(bytes, $check));
    };
}
