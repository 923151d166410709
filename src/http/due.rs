//! The client's own deadline: `X-Timeout-Ms`, the milliseconds after which it no longer waits. What
//! is not done by then is given up where it stands, in the upload, in the queue or at work, and
//! makes room for those that still wait.

use std::future::pending;

use actix_web::{HttpMessage, HttpRequest};
use tokio::time::{Duration, Instant, sleep_until};

use crate::error::Error;

/// The header.
pub const TIMEOUT: &str = "X-Timeout-Ms";
/// A day, which is longer than anything here takes.
const MOST: u64 = 86_400_000;

/// When the client of a request stops waiting, if it has said so.
#[derive(Debug, Clone, Copy)]
pub struct Due(Option<(Instant, Duration)>);

impl Due {
    /// Reads the header; the time counts from the first look at it.
    ///
    /// # Errors
    /// [`Error::BadValue`] where it is no whole number of milliseconds.
    pub fn of(request: &HttpRequest) -> Result<Self, Error> {
        if let Some(known) = request.extensions().get::<Self>() {
            return Ok(*known);
        }
        let expects = || Error::bad_value(TIMEOUT, format!("1 to {MOST} milliseconds, once"));
        let mut values = request.headers().get_all(TIMEOUT);
        let due = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => {
                let value = value
                    .to_str()
                    .ok()
                    .filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
                let value = value.and_then(|value| value.parse().ok());
                let millis = value.filter(|millis| (1..=MOST).contains(millis));
                let limit = Duration::from_millis(millis.ok_or_else(expects)?);
                Some((Instant::now() + limit, limit))
            }
            _ => return Err(expects()),
        };
        request.extensions_mut().insert(Self(due));
        Ok(Self(due))
    }

    /// Ends when the client stops waiting, with what it is told.
    pub async fn passed(self) -> Error {
        match self.0 {
            None => pending().await,
            Some((at, limit)) => {
                sleep_until(at).await;
                Error::DeadlinePassed {
                    limit,
                    setting: TIMEOUT,
                }
            }
        }
    }

    /// The earlier one of this and another deadline, with its limit and what sets it.
    pub fn or(
        self,
        (at, limit, setting): (Instant, Duration, &'static str),
    ) -> (Instant, Duration, &'static str) {
        match self.0 {
            Some((own, own_limit)) if own < at => (own, own_limit, TIMEOUT),
            _ => (at, limit, setting),
        }
    }
}
