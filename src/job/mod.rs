//! The way of one picture below HTTP: probe, reserve, decode, apply, encode. The server and the
//! command line run the same jobs; a pool of threads runs the server's.

mod answer;
mod archive;
mod input;
mod queue;
mod workers;

use std::{any::Any, io::Cursor, sync::Arc, time::Duration};

use answer::Encodings;
pub use answer::{Accept, Answer};
pub use archive::Archive;
pub use input::Input;
pub use workers::{Answered, Ticket, Workers};

use crate::{
    cancel::Cancel,
    codec::{self, Header, PictureLimits},
    engine::Engine,
    ephemeral::{MemoryBudget, Reason},
    error::Error,
    harden::fault::{self, Place},
    observe::{Picture, Stages},
    ops::{self, Plan, Shape},
    progress::Progress,
};

/// Refuses a picture of which only the first bytes have come, where nothing that follows could make
/// it acceptable. What is refused for its end alone (truncated, a bomb) waits for that.
///
/// # Errors
/// [`Error::UnknownFormat`], [`Error::FormatDisabled`], [`Error::SideTooLong`],
/// [`Error::TooManyPixels`].
pub fn glance(head: &[u8], limits: &PictureLimits) -> Result<(), Error> {
    match codec::probe(&mut Cursor::new(head), limits) {
        Err(
            error @ (Error::UnknownFormat { .. }
            | Error::FormatDisabled { .. }
            | Error::SideTooLong { .. }
            | Error::TooManyPixels { .. }),
        ) => Err(error),
        _ => Ok(()),
    }
}

/// What the header of a picture says, without a pixel being decoded: what a log may say of it,
/// and the facts for the client.
///
/// # Errors
/// As [`codec::probe`].
pub fn inspect(
    mut input: Input,
    limits: &PictureLimits,
) -> Result<(Picture, serde_json::Value), Error> {
    // Its bytes are of no more use after this, whatever the header says.
    input.set_reason(Reason::Error);
    let header = input.probe(limits)?;
    if let Input::Spooled(upload) = &mut input {
        upload.take_digest();
    }
    let (width, height) = header.upright_size();
    let facts = serde_json::json!({
        "type": header.format.name(),
        "width": width,
        "height": height,
        "orientation": header.orientation as u8,
        "color": header.color.name(),
        "bits": header.bits,
        "alpha": header.has_alpha,
        "megapixels": (header.pixels() as f64 / 1e4).round() / 1e2,
        "animated": header.animated,
    });
    Ok((picture(&header), facts))
}

fn picture(header: &Header) -> Picture {
    let (width, height) = header.upright_size();
    Picture {
        format: header.format.name(),
        width,
        height,
    }
}

/// What a job is measured against.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// What a picture may be.
    pub limits: &'a PictureLimits,
    /// The memory of all jobs, in bytes.
    pub budget: u64,
    /// The models.
    pub engine: &'a Engine,
}

/// Nanoseconds that decoding or encoding a pixel takes, in the middle of the formats
/// (docs/performance.md).
const CODED_NANOS: u64 = 7;

/// A further picture: its field name, where it is, what its header says.
type File = (&'static str, Input, Header);

/// A picture and everything that is to be done with it, checked as far as can be without pixels.
#[derive(Debug)]
pub struct Job {
    input: Input,
    header: Header,
    files: Vec<File>,
    // Behind the inputs, so that it is dropped after them.
    held: Option<Box<dyn Any + Send>>,
    plan: Plan,
    encodings: Encodings,
    result: ops::Limits,
    cost: u64,
    work: Duration,
    limit: (Duration, &'static str),
    progress: Progress,
}

impl Job {
    /// Reads the headers, holds them against the limits, and adds up the memory that the job will
    /// take at its peak.
    ///
    /// # Errors
    /// As [`codec::probe`], [`Plan::check_files`] and [`Plan::outline`]; [`Error::JobTooLarge`]
    /// where it could never fit into the budget.
    pub fn prepare(
        mut input: Input,
        files: Vec<(&'static str, Input)>,
        plan: Plan,
        accept: Accept,
        site: &Site<'_>,
    ) -> Result<Self, Error> {
        // Until the job is whole, an error is the only way in which its inputs can end.
        input.set_reason(Reason::Error);
        let header = input.probe(site.limits)?;
        let files = probed(files, site.limits)?;
        let names: Vec<_> = files.iter().map(|(name, ..)| *name).collect();
        plan.check_files(&names)?;
        let encodings = Encodings::choose(plan.output(), accept, header.format);
        // Commands have no deadline; the server sets one.
        let limit = (Duration::from_secs(86_400), "--timeout");
        let mut job = Self {
            input,
            header,
            files,
            held: None,
            plan,
            encodings,
            result: ops::Limits {
                max_pixels: site.limits.max_pixels,
                max_side: site.limits.max_side,
            },
            cost: 0,
            work: Duration::ZERO,
            limit,
            progress: Progress::default(),
        };
        (job.cost, job.work) = job.outlined(site.engine)?;
        if job.cost > site.budget {
            return Err(Error::JobTooLarge {
                limit: site.budget,
                actual: job.cost,
            });
        }
        job.set_reason(Reason::Disconnect);
        Ok(job)
    }

    /// The most that any stage holds, in bytes, where a stage's memory is free before the next one
    /// begins; and the work that all of them are expected to be.
    fn outlined(&self, engine: &Engine) -> Result<(u64, Duration), Error> {
        let header = &self.header;
        let mut peak = header.decode_peak(self.input.size());
        // What is decoded waits while the next picture is.
        let mut held = header.frame_bytes();
        for (_, input, header) in &self.files {
            peak = peak.max(held + header.decode_peak(input.size()));
            held += header.frame_bytes();
        }
        let shape = Shape {
            size: header.upright_size(),
            alpha: header.has_alpha,
            exact: true,
        };
        let files = self.files.iter();
        let files: Vec<_> = files
            .map(|(name, _, header)| (*name, header.pixels()))
            .collect();
        let work = self.plan.outline(shape, &files, engine, &self.result)?;
        let encode = work.pixels * 4 + self.encodings.peak(work.pixels);
        let files = self.files.iter().map(|(_, _, header)| header.pixels());
        let read = header.pixels() + files.sum::<u64>() + work.pixels;
        let coded = Duration::from_nanos(read * CODED_NANOS);
        Ok((peak.max(work.peak).max(encode), coded + work.time))
    }

    /// The longest time that the work may take; `setting` changes it.
    pub fn within(mut self, limit: Duration, setting: &'static str) -> Self {
        self.limit = (limit, setting);
        self
    }

    /// Holds this for as long as there are inputs; it is dropped when the last one is overwritten
    /// and closed, however the job ends.
    pub fn holding(mut self, held: impl Any + Send) -> Self {
        self.held = Some(Box::new(held));
        self
    }

    /// The time that it is expected to take one thread.
    pub fn work(&self) -> Duration {
        self.work
    }

    /// Whoever watches `progress` is told how far the work is.
    pub fn telling(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The peak of its memory in bytes.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// What a log may say of its picture.
    pub fn picture(&self) -> Picture {
        picture(&self.header)
    }

    /// Tells the inputs why they end, if they end without being decoded.
    pub fn set_reason(&mut self, reason: Reason) {
        self.input.set_reason(reason);
        for (_, file, _) in &mut self.files {
            file.set_reason(reason);
        }
    }

    /// Decode, operate, encode: each stage takes the one before by value, so nothing goes back,
    /// and what is no longer needed is already gone.
    ///
    /// # Errors
    /// The first error of a stage.
    pub fn run(
        self,
        engine: &Engine,
        cancel: &Cancel,
        stages: &mut Stages,
    ) -> Result<Answer, Error> {
        let cancel = cancel.with_deadline(self.limit.0, self.limit.1);
        let cancel = &cancel.telling(self.progress.clone());
        stages.tell(self.progress.clone());
        cancel.check()?;
        let Self {
            input,
            header,
            files,
            held,
            plan,
            encodings,
            result: limits,
            ..
        } = self;
        let source = ops::Source {
            jpeg_quality: header.jpeg_quality,
            size: Some(header.upright_size()),
        };
        let (frame, files) = stages.time("decode", || {
            let frame = input.decode(&header, plan.sampled(header.upright_size()))?;
            let decoded = |(name, input, header): File| {
                cancel.check()?;
                Ok((name, input.decode(&header, None)?))
            };
            let files = files.into_iter().map(decoded).collect::<Result<_, _>>()?;
            Ok((frame, files))
        })?;
        drop(held);
        cancel.check()?;
        let mut context = ops::Context {
            engine,
            cancel,
            stages,
            files,
            limits,
            source,
        };
        fault::pass(Place::Operation);
        let outcome = plan.apply(frame, &mut context)?;
        cancel.check()?;
        fault::pass(Place::Encode);
        let start = stages.begin("encode");
        let answer = answer::encode(outcome, &encodings, plan.output())?;
        stages.add("encode", start.elapsed());
        Ok(answer)
    }
}

/// Further pictures with their headers.
fn probed(files: Vec<(&'static str, Input)>, limits: &PictureLimits) -> Result<Vec<File>, Error> {
    let probe = |(name, mut input): (&'static str, Input)| {
        let header = input.probe(limits)?;
        Ok((name, input, header))
    };
    let mut files = files;
    for (_, input) in &mut files {
        input.set_reason(Reason::Error);
    }
    files.into_iter().map(probe).collect()
}

/// What the server's jobs share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The models.
    pub engine: Arc<Engine>,
    /// The memory of all jobs.
    pub budget: Arc<MemoryBudget>,
}
