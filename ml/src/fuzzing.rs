//! What the fuzzer of `fuzz/` and the replay of its corpus call: model files, and what must hold of what they say.

use crate::anomaly::AnomalyModel;
use crate::frame::{FORMAT_NUMBER, FileKind, WriteError, Writer};
use crate::hazard::HazardModel;
use crate::model::Model;

/// Where a file tells the number of its layout.
const FORMAT_AT: std::ops::Range<usize> = 8..10;
/// The kinds of model, by the first byte of what is fuzzed.
const KINDS: [FileKind; 3] = [FileKind::Forest, FileKind::Hazard, FileKind::Anomaly];

/// Columns up to which an anomaly model is asked.
const ANOMALY_COLUMNS_TRIED: usize = 6;

/// A model file as it is; and, the first byte telling the kind, what follows it as the body of a file with sound checksums.
pub fn model(bytes: &[u8]) {
    for kind in KINDS {
        check(bytes, kind);
    }
    let Some((first, body)) = bytes.split_first() else {
        return;
    };
    let kind = KINDS[usize::from(*first) % KINDS.len()];
    let mut writer = Writer::default();
    writer.put(body);
    if let Ok(file) = writer.finish(kind) {
        check(&file, kind);
    }
}

/// A model that is read is written so that it is read again, of this format byte for byte, and predicts without harm.
fn check(file: &[u8], kind: FileKind) {
    match kind {
        FileKind::Forest => {
            if let Ok(model) = Model::from_bytes(file) {
                predict(&model);
                written(file, model.to_bytes());
            }
        }
        FileKind::Hazard => {
            if let Ok(model) = HazardModel::from_bytes(file) {
                predict(model.forest());
                let row = vec![1.0; model.forest().features().len().saturating_sub(1)];
                let curve = model.survival(&row, &mut model.scratch());
                let _ = curve.map(|curve| curve.points().count());
                // Intervals of an older program are read past and not written.
                let again = model.to_bytes().map(|file| HazardModel::from_bytes(&file));
                assert_eq!(again, Ok(Ok(model)));
            }
        }
        FileKind::Anomaly => {
            if let Ok(model) = AnomalyModel::from_bytes(file) {
                // Only one width is the model's; the others are refused.
                for width in 0..=ANOMALY_COLUMNS_TRIED {
                    let _ = model.score(&vec![1.0; width], &mut model.scratch());
                    let _ = model.offenders(&vec![f32::MAX; width]);
                }
                written(file, model.to_bytes());
            }
        }
    }
}

fn written(file: &[u8], again: Result<Vec<u8>, WriteError>) {
    if file.get(FORMAT_AT) == Some(&FORMAT_NUMBER.to_le_bytes()[..]) {
        assert_eq!(
            again.as_deref(),
            Ok(file),
            "a model is written as it was read"
        );
    }
}

fn predict(model: &Model) {
    let mut outputs = vec![0.0; model.loss().outputs()];
    let mut scratch = model.scratch();
    for value in [0.0, 1.0, -1.0, f32::MAX, f32::NAN] {
        let row = vec![value; model.features().len()];
        let _ = model.predict_into(&row, &mut scratch, &mut outputs);
    }
}

#[cfg(test)]
mod tests;
