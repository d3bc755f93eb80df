//! Every question works: each is asked at its tiny size. How fast it was is not looked at.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use benches::BenchError;
use benches::question;
use benches::setting::{Setting, Size};

fn setting() -> Setting {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bench"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-data");
    Setting::new(Size::Tiny, folder, program)
}

#[track_caller]
fn check(name: &str) {
    let question = question::ALL
        .iter()
        .find(|question| question.name == name)
        .expect("the question is in the list");
    match (question.ask)(&setting()) {
        Ok(rows) => {
            assert!(!rows.is_empty(), "{name} has an answer");
            for row in rows {
                assert!(row.measured.is_finite(), "{}: {:?}", row.what, row.rounds);
            }
        }
        Err(error @ BenchError::Missing { .. }) => {
            // The runner captures what the print macros write; nobody would read it there.
            let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {error}");
        }
        Err(error) => panic!("{name}: {error}: {error:?}"),
    }
}

macro_rules! tiny {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check($name);
            }
        )*

        #[test]
        fn no_question_is_left_out() {
            let asked = [$($name),*];
            let missing: Vec<_> = question::ALL
                .iter()
                .map(|question| question.name)
                .filter(|name| !asked.contains(name))
                .collect();
            assert!(missing.is_empty(), "without a test: {missing:?}");
        }
    };
}

tiny! {
    limits: "limits",
    one_writer: "one-writer",
    many_writers: "many-writers",
    batches: "batches",
    scan: "scan",
    stream: "stream",
    open: "open",
    flushes: "flushes",
    disk: "disk",
    http_one_writer: "http-one-writer",
    http_many_writers: "http-many-writers",
    http_batches: "http-batches",
    http_stream: "http-stream",
    http_lists: "http-lists",
    rebuild: "rebuild",
    import: "import",
    http_history: "http-history",
    proofs: "proofs",
    sync_push: "sync-push",
    sync_pull: "sync-pull",
    sync_many: "sync-many",
    analytics: "analytics",
    http_predict: "http-predict",
    beside_training: "beside-training",
    federation: "federation",
    lake: "lake",
    plan: "plan",
}
