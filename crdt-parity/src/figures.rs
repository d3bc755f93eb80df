//! What was measured: one value a round, by peer and measure.

use crate::clock::median;
use std::collections::BTreeMap;

/// Every value of a run.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    values: BTreeMap<(String, String), Vec<f64>>,
}

impl Figures {
    /// Adds the value of one round.
    pub fn add(&mut self, peer: &str, measure: &str, value: f64) {
        let key = (peer.to_owned(), measure.to_owned());
        self.values.entry(key).or_default().push(value);
    }

    /// The values of all rounds, in their order; empty where nothing was measured.
    pub fn rounds(&self, peer: &str, measure: &str) -> &[f64] {
        let key = (peer.to_owned(), measure.to_owned());
        self.values.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The median over the rounds.
    pub fn median(&self, peer: &str, measure: &str) -> Option<f64> {
        let rounds = self.rounds(peer, measure);
        (!rounds.is_empty()).then(|| median(rounds))
    }

    /// The median of the rounds' ratios, or the ratio of the medians where the rounds are not the same in number.
    pub fn ratio(&self, ours: (&str, &str), anchor: (&str, &str)) -> Option<f64> {
        let (mine, theirs) = (self.rounds(ours.0, ours.1), self.rounds(anchor.0, anchor.1));
        if mine.len() == theirs.len() && !mine.is_empty() {
            let ratios: Vec<f64> = mine.iter().zip(theirs).map(|(a, b)| a / b).collect();
            return Some(median(&ratios));
        }
        Some(self.median(ours.0, ours.1)? / self.median(anchor.0, anchor.1)?)
    }

    /// Everything: (peer, measure, rounds).
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &[f64])> {
        self.values
            .iter()
            .map(|((peer, measure), rounds)| (peer.as_str(), measure.as_str(), rounds.as_slice()))
    }
}
