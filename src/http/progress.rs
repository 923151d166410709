//! `GET /v1/progress/{id}`: how far a request is whose client chose a random id for it, as
//! server-sent events (HTML, section 9.2).
//!
//! The id is in the table here from the head of its request until the head of its answer, and
//! nowhere else: in no record, no metric, and unrelated to the id of the request.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{Bytes, Data, Path},
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use uuid::{Uuid, Variant, Version};

use super::{AppState, error::problem};
use crate::{
    error::{Error, Resource},
    progress::{Moment, Progress},
};

/// The header by which a client names its request.
pub const ID: &str = "X-Progress-Id";
/// What it takes.
const EXPECTS: &str = "a random UUID (version 4) that no other request has";
/// How often a watcher is told what is new.
const TICK: Duration = Duration::from_millis(100);
/// Ticks without news after which a watcher is told that there is none, so that one who is gone is
/// noticed.
const QUIET: u32 = 50;
/// How long a watcher may come before its request.
const EARLY: Duration = Duration::from_secs(2);

/// The requests that can be watched, and how many may watch.
#[derive(Debug)]
pub struct Board {
    watched: Mutex<HashMap<Uuid, Progress>>,
    watchers: Arc<Semaphore>,
    most: usize,
}

impl Board {
    /// A board for so many watchers at once.
    pub fn new(watchers: usize) -> Arc<Self> {
        Arc::new(Self {
            watched: Mutex::default(),
            watchers: Arc::new(Semaphore::new(watchers)),
            most: watchers,
        })
    }

    /// Puts a request up for as long as the result lives; one whose client chose no id is not.
    ///
    /// # Errors
    /// [`Error::BadValue`] where the id is none, or is another's.
    pub fn put_up(self: &Arc<Self>, http: &HttpRequest) -> Result<Watched, Error> {
        let progress = Progress::default();
        let id = match http.headers().get(ID) {
            None => None,
            Some(value) => {
                let id = value.to_str().ok().and_then(read);
                let id = id.ok_or_else(wrong_header)?;
                match self.lock().entry(id) {
                    Entry::Occupied(_) => return Err(wrong_header()),
                    Entry::Vacant(place) => place.insert(progress.clone()),
                };
                Some(id)
            }
        };
        Ok(Watched {
            board: self.clone(),
            id,
            progress,
        })
    }

    fn find(&self, id: Uuid) -> Option<Progress> {
        self.lock().get(&id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Progress>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that may be watched; taken down on drop.
#[derive(Debug)]
pub struct Watched {
    board: Arc<Board>,
    id: Option<Uuid>,
    /// What whoever watches sees.
    pub progress: Progress,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.board.lock().remove(&id);
        }
        self.progress.end();
    }
}

fn wrong_header() -> Error {
    Error::bad_value(ID, EXPECTS)
}

/// A UUID of version 4 in its usual form.
fn read(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
    let random = id.get_version() == Some(Version::Random) && id.get_variant() == Variant::RFC4122;
    random.then_some(id)
}

/// Answers with what happens to a request, until it ends.
pub async fn watch(http: HttpRequest, path: Path<String>, state: Data<AppState>) -> HttpResponse {
    match begun(&path, &state).await {
        Ok(_) if http.method() == Method::HEAD => event_stream().finish(),
        Ok((progress, permit)) => {
            let watcher = Watcher {
                progress,
                told: None,
                quiet: 0,
                state,
                _permit: permit,
            };
            event_stream().streaming(stream::unfold(watcher, Watcher::next))
        }
        Err(error) => problem(&error, &Uuid::new_v4().to_string()),
    }
}

fn event_stream() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, "text/event-stream"));
    response
}

/// The request of this id, once it has begun.
async fn begun(id: &str, state: &AppState) -> Result<(Progress, OwnedSemaphorePermit), Error> {
    let id = read(id).ok_or_else(|| Error::bad_value("id", EXPECTS))?;
    let permit = state.board.watchers.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Error::Busy {
        what: Resource::Watchers,
        limit: state.board.most as u64,
        retry_after: Duration::from_secs(2),
    })?;
    let latest = Instant::now() + EARLY;
    loop {
        if let Some(progress) = state.board.find(id) {
            return Ok((progress, permit));
        }
        if Instant::now() >= latest || state.gate.is_stopping() {
            return Err(Error::NotFound);
        }
        sleep(TICK / 2).await;
    }
}

/// Who watches a request, and what it has been told.
struct Watcher {
    progress: Progress,
    told: Option<Moment>,
    quiet: u32,
    state: Data<AppState>,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next event; none after the last.
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        loop {
            if self.told.is_some_and(|moment| moment.ended) {
                return None;
            }
            let moment = self.progress.look();
            let text = match () {
                () if moment.ended => "event: end\ndata: {}\n\n".to_owned(),
                () if self.told != Some(moment) => event(&moment),
                () if self.quiet >= QUIET => ":\n\n".to_owned(),
                () => {
                    self.quiet += 1;
                    let closed = self.state.gate.closed();
                    tokio::select! {
                        () = closed => return None,
                        () = sleep(TICK) => continue,
                    }
                }
            };
            self.quiet = 0;
            self.told = Some(moment);
            return Some((Ok(text.into()), self));
        }
    }
}

fn event(moment: &Moment) -> String {
    let mut data = serde_json::json!({
        "step": moment.step,
        // Hundredths are what can be seen of a bar.
        "share": (f64::from(moment.share) * 100.0).round() / 100.0,
    });
    if moment.operation > 0 {
        data["operation"] = moment.operation.into();
    }
    format!("event: progress\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_random_ids_in_their_usual_form_are_taken() {
        assert!(read("5b1f8a3e-8f4e-4b43-9f0a-0c7c0d8e2f11").is_some());
        assert!(read("5B1F8A3E-8F4E-4B43-9F0A-0C7C0D8E2F11").is_some());
        for wrong in [
            "",
            "1",
            "5b1f8a3e-8f4e-1b43-9f0a-0c7c0d8e2f11",
            "5b1f8a3e-8f4e-4b43-1f0a-0c7c0d8e2f11",
            "5b1f8a3e8f4e4b439f0a0c7c0d8e2f11",
            "{5b1f8a3e-8f4e-4b43-9f0a-0c7c0d8e2f11}",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_event_is_a_word_of_ours_and_numbers() {
        let moment = Moment {
            step: "denoise",
            operation: 2,
            share: 1.0 / 3.0,
            ended: false,
        };
        assert_eq!(
            event(&moment),
            "event: progress\ndata: {\"operation\":2,\"share\":0.33,\"step\":\"denoise\"}\n\n"
        );
    }
}
