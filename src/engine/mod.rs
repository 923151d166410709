//! `Engine`: a model's name in, its answer to a picture out. Loads models and keeps them.

pub mod manifest;
mod pool;
mod session;
mod tensor;
mod tiles;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

pub use session::LIBRARY;

use manifest::{Entry, Task};
use pool::Pool;
use session::{Model, Runtime};

use crate::{
    cancel::Cancel,
    config::{EngineSettings, ModelChoice},
    digest,
    error::Error,
    frame::{Frame, Layout, Mask},
    observe::Metrics,
};

/// A model of the catalogue, with its instances where it is loaded.
struct Known {
    entry: Entry,
    pool: Option<Pool>,
}

/// Every known model; those that were asked for, and the built-in ones, loaded.
pub struct Engine {
    models: BTreeMap<String, Known>,
    defaults: Vec<(Task, String)>,
    runtime: Runtime,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.models.keys()).finish()
    }
}

impl Engine {
    /// Loads ONNX Runtime, the built-in models and those of `settings`, one instance a worker.
    ///
    /// # Errors
    /// A sentence: the library is missing, a file is missing or wrong, a name is unknown.
    pub fn open(settings: &EngineSettings, metrics: Arc<Metrics>) -> Result<Self, String> {
        let runtime = Runtime::load(settings.onnxruntime.as_deref())?;
        metrics.set_runtime(env!("CARGO_PKG_VERSION"), runtime.version());
        let mut files = BTreeMap::new();
        let mut entries: BTreeMap<_, _> = manifest::catalogue()
            .into_iter()
            .map(|entry| (entry.name.clone(), entry))
            .collect();
        for ModelChoice { name, file } in &settings.model {
            if let Some(file) = file {
                if !entries.contains_key(name) {
                    entries.insert(name.clone(), own_entry(name, file)?);
                }
                files.insert(name.clone(), file.clone());
            } else if !entries.contains_key(name) {
                let known: Vec<_> = entries.keys().map(String::as_str).collect();
                return Err(format!(
                    "--model {name} is not known; known are {}",
                    known.join(", ")
                ));
            }
        }
        let mut engine = Self {
            models: BTreeMap::new(),
            defaults: Vec::new(),
            runtime,
            metrics,
        };
        for (name, mut entry) in entries {
            let pool = engine.load(&mut entry, files.get(&name), settings.worker_count())?;
            engine.models.insert(name, Known { entry, pool });
        }
        engine.choose_defaults(&settings.model)?;
        Ok(engine)
    }

    fn load(
        &self,
        entry: &mut Entry,
        file: Option<&PathBuf>,
        instances: usize,
    ) -> Result<Option<Pool>, String> {
        let own;
        let bytes: &[u8] = match (file, entry.built_in) {
            (Some(file), _) => {
                let unreadable = |e| format!("--model {}: {}: {e}", entry.name, file.display());
                own = std::fs::read(file).map_err(unreadable)?;
                // What is listed is what runs, whatever the catalogue says of another file.
                (entry.sha256, entry.bytes) = (digest::of(&own), own.len() as u64);
                &own
            }
            (None, true) => manifest::built_in(&entry.file)
                .ok_or_else(|| format!("{} is not part of this program", entry.file))?,
            (None, false) => return Ok(None),
        };
        let load = |_| Ok(Box::new(self.runtime.model(entry, bytes)?) as Box<dyn Model>);
        let models = (0..instances)
            .map(load)
            .collect::<Result<Vec<_>, String>>()?;
        let labels = [entry.name.as_str(), entry.license.as_str()];
        self.metrics.model_loaded.with_label_values(&labels).set(1);
        Ok(Some(Pool::new(models)))
    }

    /// The first model of a task that the settings name, else the catalogue's default.
    fn choose_defaults(&mut self, chosen: &[ModelChoice]) -> Result<(), String> {
        for task in [Task::Cutout, Task::Restore] {
            let named = chosen
                .iter()
                .find(|c| self.models[&c.name].entry.task == task);
            if let Some(ModelChoice { name, .. }) = named {
                if self.models[name].pool.is_none() {
                    return Err(format!(
                        "--model {name} is not installed; name its file: --model {name}=FILE"
                    ));
                }
                self.defaults.push((task, name.clone()));
            } else {
                let mut all = self.models.values().map(|known| &known.entry);
                let default = all.find(|entry| entry.task == task && entry.default);
                self.defaults
                    .extend(default.map(|entry| (task, entry.name.clone())));
            }
        }
        Ok(())
    }

    /// The version of the loaded ONNX Runtime.
    pub fn runtime_version(&self) -> &str {
        self.runtime.version()
    }

    /// The file of the loaded ONNX Runtime.
    pub fn runtime_file(&self) -> &Path {
        self.runtime.file()
    }

    /// Every known model: its entry, whether it is loaded, whether it is a default.
    pub fn models(&self) -> impl Iterator<Item = (&Entry, bool, bool)> {
        self.models.values().map(|known| {
            let default = self
                .defaults
                .iter()
                .any(|(_, name)| *name == known.entry.name);
            (&known.entry, known.pool.is_some(), default)
        })
    }

    /// The model of a task: `name`, or the default where there is none.
    ///
    /// # Errors
    /// [`Error::BadValue`] where there is no such model, [`Error::ModelMissing`] where it is
    /// known but not installed.
    pub fn entry(&self, task: Task, name: Option<&str>) -> Result<&Entry, Error> {
        self.known(task, name).map(|(entry, _)| entry)
    }

    fn known(&self, task: Task, name: Option<&str>) -> Result<(&Entry, &Pool), Error> {
        let default = || {
            self.defaults
                .iter()
                .find(|(of, _)| *of == task)
                .map(|(_, n)| n.as_str())
        };
        let known = name.or_else(default).and_then(|name| self.models.get(name));
        match known.filter(|known| known.entry.task == task) {
            Some(Known {
                entry,
                pool: Some(pool),
            }) => Ok((entry, pool)),
            Some(Known { entry, pool: None }) => Err(Error::ModelMissing {
                model: entry.name.clone(),
            }),
            None => {
                let all = self
                    .models
                    .values()
                    .filter(|known| known.entry.task == task);
                let names: Vec<_> = all.map(|known| known.entry.name.as_str()).collect();
                Err(Error::bad_value(
                    "model",
                    format!("one of {}", names.join(", ")),
                ))
            }
        }
    }

    /// Runs every loaded model once, so that the first request does not pay for what is done
    /// only once.
    ///
    /// # Errors
    /// A sentence that names the model that cannot be run.
    pub fn warm_up(&self) -> Result<(), String> {
        let frame = Frame::filled(64, 64, Layout::Rgb, [128; 4]);
        for known in self.models.values().filter(|known| known.pool.is_some()) {
            let name = Some(known.entry.name.as_str());
            let run = match known.entry.task {
                Task::Cutout => self.matte(name, &frame, &Cancel::new()).map(drop),
                Task::Restore => self
                    .restore(name, frame.clone(), 1.0, &Cancel::new())
                    .map(drop),
            };
            run.map_err(|_| format!("model {} cannot be run", known.entry.name))?;
        }
        Ok(())
    }

    /// The coarse matte of a picture, of the model's own size.
    ///
    /// # Errors
    /// As [`Engine::entry`]; [`Error::ModelFailed`]; [`Error::Cancelled`].
    pub fn matte(&self, name: Option<&str>, frame: &Frame, cancel: &Cancel) -> Result<Mask, Error> {
        let (entry, pool) = self.known(Task::Cutout, name)?;
        let input = tensor::stretched(frame, entry);
        cancel.check()?;
        let output = self.timed(entry, || pool.check_out().run(input))?;
        tensor::matte(&output, entry)
    }

    /// A restored picture, mixed with the original: `strength` 1 is all restored.
    ///
    /// # Errors
    /// As [`Engine::matte`]; looked at between tiles.
    pub fn restore(
        &self,
        name: Option<&str>,
        frame: Frame,
        strength: f32,
        cancel: &Cancel,
    ) -> Result<Frame, Error> {
        let (entry, pool) = self.known(Task::Restore, name)?;
        let mut model = pool.check_out();
        tiles::apply(frame, entry, strength, |input| {
            cancel.check()?;
            self.timed(entry, || model.run(input))
        })
    }

    fn timed<T>(&self, entry: &Entry, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = run();
        let seconds = start.elapsed().as_secs_f64();
        self.metrics
            .inference_duration
            .with_label_values(&[&entry.name])
            .observe(seconds);
        result
    }
}

/// The entry of an operator's own model, from the TOML file beside it.
fn own_entry(name: &str, file: &Path) -> Result<Entry, String> {
    let card = file.with_extension("toml");
    let text = std::fs::read_to_string(&card).map_err(|e| {
        format!(
            "--model {name}: {} says how to use the model: {e}",
            card.display()
        )
    })?;
    let entry = manifest::own_entry(&text).map_err(|e| format!("{}: {e}", card.display()))?;
    Ok(Entry {
        name: name.to_owned(),
        default: false,
        built_in: false,
        ..entry
    })
}
