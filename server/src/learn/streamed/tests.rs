//! Training from Parquet against training from the log: the same bytes.

use std::ops::ControlFlow;

use super::super::tests::depot;
use super::super::training::{DirectTraining, pack};
use super::*;

fn go(_: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn place(folder: &Path, name: &str) -> Target {
    Target::open(&format!("file://{}", folder.join(name).display())).unwrap()
}

fn file_of(table: &dyn Table, words: &Dictionary, position: u64, end: i64) -> Vec<u8> {
    let backtest = super::super::failure::backtest(table, 1, 1, &mut go).unwrap();
    pack(table, words, (position, end), &backtest, &mut go)
        .unwrap()
        .1
}

#[test]
fn the_same_rows_from_parquet_and_from_the_log_give_the_same_bytes() {
    let depot = depot();
    let place = place(depot.folder.path(), "lake");
    let manifest = export(&depot.learning, &place, None, Times::USUAL).unwrap();
    let streamed = Streamed::open(vec![place], depot.folder.path()).unwrap();
    let direct = DirectTraining::prepare(&depot.learning, depot.log.durable_position()).unwrap();
    assert_eq!(streamed.rows(), direct.snapshots.len());
    assert_eq!(streamed.as_of(), (direct.position.get(), direct.end));
    assert_eq!(streamed.words(), direct.words);
    for column in 0..manifest.columns.len() {
        let [streamed, direct] = [&streamed as &dyn Table, &direct.snapshots].map(|table| {
            let values = table.quantiles(column, 60).unwrap();
            values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        assert_eq!(streamed, direct, "{}", manifest.columns[column].name);
    }
    let (position, end) = streamed.as_of();
    let from_parquet = file_of(&streamed, &streamed.words(), position, end);
    let from_log = file_of(&direct.snapshots, &direct.words, position, end);
    assert!(from_parquet == from_log, "other bytes");
    let left = fs::read_dir(depot.folder.path()).unwrap().flatten();
    let working = left.filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"));
    assert_eq!(working.count(), 0, "no working file stays");
}

#[test]
fn as_of_an_earlier_time_nothing_later_is_seen_and_a_finer_step_has_more_rows() {
    let depot = depot();
    let place = || place(depot.folder.path(), "lake");
    let whole = export(&depot.learning, &place(), None, Times::USUAL).unwrap();
    let early = whole.end - 900 * fleet::calendar::DAY;
    let then = export(&depot.learning, &place(), Some(early), Times::USUAL).unwrap();
    assert_eq!(then.end, early);
    assert!(then.rows() < whole.rows() && then.rows() > 0);
    assert!(then.files.iter().all(|file| file.to <= early));
    let daily = Times {
        step_days: 7,
        snapshots_max: usize::MAX,
    };
    let daily = export(&depot.learning, &place(), None, daily).unwrap();
    assert!(
        daily.rows() > 19 * whole.rows() / 10,
        "{} {}",
        daily.rows(),
        whole.rows()
    );
}

#[test]
fn two_depots_are_one_table_and_other_columns_are_refused() {
    let depot = depot();
    let folder = depot.folder.path();
    for name in ["one", "two"] {
        export(&depot.learning, &place(folder, name), None, Times::USUAL).unwrap();
    }
    let both = vec![place(folder, "one"), place(folder, "two")];
    let both = Streamed::open(both, folder).unwrap();
    let one = Streamed::open(vec![place(folder, "one")], folder).unwrap();
    assert_eq!(both.rows(), 2 * one.rows());
    let (mut last, mut seen) = (Vec::new(), 0);
    both.each(i64::MIN, i64::MAX, &mut |shot| {
        // Each row comes twice, for the two depots have the same vehicles.
        let row: Vec<u32> = shot.row.iter().map(|value| value.to_bits()).collect();
        last.push(row);
        seen += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, both.rows());
    let path = folder
        .join("one/features")
        .join(FAILURE)
        .join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"mileage\"", "\"miles\"")).unwrap();
    let refused = Streamed::open(vec![place(folder, "one")], folder).unwrap_err();
    assert!(refused.to_string().contains("another version"), "{refused}");
    let refused = Streamed::open(vec![place(folder, "none")], folder).unwrap_err();
    assert!(
        refused.to_string().contains("railfleet lake features"),
        "{refused}"
    );
}

#[test]
fn the_order_of_keys_is_the_order_of_values() {
    let values = [
        f32::NEG_INFINITY,
        -1.5,
        -0.0,
        0.0,
        f32::MIN_POSITIVE,
        7.0,
        f32::NAN,
    ];
    assert!(
        values
            .windows(2)
            .all(|pair| total_order(pair[0]) < total_order(pair[1]))
    );
    for value in values {
        assert_eq!(
            of_total_order(total_order(value)).to_bits(),
            value.to_bits()
        );
    }
}
