//! What is done beside the requests: reload at SIGHUP, forget addresses, tell how keys are used.

use std::{convert::Infallible, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, interval, interval_at},
};

use crate::http::AppState;

/// How often addresses are looked through; those that are counted a minute at a time are forgotten
/// within three.
const TIDY: Duration = Duration::from_secs(60);
/// How often the use of keys is told.
const TELL: Duration = Duration::from_secs(3600);

/// Never ends by itself.
pub async fn upkeep(state: &AppState) -> Infallible {
    let access = &state.access;
    // Where no file was named there is nothing to read again, and SIGHUP keeps its default effect:
    // a service in the foreground ends with its terminal.
    let mut hangups = match access.can_reload() {
        true => signal(SignalKind::hangup()).ok(),
        false => None,
    };
    let mut tidy = interval(TIDY);
    let mut tell = interval_at(Instant::now() + TELL, TELL);
    loop {
        tokio::select! {
            () = next(&mut hangups) => access.reload(&state.log),
            _ = tidy.tick() => access.tidy(),
            _ = tell.tick() => access.tell_use(&state.log),
        }
    }
}

async fn next(hangups: &mut Option<Signal>) {
    let came = match hangups {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending().await
    }
}
