//! What was looked at and whether it holds: a list that `doctor` prints whole and `serve` at its
//! start.

use serde::Serialize;

use crate::{ephemeral::storage::Storage, harden::process::Hardening};

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    /// Its stable name.
    pub name: &'static str,
    /// Whether it holds; none where it is a fact that is neither good nor bad.
    pub holds: Option<bool>,
    /// A sentence, true where it holds.
    pub detail: String,
    /// What to do where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    /// What holds or does not.
    pub fn new(name: &'static str, holds: bool, detail: impl Into<String>) -> Self {
        Self {
            name,
            holds: Some(holds),
            detail: detail.into(),
            remedy: None,
        }
    }

    /// What is neither good nor bad.
    pub fn fact(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            holds: None,
            ..Self::new(name, true, detail)
        }
    }

    /// What holds where `result` has its detail, and does not where it has an error.
    pub fn of(name: &'static str, result: Result<String, String>) -> Self {
        let holds = result.is_ok();
        Self::new(name, holds, result.unwrap_or_else(|why| why))
    }

    /// What to do where it does not hold.
    pub fn or(self, remedy: impl Into<String>) -> Self {
        let remedy = (self.holds == Some(false)).then(|| remedy.into());
        Self { remedy, ..self }
    }
}

/// What keeps pictures from leaving memory.
pub(super) fn ephemerality(storage: &Storage, hardening: Hardening) -> Vec<Check> {
    let tmpfs = match storage.noswap {
        true => "the spool is on a tmpfs (noswap)",
        false => "the spool is on a tmpfs",
    };
    vec![
        Check::new("spool_in_memory", storage.in_memory, tmpfs)
            .or("--spool DIR on a tmpfs; docker: --tmpfs /spool:size=256m,mode=0700"),
        Check::new(
            "spool_nameless",
            storage.nameless,
            "files in the spool have no name (O_TMPFILE)",
        )
        .or("--spool DIR on a tmpfs; every Linux since 3.11 has such files there"),
        Check::new(
            "no_swap",
            !(storage.swap_on && storage.swap_allowed),
            "memory cannot be swapped out to a disk",
        )
        .or("swapoff -a; docker: --memory equal to --memory-swap; systemd: MemorySwapMax=0"),
        Check::new(
            "not_dumpable",
            hardening.not_dumpable,
            "the process cannot be dumped or traced by its own user",
        ),
        Check::new("no_core", hardening.no_core, "no core file is written"),
        Check::new(
            "c_heap_wiped",
            hardening.c_heap_wiped,
            "memory freed by C libraries is overwritten",
        ),
    ]
}
