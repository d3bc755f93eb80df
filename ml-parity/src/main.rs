//! `ml-parity`: holds the crate `ml` against LightGBM and XGBoost, installed and run in the same call, on real data.

#![expect(
    clippy::print_stderr,
    reason = "a bench tells its failures on the error stream"
)]

mod anomaly;
mod baseline;
mod data;
mod demand;
mod error;
mod horizons;
mod peer;
mod quality;
mod report;
mod speed;

use error::BenchError;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
ml-parity [--data FOLDER] [--only NAME,…] [--reuse] [--seeds N] [--out FOLDER] [QUESTION…]

Questions: quality, horizons, demand, anomalies, training, prediction. Without one, all are asked.

  --data FOLDER   data sets, a folder with a schema.json each (default ../shared/data)
  --only NAME,…   some of the data sets; speed also knows `synthetic`
  --reuse         take the peers' answers of an earlier run where table and settings are the same; not for times
  --seeds N       seeds whose mean is taken for quality (default 5); with more, the standard errors tell draws from differences
  --out FOLDER    where the peers are installed and the report goes (default out/ml-parity)
";

const QUESTIONS: [&str; 6] = [
    "quality",
    "horizons",
    "demand",
    "anomalies",
    "training",
    "prediction",
];

struct Arguments {
    data: PathBuf,
    out: PathBuf,
    only: Vec<String>,
    questions: Vec<String>,
    reuse: bool,
    seeds: u64,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Ok(arguments) => match run(&arguments) {
            Ok(missed) => ExitCode::from(u8::from(missed > 0)),
            Err(error) => {
                eprintln!("ml-parity: {error}");
                ExitCode::from(3)
            }
        },
    }
}

fn parse(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        data: PathBuf::from("../shared/data"),
        out: PathBuf::from("out/ml-parity"),
        only: Vec::new(),
        questions: Vec::new(),
        reuse: false,
        seeds: 5,
    };
    while let Some(argument) = given.next() {
        if argument == "--only" {
            let names = given.next().ok_or("--only wants names")?;
            arguments.only = names.split(',').map(str::to_owned).collect();
            continue;
        }
        if argument == "--seeds" {
            let number = given.next().and_then(|text| text.parse().ok());
            arguments.seeds = number
                .filter(|&seeds| seeds > 0)
                .ok_or("--seeds wants a number above 0")?;
            continue;
        }
        if argument == "--reuse" {
            arguments.reuse = true;
            continue;
        }
        let place = match &*argument {
            "--data" => &mut arguments.data,
            "--out" => &mut arguments.out,
            question if QUESTIONS.contains(&question) => {
                arguments.questions.push(argument);
                continue;
            }
            other => return Err(format!("{other:?} is not known")),
        };
        *place = given
            .next()
            .ok_or_else(|| format!("{argument} wants a folder"))?
            .into();
    }
    if arguments.questions.is_empty() {
        arguments.questions = QUESTIONS.map(str::to_owned).to_vec();
    }
    Ok(arguments)
}

/// Asks the questions; returns how many bars were missed.
fn run(arguments: &Arguments) -> Result<usize, BenchError> {
    let peers = peer::Peers::install(&arguments.out, arguments.reuse)?;
    let mut folders = data::folders(&arguments.data)?;
    let wanted =
        |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    folders.retain(|folder| wanted(&folder.name));
    let synthetic = wanted("synthetic");
    let baselines = baseline::read()?;
    let mut report = Report::default();
    for question in &arguments.questions {
        match &**question {
            "quality" => quality::ask(&folders, &peers, &baselines, arguments.seeds, &mut report)?,
            "horizons" => horizons::ask(&folders, &baselines, &mut report)?,
            "demand" => demand::ask(&folders, &baselines, &mut report)?,
            "anomalies" => anomaly::ask(&folders, &mut report)?,
            "training" => speed::ask_training(&folders, synthetic, &peers, &mut report)?,
            "prediction" => speed::ask_prediction(&folders, synthetic, &peers, &mut report)?,
            _ => unreachable!("questions were checked"),
        }
    }
    report.conclude();
    let path = arguments.out.join("report.md");
    std::fs::write(&path, report.text()).map_err(BenchError::file(&path))?;
    Ok(report.missed)
}
