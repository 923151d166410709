//! What the machine gives: processors, memory, descriptors, addresses, the keys file, the clock.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::Path,
    thread::available_parallelism,
    time::SystemTime,
};

use rustix::process::{Resource, getrlimit};

use super::super::{checks::Check, health};
use crate::{
    config::{Settings, group_limit, memory_given},
    http::Access,
};

/// Memory of the program itself: code, models, ONNX Runtime, connections. Measured at rest with the
/// built-in models: about 150 MiB.
const OWN_MEMORY: u64 = 256 << 20;
/// Descriptors beside those of connections: listeners, libraries, the models' files.
const OWN_DESCRIPTORS: u64 = 64;
/// Connections that must fit for the service to be of use to many: as many as one of its threads
/// takes.
const CONNECTIONS: u64 = 1024;
/// 2026-01-01: no machine that runs this program can have an earlier date.
const EARLIEST: u64 = 1_767_225_600;

pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![
        processors(settings),
        threads(settings),
        memory(settings),
        descriptors(settings),
    ];
    checks.extend(listeners(settings));
    checks.extend(access(settings));
    checks.push(clock());
    checks
}

/// Whether the spool's file system has room for what the spool may hold.
pub(super) fn spool_room(folder: &Path, settings: &Settings) -> Check {
    let budget = settings.spool_budget;
    let free = rustix::fs::statvfs(folder).map(|found| found.f_bavail * found.f_frsize);
    match free {
        Ok(free) => Check::new(
            "spool_room",
            free >= budget.0,
            format!(
                "the spool has {} MiB of room for {budget} of uploads (--spool-budget)",
                free >> 20
            ),
        )
        .or("a larger tmpfs (size=), or a smaller --spool-budget"),
        Err(e) => Check::new("spool_room", false, format!("the spool's room: {e}")),
    }
}

fn processors(settings: &Settings) -> Check {
    let workers = settings.engine.worker_count();
    let cores = available_parallelism().map_or(1, |n| n.get());
    // More than that only wait for each other.
    let detail = format!("{workers} workers for {cores} processors{}", vectors());
    Check::new("cpu", workers <= 4 * cores, detail).or("a smaller --workers")
}

/// Threads of the server beside the workers: its own, those that read headers, warm-up.
const OWN_THREADS: u64 = 64;

/// Whether the control group lets so many threads be.
fn threads(settings: &Settings) -> Check {
    let needed = settings.engine.worker_count() as u64 + OWN_THREADS;
    match group_limit("pids.max") {
        None => Check::new("threads", true, "no control group limits threads"),
        Some(most) => Check::new(
            "threads",
            most >= needed,
            format!("the control group allows {most} threads, of which {needed} may be needed"),
        )
        .or("docker: --pids-limit; systemd: TasksMax="),
    }
}

/// What inference gains most from.
#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    match std::arch::is_x86_feature_detected!("avx2") {
        true => " with AVX2",
        false => " without AVX2: inference takes several times as long",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    ""
}

/// Whether jobs, uploads and the program fit into what is given: beyond a control group's limit the
/// kernel kills the process.
fn memory(settings: &Settings) -> Check {
    let jobs = settings.engine.memory_budget_bytes();
    let uploads = settings.spool_budget.0;
    let needed = jobs + uploads + OWN_MEMORY;
    let mib = |bytes: u64| bytes >> 20;
    let limit = match group_limit("memory.max") {
        Some(limit) => format!("the control group allows {} MiB", mib(limit)),
        None => "no control group limits it".to_owned(),
    };
    let needs = format!(
        "{} MiB of memory for jobs, {} for uploads, {} for the program",
        mib(jobs),
        mib(uploads),
        mib(OWN_MEMORY)
    );
    let Some(given) = memory_given() else {
        return Check::fact("memory", format!("{needs}; what there is is not known"));
    };
    let detail = format!("{needs}, out of {} MiB ({limit})", mib(given));
    Check::new("memory", needed <= given, detail)
        .or("a smaller --memory-budget or --spool-budget, or more memory")
}

fn descriptors(settings: &Settings) -> Check {
    // Two for each connection, since one that was answered may linger; one for each upload.
    let needed = 2 * CONNECTIONS + u64::from(settings.upload_permits) + OWN_DESCRIPTORS;
    match getrlimit(Resource::Nofile).maximum {
        Some(most) => Check::new(
            "descriptors",
            most >= needed,
            format!("{most} open descriptors, of which {CONNECTIONS} connections need {needed}"),
        )
        .or("docker: --ulimit nofile=65536; systemd: LimitNOFILE=65536"),
        None => Check::new("descriptors", true, "open descriptors are not limited"),
    }
}

/// Whether both addresses can be listened on, or a service that is ready does so already.
fn listeners(settings: &Settings) -> [Check; 2] {
    let free = |flag: &str, address: SocketAddr| {
        TcpListener::bind(address)
            .map(|_| format!("{flag} {address} is free"))
            .map_err(|e| format!("{flag} {address}: {e}"))
    };
    let running = health::is_ready(settings.listen);
    let service = match running {
        true => Ok(format!(
            "--listen {}: a service runs there and is ready",
            settings.listen
        )),
        false => free("--listen", settings.listen),
    };
    let metrics = match running {
        // It is that service's.
        true => Ok(format!("--metrics-listen {}", settings.metrics_listen)),
        false => free("--metrics-listen", settings.metrics_listen),
    };
    let other = "another address, or end what listens there";
    [
        Check::of("listen", service).or(other),
        Check::of("metrics_listen", metrics).or(other),
    ]
}

/// Keys and limits: whether the keys file can be used, and who else can read it.
fn access(settings: &Settings) -> Vec<Check> {
    let access = match Access::new(settings, None) {
        Err(why) => return vec![Check::new("keys", false, why)],
        Ok(access) => access,
    };
    let mut checks = Vec::new();
    match (&settings.keys, access.key_count()) {
        (Some(path), Some(count)) => {
            let file = path.display();
            let detail = format!("keys: {count} in {file}");
            checks.push(Check::new("keys", true, detail));
            let mode = fs::metadata(path).map(|found| found.permissions().mode());
            let private = mode.is_ok_and(|mode| mode & 0o004 == 0);
            let detail = "the keys file cannot be read by every user of the machine";
            checks
                .push(Check::new("keys_private", private, detail).or(format!("chmod o-r {file}")));
        }
        _ => checks.push(Check::fact(
            "keys",
            format!(
                "no key is needed: whoever reaches {} may ask",
                settings.listen
            ),
        )),
    }
    checks.extend(
        access
            .doubts()
            .into_iter()
            .map(|doubt| Check::fact("limits", doubt)),
    );
    checks
}

/// Log records have the machine's time.
fn clock() -> Check {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = now.map_or(0, |now| now.as_secs());
    let shown = humantime::format_rfc3339_seconds(SystemTime::now());
    let detail = format!("the clock says {shown}");
    Check::new("clock", seconds >= EARLIEST, detail).or("set the clock (NTP)")
}
