mod proofs;
mod trails;
