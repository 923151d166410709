//! The door to ONNX Runtime: loads the library, builds sessions, runs them.

mod contract;
mod device;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use half::f16;
use ndarray::ArrayD;
use ort::{
    environment::Environment,
    logging::LogLevel,
    session::{Session, SessionInputValue, builder::SessionBuilder},
    value::{DynValue, Tensor},
};

use super::manifest::Entry;
use crate::{
    config::Device,
    error::Error,
    harden::{
        fault::{self, Place},
        heap,
    },
};
use contract::Element;
pub use device::devices;

/// A loaded model: a batch of one picture in, its answers out.
pub trait Model: Send {
    /// Runs the model on its inputs, in their order, and returns the outputs that its task needs.
    ///
    /// # Errors
    /// [`Error::ModelFailed`]; the cause is not for clients, and may quote tensors.
    fn run(&mut self, inputs: Vec<ArrayD<f32>>) -> Result<Vec<ArrayD<f32>>, Error>;
}

/// The ONNX Runtime library, loaded once for the process.
pub struct Runtime {
    environment: Environment,
    version: String,
    file: PathBuf,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({})", self.version)
    }
}

/// The library's name on this system.
pub const LIBRARY: &str = if cfg!(target_os = "macos") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

impl Runtime {
    /// Loads the library from `set`, else from beside the program, else from where the system
    /// keeps its libraries. Never from the working directory.
    ///
    /// # Errors
    /// A sentence with what was tried and the command that fetches the library.
    pub fn load(set: Option<&Path>) -> Result<Self, String> {
        let file = match set {
            Some(file) if !file.is_file() => {
                return Err(format!(
                    "--onnxruntime {} is not a file; `make runtime` in the project fetches one",
                    file.display()
                ));
            }
            Some(file) => file.to_path_buf(),
            None => find().ok_or_else(|| {
                format!(
                    "{LIBRARY} was not found beside the program, nor in ../onnxruntime, ../lib or \
                     the system's folders; run `make runtime` in the project, or name the file \
                     with --onnxruntime FILE or ORT_DYLIB_PATH"
                )
            })?,
        };
        let builder = ort::init_from(&file)
            .map_err(|e| format!("{} is no ONNX Runtime library: {e}", file.display()))?;
        // Its own log lines are free text; ours have a closed schema, so its are dropped.
        let silent = Arc::new(|_: LogLevel, _: &str, _: &str, _: &str, _: &str| {});
        let environment = builder
            .with_name("safelight")
            .with_telemetry(false)
            .with_logger(silent)
            .build()
            .map_err(|e| format!("ONNX Runtime does not start: {e}"))?;
        Ok(Self {
            environment,
            version: version(&file).unwrap_or_else(|| "unknown".to_owned()),
            file,
        })
    }

    /// The library's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The library's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Loads a model from its bytes, with no memory that outlives a run.
    ///
    /// # Errors
    /// A sentence: not a model, or its inputs and outputs are not what its entry promises.
    pub fn model(
        &self,
        entry: &Entry,
        bytes: &[u8],
        threads: usize,
        device: Device,
    ) -> Result<OrtModel, String> {
        let failed = |e: &dyn std::fmt::Display| format!("model {}: {e}", entry.name);
        let session = self
            .builder(threads, device)
            .map_err(|e| failed(&e))?
            .commit_from_memory(bytes)
            .map_err(|e| failed(&e))?;
        let (inputs, outputs) =
            contract::check(entry, session.inputs(), session.outputs()).map_err(|e| failed(&e))?;
        Ok(OrtModel {
            session,
            inputs,
            outputs,
        })
    }

    fn builder(&self, threads: usize, device: Device) -> ort::Result<SessionBuilder> {
        // No spinning, since that takes the processor from other sessions. The arena and the memory
        // pattern keep tensors after the run, so they are off: contract E9.
        let keeps = fault::unwiped();
        Ok(Session::builder(&self.environment)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_memory_pattern(keeps)?
            .with_execution_providers(device::providers(device, keeps))?)
    }
}

/// The library's version. `ort` checks it and keeps it to itself; on Linux it is also the name of
/// the library's symbol version (`VERS_1.31.1`), among the strings near the start of the file.
fn version(library: &Path) -> Option<String> {
    let mut start = Vec::new();
    File::open(library)
        .ok()?
        .take(1 << 20)
        .read_to_end(&mut start)
        .ok()?;
    let at = start.windows(5).position(|window| window == b"VERS_")?;
    let version = start[at + 5..].iter().map(|b| char::from(*b));
    let version: String = version
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    Some(version).filter(|version| !version.is_empty())
}

/// The places in which the library is looked for, all relative to the program or the system's.
fn find() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let folder = program.parent()?;
    let near =
        ["", "../onnxruntime", "../lib", "../../onnxruntime"].map(|below| folder.join(below));
    let system = [
        "/usr/local/lib",
        "/usr/lib",
        "/usr/lib64",
        "/opt/homebrew/lib",
    ]
    .map(PathBuf::from);
    let mut places = near
        .into_iter()
        .chain(system)
        .map(|folder| folder.join(LIBRARY));
    places.find(|file| file.is_file())
}

/// A session of ONNX Runtime.
pub struct OrtModel {
    session: Session,
    inputs: Vec<Element>,
    outputs: Vec<(String, Element)>,
}

impl Model for OrtModel {
    fn run(&mut self, inputs: Vec<ArrayD<f32>>) -> Result<Vec<ArrayD<f32>>, Error> {
        fault::pass(Place::Inference);
        if fault::fails(Place::Inference) || inputs.len() != self.inputs.len() {
            return Err(Error::ModelFailed);
        }
        heap::reusing(|| self.answers(inputs))
    }
}

impl OrtModel {
    fn answers(&mut self, inputs: Vec<ArrayD<f32>>) -> Result<Vec<ArrayD<f32>>, Error> {
        let values = inputs.into_iter().zip(&self.inputs);
        let values: ort::Result<Vec<_>> = values
            .map(|(array, element)| value(array, *element))
            .collect();
        let values = values.map_err(|_| Error::ModelFailed)?;
        let outputs = self
            .session
            .run(values.as_slice())
            .map_err(|_| Error::ModelFailed)?;
        let wanted = self.outputs.iter().map(|(name, element)| {
            let output = outputs.get(name.as_str()).ok_or(Error::ModelFailed)?;
            array(output, *element).map_err(|_| Error::ModelFailed)
        });
        wanted.collect()
    }
}

/// An array as the element type that a model takes.
fn value(array: ArrayD<f32>, element: Element) -> ort::Result<SessionInputValue<'static>> {
    Ok(match element {
        Element::F32 => Tensor::from_array(array)?.into(),
        Element::F16 => Tensor::from_array(array.mapv(f16::from_f32))?.into(),
        Element::F64 => Tensor::from_array(array.mapv(f64::from))?.into(),
        Element::U8 => {
            let byte = |v: f32| v.round().clamp(0.0, 255.0) as u8;
            Tensor::from_array(array.mapv(byte))?.into()
        }
    })
}

fn array(output: &DynValue, element: Element) -> ort::Result<ArrayD<f32>> {
    Ok(match element {
        Element::F32 => output.try_extract_array::<f32>()?.to_owned(),
        Element::F16 => output.try_extract_array::<f16>()?.mapv(f16::to_f32),
        Element::F64 => output.try_extract_array::<f64>()?.mapv(|v| v as f32),
        Element::U8 => output.try_extract_array::<u8>()?.mapv(f32::from),
    })
}
