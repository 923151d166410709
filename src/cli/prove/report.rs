//! What was found, as a table for a person and as JSON for a program.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing that was tried speaks against it.
    Held,
    /// Something does.
    NotHeld,
    /// It could not be tried.
    NotSeen,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotHeld => "not_held",
            Self::NotSeen => "not_seen",
        }
    }

    const fn shown(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotHeld => "DID NOT HOLD",
            Self::NotSeen => "not seen",
        }
    }
}

/// A check that was made.
#[derive(Debug)]
pub(super) struct Finding {
    /// Its name in JSON.
    id: &'static str,
    /// The guarantees of the contract that it looks at.
    contract: &'static str,
    /// What should hold.
    claim: &'static str,
    verdict: Verdict,
    /// What was tried.
    tried: String,
    /// What speaks against it, or why it could not be tried.
    notes: Vec<String>,
}

/// Lines of one check at most: the tenth of a kind tells nothing new.
const MAX_NOTES: usize = 8;

impl Finding {
    /// A check that holds until something speaks against it.
    pub(super) const fn new(id: &'static str, contract: &'static str, claim: &'static str) -> Self {
        Self {
            id,
            contract,
            claim,
            verdict: Verdict::Held,
            tried: String::new(),
            notes: Vec::new(),
        }
    }

    /// Something speaks against it.
    pub(super) fn object(&mut self, why: impl Into<String>) {
        if self.verdict == Verdict::NotSeen {
            self.notes.clear();
        }
        self.verdict = Verdict::NotHeld;
        self.notes.push(why.into());
    }

    /// It could not be tried, unless something spoke against it before.
    pub(super) fn unseen(&mut self, why: impl Into<String>) {
        if self.verdict == Verdict::Held {
            self.verdict = Verdict::NotSeen;
            self.notes.push(why.into());
        }
    }

    /// What was tried.
    #[must_use]
    pub(super) fn tried(mut self, what: impl Into<String>) -> Self {
        self.tried = what.into();
        self
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "contract": self.contract,
            "claim": self.claim,
            "verdict": self.verdict.name(),
            "tried": self.tried,
            "notes": self.notes,
        })
    }
}

/// Guarantees that nobody can see from outside, with what stands behind them instead.
const UNSEEN: &[&str] = &[
    "memory after an answer, and what is overwritten (E9)",
    "disk and swap; whether an upload ever had a name there (E1, E2, E10)",
    "logs (E11)",
    "when an input is deleted on the other side, and what a kill or a crash leaves (E3, E4, E7, E8)",
    "outgoing connections of the service (E14)",
    "proxies, hosts and people between here and the service",
    "whether the program that answered is the one whose source you read (E17)",
];

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Report {
    /// The URL as it was given.
    pub(super) url: String,
    /// Requests that were sent, broken ones included.
    pub(super) requests: usize,
    /// From the first to the last.
    pub(super) took: Duration,
    /// The checks.
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// Checks that ended so.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        let so = |finding: &&Finding| finding.verdict == verdict;
        self.findings.iter().filter(so).count()
    }

    /// For a person.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{}: {} requests in {:.1} s\n\n",
            self.url,
            self.requests,
            self.took.as_secs_f64()
        );
        for finding in &self.findings {
            let Finding {
                contract, claim, ..
            } = finding;
            let shown = finding.verdict.shown();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{shown:<13} {contract:<8} {claim}");
            let indent = " ".repeat(23);
            if !finding.tried.is_empty() {
                let _ = writeln!(text, "{indent}tried: {}", finding.tried);
            }
            for note in finding.notes.iter().take(MAX_NOTES) {
                let _ = writeln!(text, "{indent}{note}");
            }
            if let Some(more) = finding.notes.len().checked_sub(MAX_NOTES + 1) {
                let _ = writeln!(text, "{indent}and {} more", more + 1);
            }
        }
        text += "\nNobody can see from outside, so this says nothing of:\n";
        for what in UNSEEN {
            let _ = writeln!(text, "- {what}");
        }
        let _ = write!(
            text,
            "\n{} held, {} did not hold, {} could not be seen",
            self.count(Verdict::Held),
            self.count(Verdict::NotHeld),
            self.count(Verdict::NotSeen)
        );
        text
    }

    /// For a program.
    pub(super) fn json(&self) -> Value {
        json!({
            "url": self.url,
            "program": concat!("safelight ", env!("CARGO_PKG_VERSION")),
            "requests": self.requests,
            "seconds": (self.took.as_secs_f64() * 10.0).round() / 10.0,
            "held": self.count(Verdict::Held),
            "not_held": self.count(Verdict::NotHeld),
            "not_seen": self.count(Verdict::NotSeen),
            "checks": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
            "invisible_from_outside": UNSEEN,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objection_outweighs_what_could_not_be_seen() {
        let mut finding = Finding::new("a", "E1", "It holds.");
        finding.unseen("no way to look");
        assert_eq!(finding.verdict, Verdict::NotSeen);
        finding.object("it was seen not to");
        finding.unseen("no way to look");
        assert_eq!(finding.verdict, Verdict::NotHeld);
        assert_eq!(finding.notes, ["it was seen not to"]);
    }

    #[test]
    fn many_objections_are_counted_and_not_all_printed() {
        let mut finding = Finding::new("a", "E1", "It holds.");
        (0..20).for_each(|i| finding.object(format!("objection {i}.")));
        let report = Report {
            url: "http://a".to_owned(),
            requests: 3,
            took: Duration::from_secs(1),
            findings: vec![finding],
        };
        let table = report.table();
        assert!(table.contains("objection 7.") && !table.contains("objection 8."));
        assert!(table.contains("and 12 more") && table.contains("1 did not hold"));
        assert_eq!(
            report.json()["checks"][0]["notes"]
                .as_array()
                .unwrap()
                .len(),
            20
        );
    }
}
