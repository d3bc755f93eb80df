//! Binary search in a sorted list some of whose members cannot be read.

use std::ops::Range;

/// The ranks of the members that may lie in `range`, both ends included, of a list of `count` that ascends by `key`.
///
/// `key` is `None` for a member that cannot be read. Such a one may be anything from the readable one before it to the
/// readable one behind it, both included, and is among the ranks if any of that lies in the range.
///
/// # Errors
/// Those of `key`.
pub(super) fn ranks_within<K: Ord, E>(
    count: u32,
    range: (K, K),
    key: impl Fn(u32) -> Result<Option<K>, E>,
) -> Result<Range<u32>, E> {
    let mut from = first_not(count, &key, |key| *key < range.0)?;
    while from > 0 && key(from - 1)?.is_none() {
        from -= 1;
    }
    let to = first_not(count, &key, |key| *key <= range.1)?;
    Ok(from..to.max(from))
}

/// The first readable rank for which `before` does not hold; `count` when there is none.
fn first_not<K, E>(
    count: u32,
    key: impl Fn(u32) -> Result<Option<K>, E>,
    before: impl Fn(&K) -> bool,
) -> Result<u32, E> {
    let (mut low, mut high) = (0, count);
    // Invariant: `before` holds for every readable rank below `low`, and for none from `high` on.
    while low < high {
        let middle = low + (high - low) / 2;
        let mut readable = middle;
        let mut found = key(readable)?;
        while found.is_none() && readable > low {
            readable -= 1;
            found = key(readable)?;
        }
        if found.is_none_or(|key| before(&key)) {
            low = middle + 1;
        } else {
            high = readable;
        }
    }
    Ok(high)
}

#[cfg(test)]
mod tests;
