use super::*;

#[test]
fn every_event_is_an_object_of_the_stated_size() {
    let maker = EventMaker::new();
    for number in [0, 7, 123_456_789, u64::MAX] {
        let data = maker.data(number);
        assert_eq!(data.len(), DATA_BYTES);
        let parsed: serde_json::Value = serde_json::from_slice(&data).unwrap();
        assert_eq!(parsed["reading"], format!("{number:020}"));
    }
}
