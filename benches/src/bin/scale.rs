//! `scale`: what a fleet comes to, from what an event costs. See [`benches::scale`] and docs/scale.md.

use std::io::Write as _;
use std::process::ExitCode;

use benches::scale::{Costs, Fleet, markdown};

const USAGE: &str = "\
scale [--depots N] [--vehicles N] [--years N] [--events N] [--streams N] [--kept-days N] [--memory-gb N] [--disk-gb N]

Prints what each depot and headquarters come to, and what is reached first on a machine of that memory and disk.
Vehicles are of each depot, events of a vehicle and day, streams (work orders and the like) of a vehicle and year.
";

fn main() -> ExitCode {
    let mut fleet = Fleet::asked();
    let (mut memory, mut disk) = (16.0, 1_000.0);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let place = match name.as_str() {
            "--depots" => &mut fleet.depots,
            "--vehicles" => &mut fleet.vehicles,
            "--years" => &mut fleet.years,
            "--events" => &mut fleet.events_per_day,
            "--streams" => &mut fleet.streams_per_year,
            "--kept-days" => &mut fleet.kept_days,
            "--memory-gb" => &mut memory,
            "--disk-gb" => &mut disk,
            _ => return refuse(),
        };
        match arguments.next().and_then(|text| text.parse::<f64>().ok()) {
            Some(number) if number > 0.0 => *place = number,
            _ => return refuse(),
        }
    }
    let text = markdown(&fleet, &Costs::measured(), memory * 1e9, disk * 1e9);
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse() -> ExitCode {
    // A reader that is gone is no fault of ours.
    let _ = std::io::stderr().write_all(USAGE.as_bytes());
    ExitCode::from(2)
}
