//! The sentences of the notice, and the tests behind them.

mod gaps;

use std::time::Duration;

use humantime::format_duration;

use gaps::{not_covered, receipts};

use super::{Item, Section, Statement};
use crate::{
    config::{Ephemerality, Settings},
    ephemeral::storage::Storage,
    observe::{Metrics, Record},
};

/// The longest time for which the bytes of an upload are held, the time of decoding aside: the
/// longest upload, and the longest wait for a worker; or the longest batch, whose pictures wait for
/// each other.
pub(super) fn longest_input(settings: &Settings) -> Duration {
    longest_single(settings).max(longest_batch(settings))
}

fn longest_single(settings: &Settings) -> Duration {
    settings.longest_upload(settings.max_body()) + settings.queue_wait
}

fn longest_batch(settings: &Settings) -> Duration {
    settings.longest_upload(settings.max_batch_bytes()) + settings.long_timeout
}

pub(super) fn all(settings: &Settings, storage: &Storage, metrics: &Metrics) -> Vec<Section> {
    vec![
        received(settings),
        kept(),
        duration(settings),
        logged(),
        measured(metrics),
        others(),
        stored(settings, storage),
        receipts(settings),
        not_covered(settings, storage),
    ]
}

fn section(id: &'static str, title: &'static str, statements: Vec<Statement>) -> Section {
    Section {
        id,
        title,
        statements,
        items: Vec::new(),
    }
}

fn said(text: impl Into<String>, tests: &'static [&'static str]) -> Statement {
    Statement {
        text: text.into(),
        tests,
    }
}

fn received(settings: &Settings) -> Section {
    let statements = vec![
        said(
            format!(
                "Pictures of at most {} each ({}, {} megapixels at most), and options that say what \
                 to do with them.",
                settings.max_upload,
                settings.engine.limits().format_names(),
                settings.engine.max_megapixels,
            ),
            &["api::every_error_code_is_reached_and_built_alike"],
        ),
        said(
            "File names, other metadata of a picture and headers that are not needed are read past; \
             none is used, stored or passed on.",
            &[
                "ephemeral_leaks::what_a_client_says_is_repeated_nowhere",
                "ephemeral_leaks::an_answer_holds_pixels_and_nothing_else",
            ],
        ),
        said(
            "A client may send a random id with a picture, to watch how far the work is \
             (X-Progress-Id, /v1/progress). It is held with the words and numbers of that, as long as \
             the work goes on; it is in no record and no metric, and has nothing to do with the id of \
             the request.",
            &["api::nothing_is_left_of_an_id_and_it_is_in_no_record"],
        ),
        who_asks(settings),
    ];
    let statements = statements.into_iter().chain(by_address(settings));
    section("received", "What is received", statements.collect())
}

fn who_asks(settings: &Settings) -> Statement {
    let text = match settings.keys {
        None => {
            "No name, key or account is asked for, and what is done does not depend on who asks."
        }
        Some(_) => {
            "A key is asked for (--keys). It only restricts: which operations, how often, how many \
             megapixels. What is done with a picture does not depend on it, and it is in no record \
             beside one."
        }
    };
    said(text, &["statements::who_asks_makes_no_difference"])
}

/// What a limit per address holds of addresses, where there is one.
fn by_address(settings: &Settings) -> Option<Statement> {
    let rate = settings.rate_per_address?;
    Some(said(
        format!(
            "Requests without a key are counted by address ({rate}, --rate-per-address). An address \
             is held only as a hash under a random key that is made at the start and replaced every \
             day, in a table of bounded size; it is in no record and no metric."
        ),
        &["access::ids_stand_beside_counts_only_and_addresses_and_secrets_nowhere"],
    ))
}

fn kept() -> Section {
    let statements = vec![
        said(
            "Nothing is kept. There is no data base, no cache and no route that gives a picture or a \
             result a second time.",
            &["ephemeral_leaks::there_is_no_door_into_the_running_service"],
        ),
        said(
            "An upload lies in a file that never has a name, so that no other program can open it.",
            &["ephemeral::inputs_never_have_a_name"],
        ),
        said(
            "It is overwritten and closed once its pixels are decoded, before the first byte of the \
             answer is sent; in a batch, before the first byte of its own result.",
            &["ephemeral::the_input_is_overwritten_and_closed_before_the_first_byte_of_the_answer"],
        ),
        said(
            "Memory that held a picture is overwritten when it is freed; shortly after the answer no \
             part of it is in the memory of the process.",
            &[
                "ephemeral_memory::nothing_of_a_picture_stays_after_its_answer",
                "ephemeral_memory::nothing_stays_after_sixteen_at_once",
                "ephemeral_memory::without_wiping_the_same_scan_finds_all_kinds",
            ],
        ),
        said(
            "However the process ends, the system frees what it held, and nothing is found after it.",
            &["ephemeral_kill::a_killed_server_leaves_nothing_in_the_spool"],
        ),
        said(
            "A result is made of pixels only: no place, time, name or thumbnail of the input reaches \
             it.",
            &["ephemeral_leaks::an_answer_holds_pixels_and_nothing_else"],
        ),
    ];
    section("kept", "What is kept", statements)
}

fn duration(settings: &Settings) -> Section {
    let statements = vec![
        said(
            format!(
                "The bytes of an upload are held for {} at most, and while they are decoded: {} for \
                 the longest upload, {} for the longest wait for a worker.",
                format_duration(longest_single(settings)),
                format_duration(settings.longest_upload(settings.max_body())),
                format_duration(settings.queue_wait),
            ),
            &["ephemeral::a_slow_upload_is_ended_at_its_deadline"],
        ),
        said(
            format!(
                "The pictures of a batch wait for each other, and for the reader: they are held for \
                 {} at most, each until its own result is made.",
                format_duration(longest_batch(settings)),
            ),
            &["api::a_reader_that_stalls_stops_the_work_and_loses_the_rest_in_time"],
        ),
        said(
            format!(
                "An upload that pauses for {} is ended.",
                format_duration(settings.upload_idle)
            ),
            &["ephemeral::a_slow_upload_is_ended_at_its_deadline"],
        ),
        said(
            format!(
                "Pixels are worked on for {} at most, for {} in a restoration, \
                 an enhancement, a pipeline or a batch.",
                format_duration(settings.timeout),
                format_duration(settings.long_timeout),
            ),
            &["api::every_error_code_is_reached_and_built_alike"],
        ),
        said(
            format!(
                "A result is held until its client has read it; a client that takes nothing for {} \
                 is cut off.",
                format_duration(settings.read_timeout),
            ),
            &["ephemeral_kill::a_client_that_does_not_read_holds_no_input_and_is_dropped"],
        ),
        said(
            "Where the client goes away, its upload is deleted at once, and its pixels at the next \
             step of the work.",
            &[
                "ephemeral_kill::an_input_goes_with_a_client_that_goes_while_it_sends",
                "ephemeral_kill::an_input_goes_with_a_client_that_goes_while_it_waits",
            ],
        ),
        said(
            format!(
                "When the service stops, work in progress has {} to end.",
                format_duration(settings.shutdown_grace),
            ),
            &["ephemeral_kill::sigterm_ends_the_work_in_progress_and_takes_no_new"],
        ),
    ];
    section("duration", "For how long at most", statements)
}

fn logged() -> Section {
    let statements = vec![
        said(
            "One line for each request, to standard error, of these fields and no others; how long \
             the operator keeps the lines is not for this program to say.",
            &[
                "ephemeral_leaks::what_a_client_says_is_repeated_nowhere",
                "statements::a_log_line_has_these_fields_and_no_others",
            ],
        ),
        said(
            "No file name, no value or header that was sent, no address, no key, no hash and no part \
             of a picture is ever logged.",
            &[
                "ephemeral_leaks::what_a_client_says_is_repeated_nowhere",
                "statements::a_log_line_has_these_fields_and_no_others",
            ],
        ),
    ];
    let item = |(name, about): &(&str, &str)| Item {
        name: (*name).to_owned(),
        about: about.trim().to_owned(),
        labels: Vec::new(),
    };
    Section {
        items: Record::FIELDS.iter().map(item).collect(),
        ..section("logged", "What is logged", statements)
    }
}

fn measured(metrics: &Metrics) -> Section {
    let statements = vec![said(
        "These sums over all requests, on an address of their own; their labels are words of the \
         program, never a client's.",
        &[
            "statements::metrics_have_these_labels_and_no_others",
            "api::health_is_text_and_metrics_are_on_their_own_listener_only",
        ],
    )];
    let item = |definition: &crate::observe::Definition| Item {
        name: definition.name.clone(),
        about: definition.about.clone(),
        labels: definition.labels.clone(),
    };
    Section {
        items: metrics.definitions().iter().map(item).collect(),
        ..section("measured", "What is measured", statements)
    }
}

fn others() -> Section {
    let statements = vec![said(
        "Nobody. The service opens no outgoing connection, asks for no name and sends no report; \
         models and the page are part of the program.",
        &[
            "ephemeral::the_input_is_overwritten_and_closed_before_the_first_byte_of_the_answer",
            "page::everything_that_the_page_names_is_served_from_here_with_its_type",
        ],
    )];
    section("others", "Who else receives data", statements)
}

const FOUND: &[&str] = &[
    "statements::the_notice_says_what_was_found_about_the_storage",
    "cli::doctor_ends_with_1_if_and_only_if_something_fails",
];

fn stored(settings: &Settings, storage: &Storage) -> Section {
    let place = match (storage.in_memory, storage.nameless) {
        (true, true) => "Uploads lie in memory (tmpfs), in files without a name (O_TMPFILE).",
        (true, false) => "Uploads lie in memory (tmpfs), in files whose name is removed at once.",
        (false, true) => {
            "Uploads do NOT lie on a tmpfs: their bytes may be written to a disk. Their files have \
             no name (O_TMPFILE)."
        }
        (false, false) => {
            "Uploads do NOT lie on a tmpfs: their bytes may be written to a disk. The names of their \
             files are removed at once."
        }
    };
    let swap = match (storage.swap_on, storage.swap_allowed, storage.noswap) {
        (false, ..) => "Memory is not swapped out: the machine has no swap switched on.",
        (true, false, _) => "Memory is not swapped out: this process may use no swap.",
        (true, true, true) => {
            "Memory CAN be swapped out to a disk; the files of uploads cannot (noswap)."
        }
        (true, true, false) => "Memory CAN be swapped out to a disk, the files of uploads too.",
    };
    let mode = match settings.ephemerality {
        Ephemerality::Strict => {
            "The service refuses to start where bytes could reach a disk (--ephemerality strict)."
        }
        Ephemerality::Warn => {
            "The service starts, and says so, even where bytes could reach a disk (--ephemerality \
             warn)."
        }
    };
    let statements = vec![
        said(place, FOUND),
        said(swap, FOUND),
        said(
            mode,
            &["cli::strict_refuses_a_spool_on_a_disk_and_names_the_flags_for_a_container"],
        ),
        said(
            "This is what was found when the service started, or this text was made.",
            FOUND,
        ),
    ];
    section("storage", "Where it lies meanwhile", statements)
}
