//! How much memory streamed training takes: a twentieth of what its rows are, and no more for twice as many.
//!
//! `cargo test -p ml --release --test streamed_memory -- --nocapture` tells how fast it is.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use ml::hazard::HazardError;
use ml::streamed::{LifeRow, LifeSource, Spill, Visit, train};
use ml::{Feature, Params};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const ENDS: [f32; 3] = [30.0, 60.0, 90.0];
const FEATURES: usize = 60;
const ROUNDS: usize = 3;

/// Units that are made as they are read. A tenth of them fails, so that most enter three periods.
struct Made(usize);

impl LifeSource for Made {
    fn scan(&mut self, visit: Visit<'_>) -> Result<(), HazardError> {
        let mut state = 1_u64;
        let mut values = [0.0; FEATURES];
        for _ in 0..self.0 {
            for value in &mut values {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                *value = f32::from(u16::try_from(state >> 48).expect("16 bits are left"));
            }
            let observed = values[0] + values[1] < 29_000.0;
            visit(LifeRow {
                values: &values,
                duration: if observed { values[2] / 800.0 } else { 90.0 },
                observed,
            })?;
        }
        Ok(())
    }
}

/// A file that is gone with the test.
struct WorkFile(File);

impl WorkFile {
    fn make(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let file = options
            .open(&path)
            .expect("the target's folder takes a file");
        std::fs::remove_file(&path).expect("the file was just made");
        Self(file)
    }
}

impl Spill for WorkFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }
}

/// Rows and periods, and the most heap that was held while a model was trained on them.
fn trained(units: usize) -> (usize, usize) {
    let features: Vec<Feature> = (0..FEATURES)
        .map(|number| Feature::numeric(number.to_string()))
        .collect();
    let settings = [Params {
        rounds_max: ROUNDS,
        row_share: 0.5,
        unseen_rows_veto: true,
        leaves_max: 8,
        ..Params::default()
    }];
    let mut spill = WorkFile::make(&format!("streamed-{units}"));
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let began = Instant::now();
    let model = train(
        &settings,
        &ENDS,
        &features,
        &mut Made(units),
        None,
        &mut spill,
        None,
    );
    let model = model.expect("the rows can be learned from");
    let took = began.elapsed().as_secs_f64();
    let peak = HEAP.peak_usage() - before;
    assert!(
        model.forest().trees().len() == ROUNDS,
        "it learned something"
    );
    let rows = usize::try_from(model.forest().record().rows).expect("they were counted in memory");
    tell(&format!(
        "{rows} rows of {FEATURES} features and a period, {ROUNDS} rounds in {took:.1} s, {:.1} MB of heap at most",
        peak as f64 / 1e6
    ));
    (rows, peak)
}

#[expect(
    clippy::print_stderr,
    reason = "figures for whoever asks with --nocapture"
)]
fn tell(line: &str) {
    eprintln!("{line}");
}

#[test]
fn memory_is_a_twentieth_of_the_rows_and_does_not_grow_with_them() {
    let (rows, peak) = trained(450_000);
    let bytes = rows * (FEATURES + 1) * size_of::<f32>();
    assert!(peak * 20 < bytes, "{peak} bytes held for rows of {bytes}");
    let (more, peak_of_more) = trained(900_000);
    assert!(more > 19 * rows / 10, "{more} {rows}");
    // A bit a row more, and a little for chance.
    assert!(
        peak_of_more < peak + more / 4,
        "{peak_of_more} after {peak}"
    );
}
