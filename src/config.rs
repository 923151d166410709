//! Every setting of the service: its name, default, documentation and check.
//!
//! One struct serves flags, `SAFELIGHT_*` variables and the TOML file: a key of the file becomes
//! the flag of the same name, placed before the real ones, unless its variable is set. So a flag
//! wins over a variable, a variable over the file, the file over the default, and all four are
//! checked by the same code.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::{Args, CommandFactory, Parser, ValueEnum};

/// A picture format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (W3C PNG specification, third edition).
    Png,
    /// WebP (RFC 9649).
    Webp,
    /// GIF 89a; the first frame.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF 6.0; the first page.
    Tiff,
}

impl Format {
    /// The name used in options, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
        }
    }
}

/// What a picture may be before any of its pixels is decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureLimits {
    /// Width times height at most.
    pub max_pixels: u64,
    /// Width and height at most.
    pub max_side: u32,
    /// The formats that are read.
    pub formats: Vec<Format>,
}

impl PictureLimits {
    /// The enabled formats, comma-separated, for messages.
    pub fn format_names(&self) -> String {
        self.formats
            .iter()
            .map(|f| f.name())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// What to do where the storage cannot keep the promise that nothing is written to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ephemerality {
    /// Refuse to start (exit code 78).
    Strict,
    /// Start, and say so in one line, in `doctor`, in `/v1/privacy` and in a metric.
    Warn,
}

/// How log records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text where standard error is a terminal, else JSON.
    Auto,
    /// One JSON object a line.
    Json,
    /// One readable line.
    Text,
}

/// A number of bytes: `24MiB`, `256KiB`, `1GiB` or plain bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected bytes such as 24MiB, 512KiB, 1GiB or 1048576".to_owned();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// A length of time: `5s`, `500ms`, `2m` or plain seconds (`1.5`).
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 30s, 500ms, 2m or 1.5".to_owned();
    let (number, unit) = match text {
        _ if text.ends_with("ms") => (&text[..text.len() - 2], 1e-3),
        _ if text.ends_with('s') => (&text[..text.len() - 1], 1.0),
        _ if text.ends_with('m') => (&text[..text.len() - 1], 60.0),
        _ => (text, 1.0),
    };
    let seconds = number.trim().parse::<f64>().map_err(|_| wrong())? * unit;
    // A day is far above any deadline that makes sense, and far below what overflows.
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err("expected a time between 1ms and a day".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A model named on the command line: `NAME`, or `NAME=FILE` for a file of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// The model's name.
    pub name: String,
    /// Its ONNX file, where it is not the catalogue's.
    pub file: Option<PathBuf>,
}

impl FromStr for ModelChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err("expected NAME or NAME=FILE, the name of letters, digits, - _ .".into());
        }
        Ok(Self {
            name: name.to_owned(),
            file,
        })
    }
}

/// Settings that the server and the command line share.
#[derive(Debug, Clone, Args)]
pub struct EngineSettings {
    /// Model used where a request names none; repeat as NAME=FILE to add a model file of your own
    #[arg(
        long,
        env = "SAFELIGHT_MODEL",
        value_name = "NAME[=FILE]",
        value_delimiter = ','
    )]
    pub model: Vec<ModelChoice>,

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

fn megapixels(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.000_001..=4096.0).contains(&value) => Ok(value),
        _ => Err("expected megapixels, above 0 and at most 4096".to_owned()),
    }
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

/// Memory that this process may use: the smaller of the machine's and the control group's.
fn memory_given() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    });
    let group = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .iter()
    .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    [machine, group].into_iter().flatten().min()
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

    /// Longest wait for a worker
    #[arg(long, env = "SAFELIGHT_QUEUE_WAIT", default_value = "10s", value_parser = duration)]
    pub queue_wait: Duration,

    /// Longest work on a picture, its wait for a worker not counted
    #[arg(long, env = "SAFELIGHT_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,

    /// The same for restoration, pipelines and batches
    #[arg(long, env = "SAFELIGHT_LONG_TIMEOUT", default_value = "300s", value_parser = duration)]
    pub long_timeout: Duration,

    /// Longest stall of a client that reads its answer
    #[arg(long, env = "SAFELIGHT_READ_TIMEOUT", default_value = "15s", value_parser = duration)]
    pub read_timeout: Duration,

    /// Time that work in progress gets to end after SIGTERM
    #[arg(long, env = "SAFELIGHT_SHUTDOWN_GRACE", default_value = "35s", value_parser = duration)]
    pub shutdown_grace: Duration,

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

/// The settings of a TOML file as command line arguments, to be placed before the `given` ones;
/// without those that are given there or by their variable.
///
/// # Errors
/// A sentence that names the file and the key: unreadable, not TOML, an unknown key, or a value
/// that is neither text, number, truth value nor a list of these.
pub fn file_arguments(path: &Path, given: &[String]) -> Result<Vec<String>, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|e| format!("{name} cannot be read: {e}"))?;
    let table: toml::Table = text
        .parse()
        .map_err(|e| format!("{name} is not TOML: {e}"))?;
    let command = Alone::command();
    let mut arguments = Vec::new();
    for (key, value) in table {
        let flag = key.replace('_', "-");
        let known = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(&flag));
        let Some(arg) = known.filter(|arg| arg.get_long() != Some("config")) else {
            return Err(format!("{name}: there is no setting {key:?}"));
        };
        let long = format!("--{flag}");
        let on_line = given
            .iter()
            .any(|argument| argument.split('=').next() == Some(&long));
        if on_line
            || arg
                .get_env()
                .is_some_and(|variable| env::var_os(variable).is_some())
        {
            continue;
        }
        let value = plain(&value).ok_or_else(|| format!("{name}: {key:?} has no plain value"))?;
        arguments.push(format!("--{flag}={value}"));
    }
    Ok(arguments)
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(list) => Some(
            list.iter()
                .map(plain)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        _ => None,
    }
}

/// The file that `--config FILE`, `--config=FILE` or `SAFELIGHT_CONFIG` names, before anything
/// else is parsed.
pub fn named_file(arguments: &[String]) -> Option<PathBuf> {
    let mut found = env::var_os("SAFELIGHT_CONFIG").map(PathBuf::from);
    for (i, argument) in arguments.iter().enumerate() {
        if let Some(file) = argument.strip_prefix("--config=") {
            found = Some(file.into());
        } else if argument == "--config" {
            found = arguments.get(i + 1).map(PathBuf::from).or(found);
        }
    }
    found
}

/// `$XDG_RUNTIME_DIR`: a folder in memory that belongs to the user, where a login made one.
pub fn runtime_dir() -> Option<PathBuf> {
    env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_with_their_units() {
        assert_eq!("24MiB".parse(), Ok(Bytes(24 << 20)));
        assert_eq!("1024".parse(), Ok(Bytes(1024)));
        assert!("24 parsecs".parse::<Bytes>().is_err());
        assert!("99999999999GiB".parse::<Bytes>().is_err());
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("-1").is_err() && duration("inf").is_err() && duration("nan").is_err());
        assert_eq!(Bytes(24 << 20).to_string(), "24MiB");
    }

    #[test]
    fn a_file_becomes_flags_and_unknown_keys_are_refused() {
        let dir = tempdir();
        let file = dir.join("safelight.toml");
        fs::write(
            &file,
            "max_megapixels = 12.5\nformats = [\"png\", \"jpeg\"]\n",
        )
        .unwrap();
        let mut arguments = vec!["safelight".to_owned()];
        let given = ["--formats=webp".to_owned()];
        arguments.extend(file_arguments(&file, &given).unwrap());
        arguments.extend(given);
        let settings = Alone::parse_from(&arguments).settings;
        assert_eq!(settings.engine.max_megapixels, 12.5);
        assert_eq!(
            settings.engine.formats,
            [Format::Webp],
            "a flag wins over the file"
        );
        fs::write(&file, "colour = 1\n").unwrap();
        assert!(file_arguments(&file, &[]).unwrap_err().contains("colour"));
        fs::remove_dir_all(dir).unwrap();
    }

    fn tempdir() -> PathBuf {
        let dir = env::temp_dir().join(format!("safelight-config-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

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
