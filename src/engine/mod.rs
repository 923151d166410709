//! `Engine`: a model's name in, its answer to a picture out. Loads models and keeps them.

pub mod catalogue;
mod colorize;
mod faces;
mod inpaint;
pub mod library;
pub mod manifest;
mod pool;
mod session;
mod tasks;
mod tensor;
mod tiles;
mod upscale;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

pub use faces::Face;
pub use session::LIBRARY;

use library::{Library, Place};
use manifest::{Entry, Task};
use pool::Pool;
use session::{Model, Runtime};

use crate::{
    config::{Device, EngineSettings},
    error::{Error, Lack},
    observe::Metrics,
};

/// When models are loaded that nobody named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// All of them at once: a service whose first request must not wait, and whose clients must
    /// not decide how much memory it takes.
    AtOnce,
    /// Each when it is first needed: a command that needs one of them.
    OnDemand,
}

/// A file above this size (64 MiB) is loaded once, and runs with the threads of all workers; the
/// instances of a smaller one run beside each other.
const LARGE: usize = 64 << 20;

/// A model of the catalogue, with its instances where it is loaded.
struct Known {
    entry: Entry,
    place: Place,
    lack: Option<Lack>,
    loaded: OnceLock<Loaded>,
}

struct Loaded {
    pool: Pool,
    device: Device,
}

/// What there is to say of a model.
#[derive(Debug, Clone, Copy)]
pub struct Status<'a> {
    /// What it is.
    pub entry: &'a Entry,
    /// Where its file is.
    pub place: &'a Place,
    /// Whether it can be used at once.
    pub loaded: bool,
    /// Whether it is a default.
    pub default: bool,
    /// What it runs on, where it is loaded.
    pub device: Option<Device>,
}

/// Every known model; those that can be used, loaded or about to be.
pub struct Engine {
    models: BTreeMap<String, Known>,
    /// A task, the factor of its model, the model's name; the first of a task first.
    defaults: Vec<(Task, u32, String)>,
    runtime: Runtime,
    metrics: Arc<Metrics>,
    /// What a model may run on, the preferred first; the processor last, unless it must not be.
    devices: Vec<Device>,
    workers: usize,
    /// Why a model runs on something else than was asked for, or could not be loaded.
    notes: Mutex<Vec<String>>,
    /// Held while a model is loaded that is needed for the first time.
    opening: Mutex<()>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.models.keys()).finish()
    }
}

impl Engine {
    /// Loads ONNX Runtime, the models that `settings` name, and, if `loading` says so, those that
    /// are built in or were pulled.
    ///
    /// # Errors
    /// A sentence: the library is missing, a file is missing or wrong, a name is unknown, a device
    /// that is required is not there.
    pub fn open(
        settings: &EngineSettings,
        metrics: Arc<Metrics>,
        loading: Loading,
    ) -> Result<Self, String> {
        let runtime = Runtime::load(settings.onnxruntime.as_deref())?;
        metrics.set_runtime(env!("CARGO_PKG_VERSION"), runtime.version());
        let library = Library::open(&settings.models)?;
        let devices = session::devices(settings.device, settings.require_device)?;
        let mut engine = Self {
            models: BTreeMap::new(),
            defaults: Vec::new(),
            runtime,
            metrics,
            devices,
            workers: settings.worker_count(),
            notes: Mutex::default(),
            opening: Mutex::default(),
        };
        let named = |name: &str| {
            settings
                .models
                .model
                .iter()
                .any(|choice| choice.name == name)
        };
        for entry in library.entries() {
            let place = library.place(entry);
            let lack = match &place {
                Place::Nowhere => Some(Lack::File),
                _ if library.needs_acceptance(entry) && !settings.models.accepts(&entry.name) => {
                    Some(Lack::License)
                }
                // Whoever uses rembg on this machine may have gigabytes of models there.
                Place::Rembg(_) if !named(&entry.name) => Some(Lack::Choice),
                _ => None,
            };
            let mut known = Known {
                entry: entry.clone(),
                place,
                lack,
                loaded: OnceLock::new(),
            };
            if known.lack.is_none() && (loading == Loading::AtOnce || named(&entry.name)) {
                let loaded = engine.load(&mut known.entry, &known.place)?;
                known.loaded = OnceLock::from(loaded);
            }
            engine.models.insert(entry.name.clone(), known);
        }
        engine.choose_defaults(settings)?;
        Ok(engine)
    }

    /// Loads a model: on the first of the devices that takes it.
    fn load(&self, entry: &mut Entry, place: &Place) -> Result<Loaded, String> {
        let own;
        let bytes: &[u8] = match place {
            Place::BuiltIn => catalogue::built_in(&entry.file)
                .ok_or_else(|| format!("{} is not part of this program", entry.file))?,
            _ => {
                own = library::read(entry, place)?;
                &own
            }
        };
        let instances = if bytes.len() > LARGE { 1 } else { self.workers };
        let threads = (self.workers / instances).max(1);
        let mut refused = String::new();
        for &device in &self.devices {
            let load = |_| {
                let model = self.runtime.model(entry, bytes, threads, device)?;
                Ok(Box::new(model) as Box<dyn Model>)
            };
            match (0..instances).map(load).collect::<Result<Vec<_>, String>>() {
                Ok(models) => {
                    if !refused.is_empty() {
                        self.note(format!("{refused}; it runs on {}", device.name()));
                    }
                    let labels = [entry.name.as_str(), entry.license.as_str(), device.name()];
                    self.metrics.model_loaded.with_label_values(&labels).set(1);
                    let pool = Pool::new(models);
                    return Ok(Loaded { pool, device });
                }
                Err(why) => refused = format!("{why} (on {})", device.name()),
            }
        }
        // On the processor alone the device is nothing to speak of.
        let only = self.devices == [Device::Cpu];
        Err(refused
            .strip_suffix(" (on cpu)")
            .filter(|_| only)
            .unwrap_or(&refused)
            .to_owned())
    }

    fn note(&self, text: String) {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }

    /// Why models run on something else than was asked for, or could not be loaded, since this was
    /// asked last.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For each task (and each factor of upscaling) the first model that the settings name, else
    /// the catalogue's default, else the first that can be used.
    fn choose_defaults(&mut self, settings: &EngineSettings) -> Result<(), String> {
        let chosen = &settings.models.model;
        for choice in chosen {
            let known = &self.models[&choice.name];
            if let Some(lack) = known.lack {
                let model = known.entry.name.clone();
                return Err(Error::ModelMissing { model, lack }.to_string());
            }
        }
        let named = chosen
            .iter()
            .filter_map(|choice| self.models.get(&choice.name));
        let usable = |known: &&Known| known.lack.is_none();
        let all = || self.models.values();
        let preferred = all().filter(|known| known.entry.default);
        let order = named
            .chain(preferred.clone().filter(usable))
            .chain(all().filter(usable))
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

    /// Every known model.
    pub fn models(&self) -> impl Iterator<Item = Status<'_>> {
        self.models.values().map(|known| Status {
            entry: &known.entry,
            place: &known.place,
            loaded: known.loaded.get().is_some(),
            default: known.lack.is_none()
                && self
                    .defaults
                    .iter()
                    .any(|(.., name)| *name == known.entry.name),
            device: known.loaded.get().map(|loaded| loaded.device),
        })
    }

    /// What models run on: the device of the loaded ones, the slowest of them where they differ.
    pub fn device(&self) -> Device {
        let used = self.models().filter_map(|model| model.device);
        let place = |device: &Device| self.devices.iter().position(|known| known == device);
        used.max_by_key(place).unwrap_or(Device::Cpu)
    }

    /// The model of a task: `name`, or the default where there is none.
    ///
    /// # Errors
    /// [`Error::BadValue`] where there is no such model, [`Error::ModelMissing`] where it is
    /// known but cannot be used.
    pub fn entry(&self, task: Task, name: Option<&str>) -> Result<&Entry, Error> {
        self.known(task, name).map(|known| &known.entry)
    }

    /// The model that enlarges to `factor` times the size: `name`, or the default for that factor.
    ///
    /// # Errors
    /// As [`Engine::entry`]; [`Error::BadValue`] where the model is not for that factor.
    pub fn upscaler(&self, name: Option<&str>, factor: u32) -> Result<&Entry, Error> {
        self.upscale_model(name, factor).map(|known| &known.entry)
    }

    fn known(&self, task: Task, name: Option<&str>) -> Result<&Known, Error> {
        let mut defaults = self.defaults.iter();
        let default = || {
            defaults
                .find(|(of, ..)| *of == task)
                .map(|(.., n)| n.as_str())
        };
        self.named(task, name.or_else(default))
    }

    fn upscale_model(&self, name: Option<&str>, factor: u32) -> Result<&Known, Error> {
        let factor = factor.max(1);
        let default = || {
            let fits = |own: &u32| own.is_multiple_of(factor);
            let ours = self.defaults.iter();
            let ours = ours.filter(|(task, own, _)| *task == Task::Upscale && fits(own));
            // One that is here before one that is not, then one for this very factor.
            let worth = |(_, own, name): &&(Task, u32, String)| {
                (self.models[name].lack.is_none(), *own == factor)
            };
            ours.max_by_key(worth).map(|(.., name)| name.as_str())
        };
        let found = self.named(Task::Upscale, name.or_else(default))?;
        match found.entry.factor.is_multiple_of(factor) {
            true => Ok(found),
            false => Err(Error::bad_value(
                "scale",
                format!("1 or {}, the factor of that model", found.entry.factor),
            )),
        }
    }

    fn named(&self, task: Task, name: Option<&str>) -> Result<&Known, Error> {
        let known = name.and_then(|name| self.models.get(name));
        match known.filter(|known| known.entry.task == task) {
            Some(Known {
                entry,
                lack: Some(lack),
                ..
            }) => Err(Error::ModelMissing {
                model: entry.name.clone(),
                lack: *lack,
            }),
            Some(known) => Ok(known),
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

    /// The instances of a model, loaded now where they are not yet.
    fn instances<'a>(&self, known: &'a Known) -> Result<&'a Pool, Error> {
        if let Some(loaded) = known.loaded.get() {
            return Ok(&loaded.pool);
        }
        let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if known.loaded.get().is_none() {
            let loaded = self.load(&mut known.entry.clone(), &known.place);
            let loaded = loaded.map_err(|why| {
                self.note(why);
                Error::ModelFailed
            })?;
            // Nobody else sets it while the lock is held.
            let _ = known.loaded.set(loaded);
        }
        known
            .loaded
            .get()
            .map(|loaded| &loaded.pool)
            .ok_or(Error::ModelFailed)
    }
}
