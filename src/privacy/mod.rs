//! The privacy notice: what is received, kept, logged and measured, and who else gets it. It is made
//! of the settings in force, of what was found about the storage, of the log record's type and of
//! the metrics' definitions, so it cannot say anything else than the program does. Each sentence
//! names the tests that would fail if it were not true.

mod sections;

use std::fmt::Write;

use serde::Serialize;

use crate::{config::Settings, ephemeral::storage::Storage, observe::Metrics};

/// How the notice is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For programs.
    Json,
    /// For web pages.
    Markdown,
    /// For terminals.
    Text,
}

/// A sentence of the notice.
#[derive(Debug, Clone, Serialize)]
struct Statement {
    text: String,
    /// Each test that backs it, as `TARGET::FUNCTION`: `cargo test --test TARGET FUNCTION` runs it.
    /// None where the sentence says what is not promised.
    tests: &'static [&'static str],
}

/// One thing of a list: a field of a log line, a metric.
#[derive(Debug, Clone, Serialize)]
struct Item {
    name: String,
    about: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Section {
    id: &'static str,
    title: &'static str,
    statements: Vec<Statement>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
}

/// The figures of the notice, for programs.
#[derive(Debug, Clone, Serialize)]
struct Figures {
    /// Seconds for which the bytes of an upload are held at most, the time of decoding aside.
    input_held_at_most_seconds: f64,
    /// Seconds of work on a picture at most.
    work_at_most_seconds: f64,
    /// Seconds of work on a restoration at most.
    long_work_at_most_seconds: f64,
    /// Bytes of one picture at most.
    picture_bytes_at_most: u64,
    ephemerality: &'static str,
    ephemerality_holds: bool,
    spool_in_memory: bool,
    spool_nameless: bool,
    spool_noswap: bool,
    swap_on: bool,
    swap_allowed: bool,
    receipts: bool,
    outgoing_connections: u32,
}

/// The notice of one configuration.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    version: &'static str,
    figures: Figures,
    sections: Vec<Section>,
}

impl Notice {
    /// The notice for these settings, with the storage as it was found.
    pub fn new(settings: &Settings, storage: &Storage, metrics: &Metrics) -> Self {
        let figures = Figures {
            input_held_at_most_seconds: sections::longest_input(settings).as_secs_f64(),
            work_at_most_seconds: settings.timeout.as_secs_f64(),
            long_work_at_most_seconds: settings.long_timeout.as_secs_f64(),
            picture_bytes_at_most: settings.max_upload.0,
            ephemerality: settings.ephemerality.name(),
            ephemerality_holds: storage.objections().is_empty(),
            spool_in_memory: storage.in_memory,
            spool_nameless: storage.nameless,
            spool_noswap: storage.noswap,
            swap_on: storage.swap_on,
            swap_allowed: storage.swap_allowed,
            receipts: settings.receipts,
            outgoing_connections: 0,
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            figures,
            sections: sections::all(settings, storage, metrics),
        }
    }

    /// Whether nothing was found that breaks the promise that no byte reaches a disk.
    pub fn storage_holds(&self) -> bool {
        self.figures.ephemerality_holds
    }

    /// The notice as text of one of its forms.
    pub fn written(&self, form: Form) -> String {
        match form {
            // Plain text and numbers: there is nothing in it that JSON cannot hold.
            Form::Json => serde_json::to_string_pretty(self).unwrap_or_default(),
            Form::Markdown => self.prose(true),
            Form::Text => self.prose(false),
        }
    }

    fn prose(&self, markdown: bool) -> String {
        let (title, heading, code) = if markdown {
            ("# ", "## ", "`")
        } else {
            ("", "", "")
        };
        let mut text = format!(
            "{title}What this Safelight keeps (version {})\n",
            self.version
        );
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            text,
            "\nMade by the running program of its own configuration. After each sentence stands the \
             test that fails if it is not true: {code}TARGET::NAME{code} is run by {code}cargo test \
             --test TARGET NAME{code}.\n"
        );
        for section in &self.sections {
            let _ = write!(text, "\n{heading}{}\n\n", section.title);
            for Statement { text: said, tests } in &section.statements {
                let _ = write!(text, "- {said}");
                for (i, test) in tests.iter().enumerate() {
                    let before = if i == 0 { "\n  Test: " } else { ", " };
                    let _ = write!(text, "{before}{code}{test}{code}");
                }
                text.push('\n');
            }
            if !section.items.is_empty() {
                text.push('\n');
            }
            for Item {
                name,
                about,
                labels,
            } in &section.items
            {
                let labels = match labels.as_slice() {
                    [] => String::new(),
                    names => format!(" (by {})", names.join(", ")),
                };
                let _ = writeln!(text, "- {code}{name}{code}{labels}: {}", about.trim());
            }
        }
        text
    }
}
