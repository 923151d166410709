//! `Request`: the guard of one request. It collects facts and, on drop, writes one log record and
//! the metrics - so each request is recorded exactly once, however it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Log, Metrics, Record};
use crate::{error::Error, progress::Progress};

/// The stages of one job with the time each took, in their order.
#[derive(Debug, Clone, Default)]
pub struct Stages {
    list: Vec<Stage>,
    step: usize,
    progress: Progress,
}

#[derive(Debug, Clone, Copy)]
struct Stage {
    name: &'static str,
    time: Duration,
    /// The operation of a pipeline that it belongs to, counted from 1; 0 for none.
    step: usize,
}

impl Stages {
    /// Whoever watches `progress` is told from now on which stage begins.
    pub fn tell(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Runs `work` and notes its time under `name`, whether it succeeds or not.
    pub fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = self.begin(name);
        let result = work();
        self.add(name, start.elapsed());
        result
    }

    /// A stage begins whose time is noted by [`Stages::add`].
    pub fn begin(&mut self, name: &'static str) -> Instant {
        self.progress.begin(name, self.step);
        Instant::now()
    }

    /// Notes a time that was measured elsewhere.
    pub fn add(&mut self, name: &'static str, time: Duration) {
        let step = self.step;
        self.list.push(Stage { name, time, step });
    }

    /// What is noted from now on belongs to this operation of a pipeline; 0 for none.
    pub fn begin_step(&mut self, step: usize) {
        self.step = step;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.list.extend_from_slice(&other.list);
    }

    /// Adds the times of `other`, each to the stage of its name.
    pub fn merge(&mut self, other: &Self) {
        for stage in &other.list {
            match self.list.iter_mut().find(|own| own.name == stage.name) {
                Some(own) => own.time += stage.time,
                None => self.list.push(Stage { step: 0, ..*stage }),
            }
        }
    }

    /// Names and times.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.list.iter().map(|stage| (stage.name, stage.time))
    }

    /// The value of a `Server-Timing` header (W3C Server Timing), in milliseconds. The stages of a
    /// pipeline's operations say which one they belong to.
    pub fn server_timing(&self) -> String {
        let part = |stage: &Stage| {
            let step = match stage.step {
                0 => String::new(),
                step => format!(";desc=\"operation {step}\""),
            };
            format!("{}{step};dur={:.1}", stage.name, ms(stage.time))
        };
        self.list.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

fn ms(time: Duration) -> f64 {
    // A tenth of a millisecond is what the clock of a busy machine is worth.
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// What a log may say of a picture.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    /// Its format.
    pub format: &'static str,
    /// Its width in pixels, upright.
    pub width: u32,
    /// Its height in pixels, upright.
    pub height: u32,
}

/// One request, from its head to the last byte of its answer.
#[derive(Debug)]
pub struct Request {
    /// The random id of the request (UUID v4).
    pub id: String,
    /// The operation's name; a closed list.
    pub operation: &'static str,
    /// The picture, once its header was read.
    pub picture: Option<Picture>,
    /// Bytes of the upload.
    pub bytes_in: u64,
    /// Bytes of the answer that were handed out.
    pub bytes_out: u64,
    /// The model that ran.
    pub model: Option<String>,
    /// The stages so far.
    pub stages: Stages,
    outcome: Option<(&'static str, Option<&'static str>)>,
    started: Instant,
    metrics: Arc<Metrics>,
    log: Log,
}

impl Request {
    /// A request that begins now.
    pub fn begin(id: String, operation: &'static str, metrics: Arc<Metrics>, log: Log) -> Self {
        metrics.in_flight.inc();
        Self {
            id,
            operation,
            picture: None,
            bytes_in: 0,
            bytes_out: 0,
            model: None,
            stages: Stages::default(),
            outcome: None,
            started: Instant::now(),
            metrics,
            log,
        }
    }

    /// It was answered as asked.
    pub fn succeeded(&mut self) {
        self.outcome = Some(("ok", None));
    }

    /// It was answered with `error`, whose status is `status`.
    pub fn failed(&mut self, error: &Error, status: u16) {
        if let Some(reason) = error.rejection() {
            self.metrics.rejections.with_label_values(&[reason]).inc();
        }
        let outcome = match (error, status) {
            (Error::Cancelled, _) => "client_gone",
            // Not a limit of ours: the client said that it would no longer wait.
            (Error::DeadlinePassed { setting, .. }, _) if !setting.starts_with("--") => {
                "client_gone"
            }
            (_, 503 | 507) => "busy",
            (_, 500..) => "server_error",
            _ => "client_error",
        };
        self.outcome = Some((outcome, Some(error.code())));
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // A request that nobody ended was dropped by the server because its client is gone, or
        // because code of ours panicked.
        let (outcome, code) = self
            .outcome
            .unwrap_or_else(|| match std::thread::panicking() {
                true => ("server_error", Some(Error::Internal.code())),
                false => ("client_gone", None),
            });
        let m = &self.metrics;
        let elapsed = self.started.elapsed();
        m.in_flight.dec();
        m.requests
            .with_label_values(&[self.operation, outcome])
            .inc();
        m.request_duration
            .with_label_values(&[self.operation])
            .observe(elapsed.as_secs_f64());
        for (stage, time) in self.stages.iter() {
            m.stage_duration
                .with_label_values(&[stage])
                .observe(time.as_secs_f64());
        }
        m.upload_bytes.inc_by(self.bytes_in);
        m.response_bytes.inc_by(self.bytes_out);
        if let (Some(p), "ok") = (self.picture, outcome) {
            let megapixels = f64::from(p.width) * f64::from(p.height) / 1e6;
            m.megapixels
                .with_label_values(&[self.operation])
                .inc_by(megapixels);
        }
        let level = if outcome == "server_error" {
            "error"
        } else {
            "info"
        };
        self.log.write(Record {
            level,
            event: "request",
            request_id: Some(std::mem::take(&mut self.id)),
            operation: Some(self.operation),
            outcome: Some(outcome),
            code,
            input_type: self.picture.map(|p| p.format),
            width: self.picture.map(|p| p.width),
            height: self.picture.map(|p| p.height),
            bytes_in: Some(self.bytes_in),
            bytes_out: Some(self.bytes_out),
            duration_ms: Some(ms(elapsed)),
            stages_ms: self
                .stages
                .iter()
                .map(|(name, time)| (name, ms(time)))
                .collect(),
            model: self.model.take(),
            ..Record::default()
        });
    }
}
