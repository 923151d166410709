//! The metrics of DESIGN section 6. Labels come from closed lists in this program; a name, an
//! address, a key or an exact dimension never becomes one.

use std::cell::RefCell;

use prometheus::{
    CounterVec, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
    core::{Collector, GenericCounterVec},
};

/// What one metric is, whether or not it has a sample yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its full name.
    pub name: String,
    /// What it measures.
    pub about: String,
    /// The names of its labels; their values are of closed lists.
    pub labels: Vec<String>,
}

/// Every metric of the service and the registry that holds them.
pub struct Metrics {
    registry: Registry,
    definitions: Vec<Definition>,
    /// Requests that ended, by operation and outcome.
    pub requests: IntCounterVec,
    /// Seconds from the head of a request to the last byte of its answer.
    pub request_duration: HistogramVec,
    /// Seconds of each stage of a request.
    pub stage_duration: HistogramVec,
    /// Requests in progress.
    pub in_flight: IntGauge,
    /// Complete uploads that wait for a worker.
    pub queue_depth: IntGauge,
    /// Requests refused for lack of room, by resource, or for their key, rate or quota.
    pub rejections: IntCounterVec,
    /// Megapixels of decoded inputs, by operation.
    pub megapixels: CounterVec,
    /// Bytes received.
    pub upload_bytes: IntCounter,
    /// Bytes sent.
    pub response_bytes: IntCounter,
    /// Inputs opened.
    pub inputs_opened: IntCounter,
    /// Inputs deleted, by reason.
    pub inputs_deleted: IntCounterVec,
    /// Inputs that are alive.
    pub inputs_live: IntGauge,
    /// Leases that are alive.
    pub leases_live: IntGauge,
    /// Age of the oldest input that is alive, set when the metrics are read.
    pub oldest_input: Gauge,
    /// Seconds an input lived.
    pub input_lifetime: Histogram,
    /// Bytes reserved in the spool.
    pub spool_bytes: IntGauge,
    /// Bytes that the spool may hold.
    pub spool_budget: IntGauge,
    /// Bytes reserved in the memory budget.
    pub memory_reserved: IntGauge,
    /// Bytes that all jobs may reserve.
    pub memory_budget: IntGauge,
    /// 1 for each loaded model, with its licence and what it runs on.
    pub model_loaded: IntGaugeVec,
    /// Seconds of one inference.
    pub inference_duration: HistogramVec,
    /// 1 where storage or swap break the promise that nothing reaches a disk (`warn` mode).
    pub storage_exposed: IntGauge,
    /// Times that code panicked; each one is a defect, here or in a library.
    pub panics: IntCounter,
    build_info: IntGaugeVec,
}

/// The registry says nothing worth printing.
impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Bucket limits in seconds: a stage may take a millisecond, a restoration minutes.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

impl Metrics {
    /// The metrics, all at zero, for a program of this version.
    pub fn new(version: &str) -> Self {
        let r = &Register::default();
        let mut metrics = Self {
            requests: counters(
                r,
                "requests_total",
                "Requests that ended.",
                &["operation", "outcome"],
            ),
            request_duration: histograms(
                r,
                "request_duration_seconds",
                "Seconds from the head of a request to the last byte of its answer.",
                "operation",
            ),
            stage_duration: histograms(r, "stage_duration_seconds", "Seconds of a stage.", "stage"),
            in_flight: gauge(r, "in_flight", "Requests in progress."),
            queue_depth: gauge(r, "queue_depth", "Complete uploads that wait for a worker."),
            rejections: counters(
                r,
                "rejections_total",
                "Requests refused for lack of room, or for their key, rate or quota.",
                &["reason"],
            ),
            megapixels: counters(
                r,
                "megapixels_total",
                "Megapixels of inputs.",
                &["operation"],
            ),
            upload_bytes: counter(r, "upload_bytes_total", "Bytes of pictures received."),
            response_bytes: counter(r, "response_bytes_total", "Bytes of pictures sent."),
            inputs_opened: counter(r, "inputs_opened_total", "Inputs opened."),
            inputs_deleted: counters(r, "inputs_deleted_total", "Inputs deleted.", &["reason"]),
            inputs_live: gauge(r, "inputs_live", "Inputs that are alive."),
            leases_live: gauge(r, "leases_live", "Requests that hold pixels or an answer."),
            oldest_input: register(
                r,
                Gauge::with_opts(opts(
                    "oldest_input_seconds",
                    "Age of the oldest input alive.",
                )),
            ),
            input_lifetime: register(
                r,
                Histogram::with_opts(buckets("input_lifetime_seconds", "Seconds an input lived.")),
            ),
            spool_bytes: gauge(r, "spool_bytes", "Bytes reserved in the spool."),
            spool_budget: gauge(r, "spool_budget_bytes", "Bytes that the spool may hold."),
            memory_reserved: gauge(
                r,
                "memory_reserved_bytes",
                "Bytes of memory reserved by jobs.",
            ),
            memory_budget: gauge(
                r,
                "memory_budget_bytes",
                "Bytes of memory that jobs may reserve.",
            ),
            model_loaded: gauges(
                r,
                "model_loaded",
                "1 for each loaded model, with what it runs on.",
                &["model", "license", "device"],
            ),
            inference_duration: histograms(
                r,
                "inference_duration_seconds",
                "Seconds of one inference.",
                "model",
            ),
            storage_exposed: gauge(r, "storage_exposed", "1 where a byte could reach a disk."),
            panics: counter(r, "panics_total", "Times that code panicked."),
            build_info: gauges(r, "build_info", "The program.", &["version", "onnxruntime"]),
            registry: Registry::new(),
            definitions: Vec::new(),
        };
        register_process(r);
        (metrics.registry, metrics.definitions) = (r.registry.clone(), r.definitions.take());
        metrics.build_info.with_label_values(&[version, ""]).set(1);
        metrics
    }

    /// Every metric that there is, those of the process included.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// Names the ONNX Runtime that was loaded.
    pub fn set_runtime(&self, version: &str, runtime: &str) {
        self.build_info.reset();
        self.build_info
            .with_label_values(&[version, runtime])
            .set(1);
    }

    /// All metrics in the text format of Prometheus (version 0.0.4).
    pub fn text(&self) -> String {
        // The encoder fails only on a metric without a name or samples; `gather` yields none.
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}

/// A registry that can say what was registered; that of the library lists only what has samples.
#[derive(Default)]
struct Register {
    registry: Registry,
    definitions: RefCell<Vec<Definition>>,
}

impl Register {
    fn add(&self, collector: impl Collector + 'static) -> prometheus::Result<()> {
        let described = collector.desc().into_iter().map(|desc| Definition {
            name: desc.fq_name.clone(),
            about: desc.help.clone(),
            labels: desc.variable_labels.clone(),
        });
        self.definitions.borrow_mut().extend(described);
        self.registry.register(Box::new(collector))
    }
}

#[cfg(target_os = "linux")]
fn register_process(r: &Register) {
    let process = prometheus::process_collector::ProcessCollector::for_self();
    // A second collector in one registry is the only way to fail; there is just this one.
    let _ = r.add(process);
}

#[cfg(not(target_os = "linux"))]
fn register_process(_: &Register) {}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("safelight_{name}"), help)
}

fn buckets(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::from(opts(name, help)).buckets(SECONDS.to_vec())
}

fn register<C: Collector + Clone + 'static>(r: &Register, made: prometheus::Result<C>) -> C {
    let collector = made.expect("the names and labels in this file are valid");
    r.add(collector.clone())
        .expect("each name in this file is used once");
    collector
}

fn counter(r: &Register, name: &str, help: &str) -> IntCounter {
    register(r, IntCounter::with_opts(opts(name, help)))
}

fn counters<P>(r: &Register, name: &str, help: &str, labels: &[&str]) -> GenericCounterVec<P>
where
    P: prometheus::core::Atomic + 'static,
{
    register(r, GenericCounterVec::new(opts(name, help), labels))
}

fn gauge(r: &Register, name: &str, help: &str) -> IntGauge {
    register(r, IntGauge::with_opts(opts(name, help)))
}

fn gauges(r: &Register, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register(r, IntGaugeVec::new(opts(name, help), labels))
}

fn histograms(r: &Register, name: &str, help: &str, label: &str) -> HistogramVec {
    register(r, HistogramVec::new(buckets(name, help), &[label]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new("1.2.3");
        metrics.requests.with_label_values(&["restore", "ok"]).inc();
        metrics.set_runtime("1.2.3", "9.9");
        let text = metrics.text();
        assert!(text.contains(r#"safelight_requests_total{operation="restore",outcome="ok"} 1"#));
        assert!(text.contains(r#"safelight_build_info{onnxruntime="9.9",version="1.2.3"} 1"#));
        assert!(
            !text.contains(r#"onnxruntime="""#),
            "the first value is replaced"
        );
    }

    #[test]
    fn what_is_shown_is_defined() {
        let metrics = Metrics::new("1.2.3");
        for family in metrics.registry.gather() {
            let mut defined = metrics.definitions().iter();
            assert!(
                defined.any(|d| d.name == family.name()),
                "{}",
                family.name()
            );
        }
        let requests = &metrics.definitions()[0];
        assert_eq!(requests.name, "safelight_requests_total");
        assert_eq!(requests.labels, ["operation", "outcome"]);
    }
}
