//! A forest as bytes, and bytes as a forest.
//!
//! Place on the path: model → **model file**. The layout is drawn in docs/ml-model-format.md. Checksums find damage;
//! the checks here find forgery: every number is compared with what training could have produced before it is used,
//! so a hostile file is an error and never a crash, a loop or a huge allocation.

use crate::binning::BINS_MAX;
use crate::dataset::{
    CATEGORY_CODE_MAX, FEATURES_MAX, Feature, FeatureKind, Monotone, NAME_BYTES_MAX,
};
use crate::frame::{FileKind, ReadError, Reader, WriteError, Writer, require};
use crate::loss::Loss;
use crate::model::{Model, ModelFeature, TrainingRecord};
use crate::params::{DEPTH_MAX, LEAVES_MAX};
use crate::tree::{Child, Leaf, Node, Test, Tree};

/// Most trees of a file.
pub const TREES_MAX: usize = 1_000_000;
/// Most notes of a record.
pub const NOTES_MAX: usize = 4_096;
/// Longest value of a note in bytes.
pub const NOTE_BYTES_MAX: usize = 65_536;

const LEAF_FLAG: u32 = 1 << 31;
/// Bytes of a node with a threshold, the smaller of the two kinds.
const NODE_BYTES_MIN: usize = 25;
const LEAF_BYTES: usize = 8;

impl Model {
    /// The model as the bytes of a file.
    ///
    /// # Errors
    /// [`WriteError`] when the caller's notes exceed a limit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        let mut writer = Writer::default();
        self.write_body(&mut writer)?;
        writer.finish(FileKind::Forest)
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// [`ReadError`] for anything [`Model::to_bytes`] could not have written.
    pub fn from_bytes(file: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::open(file, FileKind::Forest)?;
        let model = Self::read_body(&mut reader)?;
        reader.end()?;
        Ok(model)
    }

    pub(crate) fn write_body(&self, writer: &mut Writer) -> Result<(), WriteError> {
        write_loss(writer, *self.loss());
        writer.f64s(self.base());
        writer.length("features", self.features().len(), FEATURES_MAX)?;
        for feature in self.features() {
            write_feature(writer, feature)?;
        }
        write_record(writer, self.record())?;
        writer.length("trees", self.trees().len(), TREES_MAX)?;
        for tree in self.trees() {
            write_tree(writer, tree)?;
        }
        Ok(())
    }

    pub(crate) fn read_body(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let loss = read_loss(reader)?;
        let base = reader.f64s(loss.outputs(), "base score")?;
        let count = reader.length(FEATURES_MAX, 10, "features")?;
        require(count > 0, "feature count")?;
        let features = (0..count)
            .map(|_| read_feature(reader))
            .collect::<Result<Vec<_>, _>>()?;
        let record = read_record(reader)?;
        let count = reader.length(TREES_MAX, 4 + LEAF_BYTES, "trees")?;
        let rounds = record.rounds.checked_mul(loss.outputs() as u64);
        require(rounds == Some(count as u64), "number of trees")?;
        let trees = (0..count)
            .map(|_| read_tree(reader, &features))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(loss, features, base, trees, record))
    }
}

fn write_loss(writer: &mut Writer, loss: Loss) {
    let (tag, parameter) = match loss {
        Loss::Squared => (0, 0.0),
        Loss::Logistic => (1, 0.0),
        Loss::Quantile { level } => (2, level),
        Loss::Poisson => (3, 0.0),
        Loss::Tweedie { power } => (4, power),
        Loss::Multiclass { classes } => (5, f64::from(classes)),
        Loss::Hazard { periods } => (6, f64::from(periods)),
    };
    writer.u8(tag);
    writer.f64(parameter);
}

fn read_loss(reader: &mut Reader<'_>) -> Result<Loss, ReadError> {
    let tag = reader.u8("loss")?;
    let parameter = reader.f64("loss parameter")?;
    let whole = || {
        require(
            parameter.fract() == 0.0 && (0.0..=65_536.0).contains(&parameter),
            "loss parameter",
        )?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be a small whole number"
        )]
        let whole = parameter as u32;
        Ok(whole)
    };
    // Where there is no parameter, its place is empty.
    let has_none = matches!(tag, 0 | 1 | 3);
    require(!has_none || parameter.to_bits() == 0, "loss parameter")?;
    let loss = match tag {
        0 => Loss::Squared,
        1 => Loss::Logistic,
        2 => Loss::Quantile { level: parameter },
        3 => Loss::Poisson,
        4 => Loss::Tweedie { power: parameter },
        5 => Loss::Multiclass { classes: whole()? },
        6 => Loss::Hazard { periods: whole()? },
        _ => return Err(ReadError::Invalid { what: "loss" }),
    };
    require(loss.check_parameters().is_ok(), "loss parameter")?;
    Ok(loss)
}

fn write_feature(writer: &mut Writer, feature: &ModelFeature) -> Result<(), WriteError> {
    writer.text("feature name", &feature.feature.name, NAME_BYTES_MAX)?;
    writer.u8(match feature.feature.kind {
        FeatureKind::Numeric => 0,
        FeatureKind::Categorical => 1,
    });
    writer.u8(match feature.feature.monotone {
        Monotone::Free => 0,
        Monotone::Increasing => 1,
        Monotone::Decreasing => 2,
    });
    writer.length("categories", feature.codes.len(), BINS_MAX)?;
    for (&code, &bin) in feature.codes.iter().zip(&feature.bins) {
        writer.u32(code);
        writer.u8(bin);
    }
    Ok(())
}

fn read_feature(reader: &mut Reader<'_>) -> Result<ModelFeature, ReadError> {
    let name = reader.text(NAME_BYTES_MAX, "feature name")?;
    let kind = match reader.u8("feature kind")? {
        0 => FeatureKind::Numeric,
        1 => FeatureKind::Categorical,
        _ => {
            return Err(ReadError::Invalid {
                what: "feature kind",
            });
        }
    };
    let monotone = match reader.u8("monotone direction")? {
        0 => Monotone::Free,
        1 => Monotone::Increasing,
        2 => Monotone::Decreasing,
        _ => {
            return Err(ReadError::Invalid {
                what: "monotone direction",
            });
        }
    };
    let count = reader.length(BINS_MAX, 5, "categories")?;
    require(
        count == 0 || kind == FeatureKind::Categorical,
        "categories of a number",
    )?;
    require(
        kind == FeatureKind::Numeric || monotone == Monotone::Free,
        "monotone direction",
    )?;
    let (mut codes, mut bins) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut taken = vec![false; count];
    for _ in 0..count {
        let code = reader.u32("category code")?;
        let ascending = codes.last().is_none_or(|&last| last < code);
        require(ascending && code <= CATEGORY_CODE_MAX, "category code")?;
        let bin = reader.u8("category bin")?;
        match taken.get_mut(usize::from(bin)) {
            Some(taken) if !*taken => *taken = true,
            _ => {
                return Err(ReadError::Invalid {
                    what: "category bin",
                });
            }
        }
        codes.push(code);
        bins.push(bin);
    }
    let feature = Feature {
        name,
        kind,
        monotone,
    };
    Ok(ModelFeature {
        feature,
        codes,
        bins,
    })
}

fn write_record(writer: &mut Writer, record: &TrainingRecord) -> Result<(), WriteError> {
    writer.u64(record.rows);
    writer.u64(record.rounds);
    writer.u8(u8::from(record.valid_loss.is_some()));
    writer.f64(record.valid_loss.unwrap_or(0.0));
    writer.length("notes", record.notes.len(), NOTES_MAX)?;
    for (name, value) in &record.notes {
        writer.text("name of a note", name, NAME_BYTES_MAX)?;
        writer.text("note", value, NOTE_BYTES_MAX)?;
    }
    Ok(())
}

fn read_record(reader: &mut Reader<'_>) -> Result<TrainingRecord, ReadError> {
    let rows = reader.u64("training rows")?;
    let rounds = reader.u64("rounds")?;
    let has_loss = reader.u8("validation flag")?;
    let loss = reader.f64("validation loss")?;
    require(has_loss <= 1, "validation flag")?;
    // Where there is none, its place is empty.
    require(has_loss == 1 || loss.to_bits() == 0, "validation loss")?;
    let count = reader.length(NOTES_MAX, 8, "notes")?;
    let mut notes = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.text(NAME_BYTES_MAX, "name of a note")?;
        notes.push((name, reader.text(NOTE_BYTES_MAX, "note")?));
    }
    Ok(TrainingRecord {
        rows,
        rounds,
        valid_loss: (has_loss == 1).then_some(loss),
        notes,
    })
}

pub(crate) fn write_tree(writer: &mut Writer, tree: &Tree) -> Result<(), WriteError> {
    writer.length("nodes", tree.nodes.len(), LEAVES_MAX - 1)?;
    for node in &tree.nodes {
        writer.u32(node.feature);
        match node.test {
            Test::Threshold { at, missing_left } => {
                writer.u8(u8::from(missing_left));
                writer.f32(at);
            }
            Test::Subset { mask } => {
                writer.u8(2);
                mask.iter().for_each(|&word| writer.u64(word));
            }
        }
        for child in [node.left, node.right] {
            writer.u32(match child {
                Child::Node(index) => index,
                Child::Leaf(index) => index | LEAF_FLAG,
            });
        }
        writer.f32(node.gain);
        writer.u32(node.rows);
    }
    for leaf in &tree.leaves {
        writer.f32(leaf.value);
        writer.u32(leaf.rows);
    }
    Ok(())
}

pub(crate) fn read_tree(
    reader: &mut Reader<'_>,
    features: &[ModelFeature],
) -> Result<Tree, ReadError> {
    let count = reader.length(LEAVES_MAX - 1, NODE_BYTES_MIN + LEAF_BYTES, "nodes")?;
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(read_node(reader, features)?);
    }
    let mut leaves = Vec::with_capacity(count + 1);
    for _ in 0..=count {
        let value = reader.f32("leaf value")?;
        require(value.is_finite(), "leaf value")?;
        let rows = reader.u32("leaf rows")?;
        leaves.push(Leaf { value, rows });
    }
    let tree = Tree { nodes, leaves };
    check_tree(&tree)?;
    Ok(tree)
}

fn read_node(reader: &mut Reader<'_>, features: &[ModelFeature]) -> Result<Node, ReadError> {
    let feature = reader.u32("node feature")?;
    let kind = features
        .get(feature as usize)
        .map(|feature| feature.feature.kind);
    let test = match (reader.u8("node test")?, kind) {
        (flag @ (0 | 1), Some(FeatureKind::Numeric)) => {
            let at = reader.f32("threshold")?;
            require(!at.is_nan(), "threshold")?;
            Test::Threshold {
                at,
                missing_left: flag == 1,
            }
        }
        (2, Some(FeatureKind::Categorical)) => {
            let mut mask = [0; 4];
            for word in &mut mask {
                *word = reader.u64("subset")?;
            }
            Test::Subset { mask }
        }
        _ => return Err(ReadError::Invalid { what: "node test" }),
    };
    let mut child = || {
        let word = reader.u32("child")?;
        Ok::<_, ReadError>(if word & LEAF_FLAG == 0 {
            Child::Node(word)
        } else {
            Child::Leaf(word & !LEAF_FLAG)
        })
    };
    let (left, right) = (child()?, child()?);
    let gain = reader.f32("gain")?;
    require(gain.is_finite(), "gain")?;
    let rows = reader.u32("node rows")?;
    Ok(Node {
        feature,
        test,
        left,
        right,
        gain,
        rows,
    })
}

/// Every node and leaf hangs below exactly one earlier node, rows add up, and no path is too long.
fn check_tree(tree: &Tree) -> Result<(), ReadError> {
    let mut node_seen = vec![false; tree.nodes.len()];
    let mut leaf_seen = vec![false; tree.leaves.len()];
    for (index, node) in tree.nodes.iter().enumerate() {
        let mut rows = 0_u64;
        for child in [node.left, node.right] {
            let seen = match child {
                Child::Node(below) if below as usize > index => node_seen.get_mut(below as usize),
                Child::Node(_) => None,
                Child::Leaf(leaf) => leaf_seen.get_mut(leaf as usize),
            };
            match seen {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(ReadError::Invalid { what: "child" }),
            }
            let below = tree.rows_of(child);
            require(below > 0, "rows of a child")?;
            rows += u64::from(below);
        }
        require(rows == u64::from(node.rows), "rows of a node")?;
    }
    // Each of n nodes has two children, each seen once, so n-1 nodes and n+1 leaves leave nobody out.
    require(
        tree.nodes.is_empty() || leaf_seen.iter().all(|&seen| seen),
        "leaf",
    )?;
    require(tree.depth() <= DEPTH_MAX, "depth")
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;
