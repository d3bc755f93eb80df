//! The state of a training run between rounds: scores, derivatives, and the trees so far.

use crate::binning::Binner;
use crate::dataset::{Dataset, Feature};
use crate::grow::{Grower, GrownTree, GrowthLimits};
use crate::histogram::PackedGradients;
use crate::loss::{Loss, class_of, weighted_quantile};
use crate::matrix::BinnedMatrix;
use crate::model::{Model, ModelFeature, TrainingRecord};
use crate::params::Params;
use crate::random::Random;
use crate::split::SplitRules;
use crate::tree::Tree;

/// Derivatives are computed by several threads only from this many rows on.
const PARALLEL_ROWS_MIN: usize = 1 << 15;

/// The state of a run between rounds.
pub(super) struct Run<'run> {
    params: &'run Params,
    labels: &'run [f32],
    weights: Option<Vec<f32>>,
    matrix: BinnedMatrix,
    binner: Binner,
    grower: Grower,
    base: Vec<f64>,
    /// Outputs × rows.
    scores: Vec<f64>,
    gradients: Vec<f32>,
    hessians: Vec<f32>,
    packed: PackedGradients,
    trees: Vec<Tree>,
}

impl<'run> Run<'run> {
    pub(super) fn new(
        params: &'run Params,
        train: &'run Dataset,
        matrix: BinnedMatrix,
        binner: Binner,
        start: Option<&Model>,
    ) -> Self {
        let weights = combined_weights(train, params);
        let outputs = params.loss.outputs();
        let rows = train.rows();
        let base = start.map_or_else(
            || params.loss.base(train.labels(), weights.as_deref()),
            |model| model.base().to_vec(),
        );
        let scores = start_scores(train, &base, start);
        Self {
            params,
            labels: train.labels(),
            weights,
            grower: Grower::new(&matrix, params.leaves_max, params.threads),
            matrix,
            binner,
            base,
            scores,
            gradients: vec![0.0; rows * outputs],
            hessians: vec![0.0; rows * outputs],
            packed: PackedGradients::default(),
            trees: Vec::new(),
        }
    }

    /// Adds one tree an output, to the model and to the scores, unless none of them splits; returns whether any does.
    pub(super) fn round(&mut self, round: usize, mut valid: Option<&mut ValidScores<'_>>) -> bool {
        self.fill_derivatives();
        let mut random = Random::new(self.params.seed, round as u64);
        let rows = self.matrix.rows;
        let sample = (self.params.row_share < 1.0).then(|| {
            let count = share_of(rows, self.params.row_share);
            random.choose_ordered(rows, count)
        });
        let rate = self.params.learning_rate;
        let mut any = false;
        // Output and step of each tree without a split: it is worth keeping only beside one that splits.
        let mut constant: Vec<(usize, f64)> = Vec::new();
        for output in 0..self.params.loss.outputs() {
            let span = output * rows..(output + 1) * rows;
            self.packed
                .pack(&self.gradients[span.clone()], &self.hessians[span]);
            let chosen = self.choose_features(&mut random);
            let mut grown = self.grow(sample.as_deref(), &chosen);
            let splits = !grown.is_constant();
            // The rows that were not drawn had no say in where the tree splits, so they judge its leaves without favour.
            let mut others = sample
                .as_deref()
                .map_or_else(Vec::new, |sample| self.leaves_of_others(sample, &grown));
            if self.params.unseen_rows_veto {
                self.hear(&mut others, &mut grown);
            }
            if !others.is_empty() {
                let words = &self.packed.words;
                let sums = others.iter().map(|&(row, leaf)| (leaf, words[row]));
                grown.take_in(sums, &self.rules());
            }
            self.settle_leaves(output, &mut grown);
            self.trees
                .push(grown.finish(&self.matrix.used, &self.binner, rate));
            if splits {
                any = true;
                self.add_scores(output, &others, &grown);
                if let Some(valid) = &mut valid {
                    valid.add(output, &grown, rate);
                }
            } else {
                constant.push((output, f64::from(grown.leaves()[0].step(rate))));
            }
        }
        if !any {
            self.trees
                .truncate(self.trees.len() - self.params.loss.outputs());
            return false;
        }
        for (output, step) in constant {
            add_to_all(&mut self.scores[output * rows..(output + 1) * rows], step);
            if let Some(valid) = &mut valid {
                valid.add_to_all(output, step);
            }
        }
        true
    }

    pub(super) fn loss(&self) -> &Loss {
        &self.params.loss
    }

    /// What makes a split admissible this round.
    fn rules(&self) -> SplitRules {
        let units = (self.packed.gradient_unit, self.packed.hessian_unit);
        SplitRules::new(self.params, units)
    }

    fn grow(&mut self, sample: Option<&[usize]>, chosen: &[bool]) -> GrownTree {
        let rules = self.rules();
        let limits = GrowthLimits::new(self.params);
        let rows = u32::try_from(self.matrix.rows).expect("a dataset has at most 2^24 rows");
        #[expect(
            clippy::cast_possible_truncation,
            reason = "sampled rows are below 2^24"
        )]
        match sample {
            Some(sample) => {
                let rows = sample.iter().map(|&row| row as u32);
                self.grower
                    .grow(&self.matrix, &self.packed, rows, chosen, &rules, &limits)
            }
            None => self
                .grower
                .grow(&self.matrix, &self.packed, 0..rows, chosen, &rules, &limits),
        }
    }

    fn fill_derivatives(&mut self) {
        let (loss, weights) = (self.params.loss, self.weights.as_deref());
        if let Loss::Multiclass { classes } = loss {
            let classes = classes as usize;
            Loss::softmax_derivatives(
                classes,
                &self.scores,
                self.labels,
                weights,
                &mut self.gradients,
                &mut self.hessians,
            );
            return;
        }
        let rows = self.labels.len();
        let threads = if rows >= PARALLEL_ROWS_MIN {
            self.params.threads
        } else {
            1
        };
        if threads == 1 {
            loss.derivatives(
                &self.scores,
                self.labels,
                weights,
                &mut self.gradients,
                &mut self.hessians,
            );
            return;
        }
        let share = rows.div_ceil(threads);
        std::thread::scope(|scope| {
            let places = self
                .gradients
                .chunks_mut(share)
                .zip(self.hessians.chunks_mut(share));
            for (part, (gradients, hessians)) in places.enumerate() {
                let span = part * share..(part * share + gradients.len());
                let scores = &self.scores[span.clone()];
                let labels = &self.labels[span.clone()];
                let weights = weights.map(|weights| &weights[span]);
                scope.spawn(move || loss.derivatives(scores, labels, weights, gradients, hessians));
            }
        });
    }

    fn choose_features(&self, random: &mut Random) -> Vec<bool> {
        chosen_features(self.params, self.matrix.used.len(), random)
    }

    /// Puts the final value into each leaf where the Newton step is not it.
    fn settle_leaves(&mut self, output: usize, grown: &mut GrownTree) {
        let step_max = self.params.loss.step_max();
        let scores = &self.scores[output * self.matrix.rows..];
        let rows = self.grower.rows();
        for leaf in 0..grown.leaves().len() {
            let span = grown.leaves()[leaf].rows.clone();
            if let Loss::Quantile { level } = self.params.loss {
                let mut residuals: Vec<(f64, f64)> = rows[span]
                    .iter()
                    .map(|&row| {
                        let row = row as usize;
                        let weight = self
                            .weights
                            .as_ref()
                            .map_or(1.0, |weights| f64::from(weights[row]));
                        (f64::from(self.labels[row]) - scores[row], weight)
                    })
                    .collect();
                grown.set_value(leaf, weighted_quantile(&mut residuals, level));
            } else if step_max.is_finite() {
                grown.set_value(leaf, grown.leaves()[leaf].value.clamp(-step_max, step_max));
            }
        }
    }

    /// Rows that were not drawn, in ascending order, and the leaf each falls into.
    fn leaves_of_others(&self, sample: &[usize], grown: &GrownTree) -> Vec<(usize, usize)> {
        let mut drawn = sample.iter().copied().peekable();
        (0..self.matrix.rows)
            .filter(|row| drawn.next_if_eq(row).is_none())
            .map(|row| (row, grown.leaf_of(&self.matrix, row)))
            .collect()
    }

    /// Lets the rows that were not drawn take back splits; their leaves' numbers follow.
    fn hear(&self, others: &mut [(usize, usize)], grown: &mut GrownTree) {
        let mut sums = vec![0; grown.leaves().len()];
        for &(row, leaf) in &*others {
            sums[leaf] += self.packed.words[row];
        }
        let numbers = grown.veto(sums, &self.rules());
        for (_, leaf) in others {
            *leaf = numbers[*leaf];
        }
    }

    fn add_scores(&mut self, output: usize, others: &[(usize, usize)], grown: &GrownTree) {
        let rate = self.params.learning_rate;
        let rows = self.matrix.rows;
        let scores = &mut self.scores[output * rows..(output + 1) * rows];
        for leaf in grown.leaves() {
            let value = f64::from(leaf.step(rate));
            for &row in &self.grower.rows()[leaf.rows.clone()] {
                scores[row as usize] += value;
            }
        }
        for &(row, leaf) in others {
            scores[row] += f64::from(grown.leaves()[leaf].step(rate));
        }
    }

    pub(super) fn finish(
        mut self,
        params: &Params,
        train: &Dataset,
        best: Option<(usize, f64)>,
        start: Option<&Model>,
    ) -> Model {
        let outputs = params.loss.outputs();
        if params.patience_rounds.is_some()
            && let Some((kept, _)) = best
        {
            self.trees.truncate(kept * outputs);
        }
        let earlier = start.map_or(&[][..], |model| model.trees());
        let trees: Vec<Tree> = earlier.iter().cloned().chain(self.trees).collect();
        let table = (train.features(), train.rows());
        finished(params, table, &self.binner, self.base, trees, best)
    }
}

/// The model of these trees.
pub(crate) fn finished(
    params: &Params,
    (features, rows): (&[Feature], usize),
    binner: &Binner,
    base: Vec<f64>,
    trees: Vec<Tree>,
    best: Option<(usize, f64)>,
) -> Model {
    let features = features.iter().zip(&binner.features);
    let features = features.map(|(feature, bins)| ModelFeature::new(feature.clone(), bins));
    let record = TrainingRecord {
        rows: rows as u64,
        rounds: (trees.len() / params.loss.outputs()) as u64,
        valid_loss: best.map(|(_, loss)| loss),
        notes: params.describe(),
    };
    Model::new(params.loss, features.collect(), base, trees, record)
}

/// Scores of the validation rows, kept up with each tree.
pub(super) struct ValidScores<'run> {
    valid: &'run Dataset,
    matrix: BinnedMatrix,
    scores: Vec<f64>,
}

impl<'run> ValidScores<'run> {
    pub(super) fn new(valid: &'run Dataset, run: &Run<'_>, start: Option<&Model>) -> Self {
        Self {
            valid,
            matrix: run.matrix.like(valid, &run.binner, run.params.threads),
            scores: start_scores(valid, &run.base, start),
        }
    }

    pub(super) fn add(&mut self, output: usize, grown: &GrownTree, rate: f64) {
        let rows = self.matrix.rows;
        let scores = &mut self.scores[output * rows..(output + 1) * rows];
        for (row, score) in scores.iter_mut().enumerate() {
            *score += f64::from(grown.leaves()[grown.leaf_of(&self.matrix, row)].step(rate));
        }
    }

    /// Adds the step of a tree without a split.
    fn add_to_all(&mut self, output: usize, step: f64) {
        let rows = self.matrix.rows;
        add_to_all(&mut self.scores[output * rows..(output + 1) * rows], step);
    }

    pub(super) fn loss(&self, loss: &Loss) -> f64 {
        loss.mean(&self.scores, self.valid.labels(), self.valid.weights())
    }
}

fn add_to_all(scores: &mut [f64], step: f64) {
    for score in scores {
        *score += step;
    }
}

/// Scores before the first round: the base, or what the model to continue says. Outputs × rows.
fn start_scores(dataset: &Dataset, base: &[f64], start: Option<&Model>) -> Vec<f64> {
    let rows = dataset.rows();
    let mut scores: Vec<f64> = base
        .iter()
        .flat_map(|&base| std::iter::repeat_n(base, rows))
        .collect();
    if let Some(model) = start {
        let mut row = vec![0.0; dataset.features().len()];
        let mut encoded = row.clone();
        for index in 0..rows {
            dataset.copy_row(index, &mut row);
            model.encode(&row, &mut encoded);
            for (tree, grown) in model.trees().iter().enumerate() {
                scores[tree % base.len() * rows + index] += grown.value_of(&encoded);
            }
        }
    }
    scores
}

/// The table's weights times the weight of each row's class.
fn combined_weights(train: &Dataset, params: &Params) -> Option<Vec<f32>> {
    let Some(class_weights) = &params.class_weights else {
        return train.weights().map(<[f32]>::to_vec);
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "weights need the range of f32, not its last digits"
    )]
    let combined = train.labels().iter().enumerate().map(|(row, &label)| {
        let own = train
            .weights()
            .map_or(1.0, |weights| f64::from(weights[row]));
        (own * class_weights[class_of(label.round())]) as f32
    });
    Some(combined.collect())
}

/// Which of the used features a round looks at.
pub(crate) fn chosen_features(params: &Params, used: usize, random: &mut Random) -> Vec<bool> {
    if params.column_share >= 1.0 {
        return vec![true; used];
    }
    let mut chosen = vec![false; used];
    for index in random.choose_ordered(used, share_of(used, params.column_share)) {
        chosen[index] = true;
    }
    chosen
}

/// A share of a count, rounded, at least one.
pub(crate) fn share_of(count: usize, share: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share of a count is below the count"
    )]
    let part = (count as f64 * share).round() as usize;
    part.clamp(1, count)
}
