//! `Engine`: a model's name in, its answer to a picture out. Loads models and keeps them.

pub mod catalogue;
mod colorize;
mod faces;
mod inpaint;
pub mod manifest;
mod pool;
mod session;
mod tasks;
mod tensor;
mod tiles;
mod upscale;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use faces::Face;
pub use session::LIBRARY;

use manifest::{Entry, Task};
use pool::Pool;
use session::{Model, Runtime};

use crate::{
    config::{EngineSettings, ModelChoice},
    digest,
    error::Error,
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
    /// A task, the factor of its model, the model's name; the first of a task first.
    defaults: Vec<(Task, u32, String)>,
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
        let mut entries: BTreeMap<_, _> = catalogue::catalogue()
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
            (None, true) => catalogue::built_in(&entry.file)
                .ok_or_else(|| format!("{} is not part of this program", entry.file))?,
            (None, false) => return Ok(None),
        };
        let load = |_| Ok(Box::new(self.runtime.model(entry, bytes, 1)?) as Box<dyn Model>);
        let models = (0..instances)
            .map(load)
            .collect::<Result<Vec<_>, String>>()?;
        let labels = [entry.name.as_str(), entry.license.as_str()];
        self.metrics.model_loaded.with_label_values(&labels).set(1);
        Ok(Some(Pool::new(models)))
    }

    /// For each task (and each factor of upscaling) the first model that the settings name, else
    /// the catalogue's default, else the first that is loaded.
    fn choose_defaults(&mut self, chosen: &[ModelChoice]) -> Result<(), String> {
        for ModelChoice { name, .. } in chosen {
            if self.models[name].pool.is_none() {
                return Err(format!(
                    "--model {name} is not installed; name its file: --model {name}=FILE"
                ));
            }
        }
        let named = chosen
            .iter()
            .filter_map(|choice| self.models.get(&choice.name));
        let loaded = |known: &&Known| known.pool.is_some();
        let all = || self.models.values();
        let preferred = all().filter(|known| known.entry.default);
        let order = named
            .chain(preferred.clone().filter(loaded))
            .chain(all().filter(loaded))
            .chain(preferred);
        let mut defaults: Vec<(Task, u32, String)> = Vec::new();
        for Known { entry, .. } in order {
            let place = (entry.task, entry.factor);
            if !defaults
                .iter()
                .any(|(task, factor, _)| (*task, *factor) == place)
            {
                defaults.push((entry.task, entry.factor, entry.name.clone()));
            }
        }
        self.defaults = defaults;
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
                .any(|(_, _, name)| *name == known.entry.name);
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

    /// The model that enlarges to `factor` times the size: `name`, or the default for that factor.
    ///
    /// # Errors
    /// As [`Engine::entry`]; [`Error::BadValue`] where the model is not for that factor.
    pub fn upscaler(&self, name: Option<&str>, factor: u32) -> Result<&Entry, Error> {
        self.upscale_model(name, factor).map(|(entry, _)| entry)
    }

    fn known(&self, task: Task, name: Option<&str>) -> Result<(&Entry, &Pool), Error> {
        let mut defaults = self.defaults.iter();
        let default = || {
            defaults
                .find(|(of, ..)| *of == task)
                .map(|(.., n)| n.as_str())
        };
        self.named(task, name.or_else(default))
    }

    fn upscale_model(&self, name: Option<&str>, factor: u32) -> Result<(&Entry, &Pool), Error> {
        let mut defaults = self
            .defaults
            .iter()
            .filter(|(task, ..)| *task == Task::Upscale);
        let default = || {
            let exact = defaults.clone().find(|(_, own, _)| *own == factor);
            let other = || defaults.find(|(_, own, _)| own.is_multiple_of(factor));
            exact.or_else(other).map(|(.., name)| name.as_str())
        };
        let found = self.named(Task::Upscale, name.or_else(default))?;
        match factor > 0 && found.0.factor.is_multiple_of(factor) {
            true => Ok(found),
            false => Err(Error::bad_value(
                "scale",
                format!("1 or {}, the factor of that model", found.0.factor),
            )),
        }
    }

    fn named(&self, task: Task, name: Option<&str>) -> Result<(&Entry, &Pool), Error> {
        let known = name.and_then(|name| self.models.get(name));
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
