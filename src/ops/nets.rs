//! What operations on photographs need of the engine beyond single calls: which models are
//! installed, what they take, and which have run.

use super::{Context, Shape};
use crate::{
    engine::{
        Engine,
        manifest::{Entry, Task},
    },
    error::{Error, Lack},
    frame::{Frame, Layout},
};

/// The models that have made a result, for `X-Model`.
#[derive(Debug, Default)]
pub struct Ran {
    names: Vec<String>,
    licenses: Vec<String>,
}

impl Ran {
    /// Another one has.
    pub fn note(&mut self, entry: &Entry) {
        for (list, text) in [
            (&mut self.names, &entry.name),
            (&mut self.licenses, &entry.license),
        ] {
            if !list.contains(text) {
                list.push(text.clone());
            }
        }
    }

    /// Their names, and their licences, in the order in which they ran.
    pub fn model(self) -> Option<(String, String)> {
        let some = !self.names.is_empty();
        some.then(|| (self.names.join(", "), self.licenses.join(", ")))
    }
}

/// The model of a task; of upscaling, that for a result so many times as large.
fn entry(engine: &Engine, task: Task, times: u32) -> Result<&Entry, Error> {
    match task {
        Task::Upscale => engine.upscaler(None, times),
        _ => engine.entry(task, None),
    }
}

/// Whether a task can be done here.
pub fn can(engine: &Engine, task: Task, times: u32) -> bool {
    entry(engine, task, times).is_ok()
}

/// Refuses a step that needs models for these tasks, where one of them cannot be had.
///
/// # Errors
/// [`Error::StepMissing`] with the models that can be installed for it; [`Error::ModelMissing`]
/// where a model is there and must not be used as things are.
pub fn check(engine: &Engine, step: &'static str, tasks: &[Task], times: u32) -> Result<(), Error> {
    let (mut lacks, mut models) = (false, Vec::new());
    for task in tasks {
        match entry(engine, *task, times) {
            Ok(_) => {}
            Err(Error::ModelMissing {
                model,
                lack: Lack::File,
            }) => {
                lacks = true;
                models.push(model);
            }
            Err(other @ Error::ModelMissing { .. }) => return Err(other),
            // The catalogue has none for it.
            Err(_) => lacks = true,
        }
    }
    match lacks {
        true => Err(Error::StepMissing {
            step,
            models: models.join(" "),
        }),
        false => Ok(()),
    }
}

/// Bytes that a task takes beside the picture; 0 where no model is installed for it.
pub fn peak_bytes(engine: &Engine, task: Task, name: Option<&str>, shape: Shape) -> u64 {
    let entry = engine.entry(task, name);
    entry.map_or(0, |entry| taken(entry, shape))
}

/// The same of upscaling; the result is part of it.
pub fn upscale_bytes(engine: &Engine, times: u32, shape: Shape) -> u64 {
    let entry = engine.upscaler(None, times);
    entry.map_or(0, |entry| taken(entry, shape))
}

fn taken(entry: &Entry, shape: Shape) -> u64 {
    let layout = match shape.alpha {
        true => Layout::Rgba,
        false => Layout::Rgb,
    };
    Engine::peak_bytes(entry, shape.size.0, shape.size.1, layout)
}

/// The picture so many times as large.
///
/// # Errors
/// Those of the engine.
pub fn upscale(
    frame: Frame,
    times: u32,
    ran: &mut Ran,
    context: &mut Context<'_>,
) -> Result<Frame, Error> {
    let (engine, cancel) = (context.engine, context.cancel);
    ran.note(engine.upscaler(None, times)?);
    context
        .stages
        .time("upscale", || engine.upscale(None, &frame, times, cancel))
}
