use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn blocks_hold_what_a_list_holds(items in proptest::collection::vec(any::<u16>(), 0..3 * BLOCK), at in 0..3 * BLOCK) {
        let mut blocks = Blocks::from(items.clone());
        prop_assert_eq!((blocks.len(), blocks.is_empty()), (items.len(), items.is_empty()));
        prop_assert!(blocks.iter().eq(&items));
        prop_assert_eq!(blocks.get(at), items.get(at));
        if let Some(item) = blocks.get_mut(at) {
            *item = item.wrapping_add(1);
            prop_assert_eq!(blocks[at], items[at].wrapping_add(1));
        }
        let before = blocks.len();
        blocks.push(7);
        prop_assert_eq!((blocks.len(), blocks.get(before)), (before + 1, Some(&7)));
    }
}
