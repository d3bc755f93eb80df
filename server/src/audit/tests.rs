mod checkpoints;
mod notes;
