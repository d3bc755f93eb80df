//! Each form of bytes has one spelling, and what is no such form is refused.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_has_one_form(seed in any::<u64>(), at in any::<usize>(), byte in any::<u8>()) {
        let (depot, tablet, bytes) = random_frame(seed);
        let basis = tablet.basis();
        let decode = |bytes: &[u8]| Frame::decode(bytes, &basis, &depot);
        let frame = decode(&bytes).expect("an honest frame");
        prop_assert_eq!(Some(frame.clone()), tablet.frame(1000));
        prop_assert_eq!(frame.encode(&basis, &depot), bytes.clone());
        // What is cut off between two operations is a frame of those before.
        for length in 0..bytes.len() {
            if let Ok(cut) = decode(&bytes[..length]) {
                prop_assert!(cut.operations.len() < frame.operations.len());
                prop_assert!(frame.operations.starts_with(&cut.operations));
                prop_assert_eq!(&cut.encode(&basis, &depot), &bytes[..length]);
            }
        }
        damage(&bytes, at, byte, |bytes| Some(decode(bytes).ok()?.encode(&basis, &depot)));
    }

    #[test]
    fn a_page_and_a_packed_entity_have_one_form(seed in any::<u64>(), at in any::<usize>(), byte in any::<u8>()) {
        let (mut depot, mut tablet, bytes) = random_frame(seed);
        let (records, answer) = push(&mut depot, &tablet, &bytes).expect("an honest frame");
        prop_assert_eq!(records.len(), answer.verdicts.len());
        prop_assert_eq!(from_bytes::<PushAnswer>(&to_bytes(&answer)), Ok(answer.clone()));
        tablet.answer(&answer);
        prop_assert_eq!(tablet.unjudged(), 0);
        let mut fresh = Tablet::new(tablet.device(), &TABLES);
        let page = pull(&mut depot, &mut fresh);
        pull(&mut depot, &mut tablet);
        for handle in depot.store().live() {
            prop_assert_eq!(tablet.confirmed(handle), fresh.confirmed(handle));
            let entity = depot.store().get(handle).expect("live");
            let packed = entity.to_packed();
            let table = entity.table();
            prop_assert_eq!(CollapsedEntity::from_packed(table, &packed), Ok(entity.into_owned()));
            damage(&packed, at, byte, |bytes| Some(CollapsedEntity::from_packed(table, bytes).ok()?.to_packed()));
        }
        for length in 0..page.len() {
            prop_assert!(Page::decode(&page[..length], &depot).is_err());
        }
        damage(&page, at, byte, |bytes| Some(Page::decode(bytes, &depot).ok()?.encode(&depot)));
    }

    #[test]
    fn decoders_survive_arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), small in any::<bool>()) {
        let (mut depot, tablet) = depot_and_tablet();
        let bytes: Vec<u8> = if small { bytes.iter().map(|byte| byte % 5).collect() } else { bytes };
        damage(&bytes, 0, bytes.first().copied().unwrap_or(0), |bytes| Some(Page::decode(bytes, &tablet).ok()?.encode(&tablet)));
        let mut body = vec![2];
        body.extend(&bytes);
        damage(&body, 0, 2, |bytes| Some(Page::decode(bytes, &tablet).ok()?.encode(&tablet)));
        let basis = tablet.basis();
        for head in 8..12 {
            body[0] = head;
            damage(&body, 0, head, |bytes| Some(Frame::decode(bytes, &basis, &depot).ok()?.encode(&basis, &depot)));
        }
        damage(&bytes, 0, 1, |bytes| Some(CollapsedEntity::from_packed(&WORK_ORDER, bytes).ok()?.to_packed()));
        let _ = push(&mut depot, &tablet, &body);
    }
}

/// The head tells the first operation's base; telling it again before the operation is a second spelling.
#[test]
fn the_first_base_is_told_in_the_head_alone() {
    let (depot, tablet) = depot_and_tablet();
    let bytes = [8, 1, 0, 0, 0, 1, 1, 4, 4, 0, 0, 4, 0, 0, 0];
    let refused = Frame::decode(&bytes, &tablet.basis(), &depot).unwrap_err();
    assert_eq!(refused, DecodeError::NotCanonical { what: "base" });
    let in_the_head = [10, 1, 0, 0, 0, 2, 4, 4, 0, 0, 4, 0, 0, 0];
    let frame = Frame::decode(&in_the_head, &tablet.basis(), &depot).unwrap();
    assert_eq!(frame.encode(&tablet.basis(), &depot), in_the_head);
}

/// Whatever a decoder accepts of damaged bytes, it writes back as it was.
fn damage(bytes: &[u8], at: usize, byte: u8, round: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let mut damaged = bytes.to_vec();
    if let Some(place) = damaged.len().checked_sub(1).map(|last| at % (last + 1)) {
        damaged[place] = byte;
    }
    if let Some(again) = round(&damaged) {
        assert_eq!(again, damaged, "a second spelling was accepted");
    }
}
