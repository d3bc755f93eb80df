#![no_main]

fuzz::target!(federation::fuzzing::message);
