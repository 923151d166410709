//! What can be shown to whoever was not there, and what nobody here can promise.

use super::{Section, said, section};
use crate::{
    config::{Device, Settings},
    ephemeral::storage::Storage,
};

pub fn receipts(settings: &Settings) -> Section {
    let statements = match settings.receipts {
        false => vec![said(
            "No receipts are given (--receipts switches them on).",
            &["statements::without_the_setting_there_is_no_receipt"],
        )],
        true => vec![
            said(
                "Every answer to a picture, but for the archive of a batch, has a header Deletion-Receipt: a signed statement of how \
                 many bytes were received, where they lay, that they were overwritten and when, and \
                 how long they were held. It speaks of the input, which is gone before the header is \
                 sent, and of every input of the request.",
                &[
                    "statements::a_receipt_speaks_of_the_input_that_was_sent",
                    "statements::a_receipt_covers_every_input_of_the_request",
                    "statements::a_refused_picture_gets_a_receipt_too",
                ],
            ),
            said(
                "It shows that whoever holds the key of this process said so. It does not show that \
                 no copy exists, nor that the key is held by the published program.",
                &["statements::every_change_is_found"],
            ),
            said(
                "The only word of a client that comes back is the nonce that it may send for its \
                 receipt. A hash of the picture is made only where the client asks for it, and is in \
                 the receipt alone.",
                &[
                    "statements::a_nonce_comes_back_and_nothing_else_does",
                    "statements::hashes_are_made_only_where_they_are_asked_for",
                ],
            ),
            said(
                "Nothing is stored of a receipt; the key is made when the service starts and ends \
                 with it.",
                &[
                    "statements::the_key_is_new_with_each_start",
                    "statements::a_nonce_comes_back_and_nothing_else_does",
                ],
            ),
        ],
    };
    section("receipts", "What a receipt shows", statements)
}

pub fn not_covered(settings: &Settings, storage: &Storage) -> Section {
    let mut texts = vec![
        "Whoever is root on the machine, or runs it, can read memory while a picture is worked on. \
         No program can prevent that.",
        "Bytes on their way: the kernel's buffers of sockets hold parts of an upload and of a result \
         for a time, and are not overwritten by this program.",
        "A proxy in front of this service may keep what passes through it, in its memory or on its \
         disk; whether it does is a matter of its settings, and so is TLS.",
        "A process that is killed (SIGKILL) or a machine that loses power overwrites nothing: the \
         system frees the memory, and may hand it on before it is cleared.",
        "Overwritten means Clear in the words of NIST SP 800-88, not Purge or Destroy.",
        "Where models run on another device than the processor, such as a graphics processor \
         (`--device`), its memory is not overwritten, and may be kept until the service ends; `GET /v1/models` says what each of \
         them runs on.",
        "What a client, its browser or its network does with the picture and the result.",
    ];
    // `serve` puts here what they really run on; of `auto` nothing is known before.
    let elsewhere = ![Device::Auto, Device::Cpu].contains(&settings.engine.device);
    if elsewhere {
        texts.push("Here models run on such a device.");
    }
    if !storage.objections().is_empty() {
        texts.push("On this machine, what was said of the storage above: bytes may reach a disk.");
    }
    let statements = texts.into_iter().map(|text| said(text, &[])).collect();
    section("not_covered", "What is not covered", statements)
}
