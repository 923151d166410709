//! The operations on files: many inputs, a progress bar, a summary, and no bad file that ends it.

use std::{
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Failure,
    inputs::{Source, Target, sources, targets},
    output::write,
    print, tell_notes, with,
};
use crate::{
    cancel::Cancel,
    config::EngineSettings,
    engine::{Engine, Loading},
    ephemeral::MemoryBudget,
    error::Error,
    job::{self, Accept, Answer, Input, Job, Site},
    observe::{Metrics, Stages},
    ops::{OPS, Plan, Recipe, options::Spec},
};

/// The flag of the input's limit; see [`command`].
const LIMIT: &str = "limit-megapixels";

/// The id of an operation's option, apart from a setting of the same name.
fn id(spec: &Spec) -> String {
    format!("option-{}", spec.name)
}

/// The command of one operation, or of a list of them: its options, those of the output, and where
/// to.
pub(super) fn command(recipe: Recipe) -> Command {
    let command = Command::new(recipe.name()).about(recipe.about());
    let mut command = with::<EngineSettings>(command)
        .mut_arg("model", |arg| {
            arg.help("Model to use; NAME=FILE for a model file of your own")
        })
        // `--max-megapixels` is an option of operations: the size of the result.
        .mut_arg("max_megapixels", |arg| arg.long(LIMIT))
        .arg(inputs())
        .arg(
            Arg::new("out")
                .short('o')
                .long("out")
                .value_name("OUT|DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("File, folder for many, or - for standard output"),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Overwrite what is there"),
        )
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=512))
                .help("Pictures at the same time [default: the number of workers]"),
        );
    for spec in specs(recipe) {
        let mut arg = Arg::new(id(spec))
            .long(spec.name.replace('_', "-"))
            .value_name("VALUE")
            .allow_hyphen_values(true)
            .help_heading("Options of the operation")
            .help(format!("{} ({})", spec.doc.trim(), spec.kind.expects()));
        if !spec.default.is_empty() {
            // Shown, not set: the plan has its own defaults, from the same place.
            arg = arg.help(format!(
                "{} ({}) [default: {}]",
                spec.doc.trim(),
                spec.kind.expects(),
                spec.default
            ));
        }
        command = command.arg(arg);
    }
    for (name, about) in recipe.files() {
        let arg = Arg::new(*name)
            .long(name.replace('_', "-"))
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help_heading("Options of the operation")
            .help(*about);
        command = command.arg(arg);
    }
    if recipe == Recipe::Pipeline {
        let arg = Arg::new(OPS.name)
            .long(OPS.name)
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help_heading("Options of the operation")
            .help(format!("{} ({})", OPS.doc, OPS.kind.expects()));
        command = command.arg(arg);
    }
    command
}

/// The options of an operation and of the output; the model is an engine setting on the command
/// line, since its file may be named too, and the list of a pipeline is a file.
fn specs(recipe: Recipe) -> impl Iterator<Item = &'static Spec> {
    let elsewhere = ["model", OPS.name];
    recipe
        .specs()
        .filter(move |spec| !elsewhere.contains(&spec.name))
}

fn inputs() -> Arg {
    Arg::new("inputs")
        .value_name("IN")
        .required(true)
        .num_args(1..)
        .value_parser(value_parser!(PathBuf))
        .help("Pictures, folders of pictures, or - for standard input")
}

/// Runs one operation, or a list of them, on every input.
pub(super) fn run(recipe: Recipe, matches: &ArgMatches) -> Result<(), Failure> {
    let usage = |text: String| Failure::Usage(text);
    let settings = EngineSettings::from_arg_matches(matches).map_err(|e| usage(e.to_string()))?;
    let plan = plan(recipe, matches)?;
    let named: Vec<PathBuf> = matches
        .get_many("inputs")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let sources = sources(&named).map_err(usage)?;
    let out: &PathBuf = matches
        .get_one("out")
        .ok_or_else(|| usage("name -o OUT".into()))?;
    let from_folder = named.iter().any(|name| name.is_dir());
    let targets = targets(&sources, out, from_folder).map_err(usage)?;
    let files = further(recipe, matches)?;
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    plan.check_files(&names).map_err(|e| usage(e.to_string()))?;

    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let memory = MemoryBudget::new(settings.memory_budget_bytes(), metrics.clone());
    let engine = Engine::open(&settings, metrics, Loading::OnDemand).map_err(Failure::Failed)?;
    plan.check(&engine).map_err(|e| usage(e.to_string()))?;
    let jobs = matches
        .get_one::<u16>("jobs")
        .map_or(settings.worker_count(), |n| usize::from(*n));
    let batch = Batch {
        engine: &engine,
        settings: &settings,
        memory,
        plan: &plan,
        files: &files,
        force: matches.get_flag("force"),
        bar: bar(sources.len(), targets.contains(&Target::Stdout)),
        next: AtomicUsize::new(0),
        failures: Mutex::default(),
    };
    tell_notes(&engine);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(sources.len()) {
            scope.spawn(|| batch.work(&sources, &targets));
        }
    });
    tell_notes(&engine);
    batch.summary(sources.len())
}

/// The plan that the command line writes.
fn plan(recipe: Recipe, matches: &ArgMatches) -> Result<Plan, Failure> {
    let mut pairs: Vec<(&str, String)> = specs(recipe)
        .filter_map(|spec| Some((spec.name, matches.get_one::<String>(&id(spec))?.clone())))
        .collect();
    if recipe == Recipe::Pipeline
        && let Some(file) = matches.get_one::<PathBuf>(OPS.name)
    {
        let text = fs::read_to_string(file);
        let text = text.map_err(|e| Failure::Usage(format!("{}: {e}", file.display())))?;
        pairs.push((OPS.name, text));
    }
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let plan = recipe
        .plan(pairs)
        .map_err(|e| Failure::Usage(e.to_string()))?;
    plan.ok_or_else(|| Failure::Usage("name --ops FILE".to_owned()))
}

/// The further pictures that are named, read.
fn further(recipe: Recipe, matches: &ArgMatches) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
    let named = recipe.files().iter();
    let named = named.filter_map(|(name, _)| Some((*name, matches.get_one::<PathBuf>(name)?)));
    let read = |(name, file): (&'static str, &PathBuf)| match fs::read(file) {
        Ok(bytes) => Ok((name, bytes)),
        Err(e) => Err(Failure::Usage(format!("{}: {e}", file.display()))),
    };
    named.map(read).collect()
}

/// A bar on a terminal, for more than one picture.
fn bar(count: usize, to_stdout: bool) -> ProgressBar {
    let target = match count > 1 && !to_stdout && std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(count as u64), target);
    // The template is constant; should the crate ever refuse it, its own style remains.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}

struct Batch<'a> {
    engine: &'a Engine,
    settings: &'a EngineSettings,
    memory: Arc<MemoryBudget>,
    plan: &'a Plan,
    files: &'a [(&'static str, Vec<u8>)],
    force: bool,
    bar: ProgressBar,
    next: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Batch<'_> {
    fn work(&self, sources: &[Source], targets: &[Target]) {
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            let (Some(source), Some(target)) = (sources.get(i), targets.get(i)) else {
                return;
            };
            if let Err(why) = self.one(source, target) {
                let mut line = format!("{}: {why}", source.shown());
                for note in self.engine.take_notes() {
                    line = format!("{line} {note}.");
                }
                self.bar.suspend(|| {
                    let _ = writeln!(std::io::stderr(), "safelight: {line}");
                });
                self.failures
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
            self.bar.inc(1);
        }
    }

    fn one(&self, source: &Source, target: &Target) -> Result<(), String> {
        if let Target::File(file) = target {
            self.refuse_existing(file)?;
        }
        let bytes = source.read().map_err(|e| e.to_string())?;
        let answer = self.answer(bytes, target.wish()).map_err(|e| shown(&e))?;
        if let Some(report) = &answer.report {
            let line = format!("{}: {report}", source.shown());
            self.bar.suspend(|| {
                let _ = writeln!(std::io::stderr(), "{line}");
            });
        }
        let Some(path) = target.path(answer.extension) else {
            return std::io::stdout()
                .lock()
                .write_all(&answer.bytes)
                .map_err(|e| e.to_string());
        };
        self.refuse_existing(&path)?;
        write(&path, &answer.bytes).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn answer(&self, bytes: Vec<u8>, accept: Accept) -> Result<Answer, Error> {
        let files = self.files.iter();
        let files = files
            .map(|(name, bytes)| (*name, Input::Memory(bytes.clone())))
            .collect();
        let limits = &self.settings.limits();
        let site = Site {
            limits,
            budget: self.memory.total(),
            engine: self.engine,
        };
        let plan = self.plan.clone();
        let job = Job::prepare(Input::Memory(bytes), files, plan, accept, &site)?;
        // Given back when the result is there, which is small beside what it took.
        let _memory = self.memory.reserve(job.cost());
        job.run(self.engine, &Cancel::new(), &mut Stages::default())
    }

    fn refuse_existing(&self, file: &Path) -> Result<(), String> {
        match file.exists() && !self.force {
            true => Err(format!("{} exists; --force overwrites it", file.display())),
            false => Ok(()),
        }
    }

    fn summary(self, count: usize) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let failures = self
            .failures
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if failures.is_empty() {
            return Ok(());
        }
        let done = count - failures.len();
        match count {
            1 => Err(Failure::Failed(String::new())),
            _ => Err(Failure::Failed(format!(
                "{done} of {count} done, {} failed",
                failures.len()
            ))),
        }
    }
}

/// The text of an error, with the flag that these commands have.
fn shown(error: &Error) -> String {
    error
        .to_string()
        .replace("--max-megapixels", &format!("--{LIMIT}"))
}

/// The command `inspect`.
pub(super) fn inspect_command() -> Command {
    let command = Command::new("inspect").about("Says what the header of a picture says");
    with::<EngineSettings>(command).arg(inputs())
}

/// Prints a line of JSON for each input.
pub(super) fn inspect(matches: &ArgMatches) -> Result<(), Failure> {
    let settings =
        EngineSettings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    let named: Vec<PathBuf> = matches
        .get_many("inputs")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let mut failed = 0;
    for source in sources(&named).map_err(Failure::Usage)? {
        let facts = source.read().map_err(|e| e.to_string()).and_then(|bytes| {
            job::inspect(Input::Memory(bytes), &settings.limits()).map_err(|e| e.to_string())
        });
        match facts {
            Ok((_, mut facts)) => {
                facts["file"] = source.shown().into();
                print(&facts.to_string())?;
            }
            Err(why) => {
                failed += 1;
                let _ = writeln!(std::io::stderr(), "safelight: {}: {why}", source.shown());
            }
        }
    }
    match failed {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} failed"))),
    }
}
