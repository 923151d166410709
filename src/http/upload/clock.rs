//! How long an upload may take.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{
    config::{Settings, upload_time},
    error::Error,
    http::due::Due,
};

/// The two deadlines of an upload, that of its client, and the end of the service. The total grows
/// with what has arrived, at the slowest rate that is served, so that a large upload over a slow line can still
/// end.
pub struct Clock {
    idle: Duration,
    total: Instant,
    limit: Duration,
    over: Pin<Box<dyn Future<Output = Error>>>,
}

impl Clock {
    pub fn new(settings: &Settings, due: Due, closed: Pin<Box<dyn Future<Output = ()>>>) -> Self {
        let limit = settings.upload_total;
        Self {
            idle: settings.upload_idle,
            total: Instant::now() + limit,
            limit,
            over: Box::pin(async move {
                tokio::select! {
                    () = closed => Error::ShuttingDown,
                    error = due.passed() => error,
                }
            }),
        }
    }

    pub fn received(&mut self, bytes: u64) {
        let more = upload_time(bytes);
        self.total += more;
        self.limit += more;
    }

    pub async fn wait<F: Future>(&mut self, next: F) -> Result<F::Output, Error> {
        let idle = Instant::now() + self.idle;
        let (deadline, limit, setting) = match idle < self.total {
            true => (idle, self.idle, "--upload-idle"),
            false => (self.total, self.limit, "--upload-total"),
        };
        tokio::select! {
            biased;
            error = &mut self.over => Err(error),
            next = timeout_at(deadline, next) => {
                next.map_err(|_| Error::UploadTooSlow { limit, setting })
            }
        }
    }
}
