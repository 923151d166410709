//! `safelight prove`: it finds nothing wrong with our own service, and objects to every lapse of a
//! service that leaks, by the check that is for it and by no other.

mod common;

#[path = "prove/stub.rs"]
mod stub;

use std::{fs, process::Command, sync::Mutex, thread};

use common::{PROGRAM, Ran, spawn};
use serde_json::Value;
use stub::{KEY, Leak, Stub};

fn prove(arguments: &[&str]) -> Ran {
    common::run(Command::new(PROGRAM).arg("prove").args(arguments), b"")
}

/// The names of the checks that ended so.
fn checks(report: &Value, verdict: &str) -> Vec<String> {
    let checks = report["checks"].as_array().expect("a list");
    let so = checks.iter().filter(|check| check["verdict"] == verdict);
    so.map(|check| check["id"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn our_own_service_keeps_what_can_be_seen_of_its_promise() {
    let server = spawn(&[
        "--upload-idle=1s",
        "--upload-total=2s",
        "--head-timeout=1s",
        "--receipts",
    ]);
    let folder = common::folder("prove");
    let file = folder.join("found.json");
    let url = format!("http://{}", server.address);
    let metrics = format!("http://{}/metrics", server.metrics);
    let ran = prove(&[
        &url,
        "--metrics",
        &metrics,
        "--patience=20s",
        "--json",
        file.to_str().unwrap(),
    ]);
    let table = ran.text();
    assert_eq!(ran.code, Some(0), "{table}\n{}", ran.stderr);
    let report: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(checks(&report, "not_held"), [""; 0], "{table}");
    assert_eq!(checks(&report, "held").len(), 11);
    assert!(table.contains("11 held, 0 did not hold, 0 could not be seen"));
    assert!(
        table.contains("memory after an answer"),
        "what it cannot see"
    );
    let requests = report["requests"].as_u64().unwrap();
    assert!(table.contains(&format!("{requests} requests")));
    assert!(
        (100..300).contains(&requests),
        "{requests}: gentle, and not idle"
    );
    server.assert_books_balance();
    // The counter says how many uploads there were: the tool did what it says.
    let uploads = server.metric("safelight_inputs_opened_total");
    assert!(uploads > 80.0, "{uploads}");
}

#[test]
fn a_service_that_leaks_is_found_out_by_the_check_that_is_for_it() {
    let leaks = [
        (Leak::Nothing, ""),
        (Leak::NamesTheAnswerAsTheFile, "silence"),
        (Leak::RepeatsAValueInAnError, "silence"),
        (Leak::CountsByFileName, "silence"),
        (Leak::ShowsTheKey, "silence"),
        (Leak::CopiesExif, "no_metadata"),
        (Leak::AppendsTheInput, "no_metadata"),
        (Leak::ChangesEachTime, "same_bytes"),
        (Leak::MixesNeighbours, "no_influence"),
        (Leak::ServesResultsById, "no_read_back"),
        (Leak::HasADebugRoute, "no_read_back"),
        (Leak::GivesOneIdTwice, "no_read_back"),
        (Leak::FailsOnBrokenPictures, "hostile"),
        (Leak::HangsOnGif, "hostile"),
        (Leak::TakesBombsForPictures, "hostile"),
        (Leak::NeverEndsAStalledUpload, "slow_uploads"),
        (Leak::HoldsLongerThanItSays, "slow_uploads"),
        (Leak::ClosesASlowUploadSilently, "slow_uploads"),
        (Leak::BreaksWhenAClientGoes, "dropped_connections"),
        (Leak::ForgetsToCountADeletion, "books"),
        (Leak::SaysWhatItIs, "headers"),
        (Leak::SetsACookie, "headers"),
        (Leak::TagsAnswers, "headers"),
        (Leak::MayBeCached, "headers"),
        (Leak::SignsWithAnotherKey, "receipts"),
        (Leak::RepeatsAnOldReceipt, "receipts"),
        (Leak::SignsForLessThanItGot, "receipts"),
    ];
    let wrong = Mutex::new(Vec::new());
    let next = Mutex::new(leaks.into_iter());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((leak, check)) = next.lock().unwrap().next() else {
                        return;
                    };
                    if let Err(why) = found_out(leak, check) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether exactly this check objects; none where it is empty.
fn found_out(leak: Leak, check: &str) -> Result<(), String> {
    let stub = Stub::start(leak);
    let url = format!("http://{}/", stub.address);
    let metrics = format!("http://{}", stub.metrics);
    let ran = prove(&[
        &url,
        "--metrics",
        &metrics,
        "--key",
        KEY,
        "--patience=6s",
        "--json=-",
    ]);
    let report: Value =
        serde_json::from_str(&ran.text()).map_err(|e| e.to_string() + &ran.stderr)?;
    let objected = checks(&report, "not_held");
    let expected: Vec<_> = [check.to_owned()]
        .into_iter()
        .filter(|c| !c.is_empty())
        .collect();
    let code = i32::from(!check.is_empty());
    if objected != expected || ran.code != Some(code) {
        return Err(format!(
            "{leak:?}: {objected:?}, code {:?}\n{report:#}",
            ran.code
        ));
    }
    if check.is_empty() && !checks(&report, "not_seen").is_empty() {
        return Err(format!("{leak:?}: {report:#}"));
    }
    Ok(())
}

#[test]
fn a_wrong_url_is_2_and_a_service_that_is_not_there_is_1() {
    for wrong in ["127.0.0.1:8080", "https://127.0.0.1", "http://"] {
        let ran = prove(&[wrong]);
        assert_eq!(ran.code, Some(2), "{wrong}: {}", ran.stderr);
        assert!(ran.stderr.contains("http://"), "{wrong}: {}", ran.stderr);
    }
    assert_eq!(prove(&[]).code, Some(2));
    let ran = prove(&["http://127.0.0.1:1"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    // Without its key a service shows nothing that could be judged.
    let stub = Stub::start(Leak::Nothing);
    let ran = prove(&[&format!("http://{}", stub.address)]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("401"), "{}", ran.stderr);
}

#[test]
fn a_service_without_receipts_is_not_blamed_for_it() {
    let server = spawn(&["--upload-idle=1s", "--upload-total=2s", "--head-timeout=1s"]);
    let url = format!("http://{}", server.address);
    let ran = prove(&[&url, "--patience=20s", "--json=-"]);
    let report: Value = serde_json::from_str(&ran.text()).unwrap();
    assert_eq!(ran.code, Some(0), "{report:#}");
    assert_eq!(checks(&report, "not_seen"), ["books", "receipts"]);
}

#[test]
fn without_metrics_the_counters_are_not_seen() {
    let stub = Stub::start(Leak::ForgetsToCountADeletion);
    let url = format!("http://{}", stub.address);
    let ran = prove(&[&url, "--key", KEY, "--patience=6s", "--json=-"]);
    let report: Value = serde_json::from_str(&ran.text()).unwrap();
    assert_eq!(ran.code, Some(0), "{report:#}");
    assert_eq!(checks(&report, "not_seen"), ["books"]);
}
