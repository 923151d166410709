//! The types of settings: how each is written, and what it takes.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::ValueEnum;

/// A picture format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (W3C PNG specification, third edition).
    Png,
    /// WebP (RFC 9649).
    Webp,
    /// GIF 89a; the first frame.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF 6.0; the first page.
    Tiff,
}

impl Format {
    /// The name used in options, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
        }
    }
}

/// What a picture may be before any of its pixels is decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureLimits {
    /// Width times height at most.
    pub max_pixels: u64,
    /// Width and height at most.
    pub max_side: u32,
    /// The formats that are read.
    pub formats: Vec<Format>,
}

impl PictureLimits {
    /// The enabled formats, comma-separated, for messages.
    pub fn format_names(&self) -> String {
        self.formats
            .iter()
            .map(|f| f.name())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// What to do where the storage cannot keep the promise that nothing is written to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ephemerality {
    /// Refuse to start (exit code 78).
    Strict,
    /// Start, and say so in one line, in `doctor`, in `/v1/privacy` and in a metric.
    Warn,
}

impl Ephemerality {
    /// The name by which the setting takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Warn => "warn",
        }
    }
}

/// In which order complete uploads are worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueOrder {
    /// The cheapest first, by megapixels and operation, with a worker kept for short jobs.
    Cheapest,
    /// As they come.
    Arrival,
}

/// Another service whose routes are served where they are switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compat {
    /// withoutBG: its server, and a route of its cloud.
    Withoutbg,
    /// backgroundremover's server.
    Backgroundremover,
}

impl Compat {
    /// The name by which the setting takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withoutbg => "withoutbg",
            Self::Backgroundremover => "backgroundremover",
        }
    }
}

/// How log records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text where standard error is a terminal, else JSON.
    Auto,
    /// One JSON object a line.
    Json,
    /// One readable line.
    Text,
}

/// A number of bytes: `24MiB`, `256KiB`, `1GiB` or plain bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected bytes such as 24MiB, 512KiB, 1GiB or 1048576".to_owned();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// A length of time: `5s`, `500ms`, `2m` or plain seconds (`1.5`).
///
/// # Errors
/// A sentence that says what is expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 30s, 500ms, 2m or 1.5".to_owned();
    let (number, unit) = match text {
        _ if text.ends_with("ms") => (&text[..text.len() - 2], 1e-3),
        _ if text.ends_with('s') => (&text[..text.len() - 1], 1.0),
        _ if text.ends_with('m') => (&text[..text.len() - 1], 60.0),
        _ => (text, 1.0),
    };
    let seconds = number.trim().parse::<f64>().map_err(|_| wrong())? * unit;
    // A day is far above any deadline that makes sense, and far below what overflows.
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err("expected a time between 1ms and a day".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A model named on the command line: `NAME`, or `NAME=FILE` for a file of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// The model's name.
    pub name: String,
    /// Its ONNX file, where it is not the catalogue's.
    pub file: Option<PathBuf>,
}

impl FromStr for ModelChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err("expected NAME or NAME=FILE, the name of letters, digits, - _ .".into());
        }
        Ok(Self {
            name: name.to_owned(),
            file,
        })
    }
}

/// An origin as browsers write it: `https://shop.example` or `http://localhost:3000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(pub String);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "expected an origin such as https://shop.example or http://localhost:3000: a \
                     scheme, a host in lower case and perhaps a port, without a path; `*` would \
                     let every page on the web use this service";
        let host = ["http://", "https://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let (host, port) = match host {
            // The brackets of an IPv6 address hold colons of their own.
            Some(host) => match host
                .rsplit_once(':')
                .filter(|(_, port)| !port.contains(']'))
            {
                Some((host, port)) => (host, port.parse::<u16>().is_ok()),
                None => (host, true),
            },
            None => return Err(wrong.to_owned()),
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._[]:".contains(c);
        match port && !host.is_empty() && host.chars().all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(wrong.to_owned()),
        }
    }
}

/// Megapixels above 0.
pub(super) fn megapixels(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.000_001..=4096.0).contains(&value) => Ok(value),
        _ => Err("expected megapixels, above 0 and at most 4096".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for good in [
            "https://shop.example",
            "http://localhost:3000",
            "http://[::1]:80",
            "http://[::1]",
        ] {
            assert_eq!(good.parse(), Ok(Origin(good.to_owned())));
        }
        for bad in [
            "*",
            "null",
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://Shop.example",
            "https://shop.example:http",
            "ftp://shop.example",
            "https://*.example",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_and_times_are_read_with_their_units() {
        assert_eq!("24MiB".parse(), Ok(Bytes(24 << 20)));
        assert_eq!("1024".parse(), Ok(Bytes(1024)));
        assert!("24 parsecs".parse::<Bytes>().is_err());
        assert!("99999999999GiB".parse::<Bytes>().is_err());
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("-1").is_err() && duration("inf").is_err() && duration("nan").is_err());
        assert_eq!(Bytes(24 << 20).to_string(), "24MiB");
    }
}
