//! Every setting of the service: its name, default, documentation and check.
//!
//! One struct serves flags, `SAFELIGHT_*` variables and the TOML file: a key of the file becomes
//! the flag of the same name, placed before the real ones, unless its variable is set. So a flag
//! wins over a variable, a variable over the file, the file over the default, and all four are
//! checked by the same code.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the environment"
)]

mod access;
mod file;
mod machine;
mod models;
mod units;

use std::{env, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory, Parser};

pub use access::{KeyEntry, Network, Rate, is_id, read_keys};
pub use file::{file_arguments, named_file};
pub use machine::{group_limit, memory_given};
pub use models::{Device, ModelSettings, certificate_file, proxy_variable, rembg_folders};
use units::megapixels;
pub use units::{
    Bytes, Compat, Ephemerality, Format, LogFormat, ModelChoice, Origin, PictureLimits, QueueOrder,
    duration,
};

/// Settings that the server and the command line share.
#[derive(Debug, Clone, Args)]
pub struct EngineSettings {
    /// Which models there are.
    #[command(flatten)]
    pub models: ModelSettings,

    /// What models run on
    #[arg(long, env = "SAFELIGHT_DEVICE", value_enum, default_value = "auto")]
    pub device: Device,

    /// Refuse to start where a model cannot run on the device, instead of using the processor
    #[arg(long, env = "SAFELIGHT_REQUIRE_DEVICE", default_value_t = false, num_args = 0..=1,
          default_missing_value = "true", require_equals = true, value_name = "BOOL",
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub require_device: bool,

    /// ONNX Runtime library to load instead of the one beside the program
    #[arg(long, env = "ORT_DYLIB_PATH", value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,

    /// Pictures that are worked on at the same time [default: the number of cores]
    #[arg(long, env = "SAFELIGHT_WORKERS", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub workers: Option<u16>,

    /// Memory that all jobs together may take [default: 1GiB, or half of the machine's if less]
    #[arg(long, env = "SAFELIGHT_MEMORY_BUDGET", value_name = "BYTES")]
    pub memory_budget: Option<Bytes>,

    /// Megapixels of a picture at most
    #[arg(long, env = "SAFELIGHT_MAX_MEGAPIXELS", default_value_t = 50.0, value_parser = megapixels)]
    pub max_megapixels: f64,

    /// Width and height of a picture at most
    #[arg(long, env = "SAFELIGHT_MAX_SIDE", default_value_t = 16_384, value_name = "PIXELS",
          value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub max_side: u32,

    /// Formats that are read
    #[arg(long, env = "SAFELIGHT_FORMATS", value_delimiter = ',', value_enum,
          default_values_t = [Format::Jpeg, Format::Png, Format::Webp])]
    pub formats: Vec<Format>,
}

impl EngineSettings {
    /// The limits of a picture.
    pub fn limits(&self) -> PictureLimits {
        PictureLimits {
            max_pixels: (self.max_megapixels * 1e6) as u64,
            max_side: self.max_side,
            formats: self.formats.clone(),
        }
    }

    /// The number of worker threads.
    pub fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
        self.workers.map_or_else(cores, usize::from)
    }

    /// The memory budget in bytes: as set, or 1 GiB, or half of what the machine or the control
    /// group gives if that is less.
    pub fn memory_budget_bytes(&self) -> u64 {
        const DEFAULT: u64 = 1 << 30;
        match self.memory_budget {
            Some(bytes) => bytes.0,
            None => memory_given().map_or(DEFAULT, |given| DEFAULT.min(given / 2)),
        }
    }
}

/// Settings of `safelight serve`.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// TOML file of settings; keys are the names of the flags
    #[arg(long, env = "SAFELIGHT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Address of the service
    #[arg(long, env = "SAFELIGHT_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Address of the metrics; kept apart so that the public port never shows them
    #[arg(
        long,
        env = "SAFELIGHT_METRICS_LISTEN",
        default_value = "127.0.0.1:9464"
    )]
    pub metrics_listen: SocketAddr,

    /// Folder on a tmpfs for uploads, in which they lie without a name [default: /dev/shm]
    #[arg(long, env = "SAFELIGHT_SPOOL", value_name = "DIR")]
    pub spool: Option<PathBuf>,

    /// What to do where the spool is not memory, or memory can be swapped out
    #[arg(
        long,
        env = "SAFELIGHT_EPHEMERALITY",
        value_enum,
        default_value = "warn"
    )]
    pub ephemerality: Ephemerality,

    /// Bytes of one picture at most; a body may have twice that
    #[arg(
        long,
        env = "SAFELIGHT_MAX_UPLOAD",
        default_value = "24MiB",
        value_name = "BYTES"
    )]
    pub max_upload: Bytes,

    /// Bytes of the body of a batch at most, up to the spool's budget
    #[arg(
        long,
        env = "SAFELIGHT_MAX_BATCH",
        default_value = "96MiB",
        value_name = "BYTES"
    )]
    pub max_batch: Bytes,

    /// Uploads in progress at most
    #[arg(long, env = "SAFELIGHT_UPLOAD_PERMITS", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub upload_permits: u16,

    /// Bytes of uploads held at once at most
    #[arg(
        long,
        env = "SAFELIGHT_SPOOL_BUDGET",
        default_value = "256MiB",
        value_name = "BYTES"
    )]
    pub spool_budget: Bytes,

    /// Longest pause of an upload
    #[arg(long, env = "SAFELIGHT_UPLOAD_IDLE", default_value = "5s", value_parser = duration)]
    pub upload_idle: Duration,

    /// Longest upload, to which a second is added for every 256 KiB of its size
    #[arg(long, env = "SAFELIGHT_UPLOAD_TOTAL", default_value = "30s", value_parser = duration)]
    pub upload_total: Duration,

    /// Longest wait for the head of a request
    #[arg(long, env = "SAFELIGHT_HEAD_TIMEOUT", default_value = "5s", value_parser = duration)]
    pub head_timeout: Duration,

    /// Complete uploads that may wait for a worker
    #[arg(long, env = "SAFELIGHT_QUEUE", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub queue: u16,

    /// Whose turn it is among them: the cheapest by megapixels and operation, or whoever came first
    #[arg(
        long,
        env = "SAFELIGHT_QUEUE_ORDER",
        value_enum,
        default_value = "cheapest"
    )]
    pub queue_order: QueueOrder,

    /// Longest wait for a worker
    #[arg(long, env = "SAFELIGHT_QUEUE_WAIT", default_value = "10s", value_parser = duration)]
    pub queue_wait: Duration,

    /// Longest work on a picture, its wait for a worker not counted
    #[arg(long, env = "SAFELIGHT_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,

    /// The same for restoration, enhancement, pipelines and batches
    #[arg(long, env = "SAFELIGHT_LONG_TIMEOUT", default_value = "300s", value_parser = duration)]
    pub long_timeout: Duration,

    /// Longest stall of a client that reads its answer
    #[arg(long, env = "SAFELIGHT_READ_TIMEOUT", default_value = "15s", value_parser = duration)]
    pub read_timeout: Duration,

    /// Time that work in progress gets to end after SIGTERM
    #[arg(long, env = "SAFELIGHT_SHUTDOWN_GRACE", default_value = "35s", value_parser = duration)]
    pub shutdown_grace: Duration,

    /// Sign a receipt for every picture: the header Deletion-Receipt of its answer
    #[arg(long, env = "SAFELIGHT_RECEIPTS", default_value_t = false, num_args = 0..=1,
          default_missing_value = "true", require_equals = true, value_name = "BOOL",
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub receipts: bool,

    /// Origins whose pages may call this service from a browser [default: none but its own]
    #[arg(
        long,
        env = "SAFELIGHT_CORS_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub cors_origin: Vec<Origin>,

    /// Services whose routes are served too, beside rembg's and remove.bg's [default: none]
    #[arg(
        long,
        env = "SAFELIGHT_COMPAT",
        value_name = "NAME",
        value_delimiter = ',',
        value_enum
    )]
    pub compat: Vec<Compat>,

    /// TOML file of API keys; with it, whoever asks for work needs one
    #[arg(long, env = "SAFELIGHT_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,

    /// Requests of one client address at most, where they come without a key, such as 60/min
    #[arg(long, env = "SAFELIGHT_RATE_PER_ADDRESS", value_name = "N/PERIOD")]
    pub rate_per_address: Option<Rate>,

    /// Networks of the reverse proxies whose X-Forwarded-For is believed
    #[arg(
        long,
        env = "SAFELIGHT_TRUSTED_PROXIES",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<Network>,

    /// How log records are written
    #[arg(long, env = "SAFELIGHT_LOG_FORMAT", value_enum, default_value = "auto")]
    pub log_format: LogFormat,

    /// What jobs may take.
    #[command(flatten)]
    pub engine: EngineSettings,
}

/// `Settings` as a program of their own, for defaults and for the list of names.
#[derive(Parser)]
#[command(name = "safelight", args_override_self = true)]
struct Alone {
    #[command(flatten)]
    settings: Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Alone::parse_from(["safelight"]).settings
    }
}

impl Settings {
    /// Bytes of the body of a batch at most.
    pub fn max_batch_bytes(&self) -> u64 {
        self.max_batch.0.min(self.spool_budget.0)
    }

    /// Checks what no single flag can know.
    ///
    /// # Errors
    /// A sentence that names both settings.
    pub fn validate(&self) -> Result<(), String> {
        if self.spool_budget < self.max_upload {
            return Err(format!(
                "--spool-budget {} is less than --max-upload {}: no picture of that size could \
                 ever be taken",
                self.spool_budget, self.max_upload
            ));
        }
        if self.engine.formats.is_empty() {
            return Err("--formats names no format".to_owned());
        }
        Ok(())
    }

    /// The longest time that the upload of a body of `bytes` may take: `--upload-total`, and what
    /// the slowest rate that is served takes for it.
    pub fn longest_upload(&self, bytes: u64) -> Duration {
        self.upload_total + upload_time(bytes)
    }

    /// Bytes of a request's body at most.
    pub fn max_body(&self) -> u64 {
        self.max_upload.0.saturating_mul(2)
    }

    /// Every setting with its default and documentation, in the order of the help: for README
    /// and tests.
    pub fn table() -> Vec<(String, String, String)> {
        let command = Alone::command();
        let shown = command
            .get_arguments()
            .filter(|arg| arg.get_long() != Some("help"));
        shown
            .map(|arg| {
                let default = arg.get_default_values().iter().map(|v| v.to_string_lossy());
                (
                    format!("--{}", arg.get_long().unwrap_or_default()),
                    default.collect::<Vec<_>>().join(","),
                    arg.get_help()
                        .map(|help| help.to_string())
                        .unwrap_or_default(),
                )
            })
            .collect()
    }
}

/// The time that an upload of so many bytes gets beyond `--upload-total`: a second for every
/// 256 KiB, the slowest rate that is served.
pub fn upload_time(bytes: u64) -> Duration {
    const RATE: f64 = (256 << 10) as f64;
    Duration::from_secs_f64(bytes as f64 / RATE)
}

/// `$XDG_RUNTIME_DIR`: a folder in memory that belongs to the user, where a login made one.
pub fn runtime_dir() -> Option<PathBuf> {
    env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_well_formed_and_every_variable_is_its_flag() {
        Alone::command().debug_assert();
        for arg in Alone::command().get_arguments() {
            let (Some(long), Some(variable)) = (arg.get_long(), arg.get_env()) else {
                continue;
            };
            let expected = format!("SAFELIGHT_{}", long.replace('-', "_").to_uppercase());
            let variable = variable.to_string_lossy();
            assert!(
                variable == expected || variable == "ORT_DYLIB_PATH",
                "{long}: {variable}"
            );
        }
    }

    #[test]
    fn a_spool_smaller_than_a_picture_is_refused() {
        let settings = Settings {
            spool_budget: Bytes(1 << 20),
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("--spool-budget"));
    }
}
