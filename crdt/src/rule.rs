//! The rules that the protocol rests on, each at the one place where it is applied.
//!
//! In a build every rule holds and the question costs nothing. A unit test may break one, and the simulation has to
//! notice: a rule that can be broken unnoticed is either not needed or not tested.

/// A rule whose absence loses or invents data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only tests ask for a rule by value")
)]
pub(crate) enum Rule {
    /// `base` advances with the page that reaches the head, not with every page.
    BaseWithLastPage,
    /// `base` advances to the head of the last page, not to the one the first page announced.
    BaseToLastHead,
    /// Slots are sent from the last complete point, not from where the page before ended.
    SlotsFromCompletePoint,
    /// An operation at or below `seen` is a duplicate.
    DedupBySeq,
    /// An operation beyond `seen + 1` waits for those before it.
    NoGaps,
    /// Removal markers go only when every device that counts has passed them.
    MarkersUntilStable,
    /// A write that saw the winner gets a later stamp than it.
    OverwriteBumps,
    /// A device behind the floor gets the list of what lives.
    ManifestBelowFloor,
    /// A removal takes only what its writer had seen.
    RemoveOnlySeen,
    /// Claimed stamps are clamped between the server's time of `base` and now.
    StampBracket,
    /// Rank decides between concurrent writes at admission and is no part of the stored order.
    RankOnlyAtAdmission,
    /// Verdicts are kept until the device acknowledges them.
    VerdictsPersist,
    /// A page and its cursor reach the device's store together.
    CursorWithPage,
    /// A lease returns its rest once.
    LeaseReturnsOnce,
    /// The chain of operations is compared, so that a copied store is noticed.
    ChainChecked,
}

/// Whether `rule` is in force: always, outside the tests of this crate.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn holds(_rule: Rule) -> bool {
    true
}

#[cfg(test)]
pub(crate) use broken::{holds, with_broken};

#[cfg(test)]
mod broken {
    use super::Rule;
    use std::cell::Cell;

    thread_local! {
        static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    pub(crate) fn holds(rule: Rule) -> bool {
        BROKEN.get() != Some(rule)
    }

    /// Runs `run` with one rule switched off on this thread.
    pub(crate) fn with_broken<T>(rule: Option<Rule>, run: impl FnOnce() -> T) -> T {
        BROKEN.set(rule);
        let result = run();
        BROKEN.set(None);
        result
    }
}
