//! Every error code, reached from outside, as tables of cases.

use std::collections::BTreeSet;

use safelight::error::CODES;

use crate::{
    busy,
    common::{
        Answer, Server,
        faults::Failing,
        http::{self, CANARY},
        pictures, skip, spawn,
    },
    mistakes::{FORMS, PICTURES},
};

pub const CUT: &str = "/v1/remove-background";

/// What a case does, its name, and the code that it reaches.
pub type Case = (&'static str, &'static str, fn(&Server) -> Answer);

/// The status of each code that can be reached here (DESIGN.md, section 2).
const STATUS: &[(&str, u16)] = &[
    ("malformed_request", 400),
    ("unknown_option", 400),
    ("bad_value", 400),
    ("options_conflict", 400),
    ("missing_picture", 400),
    ("too_many_fields", 400),
    ("field_too_long", 400),
    ("missing_key", 401),
    ("wrong_key", 401),
    ("not_allowed", 403),
    ("rate_limited", 429),
    ("quota_exceeded", 429),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("upload_too_slow", 408),
    ("body_too_large", 413),
    ("unknown_format", 415),
    ("format_disabled", 415),
    ("broken_picture", 422),
    ("too_many_pixels", 422),
    ("side_too_long", 422),
    ("bomb", 422),
    ("job_too_large", 422),
    ("roi_outside", 422),
    ("result_too_large", 422),
    ("nothing_found", 422),
    ("model_missing", 422),
    ("step_missing", 422),
    ("busy", 503),
    ("shutting_down", 503),
    ("deadline_passed", 504),
    ("model_failed", 500),
    ("internal", 500),
];

/// The codes that no case here reaches, each with its reason.
const NOT_REACHED: &[(&str, &str)] = &[
    ("cancelled", "its client is gone, so nobody reads it"),
    (
        "spool_full",
        "needs a small tmpfs of its own: the test for it is in busy.rs",
    ),
    (
        "refused_by_design",
        "its route answers in the shape of another service: compat/refusals.rs",
    ),
];

pub fn jpeg() -> Vec<u8> {
    pictures::jpeg(64, 48)
}

pub fn png(width: u32, height: u32) -> Vec<u8> {
    pictures::encoded(pictures::plain(width, height), image::ImageFormat::Png)
}

pub fn raw(server: &Server, body: &[u8]) -> Answer {
    server.post(CUT, "image/png", body)
}

pub fn with(server: &Server, query: &str) -> Answer {
    server.post(&format!("{CUT}?{query}"), "image/jpeg", &jpeg())
}

const LIMITS: &[&str] = &[
    "--max-upload=200KiB",
    "--max-megapixels=0.5",
    "--max-side=1000",
];

/// The cases, by the flags of the server that they need.
const GROUPS: &[(&[&str], &[Case])] = &[
    (LIMITS, FORMS),
    (LIMITS, PICTURES),
    (
        &["--memory-budget=32MiB"],
        &[("small budget", "job_too_large", |s| raw(s, &jpeg()))],
    ),
    (&[KEYS_FLAG], KEYS),
    (&["--rate-per-address=1/h"], RATES),
    (&["--timeout=1ms", "--long-timeout=1ms"], DEADLINES),
    (&["--upload-idle=300ms"], busy::STALLED),
    (&["--upload-total=500ms"], busy::DRIPPED),
    (&["--upload-permits=1"], busy::PERMITS),
    (
        &["--max-upload=100KiB", "--spool-budget=100KiB"],
        busy::SPOOL,
    ),
    (&["--workers=1", "--queue=1"], busy::QUEUE),
    (&["--workers=1", "--queue-wait=300ms"], busy::QUEUE_WAIT),
    (
        &["--workers=1", "--queue-wait=60s", "--shutdown-grace=1s"],
        busy::STOPPING,
    ),
];

/// The keys file of these cases, and the flag that names it.
const KEYS_FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/error-codes-keys.toml");
const KEYS_FLAG: &str = concat!(
    "--keys=",
    env!("CARGO_TARGET_TMPDIR"),
    "/error-codes-keys.toml"
);

/// One key for everything else than `inspect`. Its hash is that of the text `secret`, as
/// `printf secret | sha256sum` prints it.
const KEYS_TEXT: &str = "[[key]]\nid = \"few\"\n\
    hash = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n\
    scopes = [\"remove-background\", \"restore\"]\nmegapixels_per_hour = 0.004\n";

fn keyed(server: &Server, path: &str, key: &str) -> Answer {
    let headers = [("Content-Type", "image/jpeg"), ("X-API-Key", key)];
    http::request(server.address, "POST", path, &headers, &jpeg()).unwrap()
}

const KEYS: &[Case] = &[
    ("no key", "missing_key", |s| raw(s, &jpeg())),
    ("a key of another kind", "missing_key", |s| {
        let headers = [("Authorization", "Digest zq7canary")];
        http::request(s.address, "POST", CUT, &headers, &jpeg()).unwrap()
    }),
    ("an unknown key", "wrong_key", |s| {
        keyed(s, CUT, "zq7canary.secret")
    }),
    ("a wrong secret", "wrong_key", |s| {
        keyed(s, CUT, "few.zq7canary")
    }),
    ("an operation that it does not have", "not_allowed", |s| {
        keyed(s, "/v1/inspect", "few.secret")
    }),
    ("a second picture of 3,072 pixels", "quota_exceeded", |s| {
        assert_eq!(keyed(s, CUT, "few.secret").status, 200);
        keyed(s, CUT, "few.secret")
    }),
    ("a picture above the key's quota", "too_many_pixels", |s| {
        let headers = [("Content-Type", "image/png"), ("X-API-Key", "few.secret")];
        http::request(s.address, "POST", CUT, &headers, &png(100, 50)).unwrap()
    }),
];

const RATES: &[Case] = &[("two in an hour", "rate_limited", |s| {
    assert_eq!(s.post("/v1/inspect", "image/jpeg", &jpeg()).status, 200);
    s.post("/v1/inspect", "image/jpeg", &jpeg())
})];

const DEADLINES: &[Case] = &[
    ("a cutout in a millisecond", "deadline_passed", |s| {
        raw(s, &pictures::jpeg(800, 600))
    }),
    ("a restoration in a millisecond", "deadline_passed", |s| {
        s.post(
            "/v1/restore?steps=denoise",
            "image/jpeg",
            &pictures::jpeg(800, 600),
        )
    }),
];

/// The codes of what is nobody's fault but ours. It takes the test build to reach them.
fn faults_of_ours() -> [&'static str; 2] {
    let codes = ["model_failed", "internal"];
    let Some(failing) = Failing::start(&[], None) else {
        skip(
            "model_failed and internal",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)",
        );
        return codes;
    };
    for (code, fault) in codes.into_iter().zip(["inference:error", "inference"]) {
        for path in [CUT, "/v1/restore?steps=denoise"] {
            failing.arm(fault);
            let answer = failing.server.post(path, "image/jpeg", &jpeg());
            failing.disarm();
            answer.assert_problem(path, 500, code);
            assert_eq!(answer.json()["detail"], "The service failed; try again.");
            let answer = failing.server.post(path, "image/jpeg", &jpeg());
            assert_eq!(answer.status, 200, "{path}: it works on as before");
        }
    }
    failing.server.assert_books_balance();
    codes
}

#[test]
fn every_error_code_is_reached_and_built_alike() {
    std::fs::write(KEYS_FILE, KEYS_TEXT).unwrap();
    let mut reached = BTreeSet::new();
    for (flags, cases) in GROUPS {
        let mut server = spawn(flags);
        for (name, code, send) in *cases {
            let known = STATUS.iter().find(|(known, _)| known == code);
            let (_, status) = known.expect("every code of a case has a status");
            let answer = send(&server);
            answer.assert_problem(name, *status, code);
            if *code == "method_not_allowed" {
                assert!(
                    matches!(answer.header("allow"), Some("GET, HEAD" | "POST")),
                    "{name}"
                );
            }
            reached.insert(*code);
        }
        if cases.iter().any(|(_, code, _)| *code == "shutting_down") {
            let status = server.wait(std::time::Duration::from_secs(40));
            assert!(status.success(), "{status}");
        } else {
            server.assert_books_balance();
            let answer = server.get("/readyz");
            assert_eq!(answer.status, 200, "{flags:?}: it works on as before");
        }
        let log = server.log().join("\n");
        assert!(!log.contains(CANARY), "the log repeats the client: {log}");
    }
    reached.extend(faults_of_ours());
    let unreached = NOT_REACHED.iter().map(|(code, _)| *code);
    let listed: Vec<_> = reached.iter().copied().chain(unreached).collect();
    let all: BTreeSet<_> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(listed.len(), all.len(), "no code is both reached and not");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), all);
}
