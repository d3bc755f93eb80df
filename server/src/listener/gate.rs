//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// See the module.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    places_max: usize,
    per_address_max: usize,
    pub(super) addresses: Mutex<HashMap<IpAddr, usize>>,
}

impl Gate {
    pub(super) fn new(places_max: usize, per_address_max: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places_max));
        Arc::new(Gate {
            places,
            places_max,
            per_address_max,
            addresses: Mutex::default(),
        })
    }

    /// A place for a connection from `address`, if there is one left.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Pass> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_default();
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        Some(Pass {
            gate: self.clone(),
            address,
            _place: place,
        })
    }

    /// Waits until every place is free.
    pub(super) async fn all_gone(&self) {
        let all = u32::try_from(self.places_max).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Arc<Gate>,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut addresses = self
            .gate
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}
