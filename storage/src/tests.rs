//! The log as a whole: against a model, through crashes, faults and damage.

mod basics;
mod crashes;
mod damage;
mod model;
mod support;
