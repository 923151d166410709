//! What a client asks of its receipt, and the header that answers it.
//!
//! - `Deletion-Receipt-Nonce`: a random word of the client's own. It comes back inside the signed
//!   receipt, and is the one thing of a client that ever comes back: without it anyone could show an
//!   old receipt as a new one. It is held to 64 letters, digits, `-` and `_`, and is in no log.
//! - `Deletion-Receipt-Digest: sha-256` (the name of RFC 9530's registry): the receipt names the hash
//!   of each input. Without it nothing is hashed, and a receipt shows no more of a picture than its
//!   size to whoever else sees it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderName, HeaderValue},
};

use super::AppState;
use crate::{
    ephemeral::{Spool, Witness},
    error::Error,
    observe::Request,
    receipt::{MAX_NONCE, Signer, is_nonce},
};

/// The header of the answer.
pub const RECEIPT: HeaderName = HeaderName::from_static("deletion-receipt");
/// The header that brings the nonce.
pub const NONCE: &str = "Deletion-Receipt-Nonce";
/// The header that asks for hashes.
pub const DIGEST: &str = "Deletion-Receipt-Digest";

/// Answers a request whose picture may get a receipt: `work` has the request, under the name
/// `operation`, and the spool whose inputs the receipt speaks of; `refuse` answers a wrong wish.
pub async fn receipted(
    http: &HttpRequest,
    state: &AppState,
    operation: &'static str,
    refuse: impl FnOnce(&Error, Request) -> HttpResponse,
    work: impl AsyncFnOnce(Request, Spool) -> HttpResponse,
) -> HttpResponse {
    let request = state.begin(operation);
    let wanted = match Wanted::read(http, state.signer.as_ref()) {
        Ok(wanted) => wanted,
        Err(error) => return refuse(&error, request),
    };
    let spool = match &wanted {
        Some(wanted) => state.spool.witnessed(&wanted.witness),
        None => state.spool.clone(),
    };
    let mut response = work(request, spool).await;
    if let Some(wanted) = wanted {
        wanted.put_into(&mut response);
    }
    response
}

/// What one request is to know of its inputs.
struct Wanted<'a> {
    signer: &'a Signer,
    nonce: Option<String>,
    witness: Witness,
}

impl<'a> Wanted<'a> {
    /// Reads the headers; `None` where the service gives no receipts, and so looks at no such
    /// header.
    ///
    /// # Errors
    /// [`Error::BadValue`], before anything of the body is read.
    fn read(http: &HttpRequest, signer: Option<&'a Signer>) -> Result<Option<Self>, Error> {
        let Some(signer) = signer else {
            return Ok(None);
        };
        let nonce = match only(http, NONCE) {
            Ok(None) => None,
            Ok(Some(value)) if is_nonce(value.as_bytes()) => value.to_str().ok().map(str::to_owned),
            _ => {
                let expects = format!("1 to {MAX_NONCE} letters, digits, `-` and `_`, once");
                return Err(Error::bad_value(NONCE, expects));
            }
        };
        let digests = match only(http, DIGEST) {
            Ok(None) => false,
            Ok(Some(value)) if value.as_bytes().eq_ignore_ascii_case(b"sha-256") => true,
            _ => return Err(Error::bad_value(DIGEST, "`sha-256`, once")),
        };
        Ok(Some(Self {
            signer,
            nonce,
            witness: Witness::new(digests),
        }))
    }

    /// Puts the receipt into an answer, good or bad: where a picture is refused it is gone as well.
    /// Where no byte of an input came there is nothing to speak of; neither is there while one is
    /// still open, which the order of a request excludes.
    fn put_into(self, response: &mut HttpResponse) {
        let inputs = self.witness.all_ended().unwrap_or_default();
        let receipt = self.signer.sign(&inputs, self.nonce.as_deref());
        if let Some(value) = receipt.and_then(|text| HeaderValue::try_from(text).ok()) {
            response.headers_mut().insert(RECEIPT, value);
        }
    }
}

/// The value of a header that may be there once.
fn only<'a>(http: &'a HttpRequest, name: &str) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = http.headers().get_all(name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}
