//! `safelight serve`: check the storage, load the models, bind, say what holds, run.

use std::sync::Arc;

use super::{Failure, checks};
use crate::{
    config::{Device, Settings, runtime_dir},
    digest,
    engine::{Engine, Loading},
    ephemeral::{
        Spool,
        storage::{self, Storage},
    },
    harden::{process::Hardening, stack::scrubbed},
    http::{Access, Bound, Build, Parts, Source},
    observe::{Log, Metrics},
    privacy::Notice,
    receipt::Signer,
};

pub(super) fn run(
    mut settings: Settings,
    source: Option<Source>,
    hardening: Hardening,
) -> Result<(), Failure> {
    let log = Log::new(settings.log_format);
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    report_panics(log, metrics.clone());
    allow_many_connections();
    let storage =
        storage::inspect(settings.spool.as_deref(), runtime_dir()).map_err(Failure::Refused)?;
    let objections = storage.judge(settings.ephemerality).map_err(|objections| {
        Failure::Refused(format!(
            "refused to start (--ephemerality strict): {objections}"
        ))
    })?;
    metrics
        .storage_exposed
        .set(i64::from(!objections.is_empty()));
    if !objections.is_empty() {
        log.say("warn", "storage", objections.join("; "));
    }
    if !hardening.not_dumpable {
        log.say(
            "warn",
            "start",
            "this system lets other programs of the same user read memory",
        );
    }
    let access = Access::new(&settings, source).map_err(Failure::Refused)?;
    for doubt in access.doubts() {
        log.say("warn", "start", doubt);
    }
    let bound = Bound::bind(&settings).map_err(Failure::Refused)?;
    let engine = Engine::open(&settings.engine, metrics.clone(), Loading::AtOnce)
        .map_err(Failure::Refused)?;
    // From here on the settings say what is so: the notice is made of them.
    let wanted = std::mem::replace(&mut settings.engine.device, engine.device());
    let build = build(&engine);
    let signer = signer(&settings, &build).map_err(Failure::Refused)?;
    let notice = Notice::new(&settings, &storage, &metrics);
    let (service, scrape) = bound
        .addresses()
        .map_err(|e| Failure::Refused(e.to_string()))?;
    log.say(
        "info",
        "start",
        format!(
            "listening on http://{service} (metrics on http://{scrape}/metrics), spool {} ({}), \
             {} workers, {} MiB of memory for jobs, ONNX Runtime {}",
            storage.folder.display(),
            storage.chosen_by,
            settings.engine.worker_count(),
            settings.engine.memory_budget_bytes() >> 20,
            engine.runtime_version(),
        ),
    );
    tell_models(&engine, wanted, &log);
    tell_standing(&storage, hardening, &access, &log);
    let spool = Spool::new(storage.folder, settings.spool_budget.0, metrics.clone());
    let parts = Parts {
        settings,
        engine,
        spool,
        metrics,
        log,
        signer,
        build,
        notice,
        access,
    };
    bound
        .run(parts)
        .map_err(|e| Failure::Refused(e.to_string()))
}

/// What runs here. Beside each other, since both files are large; a file that may be run, but not
/// read, has no digest.
fn build(engine: &Engine) -> Build {
    std::thread::scope(|scope| {
        let program = scope.spawn(digest::of_this_program);
        let runtime = digest::of_file(engine.runtime_file()).ok();
        let program = program.join().ok().and_then(Result::ok);
        Build { program, runtime }
    })
}

/// The signer of receipts, where they are asked for. What its making leaves on the stack is
/// overwritten.
fn signer(settings: &Settings, build: &Build) -> Result<Option<Signer>, String> {
    if !settings.receipts {
        return Ok(None);
    }
    let program = build.program.clone().ok_or(
        "--receipts: a receipt names the digest of this program, whose file cannot be read",
    )?;
    scrubbed(|| Signer::new(program)).map(Some)
}

/// Which models are loaded and on what they run, and why where that is not what was asked for.
fn tell_models(engine: &Engine, wanted: Device, log: &Log) {
    for note in engine.take_notes() {
        log.say("warn", "models", note);
    }
    let used = engine.device();
    let loaded = engine.models().filter(|model| model.loaded);
    let (mut names, mut bytes) = (Vec::new(), 0);
    for model in loaded {
        names.push(model.entry.name.as_str());
        bytes += model.entry.bytes;
    }
    let asked = match wanted == used {
        true => String::new(),
        false => format!(" (--device {})", wanted.name()),
    };
    let mib = bytes >> 20;
    let names = names.join(", ");
    let unmet = ![used, Device::Auto].contains(&wanted);
    log.say(
        if unmet { "warn" } else { "info" },
        "models",
        format!(
            "models run on {}{asked}: {names} ({mib} MiB of weights)",
            used.name()
        ),
    );
    if used != Device::Cpu {
        log.say(
            "warn",
            "models",
            format!(
                "pictures pass through the memory of the device ({}), which is not overwritten and may be kept",
                used.name()
            ),
        );
    }
}

/// What is enforced from here on and what is not, a line each.
fn tell_standing(storage: &Storage, hardening: Hardening, access: &Access, log: &Log) {
    let (mut yes, mut no) = (Vec::new(), Vec::new());
    for check in checks::ephemerality(storage, hardening) {
        let list = if check.holds == Some(true) {
            &mut yes
        } else {
            &mut no
        };
        list.push(check.detail);
    }
    let (enforced, open) = access.standing();
    yes.extend(enforced);
    no.extend(open);
    no.push("encryption on the way (TLS is a reverse proxy's task)".to_owned());
    for (what, list) in [("enforced", yes), ("not enforced", no)] {
        log.say("info", "start", format!("{what}: {}", list.join("; ")));
    }
}

/// Raises the number of open descriptors to what this process may have. Many systems give 1,024
/// until asked, for the sake of programs that use select(2); a connection takes two.
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    // Refused, it leaves what was: fewer connections, each as good.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}

/// A panic is counted and logged by its place in our source; its message could hold anything.
fn report_panics(log: Log, metrics: Arc<Metrics>) {
    std::panic::set_hook(Box::new(move |panic| {
        metrics.panics.inc();
        let place = panic
            .location()
            .map(|at| format!("{}:{}", at.file(), at.line()));
        log.say("error", "panic", place.unwrap_or_default());
    }));
}
