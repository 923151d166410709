//! Admission, before a byte of the body is read: is the service open, is there a permit. And the
//! guard against panics in what follows.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use actix_web::{HttpRequest, http::header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::{Error, Resource};

/// The upload permits, and the two steps of the end: nobody is let in any more, then nobody may
/// stay.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    uploads: usize,
    stopping: AtomicBool,
    closed: watch::Sender<bool>,
    max_body: u64,
    max_batch: u64,
}

impl Gate {
    /// A gate for so many uploads at once, with bodies of at most `max_body` bytes, those of
    /// batches of at most `max_batch`.
    pub fn new(permits: usize, max_body: u64, max_batch: u64) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(permits)),
            uploads: permits,
            stopping: false.into(),
            closed: watch::Sender::new(false),
            max_body,
            max_batch,
        }
    }

    /// Lets an upload begin. The permit ends with the upload, so that a slow client holds nothing
    /// that a complete upload needs.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`], [`Error::BodyTooLarge`] by its Content-Length, [`Error::Busy`].
    pub fn admit(&self, request: &HttpRequest) -> Result<OwnedSemaphorePermit, Error> {
        self.admit_body(request, self.max_body, "--max-upload")
    }

    /// Lets the upload of a batch begin.
    ///
    /// # Errors
    /// As [`Gate::admit`].
    pub fn admit_batch(&self, request: &HttpRequest) -> Result<OwnedSemaphorePermit, Error> {
        self.admit_body(request, self.max_batch, "--max-batch")
    }

    fn admit_body(
        &self,
        request: &HttpRequest,
        limit: u64,
        setting: &'static str,
    ) -> Result<OwnedSemaphorePermit, Error> {
        if self.is_stopping() {
            return Err(Error::ShuttingDown);
        }
        if let Some(actual) = content_length(request).filter(|length| *length > limit) {
            return Err(Error::BodyTooLarge {
                limit,
                actual: Some(actual),
                setting,
            });
        }
        self.permits
            .clone()
            .try_acquire_owned()
            .map_err(|_| Error::Busy {
                what: Resource::UploadPermits,
                limit: self.uploads as u64,
                retry_after: Duration::from_secs(2),
            })
    }

    /// No new work from now on; what was let in may end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether [`Gate::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// From now on nobody waits any longer.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Ends when [`Gate::close`] is called, or was.
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closed = self.closed.subscribe();
        async move {
            // Where the gate itself is gone, everything is over.
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }
}

/// Ends with [`Error::Internal`] where `work` panics. Its guards are dropped by then; the connection
/// lives on to say what happened.
pub async fn caught<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let poll = AssertUnwindSafe(|| work.as_mut().poll(context));
        catch_unwind(poll).unwrap_or(Poll::Ready(Err(Error::Internal)))
    })
    .await
}

/// The declared length of a body, where it is declared.
pub fn content_length(request: &HttpRequest) -> Option<u64> {
    request
        .headers()
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
