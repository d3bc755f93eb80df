//! What is said of a part's demand.

use serde_json::json;

use super::{DAY, START, append_to, depot, event};

/// Regression: the interval was of the next whole number of months and the prediction of the days asked, so that from the
/// 31st day on the prediction lay below its own interval.
#[test]
fn the_interval_is_of_the_days_that_the_prediction_is_of() {
    let depot = depot();
    let used = |(month, quantity): (i64, u64)| {
        let usage = json!({ "part_no": "P-1", "move_type": "USAGE", "quantity": quantity });
        event("StockMoveCreated", START + (1 + 30 * month) * DAY, &usage)
    };
    let quantities = [17, 20, 23, 18, 22, 20].into_iter().cycle();
    let moves = (0..26).zip(quantities).map(used);
    append_to(&depot.log, "StockMove", "m-1", moves.collect());
    let as_of = START + 790 * DAY;
    for days in 1..=120 {
        let answer = depot
            .learning
            .predict_demand("P-1", days, 0.95, Some(as_of))
            .unwrap();
        assert_eq!(answer["demand_class"], "Smooth", "{answer}");
        let predicted = answer["predicted_demand"].as_f64().unwrap();
        let [low, high] = [0, 1].map(|end| answer["confidence_interval"][end].as_f64().unwrap());
        assert!(
            low <= predicted && predicted <= high,
            "{days} days: {predicted} in [{low}, {high}]"
        );
    }
}
