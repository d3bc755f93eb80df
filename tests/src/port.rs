//! Ports for the programs that tests start.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// Ports that Linux gives nobody who does not ask for them: between the choice and the program's own listening no connection
/// of another test takes the port, and a program that is killed finds it free when it comes back.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// Those that were given. None is given twice, so that a broker that is down for a while finds its port free whatever is
/// started meanwhile.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of the loopback that nobody has now, and that nobody was given before.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if given.len() > PORTS.len() / 2 {
        // After thousands of programs it would take long to find one; those of the first have ended.
        given.clear();
    }
    loop {
        let chance = Uuid::new_v4().as_u128() % u128::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(chance).unwrap_or(0);
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.insert(port);
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let given: BTreeSet<u16> = (0..1_000).map(|_| free_port()).collect();
        assert_eq!(given.len(), 1_000);
    }
}
