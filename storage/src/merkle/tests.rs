mod log;
mod mutated;
mod reference;
