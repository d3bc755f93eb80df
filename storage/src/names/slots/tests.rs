//! Where slots lie.

use super::*;

#[test]
fn slots_lie_behind_one_another() {
    let mut expected = (0, 0);
    for index in 0..100_000 {
        assert_eq!(slot_of(index), expected, "index {index}");
        expected.1 += 1;
        if expected.1 == block_length(expected.0) {
            expected = (expected.0 + 1, 0);
        }
    }
    let (block, slot) = slot_of(u32::MAX);
    assert!(block < SLOT_BLOCKS && slot < block_length(block));
}
