//! What the fuzz targets in `fuzz/` need of the upload reader and the query parser, which have no
//! door otherwise. Built with `--cfg fuzzing` only.

use std::{path::Path, sync::Arc};

use actix_web::{
    FromRequest,
    dev::Payload as Stream,
    error::PayloadError,
    http::header,
    test::TestRequest,
    web::{Bytes, Payload},
};
use tokio::runtime::{Builder, Runtime};

use super::{
    guard::Gate,
    images::query_pairs,
    upload::{self, Expected},
};
use crate::{
    config::{Settings, runtime_dir},
    ephemeral::{Spool, storage},
    error::Error,
    observe::Metrics,
    ops::Kind,
};

pub use upload::Upload;

/// What a request says of its body's length.
#[derive(Debug, Clone, Copy)]
pub enum Declared {
    /// Nothing: the body comes in chunks.
    Nothing,
    /// Its length.
    Rightly,
    /// This.
    As(u64),
}

/// An upload reader with a spool of its own, for many bodies one after the other.
#[derive(Debug)]
pub struct Bench {
    settings: Settings,
    gate: Gate,
    spool: Spool,
    runtime: Runtime,
}

impl Bench {
    /// With default settings, but for the size of a picture: 4 KiB.
    ///
    /// # Panics
    /// Where the machine has no spool.
    pub fn new() -> Self {
        let storage =
            storage::inspect(Some(Path::new("/dev/shm")), runtime_dir()).expect("a spool");
        let mut settings = Settings::default();
        settings.max_upload.0 = 4 << 10;
        let metrics = Arc::new(Metrics::new("fuzzing"));
        let runtime = Builder::new_current_thread().enable_time().build();
        Self {
            spool: Spool::new(storage.folder, settings.spool_budget.0, metrics),
            gate: Gate::new(1, u64::MAX, u64::MAX),
            settings,
            runtime: runtime.expect("a runtime"),
        }
    }

    /// Receives a body that arrives in pieces of `step` bytes.
    ///
    /// # Errors
    /// As the service answers it.
    pub fn receive(
        &self,
        content_type: &str,
        declared: Declared,
        body: &[u8],
        step: usize,
    ) -> Result<Upload, Error> {
        let mut request = TestRequest::post();
        // What is no header cannot arrive as one.
        if let Ok(value) = header::HeaderValue::from_str(content_type) {
            request = request.insert_header((header::CONTENT_TYPE, value));
        }
        let length = match declared {
            Declared::Nothing => None,
            Declared::Rightly => Some(body.len() as u64),
            Declared::As(length) => Some(length),
        };
        if let Some(length) = length {
            request = request.insert_header((header::CONTENT_LENGTH, length));
        }
        let request = request.to_http_request();
        let pieces: Vec<_> = body.chunks(step).map(Bytes::copy_from_slice).collect();
        let pieces = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, PayloadError>));
        self.runtime.block_on(async {
            let mut stream: Stream = Stream::Stream {
                payload: Box::pin(pieces),
            };
            let payload = Payload::from_request(&request, &mut stream).await;
            let payload = payload.map_err(|_| Error::Internal)?;
            let expected = Expected::one(Kind::RemoveBackground.files(), &self.settings);
            let door = (&self.settings, &self.gate);
            upload::receive(&request, payload, expected, door, &self.spool).await
        })
    }

    /// Inputs that are alive.
    pub fn live(&self) -> usize {
        self.spool.ledger().live()
    }
}

/// The pairs of a query, as a request has them.
///
/// # Errors
/// As the service answers it.
pub fn query(text: &str) -> Result<Vec<(String, String)>, Error> {
    let target = http_target(text).ok_or(Error::MalformedRequest("No request can hold it."))?;
    query_pairs(&TestRequest::with_uri(&target).to_http_request())
}

/// The text as the target of a request, where it can be one.
fn http_target(text: &str) -> Option<String> {
    let target = format!("/?{text}");
    target.parse::<actix_web::http::Uri>().ok()?;
    Some(target)
}
