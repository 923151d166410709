//! Loading: which of the known models can be used, which are the defaults, and their instances.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
};

use super::{
    Engine, Known, Loaded, Loading, catalogue,
    library::{self, Library, Place},
    manifest::Task,
    pool::Pool,
    session::{self, Model, Runtime},
};
use crate::{
    config::{Device, EngineSettings},
    engine::manifest::Entry,
    error::{Error, Lack},
    harden::heap,
    observe::Metrics,
};

/// A file above this size (64 MiB) is loaded once, and runs with the threads of all workers; the
/// instances of a smaller one run beside each other.
const LARGE: usize = 64 << 20;

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
            runtime: Arc::new(runtime),
            metrics,
            devices,
            workers: settings.worker_count(),
            notes: Mutex::default(),
            opening: Mutex::default(),
        };
        let wanted = settings.device;
        if wanted != Device::Auto && engine.devices[0] != wanted {
            engine.note(format!(
                "--device {}: the ONNX Runtime that is loaded does not offer it; models run on the \
                 processor",
                wanted.name()
            ));
        }
        let named = |name: &str| {
            settings
                .models
                .model
                .iter()
                .any(|choice| choice.name == name)
        };
        let mut models = BTreeMap::new();
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
            let known = Known {
                entry: entry.clone(),
                place,
                lack,
                loaded: OnceLock::new(),
            };
            models.insert(entry.name.clone(), known);
        }
        let wanted = models.values_mut().filter(|known| {
            known.lack.is_none() && (loading == Loading::AtOnce || named(&known.entry.name))
        });
        on_all_cores(wanted, |known| {
            let loaded = engine.load(&mut known.entry, &known.place)?;
            known.loaded = OnceLock::from(loaded);
            Ok(())
        })?;
        heap::trim();
        engine.models = models;
        engine.choose_defaults(settings)?;
        Ok(engine)
    }

    /// Loads a model: on the first of the devices that takes it. Of one that is built in there is
    /// one instance, and more when they are needed; a file may be another by then, so all of
    /// its instances are made at once.
    fn load(&self, entry: &mut Entry, place: &Place) -> Result<Loaded, String> {
        let bytes = match place {
            Place::BuiltIn => catalogue::built_in(&entry.file)
                .map(Cow::Borrowed)
                .ok_or_else(|| format!("{} is not part of this program", entry.file))?,
            _ => Cow::Owned(library::read(entry, place)?),
        };
        let instances = if bytes.len() > LARGE { 1 } else { self.workers };
        let threads = (self.workers / instances).max(1);
        let (first, later): (_, &'static [u8]) = match bytes {
            Cow::Borrowed(built_in) => (1, built_in),
            Cow::Owned(_) => (instances, &[]),
        };
        let mut refused = String::new();
        for &device in &self.devices {
            let load = |_| {
                let model = self.runtime.model(entry, &bytes, threads, device)?;
                Ok(Box::new(model) as Box<dyn Model>)
            };
            match (0..first).map(load).collect::<Result<Vec<_>, String>>() {
                Ok(models) => {
                    if !refused.is_empty() {
                        self.note(format!("{refused}; it runs on {}", device.name()));
                    }
                    let labels = [entry.name.as_str(), entry.license.as_str(), device.name()];
                    self.metrics.model_loaded.with_label_values(&labels).set(1);
                    let (runtime, entry) = (self.runtime.clone(), entry.clone());
                    let open = move || {
                        let model = runtime.model(&entry, later, threads, device);
                        model.ok().map(|model| Box::new(model) as Box<dyn Model>)
                    };
                    let pool = Pool::new(models, instances - first, Box::new(open));
                    return Ok(Loaded { pool, device });
                }
                Err(why) => refused = format!("{why} (on {})", device.name()),
            }
        }
        // On the processor alone the device is nothing to speak of.
        let only = self.devices == [Device::Cpu];
        let why = refused
            .strip_suffix(" (on cpu)")
            .filter(|_| only)
            .unwrap_or(&refused);
        Err(match place {
            Place::Named(file) => {
                format!(
                    "{why}; the setting is --model {}={}",
                    entry.name,
                    file.display()
                )
            }
            _ => why.to_owned(),
        })
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

    /// The instances of a model, loaded now where they are not yet.
    pub(super) fn instances<'a>(&self, known: &'a Known) -> Result<&'a Pool, Error> {
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

/// Does the work for each of the items, on as many threads as the machine has cores.
///
/// # Errors
/// One of those of `work`; what is left then may not be done.
pub fn on_all_cores<T: Send>(
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> Result<(), String> + Sync,
) -> Result<(), String> {
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> Result<(), String> {
        while let Some(item) = next() {
            work(item)?;
        }
        Ok(())
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = others.into_iter().map(|other| {
            let ended = other.join();
            ended.unwrap_or_else(|panic| resume_unwind(panic))
        });
        others.fold(own, Result::and)
    })
}
