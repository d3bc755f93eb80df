//! What a service manager wants to hear, and a socket that it opened: systemd's protocols, silent where nobody asks.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::sync::watch;

/// Says that requests are answered.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that the end has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says every now and then that this process is alive, until it stops: twice within the time after which the manager
/// would start it again. A runtime that hangs says nothing.
pub(crate) async fn keep_watchdog_quiet(mut stopping: watch::Receiver<bool>) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let pause = (limit / 2).max(Duration::from_millis(1));
    loop {
        tell(&[NotifyState::Watchdog]);
        let stopped = stopping.wait_for(|stopping| *stopping);
        if tokio::time::timeout(pause, stopped).await.is_ok() {
            return;
        }
    }
}

/// The listening socket that this process was started with, if it was.
///
/// # Errors
/// When it is no listening TCP socket.
pub(crate) fn socket() -> io::Result<Option<TcpListener>> {
    let Some(socket) = ListenFd::from_env().take_tcp_listener(0)? else {
        return Ok(None);
    };
    socket.set_nonblocking(true)?;
    Ok(Some(socket))
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
