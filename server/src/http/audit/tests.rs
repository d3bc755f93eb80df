mod changes;
mod proofs;
mod trails;
