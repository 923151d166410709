//! The middleware that asks for a key, and what it hands to the routes behind it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use actix_web::{
    HttpMessage, HttpRequest,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    error::ErrorInternalServerError,
    http::{
        Method,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

use super::{meter::Reading, ring::Key};
use crate::{
    error::Error,
    http::{AppState, error::status, routes::Door},
    observe::Picture,
    ops::Plan,
};

/// The right to one request, which pays for its pictures.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    key: Option<Arc<Key>>,
    rate: Option<Reading>,
    charged: Arc<AtomicU64>,
}

impl Pass {
    /// The pass of a request; where none was needed, one that costs nothing.
    pub fn of(request: &HttpRequest) -> Self {
        let extensions = request.extensions();
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    pub(super) fn of_key(key: Arc<Key>, rate: Option<Reading>) -> Self {
        Self {
            key: Some(key),
            rate,
            ..Self::default()
        }
    }

    pub(super) fn of_address(reading: Reading) -> Self {
        Self {
            rate: Some(reading),
            ..Self::default()
        }
    }

    /// Whether the key allows each operation of a list, as it must allow the list's own route.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] with the first that it does not.
    pub fn permit(&self, plan: &Plan) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        match plan.list().find(|kind| !key.allows(kind.name())) {
            Some(kind) => Err(Error::NotAllowed {
                operation: kind.name(),
            }),
            None => Ok(()),
        }
    }

    /// Counts a picture, once its header is read.
    ///
    /// # Errors
    /// [`Error::KeyPixels`], [`Error::QuotaExceeded`].
    pub fn charge(&self, picture: Picture) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        let pixels = u64::from(picture.width) * u64::from(picture.height);
        key.charge(pixels, Instant::now())?;
        self.charged.fetch_add(pixels, Ordering::Relaxed);
        Ok(())
    }

    /// Gives back what this picture, which was counted, has cost: the service failed at it.
    pub fn refund(&self, picture: Picture) {
        let Some(key) = &self.key else { return };
        let pixels = u64::from(picture.width) * u64::from(picture.height);
        self.charged.fetch_sub(pixels, Ordering::Relaxed);
        key.give_back(pixels);
    }

    /// What the service failed to do costs nothing.
    fn give_back(&self) {
        if let Some(key) = &self.key {
            key.give_back(self.charged.swap(0, Ordering::Relaxed));
        }
    }

    /// The state of the limits: of requests, and in megapixels of the quota.
    fn show(&self, headers: &mut HeaderMap) {
        let quota = self.key.as_ref().and_then(|key| key.quota(Instant::now()));
        let whole = |figure: f64| HeaderValue::from(figure as u64);
        let megapixels = |pixels: f64| {
            // A number has no character that a header could not hold.
            HeaderValue::try_from(format!("{:.2}", (pixels / 1e4).floor() / 1e2))
                .unwrap_or(HeaderValue::from_static("0"))
        };
        let mut put = |names: [&'static str; 3],
                       reading: Option<Reading>,
                       figure: &dyn Fn(f64) -> HeaderValue| {
            let Some(reading) = reading else { return };
            let values = [
                figure(reading.limit),
                figure(reading.remaining),
                unix_time(reading.reset),
            ];
            for (name, value) in names.into_iter().zip(values) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put(
            [
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
            ],
            self.rate,
            &whole,
        );
        put(
            ["x-quota-limit", "x-quota-remaining", "x-quota-reset"],
            quota,
            &megapixels,
        );
    }
}

/// The second, counted from 1970, in which so much time will have passed.
fn unix_time(from_now: Duration) -> HeaderValue {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let then = now.unwrap_or_default() + from_now;
    HeaderValue::from(then.as_secs() + u64::from(then.subsec_nanos() > 0))
}

/// Counts a picture of this request.
///
/// # Errors
/// As [`Pass::charge`].
pub fn charge(request: &HttpRequest, picture: Picture) -> Result<(), Error> {
    Pass::of(request).charge(picture)
}

/// Asks who it is, before anything of the body is read. A request that is refused here is recorded
/// as every other, under its operation.
///
/// It stands at the routes, behind the router: in front of it, a path that is written differently
/// could be one path here and another one there.
pub async fn check(
    door: Door,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, actix_web::Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let state = state.ok_or_else(|| ErrorInternalServerError("no state"))?;
    // A browser asks with OPTIONS what it may send, and cannot show a key with that.
    if request.method() == Method::OPTIONS {
        return next.call(request).await;
    }
    let (admitted, pass) = state
        .access
        .admit(request.request(), door.scope, &state.log);
    if let Err(error) = admitted {
        let mut record = state.begin(door.operation);
        record.failed(&error, status(&error).as_u16());
        let mut response = (door.refuse)(request.request(), &error, &record.id);
        pass.show(response.headers_mut());
        return Ok(request.into_response(response));
    }
    request.extensions_mut().insert(pass.clone());
    let mut response = next.call(request).await?;
    if response.status().is_server_error() {
        pass.give_back();
    }
    pass.show(response.headers_mut());
    Ok(response)
}
