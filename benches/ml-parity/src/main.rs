//! Quality and speed beside the peers, on the shared data sets.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]
mod table;
use ml::{Dataset, Fit, Loss, Params};
use std::path::Path;
use std::time::Instant;
use table::Table;

pub const QUALITY: [(&str, &str, bool); 14] = [
    ("adult", "y", true),
    ("ai4i2020", "y", true),
    ("azure_pdm", "y_fail_30", true),
    ("azure_pdm", "y_fail_60", true),
    ("azure_pdm", "y_fail_90", true),
    ("california_housing", "y", false),
    ("cmapss_fd001", "y_rul_capped", false),
    ("higgs_small", "y", true),
    ("metropt3_windows", "y", true),
    ("scania_aps", "y", true),
    ("ttc_subway", "y_fail_30", true),
    ("ttc_subway", "y_fail_60", true),
    ("ttc_subway", "y_fail_90", true),
    ("ttc_subway", "y_fail_90", true),
];
fn main() {
    let data = Path::new("/work/shared/data");
    let arg = |k: &str, d: f64| -> f64 {
        std::env::args().find_map(|a| a.strip_prefix(&format!("{k}=")).map(|v| v.parse().unwrap_or(d))).unwrap_or(d)
    };
    let only: Option<String> = std::env::args().nth(1).filter(|a| !a.contains('='));
    for (name, target, binary) in &QUALITY[..13] {
        if only.as_ref().is_some_and(|o| !name.contains(o.as_str())) { continue; }
        let t = Table::read(&data.join(name), false).expect("reads");
        let skip = (*binary && target.starts_with("y_fail")).then_some(-1.0);
        let get = |p: &str| -> Dataset { t.dataset(p, target, skip).expect("part") };
        let (train, valid, test) = (get("train"), get("valid"), get("test"));
        let (mut losses, mut secs, mut rounds) = (vec![], 0.0, vec![]);
        let seeds = arg("seeds", 5.0) as u64;
        for seed in 0..seeds {
            let mut p = Params { loss: if *binary { Loss::Logistic } else { Loss::Squared }, patience_rounds: (arg("es", 50.0)>0.0).then_some(arg("es", 50.0) as usize), seed,
              row_share: arg("row", 0.8), column_share: arg("col", 0.8), l2: arg("l2", 1.0), threads: arg("threads", 2.0) as usize, rows_min: arg("rows", 20.0) as usize, learning_rate: arg("lr", 0.05),
              leaves_max: arg("leaves", 31.0) as usize, rounds_max: arg("rounds", 500.0) as usize, ..Params::default() };
            p.category.smoothing = arg("csm", 10.0); p.category.l2 = arg("cl2", 10.0); p.category.group_rows_min = arg("cgr", 100.0); p.category.subset_max = arg("csub", 32.0) as usize; p.hessian_min = arg("hm", 1e-3);
            let begun = Instant::now();
            let model = Fit::new(&p).valid(&valid).train(&train).expect("fits");
            secs += begun.elapsed().as_secs_f64();
            let f = test.features().len();
            let rows = ndarray::Array2::from_shape_fn((test.rows(), f), |(r, c)| test.column(c)[r]);
            let mut pred: Vec<f64> = model.predict(rows.view(), 2).expect("predicts").into_iter().collect();
            let mut labels = test.labels().to_vec();
            if *name == "cmapss_fd001" { let last = &t.parts["test"].targets["last_row"]; 
              pred = pred.iter().zip(last).filter(|x| *x.1 == 1.0).map(|x| *x.0).collect(); labels = labels.iter().zip(last).filter(|x| *x.1 == 1.0).map(|x| *x.0).collect(); }
            losses.push(if *binary { ml::metric::logloss(&labels, &pred) } else { ml::metric::rmse(&labels, &pred) });
            rounds.push(model.record().rounds);
        }
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        println!("{name}/{target} {mean:.5} fit {:.3}s rounds {rounds:?}", secs / seeds as f64);
    }
}
