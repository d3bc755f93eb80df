//! Stock leases: a quantity promised to a device beforehand, so that what it takes offline is final.
//!
//! On hand + all leases is conserved: granting moves stock into a lease, consuming within a lease uses it up, closing a
//! lease returns its rest, once. A part that was fitted beyond the lease is a fact: it is taken from what is on hand,
//! below zero if need be, and reported as a discrepancy. Source: O'Neil, *The Escrow Transactional Method*, 1986;
//! Balegas et al., *Extending Eventually Consistent Cloud Databases for Enforcing Numeric Invariants*, 2015.

use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use std::collections::BTreeMap;
use thiserror::Error;

/// A lease's number within its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

/// Why a lease cannot be granted or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EscrowError {
    /// Less is on hand than was asked for.
    #[error("{on_hand} on hand, {asked} asked for")]
    Exhausted {
        /// What there is.
        on_hand: i64,
        /// What was asked for.
        asked: u32,
    },
    /// No lease has this number, or it was closed.
    #[error("lease {} is not open", lease.0)]
    NotOpen {
        /// Which.
        lease: LeaseId,
    },
    /// The lease is another device's.
    #[error("lease {} is not device {device}'s", lease.0)]
    NotHolder {
        /// Which.
        lease: LeaseId,
        /// Who asked.
        device: DeviceId,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Lease {
    holder: DeviceId,
    left: u32,
    open: bool,
}

/// One part at one place: what is on hand and what is leased.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StockLedger {
    on_hand: i64,
    leases: BTreeMap<LeaseId, Lease>,
}

impl StockLedger {
    /// A ledger with this much on hand.
    pub fn new(on_hand: i64) -> Self {
        Self {
            on_hand,
            leases: BTreeMap::new(),
        }
    }

    /// What is there and not leased; below zero after facts that no stock covered.
    pub fn on_hand(&self) -> i64 {
        self.on_hand
    }

    /// What open leases still hold.
    pub fn leased(&self) -> i64 {
        self.leases
            .values()
            .filter(|lease| lease.open)
            .map(|lease| i64::from(lease.left))
            .sum()
    }

    /// Stock that came in (or, negative, was counted away).
    pub fn receive(&mut self, quantity: i64) {
        self.on_hand = self.on_hand.saturating_add(quantity);
    }

    /// Moves stock into a lease of `holder`.
    ///
    /// # Errors
    /// [`EscrowError::Exhausted`].
    pub fn grant(&mut self, holder: DeviceId, quantity: u32) -> Result<LeaseId, EscrowError> {
        if self.on_hand < i64::from(quantity) {
            return Err(EscrowError::Exhausted {
                on_hand: self.on_hand,
                asked: quantity,
            });
        }
        self.on_hand -= i64::from(quantity);
        let lease = LeaseId(
            self.leases
                .last_key_value()
                .map_or(1, |(last, _)| last.0 + 1),
        );
        self.leases.insert(
            lease,
            Lease {
                holder,
                left: quantity,
                open: true,
            },
        );
        Ok(lease)
    }

    /// Records that `device` used `quantity`: first from the lease if it is its own and open, the rest from what is on
    /// hand. Never refused. Answers how much of it no stock covered: the discrepancy to report.
    pub fn consume(&mut self, lease: Option<LeaseId>, device: DeviceId, quantity: u32) -> u32 {
        let open = |lease: &&mut Lease| lease.open && lease.holder == device;
        let covered = match lease
            .and_then(|lease| self.leases.get_mut(&lease))
            .filter(open)
        {
            Some(lease) => {
                let covered = lease.left.min(quantity);
                lease.left -= covered;
                covered
            }
            None => 0,
        };
        let rest = quantity - covered;
        let stock = u32::try_from(self.on_hand.max(0)).unwrap_or(u32::MAX);
        self.on_hand = self.on_hand.saturating_sub(i64::from(rest));
        rest.saturating_sub(stock)
    }

    /// Closes a lease and returns what is left of it. A second closing, from a repeated message, is refused.
    ///
    /// # Errors
    /// [`EscrowError::NotOpen`], [`EscrowError::NotHolder`].
    pub fn close(&mut self, lease: LeaseId, device: DeviceId) -> Result<u32, EscrowError> {
        let held = self
            .leases
            .get_mut(&lease)
            .ok_or(EscrowError::NotOpen { lease })?;
        if held.holder != device {
            return Err(EscrowError::NotHolder { lease, device });
        }
        if !held.open && holds(Rule::LeaseReturnsOnce) {
            return Err(EscrowError::NotOpen { lease });
        }
        held.open = false;
        self.on_hand = self.on_hand.saturating_add(i64::from(held.left));
        Ok(held.left)
    }
}
