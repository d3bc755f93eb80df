//! Ports for the programs that tests start.

use std::net::{Ipv4Addr, TcpListener};

use uuid::Uuid;

/// Ports that Linux gives nobody who does not ask for them: between the choice and the program's own listening no connection
/// of another test takes the port, and a program that is killed finds it free when it comes back.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port of the loopback that nobody has now.
pub fn free_port() -> u16 {
    loop {
        let chance = Uuid::new_v4().as_u128() % u128::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(chance).unwrap_or(0);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
