//! Where the time of one cutout goes, and what a request costs beyond its parts.
//!
//! The parts are called directly, on one thread of a process that wipes its memory as the service
//! does; in turns with them the built program is asked for the same over HTTP, one request at a time. Wall and
//! processor time in milliseconds, medians. The ratio of the last lines has the target 1.15.

#[path = "parts/mod.rs"]
mod parts;
#[path = "parts/table.rs"]
mod table;

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use safelight::harden::alloc::Wiping;

#[global_allocator]
static ALLOCATOR: Wiping = Wiping;

/// Megapixels, width and height, and how often each is done.
const SIZES: [(u32, (u32, u32), usize); 3] = [
    (1, (1152, 864), 21),
    (12, (4000, 3000), 9),
    (40, (7300, 5475), 5),
];

#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |a, b| Self {
            wall: a.wall + b.wall,
            cpu: a.cpu + b.cpu,
        })
    }
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |of: fn(&Cost) -> Duration| {
        let mut all: Vec<_> = costs.iter().map(of).collect();
        all.sort();
        all[all.len() / 2]
    };
    Cost {
        wall: middle(|cost| cost.wall),
        cpu: middle(|cost| cost.cpu),
    }
}

/// Processor time of this thread so far.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What each stage cost, round by round.
#[derive(Default)]
struct Stages(Vec<(&'static str, Vec<Cost>)>);

impl Stages {
    /// The parts of one cutout, called here.
    fn add(&mut self, file: &[u8]) {
        parts::cut_out(file, |name, work| {
            let (start, cpu) = (Instant::now(), thread_time());
            work();
            let (cpu, wall) = (thread_time() - cpu, start.elapsed());
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, costs)) => costs.push(Cost { wall, cpu }),
                None => self.0.push((name, vec![Cost { wall, cpu }])),
            }
        });
    }

    fn medians(&self) -> Vec<(&'static str, Cost)> {
        let stages = self.0.iter();
        stages.map(|(name, costs)| (*name, median(costs))).collect()
    }
}

/// The built program, serving.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_safelight"))
            .args([
                "serve",
                "--listen=127.0.0.1:0",
                "--metrics-listen=127.0.0.1:0",
            ])
            .args(["--workers=1", "--log-format=json", "--max-megapixels=64"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let (mut address, mut line) = (String::new(), String::new());
        while !line.contains("\"ready\"") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server ended");
            if let Some((_, rest)) = line.split_once("listening on ") {
                address = rest.split(' ').next().unwrap().to_owned();
            }
        }
        // A log that nobody reads would stop the server once the pipe is full.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, address }
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).unwrap()
    }

    /// Processor time so far, all threads; in steps of 10 ms.
    fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .map(|t| t.parse::<u64>().unwrap())
            .sum();
        Duration::from_millis(ticks * 10)
    }

    /// A line of its status, in MiB.
    fn memory(&self, name: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >> 10
    }

    fn cut_out(&self, file: &[u8]) -> Duration {
        let start = Instant::now();
        let url = format!("{}/v1/remove-background?format=png", self.address);
        let mut answer = ureq::post(url)
            .header("Content-Type", "image/jpeg")
            .send(file)
            .unwrap();
        let mut bytes = Vec::new();
        answer
            .body_mut()
            .as_reader()
            .read_to_end(&mut bytes)
            .unwrap();
        start.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One picture: its parts, the whole request, and the server's memory in MiB before and at its peak.
struct Column {
    parts: Vec<(&'static str, Cost)>,
    whole: Cost,
    idle: u64,
    peak: u64,
}

/// The parts and the request take turns: the machine may be slower in the next second.
fn measure(file: &[u8], times: usize) -> Column {
    let server = Server::start();
    let idle = server.memory("VmRSS");
    // The first of each is not counted: its pages are new.
    Stages::default().add(file);
    server.cut_out(file);
    let (mut stages, mut walls) = (Stages::default(), Vec::new());
    let before = server.cpu();
    for _ in 0..times {
        stages.add(file);
        walls.push(server.cut_out(file));
    }
    let cpu = (server.cpu() - before) / times as u32;
    walls.sort();
    Column {
        parts: stages.medians(),
        whole: Cost {
            wall: walls[times / 2],
            cpu,
        },
        idle,
        peak: server.memory("VmHWM"),
    }
}

fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 {
        format!("{ms:.1}")
    } else {
        format!("{ms:.0}")
    }
}

fn main() {
    let mut columns = Vec::new();
    for (megapixels, size, times) in SIZES {
        let file = parts::jpeg(size);
        let Column {
            parts: mut lines,
            whole,
            idle,
            peak,
        } = measure(&file, times);
        let sum: Cost = lines.iter().map(|(_, cost)| *cost).sum();
        lines.push(("sum of the parts", sum));
        lines.push(("whole request", whole));
        let over = |of: fn(&Cost) -> Duration| of(&whole).as_secs_f64() / of(&sum).as_secs_f64();
        let over = (over(|cost| cost.wall), over(|cost| cost.cpu));
        columns.push((megapixels, lines, over, idle, peak));
    }
    let mut text = String::from("| |");
    for (megapixels, ..) in &columns {
        write!(text, " {megapixels} MP wall | CPU |").unwrap();
    }
    text += "\n| --- |";
    text += &" --- | --- |".repeat(columns.len());
    for line in 0..columns[0].1.len() {
        write!(text, "\n| {} |", columns[0].1[line].0).unwrap();
        for (_, lines, ..) in &columns {
            let cost = lines[line].1;
            write!(text, " {} | {} |", ms(cost.wall), ms(cost.cpu)).unwrap();
        }
    }
    text += "\n| whole / parts |";
    for (_, _, (wall, cpu), ..) in &columns {
        write!(text, " {wall:.2} x | {cpu:.2} x |").unwrap();
    }
    text += "\n| memory, idle and peak, MiB |";
    for (.., idle, peak) in &columns {
        write!(text, " {idle} | {peak} |").unwrap();
    }
    table::publish("profile", &(text + "\n"));
}
