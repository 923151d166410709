//! `Engine`: a model's name in, its answer to a picture out. Loads models and keeps them.

pub mod catalogue;
mod colorize;
mod faces;
mod inpaint;
mod kind;
pub mod library;
mod loading;
pub mod manifest;
mod pool;
mod session;
mod tasks;
pub mod tensor;
mod tiles;
mod upscale;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

pub use faces::Face;
pub use kind::{KINDS, Subject};
pub use session::LIBRARY;

use library::Place;
use manifest::{Entry, Task};
use pool::Pool;
use session::Runtime;

use crate::{
    config::Device,
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
    runtime: Arc<Runtime>,
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
}
