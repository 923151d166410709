//! `Origin`: where a file can come from, as the operator or the catalogue writes it.

use std::{fmt, path::PathBuf};

/// A file on this machine, or one that a server has.
pub enum Origin {
    /// A path.
    File(PathBuf),
    /// An address, http or https.
    Web(String),
}

impl Origin {
    /// Reads what was written: an address of http or https, one of `file:`, or a path.
    pub fn new(text: &str) -> Self {
        let scheme = text
            .split_once("://")
            .map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        match scheme {
            Some((scheme, rest)) if scheme == "http" || scheme == "https" => {
                Self::Web(format!("{scheme}://{rest}"))
            }
            Some((scheme, rest)) if scheme == "file" => Self::File(PathBuf::from(rest)),
            _ => Self::File(PathBuf::from(text)),
        }
    }
}

/// Without the name and password that an address may hold, and without what follows `?`, where
/// tokens are: what is shown lands in logs.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Web(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let host = host.rsplit('@').next().unwrap_or_default();
                write!(f, "{scheme}://{host}{path}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_address_holds_no_secret() {
        for (written, shown) in [
            ("https://a.example/x/y.onnx", "https://a.example/x/y.onnx"),
            (
                "HTTPS://me:s3cret@a.example:8443/x?token=1#z",
                "https://a.example:8443/x",
            ),
            ("http://me@a.example?key=1", "http://a.example"),
            ("https://a.example/me@x", "https://a.example/me@x"),
            ("file:///tmp/x.onnx", "/tmp/x.onnx"),
            ("../x?y.onnx", "../x?y.onnx"),
        ] {
            assert_eq!(Origin::new(written).to_string(), shown);
        }
    }
}
