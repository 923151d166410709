//! Detaches a request's head from the connection's read buffer.
//!
//! actix-http keeps the heads of past requests in a pool, and the URI and header values in them
//! are slices of the buffer that also held the upload: as long as the head lies in the pool, so do
//! the picture's bytes. Copied strings hold nothing but themselves.

use actix_web::{
    dev::ServiceRequest,
    http::{
        Uri,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};

/// Replaces the URI and every header by a copy.
pub fn unshare(request: &mut ServiceRequest) {
    // What was parsed once parses again; if it ever did not, the original stays.
    if let Ok(uri) = request.uri().to_string().parse::<Uri>() {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    let head = request.head_mut();
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    head.headers = headers;
}
