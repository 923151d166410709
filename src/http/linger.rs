//! Lingering close: who was answered before its whole body was read may finish sending and read
//! the answer.
//!
//! A socket that is closed with unread bytes in it resets the connection, and the reset may
//! overtake the answer (RFC 9112, section 9.6). actix-http can wait for the client by itself, but
//! holds the connection's read buffer while it does, and in it the last 128 KiB of what was
//! uploaded: whoever is refused and does not hang up would stay in memory for seconds (contract
//! E9). So it is told not to wait, which frees and thereby wipes its buffers at once, while a
//! second handle of the same socket stays here, and what still arrives is thrown away.

use std::{io, net::Shutdown, sync::Arc, time::Duration};

use actix_web::rt::net::TcpStream;
use socket2::{SockRef, Socket};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

/// How long a client may go on sending after its answer. A client held to 256 KiB/s, the slowest
/// that the upload's deadline allows for, gets rid of 2.5 MiB in that time, and then looks.
const LONGEST: Duration = Duration::from_secs(10);

/// Connections that may linger at once; those beyond it are closed as the system closes them.
const PLACES: u32 = 1024;

/// The connections that were answered and are not closed yet.
#[derive(Debug, Clone)]
pub struct Lingering {
    runtime: Handle,
    places: Arc<Semaphore>,
}

impl Lingering {
    /// Waits on the current runtime, which has to outlive the servers' own: an answer given while
    /// the service stops should arrive as well.
    pub fn here() -> Self {
        Self {
            runtime: Handle::current(),
            places: Arc::new(Semaphore::new(PLACES as usize)),
        }
    }

    /// Keeps `stream` open beyond the end of the connection that it serves. None where the system
    /// has no descriptor left: such a connection is closed without grace.
    pub fn keep(&self, stream: &TcpStream) -> Option<Kept> {
        let socket = SockRef::from(stream).try_clone().ok()?;
        Some(Kept {
            socket: Some(socket),
            lingering: self.clone(),
        })
    }

    /// Waits until all are closed, but no longer than `limit`.
    pub async fn end(&self, limit: Duration) {
        let _ = timeout(limit, self.places.acquire_many(PLACES)).await;
    }
}

/// The second handle of a connection's socket. Dropped with the connection, it begins to linger.
#[derive(Debug)]
pub struct Kept {
    socket: Option<Socket>,
    lingering: Lingering,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let places = self.lingering.places.clone();
        let (Some(socket), Ok(place)) = (self.socket.take(), places.try_acquire_owned()) else {
            return;
        };
        self.lingering.runtime.spawn(async move {
            let _place = place;
            let _ = timeout(LONGEST, discard(socket)).await;
        });
    }
}

/// Says that no more will be sent, and reads until the client says so too or is gone.
async fn discard(socket: Socket) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    // It shares the mode of the handle that it was made from: not blocking.
    let stream = TcpStream::from_std(socket.into())?;
    let mut unwanted = [0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut unwanted) {
            Ok(0) => return Ok(()),
            Ok(read) => unwanted[..read].fill(0),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}
