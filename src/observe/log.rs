//! Log records: a type with these fields and no others, so that nothing else can be logged.

use std::{
    io::{IsTerminal, Write},
    time::SystemTime,
};

use serde::Serialize;

use crate::config::LogFormat;

/// Makes the record's type, and the list of its fields that the privacy notice shows: one text for
/// both.
macro_rules! schema {
    (
        $(#[doc = $about:literal])+
        #[derive($($derived:ident),+)]
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[serde($($serde:tt)*)])?
                pub $field:ident: $type:ty,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive($($derived),+)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)*)])?
                pub $field: $type,
            )+
        }

        impl $name {
            /// Every field of a record: its name, and what it holds.
            pub const FIELDS: &[(&str, &str)] =
                &[$((stringify!($field), concat!($($doc),+))),+];
        }
    };
}

schema! {
    /// One log line. All text in it is chosen by this program, apart from the request's own random
    /// id and the texts of start-up, which come before any picture.
    #[derive(Debug, Clone, Default, Serialize)]
    pub struct Record {
        /// When, in UTC (RFC 3339).
        pub time: String,
        /// `info`, `warn` or `error`.
        pub level: &'static str,
        /// What happened: `request`, `start`, `ready`, `reload`, `keys`, `proxy`, `stop`, `storage`, `panic`.
        pub event: &'static str,
        /// A sentence about the service, or how often a key was used; never about a request.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub message: Option<String>,
        /// The random id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub request_id: Option<String>,
        /// The operation's name.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub operation: Option<&'static str>,
        /// How it ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub outcome: Option<&'static str>,
        /// The error's code.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<&'static str>,
        /// The input's format, by its bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub input_type: Option<&'static str>,
        /// The input's width in pixels.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub width: Option<u32>,
        /// The input's height in pixels.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub height: Option<u32>,
        /// Bytes received.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bytes_in: Option<u64>,
        /// Bytes sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bytes_out: Option<u64>,
        /// Milliseconds from the head of the request to the last byte of the answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub duration_ms: Option<f64>,
        /// Milliseconds of each stage, in their order.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub stages_ms: Vec<(&'static str, f64)>,
        /// The model that ran.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub model: Option<String>,
    }
}

/// Writes records to standard error.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    text: bool,
}

impl Log {
    /// A log of the given format.
    pub fn new(format: LogFormat) -> Self {
        let text = match format {
            LogFormat::Auto => std::io::stderr().is_terminal(),
            LogFormat::Json => false,
            LogFormat::Text => true,
        };
        Self { text }
    }

    /// Writes one record, with the time of now.
    pub fn write(&self, mut record: Record) {
        record.time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = if self.text {
            text(&record)
        } else {
            json(&record)
        };
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Writes a sentence about the service.
    pub fn say(&self, level: &'static str, event: &'static str, message: impl Into<String>) {
        self.write(Record {
            level,
            event,
            message: Some(message.into()),
            ..Record::default()
        });
    }
}

fn json(record: &Record) -> String {
    // Plain text and numbers: there is nothing in a record that JSON cannot hold.
    serde_json::to_string(record).unwrap_or_default()
}

fn text(r: &Record) -> String {
    let mut line = format!("{} {:5} {}", r.time, r.level, r.event);
    if let Some(message) = &r.message {
        line += &format!(": {message}");
    }
    for word in [r.operation, r.outcome, r.code, r.input_type]
        .into_iter()
        .flatten()
    {
        line += &format!(" {word}");
    }
    if let (Some(width), Some(height)) = (r.width, r.height) {
        line += &format!(" {width}x{height}");
    }
    if let (Some(bytes_in), Some(bytes_out)) = (r.bytes_in, r.bytes_out) {
        line += &format!(" {bytes_in} B in, {bytes_out} B out");
    }
    if let Some(ms) = r.duration_ms {
        line += &format!(" {ms:.1} ms");
    }
    for (stage, ms) in &r.stages_ms {
        line += &format!(" {stage}={ms:.1}");
    }
    if let Some(model) = &r.model {
        line += &format!(" model={model}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_fields_is_that_of_the_type() {
        let full = Record {
            message: Some(String::new()),
            request_id: Some(String::new()),
            operation: Some(""),
            outcome: Some(""),
            code: Some(""),
            input_type: Some(""),
            width: Some(0),
            height: Some(0),
            bytes_in: Some(0),
            bytes_out: Some(0),
            duration_ms: Some(0.0),
            stages_ms: vec![("", 0.0)],
            model: Some(String::new()),
            ..Record::default()
        };
        let written = serde_json::to_value(full).unwrap();
        let written: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
        let mut listed: Vec<_> = Record::FIELDS.iter().map(|(name, _)| *name).collect();
        listed.sort_unstable();
        assert_eq!(written, listed);
        assert!(Record::FIELDS.iter().all(|(_, about)| about.len() > 5));
    }

    #[test]
    fn a_record_has_only_what_is_known() {
        let record = Record {
            level: "info",
            event: "request",
            width: Some(3),
            ..Record::default()
        };
        assert_eq!(
            json(&record),
            r#"{"time":"","level":"info","event":"request","width":3}"#
        );
    }
}
