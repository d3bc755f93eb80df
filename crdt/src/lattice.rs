//! What all state types share: a join that makes replicas agree, and parts small enough to send.

/// A join semilattice with a bottom (`Default`).
///
/// Laws, each a property test: join is commutative, associative and idempotent; bottom changes nothing; joining all
/// parts of [`Lattice::decompose`] gives the state back, and no part can be left out; `a` joined with
/// `b.difference(a)` equals `a` joined with `b`. Mutators return the *delta*: joined into the state it gives what the
/// mutator made of it, sent to others it has the same effect there.
/// Source: Enes, Almeida, Baquero, Leitão, *Efficient Synchronization of State-based CRDTs*, 2019.
pub trait Lattice: Clone + Default + PartialEq {
    /// Takes in what `other` knows: the least state above both.
    fn join(&mut self, other: &Self);

    /// Whether `other` already knows everything here.
    fn is_included_in(&self, other: &Self) -> bool {
        let mut joined = other.clone();
        joined.join(self);
        joined == *other
    }

    /// The irredundant parts whose join is this state; bottom has none. Made one by one: a state from outside may
    /// claim more parts than fit in memory.
    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_>;

    /// The smallest state that brings `other` up to both: join of the parts that `other` does not include.
    #[must_use]
    fn difference(&self, other: &Self) -> Self {
        let mut delta = Self::default();
        for part in self.decompose().filter(|part| !part.is_included_in(other)) {
            delta.join(&part);
        }
        delta
    }

    /// `self` joined with `other`, for expressions.
    #[must_use]
    fn joined(mut self, other: &Self) -> Self {
        self.join(other);
        self
    }
}

#[cfg(test)]
mod tests;
