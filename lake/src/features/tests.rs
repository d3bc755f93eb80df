//! Training rows written and read back: one place, several, and what is wrong with files.

use std::fs;
use std::path::Path;

use super::*;

fn columns(words: &[&str]) -> Vec<FeatureColumn> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    vec![
        FeatureColumn {
            name: "wear".to_owned(),
            words: None,
        },
        FeatureColumn {
            name: "series".to_owned(),
            words: Some(words),
        },
    ]
}

fn target(folder: &Path) -> Target {
    Target::open(&format!("file://{}", folder.display())).unwrap()
}

fn write(folder: &Path, words: &[&str], rows: &[(i64, f32, f32)]) -> FeatureManifest {
    let manifest = FeatureManifest::new("failure", Uuid::from_u128(7), 42, 1_000, columns(words));
    let target = target(folder);
    let mut writer = FeatureWriter::new(&target, manifest).unwrap();
    for &(as_of, wear, series) in rows {
        let row = FeatureRow {
            vehicle: "v-1",
            as_of,
            days: 3.5,
            failed: as_of % 2 == 0,
            values: &[wear, series],
        };
        writer.push(&row).unwrap();
    }
    writer.finish().unwrap()
}

fn open(folders: &[&Path]) -> Result<FeatureReader, LakeError> {
    let places = folders.iter().map(|folder| target(folder)).collect();
    FeatureReader::open(places, "failure", 250)
}

fn rows(reader: &FeatureReader, from: i64, to: i64) -> Result<Vec<(i64, Vec<u32>)>, LakeError> {
    let mut rows = Vec::new();
    reader.scan(from, to, &mut |row| {
        assert_eq!((row.vehicle, row.days), ("v-1", 3.5));
        assert_eq!(row.failed, row.as_of % 2 == 0);
        let bits = row.values.iter().map(|value| value.to_bits()).collect();
        rows.push((row.as_of, bits));
        Ok::<(), LakeError>(())
    })?;
    Ok(rows)
}

fn bits(values: [f32; 2]) -> Vec<u32> {
    values.map(f32::to_bits).to_vec()
}

#[test]
fn rows_come_back_bit_by_bit_and_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let given = [
        (1, 0.1, 0.0),
        (2, f32::NAN, 1.0),
        (2, -0.0, f32::NAN),
        (5, f32::MIN_POSITIVE, 0.0),
    ];
    let manifest = write(folder.path(), &["BR 1", "BR 2"], &given);
    assert_eq!(
        (
            manifest.rows(),
            manifest.files[0].from,
            manifest.files[0].to
        ),
        (4, 1, 5)
    );
    let reader = open(&[folder.path()]).unwrap();
    assert_eq!(reader.span(), (1, 5));
    let all = rows(&reader, i64::MIN, i64::MAX).unwrap();
    let wanted: Vec<_> = given
        .iter()
        .map(|&(at, wear, series)| (at, bits([wear, series])))
        .collect();
    assert_eq!(all, wanted);
    assert_eq!(rows(&reader, 2, 5).unwrap(), wanted[1..3]);
    let mut wear = Vec::new();
    reader
        .column(0, &mut |value| wear.push(value.to_bits()))
        .unwrap();
    assert_eq!(wear, given.map(|(_, wear, _)| wear.to_bits()));
}

#[test]
fn a_new_export_takes_the_place_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<_> = (0..70_000).map(|at| (at, 1.0, 0.0)).collect();
    assert_eq!(write(folder.path(), &["a"], &many).files.len(), 2);
    assert_eq!(
        rows(&open(&[folder.path()]).unwrap(), 65_000, 66_000)
            .unwrap()
            .len(),
        1_000
    );
    let place = folder.path().join("features/failure");
    fs::write(place.join("mine.parquet"), "PAR1").unwrap();
    write(folder.path(), &["a"], &many[..5]);
    let left = fs::read_dir(&place).unwrap().count();
    assert_eq!(left, 3, "a file, the manifest, and what is somebody else's");
}

#[test]
fn several_places_are_one_in_order_of_time_with_the_words_of_all() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(one.path(), &["a", "c"], &[(1, 1.0, 0.0), (3, 3.0, 1.0)]);
    write(
        two.path(),
        &["b", "c"],
        &[(1, 10.0, 0.0), (2, 20.0, 1.0), (9, 90.0, 0.0)],
    );
    let reader = open(&[one.path(), two.path()]).unwrap();
    assert_eq!(
        reader.columns()[1].words.as_ref().unwrap(),
        &["a", "b", "c"]
    );
    let wanted = [
        (1, bits([1.0, 0.0])),
        (1, bits([10.0, 1.0])),
        (2, bits([20.0, 2.0])),
        (3, bits([3.0, 2.0])),
        (9, bits([90.0, 1.0])),
    ];
    assert_eq!(rows(&reader, 0, 10).unwrap(), wanted);
}

/// The first file of the second export.
fn first_file(folder: &Path) -> std::path::PathBuf {
    folder.join("features/failure/00000000.2.parquet")
}

/// Writes a file in the place of the first one, as somebody might.
fn replace(folder: &Path, batch: &RecordBatch) {
    let file = fs::File::create(first_file(folder)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn batch_of(folder: &Path) -> RecordBatch {
    let file = fs::File::open(first_file(folder)).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
    reader.unwrap().build().unwrap().next().unwrap().unwrap()
}

#[test]
fn files_that_are_not_as_they_must_be_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |wanted: &str| {
        let read = open(&[folder.path()]).and_then(|reader| rows(&reader, 0, 10));
        let said = read.unwrap_err().to_string();
        assert!(said.contains(wanted), "{wanted}: {said}");
    };
    refused("railfleet lake features");
    write(folder.path(), &["a"], &[]);
    refused("there are no rows to learn from");
    write(folder.path(), &["a"], &[(1, 1.0, 0.0), (2, 1.0, 0.0)]);
    let whole = batch_of(folder.path());
    let without = whole.project(&[0, 1, 2, 3, 5]).unwrap();
    replace(folder.path(), &without);
    refused("00000000.2.parquet: the column \"wear\" is missing");
    let mut fields: Vec<Field> = whole
        .schema()
        .fields()
        .iter()
        .map(|field| (**field).clone())
        .collect();
    fields[4] = Field::new("wear", DataType::Utf8, true);
    let mut arrays = whole.columns().to_vec();
    arrays[4] = arrays[5].clone();
    let other = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    replace(folder.path(), &other);
    refused("the column \"wear\" is Utf8, not Float32");
    replace(folder.path(), &whole.slice(0, 0));
    refused("it has no rows");
    let turned = arrow_select::concat::concat_batches(
        &whole.schema(),
        [&whole.slice(1, 1), &whole.slice(0, 1)],
    );
    replace(folder.path(), &turned.unwrap());
    refused("not in order of time");
    fs::write(first_file(folder.path()), "PAR1").unwrap();
    refused("no Parquet file");
    fs::remove_file(first_file(folder.path())).unwrap();
    refused("the manifest names it, and it is not there");

    let (other, sound) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(sound.path(), &["a"], &[(1, 1.0, 0.0)]);
    let mut manifest = write(other.path(), &["a"], &[(1, 1.0, 0.0)]);
    manifest.columns[0].name = "wear_2".to_owned();
    let text = serde_json::to_vec(&manifest).unwrap();
    fs::write(other.path().join("features/failure/manifest.json"), text).unwrap();
    let mixed = open(&[sound.path(), other.path()]).unwrap_err().to_string();
    assert!(mixed.contains("its columns are not those of"), "{mixed}");
}
