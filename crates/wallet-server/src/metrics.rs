//! The metrics of a server, as OpenMetrics text or in the older text format of Prometheus. `docs/monitoring` has a dashboard and alerts
//! for them.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use wallet_store::{Distribution, Measured};

type Labels = Vec<(&'static str, String)>;

/// The metrics that are counted when something happens. The others, of [`State`], are read when the text is made.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    request_seconds: Family<Labels, Histogram>,
    attempts: Family<Labels, Counter>,
    attempt_seconds: Histogram,
    lateness: Histogram,
    notices: Family<Labels, Counter>,
}

/// What is read when the text is made.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Measured,
    /// Whether the store has stopped by itself.
    pub(crate) broken: bool,
    pub(crate) attempts_under_way: usize,
    /// How long the earliest callback that waits in this process has been due.
    pub(crate) backlog: Duration,
    /// The password hashes being made, and those that wait for a place.
    pub(crate) hashes: (usize, usize),
}

fn seconds_from(first: f64) -> Histogram {
    Histogram::new(exponential_buckets(first, 2.0, 16))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("wallop");
        let (requests, attempts, notices) = (Family::default(), Family::default(), Family::default());
        let request_seconds = Family::<Labels, Histogram>::new_with_constructor(|| seconds_from(0.000_25));
        let (attempt_seconds, lateness) = (seconds_from(0.001), seconds_from(0.001));
        registry.register(
            "requests",
            "Requests, by endpoint, HTTP status and the code in the reply",
            requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to its reply",
            Unit::Seconds,
            request_seconds.clone(),
        );
        registry.register(
            "callback_attempts",
            "Attempts to deliver a callback, by outcome",
            attempts.clone(),
        );
        registry.register_with_unit(
            "callback_attempt_duration",
            "Time of an attempt to deliver a callback, from its turn to its end",
            Unit::Seconds,
            attempt_seconds.clone(),
        );
        registry.register_with_unit(
            "callback_lateness",
            "Time from the moment when an attempt was due to its beginning",
            Unit::Seconds,
            lateness.clone(),
        );
        registry.register("notices", "Attempts to send a notice, by outcome", notices.clone());
        Self { registry, requests, request_seconds, attempts, attempt_seconds, lateness, notices }
    }

    /// Counts a request; `code` is the one in the reply, if the platform has written it.
    pub(crate) fn request(&self, endpoint: &'static str, status: u16, code: Option<u32>, took: Duration) {
        let endpoint = ("endpoint", endpoint.to_owned());
        let code = ("code", code.map(|code| code.to_string()).unwrap_or_default());
        let labels = vec![endpoint.clone(), ("status", status.to_string()), code];
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.get_or_create(&vec![endpoint]).observe(took.as_secs_f64());
    }

    /// Counts an attempt to deliver a callback.
    pub(crate) fn callback(&self, outcome: &'static str, late: Duration, took: Duration) {
        self.attempts.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
        self.lateness.observe(late.as_secs_f64());
        self.attempt_seconds.observe(took.as_secs_f64());
    }

    /// Counts an attempt to send a notice.
    pub(crate) fn notice(&self, sent: bool) {
        let outcome = if sent { "sent" } else { "failed" };
        self.notices.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
    }

    pub(crate) fn text(&self, state: State) -> String {
        let (mut text, mut read) = (String::new(), Registry::with_prefix("wallop"));
        read.register_collector(Box::new(state));
        // Writing into a String cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &read);
        let _ = encode_eof(&mut text);
        text
    }
}

/// Whether a reader prefers OpenMetrics to the older format, by its `Accept` (RFC 9110, 12.5.1). A reader that names neither gets the
/// older one, which every reader knows.
pub(crate) fn reads_open_metrics(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(http::header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let (mut open, mut plain) = (0.0, 0.0);
    for range in lines.flat_map(|line| line.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = match parts.next().unwrap_or_default() {
            kind if kind.eq_ignore_ascii_case("application/openmetrics-text") => &mut open,
            kind if kind.eq_ignore_ascii_case("text/plain") => &mut plain,
            _ => continue,
        };
        let weight =
            parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("q"));
        let quality = weight.map_or(1.0, |(_, value)| value.parse::<f32>().unwrap_or(0.0));
        *kind = quality.max(*kind);
    }
    open > 0.0 && open >= plain
}

/// OpenMetrics text in the older format: a counter's family has the name of its sample, and units and the end have no line.
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
pub(crate) fn classic(text: &str) -> String {
    let counters: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let about =
            ["# HELP ", "# TYPE "].into_iter().find_map(|start| Some((start, line.strip_prefix(start)?)));
        match about.and_then(|(start, rest)| Some((start, rest.split_once(' ')?))) {
            Some((start, (name, rest))) if counters.contains(&name) => {
                out += &format!("{start}{name}_total {rest}")
            }
            None if line.starts_with("# ") => continue,
            _ => out += line,
        }
        out.push('\n');
    }
    out
}

impl Collector for State {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Self { store: measured, broken, attempts_under_way, backlog, hashes: (running, waiting) } = self;
        let one = |value: u64| value as f64;
        histogram(
            &mut out,
            "store_batch_commands",
            None,
            "Commands in a batch",
            &measured.batch_commands,
            one,
        )?;
        histogram(
            &mut out,
            "store_batch_duration",
            Some(&Unit::Seconds),
            "Time of a batch, its commit included",
            &measured.batch_micros,
            |micros| micros as f64 / 1e6,
        )?;
        let gauges = [
            ("store_queue_commands", "Commands that wait or are being decided", one(measured.queued)),
            ("store_log_pages", "Pages of 4 KiB in the write-ahead log of SQLite", one(measured.log_pages)),
            ("callback_attempts_under_way", "Attempts under way", *attempts_under_way as f64),
            (
                "callback_backlog_age_seconds",
                "How long the earliest callback that waits in this node has been due",
                backlog.as_secs_f64(),
            ),
            ("password_hashes_running", "Password hashes being made", *running as f64),
            ("password_hashes_waiting", "Password hashes that wait for a place", *waiting as f64),
            ("store_broken", "1 once the store has stopped by itself", f64::from(u8::from(*broken))),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(out.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let help = "Times that the write-ahead log could not be copied into the database's file";
        let failed = out.encode_descriptor("store_failed_checkpoints", help, None, MetricType::Counter)?;
        ConstCounter::new(measured.failed_checkpoints).encode(failed)?;
        let help = "Commands and queries that failed, by the class of the error";
        let mut errors = out.encode_descriptor("store_errors", help, None, MetricType::Counter)?;
        for (class, count) in &measured.errors {
            ConstCounter::new(*count).encode(errors.encode_family(&[("class", *class)])?)?;
        }
        Ok(())
    }
}

fn histogram(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    unit: Option<&Unit>,
    help: &str,
    values: &Distribution,
    scaled: impl Fn(u64) -> f64,
) -> Result<(), fmt::Error> {
    let bound = |bound: u64| if bound == u64::MAX { f64::MAX } else { scaled(bound) };
    let buckets: Vec<(f64, u64)> = values.buckets.iter().map(|(at, count)| (bound(*at), *count)).collect();
    let mut encoder = out.encode_descriptor(name, help, unit, MetricType::Histogram)?;
    encoder.encode_histogram::<NoLabelSet>(scaled(values.sum), values.count(), &buckets, None)
}
