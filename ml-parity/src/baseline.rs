//! The best figures known for some data sets, from earlier measurements of several libraries with the same splits.
//!
//! Those of demand are known to three digits; the file has the upper end of what these allow. They lie in `baselines.csv`, so that a run can name a bar without any code knowing a data set.

use crate::error::BenchError;
use std::collections::BTreeMap;
use std::path::Path;

/// The best known value by data set and question.
#[derive(Debug, Default)]
pub(crate) struct Baselines(BTreeMap<(String, String), f64>);

impl Baselines {
    /// The best known value, if any.
    pub(crate) fn of(&self, data: &str, question: &str) -> Option<f64> {
        self.0.get(&(data.to_owned(), question.to_owned())).copied()
    }
}

/// Reads `baselines.csv`: data set, question, value.
pub(crate) fn read() -> Result<Baselines, BenchError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines.csv");
    let text = std::fs::read_to_string(&path).map_err(BenchError::file(&path))?;
    let mut known = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [data, question, value] = cells[..] else {
            return Err(BenchError::data(
                &path,
                format!("{line:?} is not three cells"),
            ));
        };
        let value = value
            .parse()
            .map_err(|_| BenchError::data(&path, format!("{value:?} is not a number")))?;
        known.insert((data.to_owned(), question.to_owned()), value);
    }
    Ok(Baselines(known))
}
