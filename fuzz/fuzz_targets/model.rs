#![no_main]

fuzz::target!(ml::fuzzing::model);
