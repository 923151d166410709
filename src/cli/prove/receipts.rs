//! Receipts for deleted inputs, where the service sends them.

use super::{
    files,
    report::Finding,
    session::{CUT, Session},
};
use crate::codec::Encoded;

/// E17: a receipt belongs to this upload and verifies with the key that the service shows.
pub(super) fn verify(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "receipts",
        "E17",
        "A receipt for a deleted input verifies with the key that the service shows",
    );
    match session.post(CUT, &files::plain(Encoded::Png, 9)) {
        Ok(answer) if answer.header("deletion-receipt").is_none() => {
            finding.unseen("not offered (the service sends none; it does with --receipts)");
        }
        Ok(_) => finding.unseen("there is one; this program cannot verify it"),
        Err(why) => finding.unseen(why),
    }
    finding.tried("the answer to an upload")
}
