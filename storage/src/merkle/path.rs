//! Which hashes a proof consists of (RFC 9162 §2.1.3.1 and §2.1.4.1), over any tree that can hash its full subtrees.

use super::hash::TreeHash;

/// A tree whose full subtrees can be asked for.
pub(super) trait Subtrees {
    type Error;

    /// The hash of the full subtree of `leaves` leaves from `start` on; `leaves` is a power of two, and divides `start`.
    fn whole(&mut self, start: u64, leaves: u64) -> Result<TreeHash, Self::Error>;

    /// The hash of the leaves in `start..end`: `MTH(D[start:end])`.
    fn range(&mut self, start: u64, end: u64) -> Result<TreeHash, Self::Error> {
        let leaves = end - start;
        if leaves == 0 {
            return Ok(TreeHash::empty());
        }
        if leaves.is_power_of_two() {
            return self.whole(start, leaves);
        }
        let middle = start + split(leaves);
        Ok(TreeHash::node(
            &self.range(start, middle)?,
            &self.range(middle, end)?,
        ))
    }

    /// `PATH(index − start, D[start:end])`: the siblings from the leaf up.
    fn inclusion(
        &mut self,
        index: u64,
        start: u64,
        end: u64,
    ) -> Result<Vec<TreeHash>, Self::Error> {
        if end - start <= 1 {
            return Ok(Vec::new());
        }
        let middle = start + split(end - start);
        let (mut path, sibling) = if index < middle {
            (
                self.inclusion(index, start, middle)?,
                self.range(middle, end)?,
            )
        } else {
            (
                self.inclusion(index, middle, end)?,
                self.range(start, middle)?,
            )
        };
        path.push(sibling);
        Ok(path)
    }

    /// `SUBPROOF(old − start, D[start:end], known)`: `known` says whether the verifier has the hash of the whole range.
    fn consistency(
        &mut self,
        old: u64,
        start: u64,
        end: u64,
        known: bool,
    ) -> Result<Vec<TreeHash>, Self::Error> {
        if old == end {
            return Ok(match known {
                true => Vec::new(),
                false => vec![self.range(start, end)?],
            });
        }
        let middle = start + split(end - start);
        let (mut path, sibling) = if old <= middle {
            (
                self.consistency(old, start, middle, known)?,
                self.range(middle, end)?,
            )
        } else {
            (
                self.consistency(old, middle, end, false)?,
                self.range(start, middle)?,
            )
        };
        path.push(sibling);
        Ok(path)
    }
}

/// The largest power of two below `leaves`, which are at least two.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}
