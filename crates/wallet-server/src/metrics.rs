//! Prometheus text.

use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use wallet_store::BatchSizes;

type Labels = Vec<(&'static str, String)>;

pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram>,
    callbacks: Family<Labels, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("wallop");
        let requests = Family::default();
        registry.register("requests", "Requests by endpoint and HTTP status", requests.clone());
        let seconds = Family::<Labels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
        });
        registry.register(
            "request_seconds",
            "Seconds from the head of a request to its reply",
            seconds.clone(),
        );
        let callbacks = Family::default();
        registry.register(
            "callback_attempts",
            "Attempts to deliver a callback, by outcome",
            callbacks.clone(),
        );
        Self { registry, requests, seconds, callbacks }
    }

    pub(crate) fn request(&self, endpoint: &'static str, status: u16, took: Duration) {
        let endpoint = ("endpoint", endpoint.to_owned());
        self.requests.get_or_create(&vec![endpoint.clone(), ("status", status.to_string())]).inc();
        self.seconds.get_or_create(&vec![endpoint]).observe(took.as_secs_f64());
    }

    pub(crate) fn callback(&self, outcome: &'static str) {
        self.callbacks.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
    }

    pub(crate) fn text(&self, batches: BatchSizes) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail. The registry's text ends with `# EOF`, so the store's metrics go first.
        let _ = write!(
            text,
            "# HELP wallop_store_batches Batches that the store has run.\n# TYPE wallop_store_batches counter\n\
             wallop_store_batches_total {}\n# HELP wallop_store_commands Commands in them.\n\
             # TYPE wallop_store_commands counter\nwallop_store_commands_total {}\n",
            batches.batches, batches.commands
        );
        let _ = encode(&mut text, &self.registry);
        text
    }
}
