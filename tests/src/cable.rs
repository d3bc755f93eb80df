//! The network between two programs, as one that can be cut: a relay on the loopback in front of a port.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::process::must;

/// Bytes carried at once.
const CARRIED_BYTES: usize = 64 << 10;

/// See the module. Dropped, it is cut for good.
#[derive(Debug)]
pub struct Cable {
    port: u16,
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    condition: Condition,
    /// Both ends of every connection, and of some that have ended.
    open: Vec<TcpStream>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Condition {
    #[default]
    Whole,
    /// Connections stay, and nothing comes through.
    Silent,
    /// Connections are gone, and new ones are ended at once.
    Cut,
    Gone,
}

impl Cable {
    /// A cable to this port of the loopback, whole.
    ///
    /// # Panics
    /// When the loopback has no port left.
    pub fn to(target: u16) -> Cable {
        let listener = must("binding", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let port = must("reading the port", listener.local_addr()).port();
        let line = Arc::new(Line {
            target,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let carried = Arc::clone(&line);
        std::thread::spawn(move || carry_all(&listener, &carried));
        Cable { port, line }
    }

    /// The port at this end.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and lets none begin.
    pub fn cut(&self) {
        self.line.become_(Condition::Cut);
    }

    /// Lets nothing through, while both ends think that they are connected.
    pub fn silence(&self) {
        self.line.become_(Condition::Silent);
    }

    /// Makes it whole. What was held back comes through.
    pub fn mend(&self) {
        self.line.become_(Condition::Whole);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.line.become_(Condition::Gone);
        // Whoever waits for a connection is told by one.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn become_(&self, condition: Condition) {
        let mut state = self.state();
        state.condition = condition;
        if matches!(condition, Condition::Cut | Condition::Gone) {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.changed.notify_all();
    }

    /// Waits while nothing may come through; whether something may now.
    fn may_carry(&self) -> bool {
        let mut state = self.state();
        while state.condition == Condition::Silent {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.condition == Condition::Whole
    }
}

fn carry_all(listener: &TcpListener, line: &Arc<Line>) {
    for near in listener.incoming() {
        if line.state().condition == Condition::Gone {
            return;
        }
        // Where an end is not there, the other one sees its connection end.
        if let Ok(near) = near {
            let _ = connect(near, line);
        }
    }
}

fn connect(near: TcpStream, line: &Arc<Line>) -> io::Result<()> {
    if line.state().condition == Condition::Cut {
        return Ok(());
    }
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, line.target))?;
    let ends = [near, far];
    for end in &ends {
        end.set_nodelay(true)?;
    }
    let copies = [ends[0].try_clone()?, ends[1].try_clone()?];
    let more = [ends[0].try_clone()?, ends[1].try_clone()?];
    {
        let mut state = line.state();
        if matches!(state.condition, Condition::Cut | Condition::Gone) {
            return Ok(());
        }
        // What has ended has no peer any more; kept, it would be two descriptors for every connection there ever was.
        state.open.retain(|end| end.peer_addr().is_ok());
        state.open.extend(more);
    }
    let ([near, far], [near_too, far_too]) = (ends, copies);
    for (from, to) in [(near, far), (far_too, near_too)] {
        let line = Arc::clone(line);
        std::thread::spawn(move || carry(&line, from, to));
    }
    Ok(())
}

/// Carries bytes until either end is gone.
fn carry(line: &Line, mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; CARRIED_BYTES];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !line.may_carry() || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn connections_that_have_ended_are_not_kept() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let cable = Cable::to(listener.local_addr().unwrap().port());
        for _ in 0..20 {
            let near = TcpStream::connect((Ipv4Addr::LOCALHOST, cable.port())).unwrap();
            drop(listener.accept().unwrap());
            drop(near);
            std::thread::sleep(Duration::from_millis(10));
        }
        let open = cable.line.state().open.len();
        assert!(open <= 20, "{open} ends of 20 connections are kept");
    }

    #[test]
    fn it_carries_is_silent_is_cut_and_mended() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let cable = Cable::to(listener.local_addr().unwrap().port());
        let dial = || {
            let near = TcpStream::connect((Ipv4Addr::LOCALHOST, cable.port())).unwrap();
            let half_a_second = Some(Duration::from_millis(500));
            near.set_read_timeout(half_a_second).unwrap();
            near
        };
        let mut near = dial();
        let (mut far, _) = listener.accept().unwrap();
        let mut byte = [0];
        far.write_all(b"1").unwrap();
        near.read_exact(&mut byte).unwrap();

        cable.silence();
        far.write_all(b"2").unwrap();
        assert!(near.read_exact(&mut byte).is_err(), "it came through");
        cable.mend();
        near.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"2");

        cable.cut();
        assert_eq!(near.read(&mut byte).unwrap_or(0), 0);
        assert_eq!(dial().read(&mut byte).unwrap_or(0), 0);
        cable.mend();
        let mut near = dial();
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(b"3").unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"3");
    }
}
