#![no_main]

fuzz::target!(storage::fuzzing::index);
