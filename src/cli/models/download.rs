//! The door to the HTTP client, and with it the only code that fetches anything.

use std::{fs, io::Read, path::Path, time::Duration};

use ureq::{
    Agent, Proxy, ProxyProtocol,
    http::{Response, StatusCode, header},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::config::proxy_variable;

/// Longest silence of a server.
const SILENCE: Duration = Duration::from_secs(60);
/// Redirects at most; release pages take one or two.
const REDIRECTS: u32 = 5;

/// A client that goes through the proxy which the environment names.
pub struct Client {
    agent: Agent,
    /// The variable that names the proxy, or why that proxy cannot be used.
    proxy: Result<Option<&'static str>, String>,
}

/// What a server sends.
pub struct Answer {
    /// The bytes.
    pub body: Box<dyn Read>,
    /// How many, where the server says.
    pub length: Option<u64>,
    /// Whether they go on where the part ends; else they begin anew.
    pub continues: bool,
    /// What the server calls this version of the file.
    pub validator: Option<String>,
}

impl Client {
    /// A client that trusts Mozilla's certificate authorities, or those of a PEM file instead.
    ///
    /// # Errors
    /// A sentence: the file cannot be read, or holds no certificate.
    pub fn new(trusted: Option<&Path>) -> Result<Self, String> {
        let roots = match trusted {
            None => RootCerts::WebPki,
            Some(file) => {
                let wrong = |e: String| format!("certificates {}: {e}", file.display());
                let pem = fs::read(file).map_err(|e| wrong(e.to_string()))?;
                let certificates = parse_pem(&pem).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                });
                let certificates: Vec<_> = certificates.collect();
                if certificates.is_empty() {
                    return Err(wrong("holds no certificate".to_owned()));
                }
                RootCerts::new_with_certs(&certificates)
            }
        };
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(concat!("safelight/", env!("CARGO_PKG_VERSION")))
            .max_redirects(REDIRECTS)
            .http_status_as_error(false)
            .timeout_resolve(Some(SILENCE))
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE));
        Ok(Self {
            agent: config.build().new_agent(),
            proxy: proxy(),
        })
    }

    /// Asks for a file, from the byte `start` on if it is still the version that `validator` names.
    ///
    /// # Errors
    /// A sentence: no connection, or an answer that is no file; a proxy that this program cannot
    /// speak to. Whoever must use one is not to be seen without it.
    pub fn get(&self, url: &str, start: u64, validator: Option<&str>) -> Result<Answer, String> {
        let proxy = self.proxy.clone()?;
        // What begins encrypted stays so, whatever a server redirects to.
        let request = self.agent.get(url).config();
        let mut request = request.https_only(url.starts_with("https://")).build();
        if start > 0 {
            request = request.header(header::RANGE, format!("bytes={start}-"));
            if let Some(validator) = validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let response = request.call().map_err(|e| match e {
            ureq::Error::TooManyRedirects => format!("redirects more than {REDIRECTS} times"),
            ureq::Error::HostNotFound => "the host is not known".to_owned(),
            ureq::Error::Timeout(_) => format!("no answer within {} s", SILENCE.as_secs()),
            ureq::Error::RequireHttpsOnly(_) => "redirects to where nothing is encrypted".into(),
            ureq::Error::BadUri(_) => "is no address".to_owned(),
            e => match proxy {
                Some(variable) => format!("{e} ({variable} names a proxy)"),
                None => e.to_string(),
            },
        })?;
        let text = |name| header_text(&response, name);
        let continues = match response.status() {
            StatusCode::OK => false,
            StatusCode::PARTIAL_CONTENT => {
                let range = text(header::CONTENT_RANGE).unwrap_or_default();
                if !range.starts_with(&format!("bytes {start}-")) {
                    return Err("answers with another part than the one that was asked for".into());
                }
                true
            }
            // The part is all there is; whether it is the right one, its sum tells.
            StatusCode::RANGE_NOT_SATISFIABLE if start > 0 => {
                return Ok(Answer {
                    body: Box::new(std::io::empty()),
                    length: Some(0),
                    continues: true,
                    validator: None,
                });
            }
            StatusCode::NOT_FOUND => return Err("is not there (404)".to_owned()),
            status => return Err(format!("answers {status}")),
        };
        if text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
            return Err("sends a web page".to_owned());
        }
        // A weak validator must not be sent with If-Range (RFC 9110, 13.1.5).
        let strong = |tag: &String| !tag.starts_with("W/");
        let validator = text(header::ETAG)
            .filter(strong)
            .or_else(|| text(header::LAST_MODIFIED));
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let body = response
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        Ok(Answer {
            body: Box::new(body),
            length,
            continues,
            validator,
        })
    }
}

/// The variable of the environment that names the proxy.
fn proxy() -> Result<Option<&'static str>, String> {
    let Some((name, value)) = proxy_variable() else {
        return Ok(None);
    };
    let proxy = value.to_str().and_then(|value| Proxy::new(value).ok());
    // The value may hold a password.
    let proxy = proxy.ok_or_else(|| {
        format!("{name} is not the address of a proxy, such as http://proxy.example:3128")
    })?;
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(Some(name)),
        other => Err(format!(
            "{name} names a proxy of {other}, and only those of HTTP can be used; --from FILE \
             installs what came another way"
        )),
    }
}

fn header_text(response: &Response<ureq::Body>, name: header::HeaderName) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(value.to_str().ok()?.to_owned())
}
